"""The metrics of one driver process, in the names the example driver uses, with a prefix of the driver's choice."""

from collections.abc import Callable
from typing import Final

from dray.kits.metrics import Registry

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0)


class DriverMetrics:
    """`prefix` like "dra_example_driver"; label `result` is success or error."""

    def __init__(self, prefix: str) -> None:
        self.registry = Registry()
        counter, histogram = self.registry.counter, self.registry.histogram
        result = ("result",)
        self._prepares = counter(f"{prefix}_prepare_claims_total", "Claims prepared.", result)
        self._unprepares = counter(f"{prefix}_unprepare_claims_total", "Claims unprepared.", result)
        self._prepare_seconds = histogram(
            f"{prefix}_prepare_claim_duration_seconds", "Time to prepare a claim.", result, buckets=_BUCKETS
        )
        self._unprepare_seconds = histogram(
            f"{prefix}_unprepare_claim_duration_seconds",
            "Time to unprepare a claim.",
            result,
            buckets=_BUCKETS,
        )
        self._fatal = counter(
            f"{prefix}_fatal_background_errors_total", "Background errors that end the driver."
        )
        self._background = counter(f"{prefix}_background_errors_total", "Background errors of any kind.")
        self._prefix = prefix

    def prepared(self, failed: bool, seconds: float) -> None:
        self._prepares.inc(result=_result(failed))
        self._prepare_seconds.observe(seconds, result=_result(failed))

    def unprepared(self, failed: bool, seconds: float) -> None:
        self._unprepares.inc(result=_result(failed))
        self._unprepare_seconds.observe(seconds, result=_result(failed))

    def background_error(self, fatal: bool) -> None:
        self._background.inc()
        if fatal:
            self._fatal.inc()

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """A gauge that is read when somebody looks."""
        self.registry.gauge(f"{self._prefix}_{name}", help_text, collect=lambda: {(): value()})


def _result(failed: bool) -> str:
    return "error" if failed else "success"

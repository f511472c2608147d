"""Whether the server lives and is ready: named checks, the reports at /healthz, /livez and /readyz, and their count."""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Final

from dray.kits.metrics import Registry

Check = Callable[[], None]
"""Raises when something is wrong."""

ENDPOINTS: Final = ("healthz", "livez", "readyz")


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    is_ok: bool
    verbose: str
    """One line a check and a last one with the outcome."""


class Health:
    def __init__(self) -> None:
        self._checks: dict[str, dict[str, Check]] = {endpoint: {} for endpoint in ENDPOINTS}
        self._last: dict[tuple[str, ...], float] = {}
        """By check and endpoint: 1 where it passed when it was last asked for, 0 where not."""
        self.indicators = Registry()
        """What /metrics/slis shows."""
        self.indicators.gauge(
            "kubernetes_healthcheck",
            "Whether a check passed when it was last asked for.",
            ("name", "type"),
            collect=lambda: self._last,
        )
        self._count = self.indicators.counter(
            "kubernetes_healthchecks_total", "Checks that were asked for.", ("name", "status", "type")
        )
        self.add("ping", lambda: None)

    def add(self, name: str, check: Check, endpoints: Collection[str] = ENDPOINTS) -> None:
        for endpoint in endpoints:
            self._checks[endpoint][name] = check

    def names(self, endpoint: str) -> list[str]:
        return list(self._checks[endpoint])

    def report(self, endpoint: str, *, only: str = "", excluded: Collection[str] = ()) -> Report:
        """`only`: one check's name; `excluded`: names of checks that do not count."""
        checks: Mapping[str, Check] = self._checks[endpoint]
        if only:
            checks = {only: checks[only]}
        lines, is_ok = [], True
        for name, check in checks.items():
            if name in excluded:
                lines.append(f"[+]{name} excluded: ok")
                continue
            try:
                check()
                passed = True
                lines.append(f"[+]{name} ok")
            except Exception as error:  # a check may fail in any way; failing is its answer
                is_ok = passed = False
                lines.append(f"[-]{name} failed: {error}")
            self._last[name, endpoint] = float(passed)
            self._count.inc(name=name, status="success" if passed else "error", type=endpoint)
        lines += [
            f"warn: some health checks cannot be excluded: no matches for {name!r}"
            for name in excluded
            if name not in checks
        ]
        lines.append(f"{endpoint} check {'passed' if is_ok else 'failed'}")
        return Report(is_ok, "\n".join(lines) + "\n")

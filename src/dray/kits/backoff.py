"""Exponential delays per key, as client-go's workqueues and the kubelet space their retries."""

from collections.abc import Hashable


class Backoff:
    """Doubles the delay of a key at each failure, from `base_seconds` up to `max_seconds`."""

    def __init__(self, base_seconds: float, max_seconds: float) -> None:
        self.base_seconds = base_seconds
        self.max_seconds = max_seconds
        self._failures: dict[Hashable, int] = {}

    def next_delay(self, key: Hashable) -> float:
        """Count one more failure of `key`; return the seconds to wait before the next try."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return self.delay_after(failures)

    def delay_after(self, failures: int) -> float:
        """The delay after `failures` earlier failures, without counting one."""
        # 2**64 is past any cap in use; the bound keeps the float finite.
        return float(min(self.base_seconds * 2.0 ** min(failures, 64), self.max_seconds))

    def failures(self, key: Hashable) -> int:
        return self._failures.get(key, 0)

    def forget(self, key: Hashable) -> None:
        """`key` succeeded: its next failure starts from the base delay again."""
        self._failures.pop(key, None)

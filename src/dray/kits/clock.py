"""Time as a value: what a loop is given instead of reading the system clock itself.

Delays are plain `asyncio.sleep` and `asyncio.timeout`: under the virtual event loop of
`dray.testing.virtual` those jump to the next deadline, and `LoopClock` follows the loop.
"""

import asyncio
import datetime as dt
import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> dt.datetime:
        """Wall time, always in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class LoopClock:
    """Wall time that advances with the running event loop, from a fixed start."""

    def __init__(self, start: dt.datetime = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) -> None:
        self._start = start
        self._origin: float | None = None

    def now(self) -> dt.datetime:
        return self._start + dt.timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        loop_time = asyncio.get_running_loop().time()
        if self._origin is None:
            self._origin = loop_time
        return loop_time - self._origin

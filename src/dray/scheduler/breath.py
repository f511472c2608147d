"""Sharing the event loop: work that takes longer than a few milliseconds pauses in between.

A cluster in one process has everything on one loop; a scheduler that thinks for a second would stop the API server.
"""

import asyncio

from dray.kits.clock import Clock

LONGEST_SECONDS = 0.003


class Breath:
    def __init__(self, clock: Clock, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._clock = clock
        self._longest = longest_seconds
        self._since = clock.monotonic()

    def begin(self) -> None:
        """The loop was just let go; count from now."""
        self._since = self._clock.monotonic()

    @property
    def is_due(self) -> bool:
        return self._clock.monotonic() - self._since > self._longest

    async def take(self) -> None:
        """Let others run, then count from now."""
        await asyncio.sleep(0)
        self.begin()

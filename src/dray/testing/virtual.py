"""An event loop whose time jumps: when nothing is ready, it moves on to the next deadline at once.

`run(coroutine)` drives loops that sleep for minutes in milliseconds, deterministically. Only for code that does no real
I/O: a loop that waits for a socket with no timer left would wait for ever, and is reported instead.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: a wait of n seconds moves the loop's clock by n seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            # Something outside the loop (a thread) may still wake it; a true deadlock ends here.
            ready = super().select(2.0)
            if not ready:
                raise RuntimeError("every task waits, and no timer is set: this would never end")
            return ready
        if timeout > 0:
            self.time += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.time


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run to completion on virtual time; tasks left over are cancelled."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)

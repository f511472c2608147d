"""Locks between the processes of one driver: during a rolling update two of them share a directory.

flock(2) on a file, taken without blocking the event loop and released by the kernel when a process dies.
"""

import asyncio
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final

_FIRST_WAIT_SECONDS: Final = 0.002
_LONGEST_WAIT_SECONDS: Final = 0.1


class FileLock:
    """`async with FileLock(path):` holds it. Not re-entrant; tasks of one process exclude one another, too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._task_lock = asyncio.Lock()
        self._descriptor: int | None = None

    async def __aenter__(self) -> None:
        await self._task_lock.acquire()
        try:
            await self._acquire()
        except BaseException:
            self._close()
            self._task_lock.release()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        self._task_lock.release()

    async def _acquire(self) -> None:
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        wait = _FIRST_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # Waiting in flock itself would need a thread that nothing can cancel.
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LONGEST_WAIT_SECONDS)
            else:
                return

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class ProcessTurn:
    """`async with ProcessTurn(path):` one process at a time; the tasks of that process share its turn.

    While tasks come without a break, a turn ends after `turn_seconds` and leaves a pause, in which another process gets
    its own.
    """

    def __init__(self, path: Path, *, turn_seconds: float = 5.0) -> None:
        self._lock = FileLock(path)
        self._turn_seconds = turn_seconds
        self._entrance = asyncio.Lock()
        """Tasks enter one after another, so that those who wait for the end of a turn keep the later ones waiting."""
        self._inside = 0
        self._ends_at = 0.0
        self._over = asyncio.Event()

    async def __aenter__(self) -> None:
        async with self._entrance:
            loop = asyncio.get_running_loop()
            if self._inside and loop.time() >= self._ends_at:
                await self._over.wait()
                await asyncio.sleep(2 * _LONGEST_WAIT_SECONDS)
            if not self._inside:
                await self._lock.__aenter__()
                self._over.clear()
                self._ends_at = loop.time() + self._turn_seconds
            self._inside += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inside -= 1
        if not self._inside:
            await self._lock.__aexit__(kind, error, trace)
            self._over.set()


class Presence:
    """Tells the processes of one driver whether another one of them is running."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def enter(self) -> bool:
        """Count as running until `leave` or the end of the process; whether no other process does."""
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            alone = False
        # Nobody holds it exclusively for longer than these lines, so this does not wait.
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        return alone

    def leave(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

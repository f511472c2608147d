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

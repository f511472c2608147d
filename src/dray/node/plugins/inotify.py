"""Told by Linux when directories change; elsewhere, a look every tenth of a second.

One inotify instance serves every watcher of the process: a machine allows a user only 128 of them, and a process may
be many nodes. Says only *that* something changed; what, the watcher sees for itself.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import struct
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final

log = logging.getLogger("dray.node.plugins")

POLL_SECONDS: Final = 0.1
_EVENTS: Final = 0x40 | 0x80 | 0x100 | 0x200 | 0x400  # moved from, moved to, create, delete, delete self
_ONLY_DIRECTORIES: Final = 0x01000000
_EVENT: Final = struct.Struct("iIII")
_IS_LINUX: Final = bool(sys.platform == "linux")


class DirectoryWatch:
    """Calls `changed` on the loop after something was added to or removed from one of the directories."""

    def __init__(self, changed: Callable[[], object]) -> None:
        self._changed = changed
        self._source = _shared()
        self._timer: asyncio.TimerHandle | None = None
        self._directories: set[Path] = set()

    def watch(self, directory: Path) -> None:
        """Also watch `directory`; watching one twice is watching it once."""
        self._directories.add(directory)
        if self._source is not None:
            try:
                self._source.add(directory, self)
                return
            except OSError as error:
                log.warning("Cannot watch %s, looking at it every %.1f s: %s", directory, POLL_SECONDS, error)
        if self._timer is None:
            self._poll()

    def notify(self) -> None:
        self._changed()

    def _poll(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(POLL_SECONDS, self._poll)
        self._changed()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._source is not None:
            self._source.remove(self)


class _Inotify:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Raises OSError when the system gives no instance."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self._watches: dict[int, set[DirectoryWatch]] = {}
        self._loop = loop
        loop.add_reader(self._descriptor, self._read)

    def add(self, directory: Path, watch: DirectoryWatch) -> None:
        mask = _EVENTS | _ONLY_DIRECTORIES
        number = self._libc.inotify_add_watch(self._descriptor, os.fsencode(directory), mask)
        if number < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), str(directory))
        self._watches.setdefault(number, set()).add(watch)

    def remove(self, watch: DirectoryWatch) -> None:
        for number, watches in list(self._watches.items()):
            watches.discard(watch)
            if not watches:
                del self._watches[number]
                self._libc.inotify_rm_watch(self._descriptor, number)
        if not self._watches:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            _instances.pop(self._loop, None)

    def _read(self) -> None:
        touched: set[DirectoryWatch] = set()
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._descriptor, 64 * 1024)
            position = 0
            while position < len(data):
                number, _, _, length = _EVENT.unpack_from(data, position)
                position += _EVENT.size + length
                touched |= self._watches.get(number, set())
        for watch in touched:
            watch.notify()


_instances: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Inotify]" = weakref.WeakKeyDictionary()


def _shared() -> _Inotify | None:
    """The running loop's instance; None where there is none to be had."""
    loop = asyncio.get_running_loop()
    if not _IS_LINUX:
        return None
    if loop not in _instances:
        try:
            _instances[loop] = _Inotify(loop)
        except OSError as error:
            log.warning("No inotify, directories are looked at every %.1f s: %s", POLL_SECONDS, error)
            return None
    return _instances[loop]

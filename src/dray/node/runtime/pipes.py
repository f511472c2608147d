"""Named pipes as async streams of bytes, pulled piece by piece so that a slow reader slows the writer."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

CHUNK: Final = 64 * 1024
QUIET_SECONDS: Final = 0.3


class InPipe:
    """The reading end of a new named pipe at `path`; ends when its last writer goes, or when closed."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._waiter: asyncio.Future[None] | None = None
        self._cutter: asyncio.TimerHandle | None = None

    async def read(self) -> bytes:
        """The next piece; b"" at the end. One caller at a time."""
        while self._descriptor >= 0:
            # Waiting first: a pipe that had no writer yet would read as ended.
            await self._readable()
            if self._descriptor < 0:
                break
            try:
                return os.read(self._descriptor, CHUNK)
            except BlockingIOError:
                continue
        return b""

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        descriptor, waiter = self._descriptor, loop.create_future()
        self._waiter = waiter
        loop.add_reader(descriptor, _resolve, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            if self._descriptor == descriptor:
                loop.remove_reader(descriptor)

    async def pieces(self) -> AsyncIterator[bytes]:
        while data := await self.read():
            yield data

    def close_when_quiet(self) -> None:
        """End the stream although somebody may still hold its other end, once a reader waits in vain."""
        waiting = self._waiter
        loop = asyncio.get_running_loop()
        self._cutter = loop.call_later(QUIET_SECONDS, self._cut, waiting)

    def _cut(self, waiting: "asyncio.Future[None] | None") -> None:
        if self._descriptor < 0:
            return
        if waiting is not None and waiting is self._waiter:
            self.close()
        else:
            self.close_when_quiet()

    def close(self) -> None:
        if self._cutter is not None:
            self._cutter.cancel()
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        if self._waiter is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            _resolve(self._waiter)
        os.close(descriptor)


class OutPipe:
    """The writing end of a named pipe that has a reader. Raises OSError when it has none."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self._descriptor

    async def write(self, data: bytes) -> None:
        """Write all of `data`, waiting as long as the reader does not take it. Silent once the reader is gone."""
        while data and self._descriptor >= 0:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                await self._writable()
            except BrokenPipeError:
                return

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        descriptor, waiter = self._descriptor, loop.create_future()
        loop.add_writer(descriptor, _resolve, waiter)
        try:
            await waiter
        finally:
            loop.remove_writer(descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_writer(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


async def readable(descriptor: int) -> None:
    """Wait until a read from `descriptor` would not block."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    loop.add_reader(descriptor, _resolve, waiter)
    try:
        await waiter
    finally:
        loop.remove_reader(descriptor)


def _resolve(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)

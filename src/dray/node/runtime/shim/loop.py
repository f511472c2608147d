"""A readiness loop for a handful of descriptors: enough for pipes, terminals and named pipes.

asyncio would cost more to import than a container takes to start.
"""

import os
import select
from collections.abc import Callable

CHUNK = 64 * 1024
OUTLET_LIMIT = 1024 * 1024
"""Bytes that may wait for a slow reader before it is given up."""


class Outlet:
    """A non-blocking destination of bytes. `overflowed` tells that its reader is too slow or gone."""

    def __init__(self, descriptor: int, loop: "Loop") -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.overflowed = False
        self._loop = loop
        self._pending = b""
        self._closing = False

    @property
    def is_empty(self) -> bool:
        return not self._pending

    def write(self, data: bytes) -> None:
        self._pending += data
        self.flush()
        if len(self._pending) > OUTLET_LIMIT:
            self.overflowed = True

    def flush(self) -> None:
        """Write what can be written now; the loop calls again when more can."""
        try:
            while self._pending:
                self._pending = self._pending[os.write(self.descriptor, self._pending[:CHUNK]) :]
        except BlockingIOError:
            pass
        except OSError:
            self._pending, self.overflowed = b"", True
        self._loop.await_writable(self, bool(self._pending))
        if self._closing and not self._pending:
            self.close()

    def finish(self) -> None:
        """Close once everything pending is written."""
        self._closing = True
        self.flush()

    def close(self) -> None:
        if self.descriptor >= 0:
            self._loop.await_writable(self, False)
            os.close(self.descriptor)
            self.descriptor = -1


class Loop:
    def __init__(self) -> None:
        self._readers: dict[int, Callable[[bytes], None]] = {}
        self._outlets: dict[int, Outlet] = {}

    def read(self, descriptor: int, receive: Callable[[bytes], None]) -> None:
        """Hand every piece read from `descriptor` to `receive`; b"" is its end, after which it is closed."""
        os.set_blocking(descriptor, False)
        self._readers[descriptor] = receive

    def await_writable(self, outlet: Outlet, wanted: bool) -> None:
        if wanted:
            self._outlets[outlet.descriptor] = outlet
        else:
            self._outlets.pop(outlet.descriptor, None)

    @property
    def has_unwritten(self) -> bool:
        return bool(self._outlets)

    def run_once(self, timeout_seconds: float) -> None:
        """Wait for something to happen, at most so long, and deal with it."""
        poll = select.poll()
        for descriptor in self._readers:
            poll.register(descriptor, select.POLLIN)
        for descriptor in self._outlets:
            poll.register(descriptor, select.POLLOUT)
        for descriptor, _ in poll.poll(timeout_seconds * 1000):
            if descriptor in self._outlets:
                self._outlets[descriptor].flush()
            elif descriptor in self._readers:
                self._receive(descriptor)

    def _receive(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError:  # a terminal whose last user is gone
            data = b""
        receive = self._readers[descriptor]
        if not data:
            self.stop_reading(descriptor)
        receive(data)

    def stop_reading(self, descriptor: int) -> None:
        if self._readers.pop(descriptor, None) is not None:
            os.close(descriptor)

    def drain(self, descriptor: int) -> None:
        """Read what is there now, without waiting for more."""
        while descriptor in self._readers:
            try:
                data = os.read(descriptor, CHUNK)
            except OSError:
                data = b""
            if not data:
                return
            self._readers[descriptor](data)

    def forget(self) -> None:
        """Drop every registration without closing anything: for a child that starts its own loop."""
        self._readers.clear()
        self._outlets.clear()

"""The sockets of one driver: made, watched, made again when somebody takes them away.

The kubelet finds a driver by its sockets; without them it only seems to run. A socket that was removed (a directory
that was swept, a kubelet whose root was wiped) is served anew under its name, while calls on the old one end. A socket
that was replaced belongs to another instance of the driver now, and that is fatal.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from dray.kits.klog import kv
from dray.kits.tasks import TaskSet
from dray.sdk.errors import BackgroundError, ServingError

log = logging.getLogger("dray.sdk.serving")

CHECK_SECONDS: Final = 5.0
_LAST_CALLS_SECONDS: Final = 45.0
"""How long calls on a socket that was removed may still take: the kubelet's own patience."""


class Server(Protocol):
    path: Path

    async def start(self) -> None: ...

    async def stop(self, grace_seconds: float = 0) -> None: ...

    def is_in_place(self) -> bool: ...


class Sockets:
    """Servers by what they serve; `on_error` is told of sockets that went missing."""

    def __init__(self, on_error: Callable[[BackgroundError], None]) -> None:
        self._on_error = on_error
        self._makers: dict[str, Callable[[], Server]] = {}
        self._servers: dict[str, Server] = {}
        self._last_calls = TaskSet("sockets")

    async def serve(self, what: str, make: Callable[[], Server]) -> None:
        """Start the server that `make` returns. Raises OSError."""
        self._makers[what] = make
        server = self._servers[what] = make()
        await server.start()

    async def end(self, what: str) -> None:
        """Take one socket away, if it is served."""
        if (server := self._servers.pop(what, None)) is not None:
            await server.stop()

    async def stop(self) -> None:
        """End everything, with the last calls on sockets that were removed."""
        await self._last_calls.stop()
        for what in list(self._servers):
            await self.end(what)

    async def watch(self) -> None:
        """Look after the sockets until cancelled, or until one belongs to somebody else."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            for what, server in list(self._servers.items()):
                if server.is_in_place():
                    continue
                if server.path.exists():
                    self._on_error(ServingError(f"the {what} socket {server.path} was replaced by another"))
                    return
                await self._serve_again(what, server)

    async def _serve_again(self, what: str, old: Server) -> None:
        try:
            old.path.parent.mkdir(parents=True, exist_ok=True)
            new = self._makers[what]()
            await new.start()
        except OSError as error:
            self._on_error(
                BackgroundError(
                    f"the {what} socket {old.path} was removed and cannot be made again yet: {error}"
                )
            )
            return
        log.warning("A socket was removed and is served again", extra=kv(socket=str(old.path)))
        self._servers[what] = new
        self._last_calls.start(old.stop(_LAST_CALLS_SECONDS), what)

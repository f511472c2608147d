"""A gRPC server with threads of its own, for answers that may not wait for an event loop.

Whatever keeps the loop of the process busy, these methods answer: they are plain functions of what is in memory. Only
services whose callers have hard deadlines are worth a second server.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc

from dray.wire.rpc import Handler, RpcFailure, SocketPlace
from dray.wire.schema import Method, Package

_THREADS: Final = 2

Plain = Callable[[Any], Any]


def plain_handler(package: Package, service: str, methods: Mapping[str, Plain]) -> Handler:
    """What a threaded server needs to serve `methods` (name -> plain function, called in a thread)."""
    described = package.methods(service)
    handlers = {name: _method_handler(described[name], function) for name, function in methods.items()}
    return grpc.method_handlers_generic_handler(f"{package.file.package}.{service}", handlers)


def _method_handler(method: Method, function: Plain) -> Any:
    def respond(request: Any, context: Any) -> Any:
        try:
            return function(request)
        except RpcFailure as failure:
            context.abort(failure.code, failure.details)

    return grpc.unary_unary_rpc_method_handler(
        respond, method.request.FromString, method.response.SerializeToString
    )


class ThreadedUnixServer:
    """As `dray.wire.rpc.UnixServer`, with methods from `plain_handler`."""

    def __init__(self, path: str | os.PathLike[str], handlers: list[Handler], *, mode: int = 0o755) -> None:
        self._place = SocketPlace(path, mode)
        self.path = self._place.path
        self._server = grpc.server(ThreadPoolExecutor(_THREADS, thread_name_prefix=self.path.name))
        self._server.add_generic_rpc_handlers(tuple(handlers))

    async def start(self) -> None:
        """Listen. Raises OSError when the socket cannot be bound."""
        try:
            self._server.add_insecure_port(self._place.address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self.path}: {error}") from None
        self._server.start()
        self._place.take()

    async def stop(self, grace_seconds: float = 0) -> None:
        """Stop listening and remove the socket; calls in flight have `grace_seconds` to end."""
        self._place.leave()
        await asyncio.to_thread(self._server.stop(grace_seconds).wait)
        self._place.close()

    def is_in_place(self) -> bool:
        """Whether the socket is still there, and still this server's."""
        return self._place.is_mine()

"""gRPC over unix sockets and TCP with the declared services: clients and servers on grpc.aio.

Decides how a channel to a unix socket is opened (authority, long paths, message sizes) and how a plain async function
becomes a method. It does not know any service. Importing this module costs grpc's import (about 30 ms).
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

# gRPC's core writes notes of every closed connection to stderr, amid the logs of whoever uses this module.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
import grpc.aio

from dray.wire.schema import Method, Package
from dray.wire.sockets import SocketPath

_CHANNEL_OPTIONS: Final = (
    # Go servers refuse the percent-encoded socket path that grpc would send as :authority.
    ("grpc.default_authority", "localhost"),
    # Without these the kubelet's reconnects would share state between two channels of one process.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)

Handler: TypeAlias = "grpc.GenericRpcHandler[Any, Any]"
Unary = Callable[[Any], Awaitable[Any]]
Streaming = Callable[[Any], AsyncIterator[Any]]


class RpcFailure(Exception):
    """Raised by a method implementation to answer with a gRPC status other than OK."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


class UnixChannel:
    """A client connection to the unix socket at `path`, whatever its length; connects when first used.

    The socket need not exist yet, but its directory must.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._socket = SocketPath(path)
        self.path = self._socket.path
        self.channel = grpc.aio.insecure_channel(f"unix:{self._socket.short}", options=_CHANNEL_OPTIONS)

    def stub(self, package: Package, service: str) -> "Stub":
        return Stub(self.channel, package, service)

    async def connected(self, timeout_seconds: float) -> None:
        """Wait until the connection stands. Raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            await self.channel.channel_ready()

    async def close(self) -> None:
        await self.channel.close(None)
        self._socket.close()


class Stub:
    """The methods of one service on a channel.

    `await stub.call("GetInfo", request, timeout=1)`; `stub.stream("NodeWatchResources", request)` iterates. Failures
    are `grpc.aio.AioRpcError`.
    """

    def __init__(self, channel: grpc.aio.Channel, package: Package, service: str) -> None:
        self._methods = package.methods(service)
        self._channel = channel

    def new_request(self, method: str, **fields: Any) -> Any:
        return self._methods[method].request(**fields)

    async def call(self, method: str, request: Any = None, *, timeout: float | None = None) -> Any:
        """The response message. `request` None means an empty request; `timeout` in seconds."""
        described = self._methods[method]
        invoke: Any = self._channel.unary_unary(
            described.path,
            request_serializer=described.request.SerializeToString,
            response_deserializer=described.response.FromString,
        )
        return await invoke(described.request() if request is None else request, timeout=timeout)

    def stream(self, method: str, request: Any = None, *, timeout: float | None = None) -> Any:
        """The response messages as an async iterator that also has `cancel()`."""
        described = self._methods[method]
        invoke: Any = self._channel.unary_stream(
            described.path,
            request_serializer=described.request.SerializeToString,
            response_deserializer=described.response.FromString,
        )
        return invoke(described.request() if request is None else request, timeout=timeout)


def service_handler(package: Package, service: str, methods: Mapping[str, Unary | Streaming]) -> Handler:
    """What a server needs to serve `methods` (name -> async function, or async generator where it streams).

    Methods of the service that are left out answer UNIMPLEMENTED.
    """
    described = package.methods(service)
    handlers = {name: _method_handler(described[name], function) for name, function in methods.items()}
    return grpc.method_handlers_generic_handler(f"{package.file.package}.{service}", handlers)


def _method_handler(method: Method, function: Unary | Streaming) -> Any:
    if method.streams:

        async def respond_stream(request: Any, context: Any) -> AsyncIterator[Any]:
            stream: Any = function
            async for message in stream(request):
                yield message

        return grpc.unary_stream_rpc_method_handler(
            respond_stream, method.request.FromString, method.response.SerializeToString
        )

    async def respond(request: Any, context: Any) -> Any:
        unary: Any = function
        try:
            return await unary(request)
        except RpcFailure as failure:
            await context.abort(failure.code, failure.details)

    return grpc.unary_unary_rpc_method_handler(
        respond, method.request.FromString, method.response.SerializeToString
    )


class SocketPlace:
    """Where a server's unix socket is: bound under a hidden name, and renamed when it already listens.

    Whoever watches the directory never dials too early, and gRPC, which unlinks the name it bound, never removes the
    socket of a successor.
    """

    def __init__(self, path: str | os.PathLike[str], mode: int) -> None:
        self.path = Path(path)
        SocketPath(self.path).close()  # refuses a name that nobody could dial
        self._hidden = self.path.with_name(f".{os.urandom(4).hex()}")
        self._socket = SocketPath(self._hidden)
        self._mode = mode
        self._inode = -1

    @property
    def address(self) -> str:
        return f"unix:{self._socket.short}"

    def take(self) -> None:
        """The server listens: let the world see it, in place of a stale file. Raises OSError."""
        self._hidden.chmod(self._mode)
        self._inode = self._hidden.stat().st_ino
        self._hidden.rename(self.path)

    def is_mine(self) -> bool:
        try:
            return self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def leave(self) -> None:
        if self.is_mine():
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        self._socket.close()


class UnixServer:
    """A gRPC server on one unix socket. A stale socket file is replaced; `stop` removes the file."""

    def __init__(self, path: str | os.PathLike[str], handlers: list[Handler], *, mode: int = 0o755) -> None:
        self._place = SocketPlace(path, mode)
        self.path = self._place.path
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers(tuple(handlers))

    async def start(self) -> None:
        """Listen. Raises OSError when the socket cannot be bound."""
        try:
            self._server.add_insecure_port(self._place.address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self.path}: {error}") from None
        await self._server.start()
        self._place.take()

    async def stop(self, grace_seconds: float = 0) -> None:
        """Stop listening and remove the socket; calls in flight have `grace_seconds` to end."""
        self._place.leave()
        await self._server.stop(grace_seconds)
        self._place.close()

    def is_in_place(self) -> bool:
        """Whether the socket is still there, and still this server's."""
        return self._place.is_mine()


class TcpServer:
    """A gRPC server on a TCP port; `port` 0 takes a free one."""

    def __init__(self, host: str, port: int, handlers: list[Handler]) -> None:
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers(tuple(handlers))
        self.port = port

    async def start(self) -> None:
        """Listen; afterwards `port` is the real one. Raises OSError when the port is taken."""
        try:
            self.port = self._server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._address}: {error}") from None
        await self._server.start()

    async def stop(self, grace_seconds: float = 0) -> None:
        await self._server.stop(grace_seconds)

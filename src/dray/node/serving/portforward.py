"""port-forward: TCP connections of a client to ports of a pod, many over one connection.

kubectl asks for a pair of SPDY streams a connection, one for the data and one for what goes wrong; they carry the port
and a common number. Clients that speak WebSocket alone name their ports beforehand, and get a pair of channels each.
"""

import asyncio
import contextlib
import logging
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

from aiohttp import WSMsgType, web

from dray.kits.tasks import TaskSet
from dray.node.runtime.protocol import RuntimeFailure
from dray.node.serving.spdy import (
    CHUNK,
    SpdyConnection,
    SpdyStream,
    chosen_protocol,
    is_spdy,
    messages,
    upgrade,
)
from dray.wire.spdy import PROTOCOL_ERROR, SpdyError

log = logging.getLogger("dray.node.server")

PROTOCOL: Final = "portforward.k8s.io"
TUNNEL: Final = f"SPDY/3.1+{PROTOCOL}"
CHANNELS: Final = "v4.channel.k8s.io"
PAIR_SECONDS: Final = 30.0
"""How long a stream waits for the other of its pair."""

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[int], Awaitable[Ends]]
"""Connects with a port of the pod. Raises RuntimeFailure."""
Write = Callable[[bytes], Awaitable[None]]


async def serve(request: web.Request, pod: str, dial: Dial) -> web.StreamResponse:
    """`pod`: how messages name it. Raises HTTPBadRequest and HTTPForbidden for what is no upgrade to a known protocol."""
    forwarding = Forwarding(pod, dial)
    try:
        if is_spdy(request):
            return await _serve_upgraded(request, forwarding)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await _serve_socket(request, forwarding, pod, dial)
    finally:
        await forwarding.stop()
    raise web.HTTPBadRequest(text="unable to upgrade: missing upgrade headers in request")


async def _serve_upgraded(request: web.Request, forwarding: "Forwarding") -> web.StreamResponse:
    protocol = chosen_protocol(request, (PROTOCOL,))
    if protocol is None:
        raise web.HTTPForbidden(text=f"unable to upgrade: this server supports {PROTOCOL}")
    response, connection, chunks = await upgrade(request, protocol, forwarding.take)
    await _run(connection, chunks)
    return response


async def _serve_socket(
    request: web.Request, forwarding: "Forwarding", pod: str, dial: Dial
) -> web.StreamResponse:
    ports = _ports(request)
    if not ports and TUNNEL not in request.headers.get("Sec-WebSocket-Protocol", ""):
        raise web.HTTPBadRequest(text='query parameter "port" is required')
    socket = web.WebSocketResponse(protocols=(TUNNEL, CHANNELS))
    await socket.prepare(request)
    try:
        if socket.ws_protocol == TUNNEL:
            await _run(SpdyConnection(socket.send_bytes, forwarding.take), messages(socket))
        else:
            await _serve_channels(socket, ports, pod, dial)
    finally:
        await socket.close()
    return socket


async def _run(connection: SpdyConnection, chunks: AsyncIterator[bytes]) -> None:
    try:
        await connection.run(chunks)
    except SpdyError as error:
        log.warning("A port-forward is cut: %s", error)


# --- pairs of SPDY streams ---


class Forwarding:
    """Pairs the streams of one client, and carries what goes over each pair."""

    def __init__(self, pod: str, dial: Dial) -> None:
        self._pod = pod
        self._dial = dial
        self._waiting: dict[str, tuple[SpdyStream, asyncio.TimerHandle]] = {}
        self._tasks = TaskSet(f"port-forward/{pod}")

    def take(self, stream: SpdyStream) -> None:
        kind, port = stream.headers.get("streamtype", ""), stream.headers.get("port", "")
        if kind not in ("data", "error") or not _is_port(port):
            self._tasks.start(stream.reset(PROTOCOL_ERROR), "refusal")
            return
        request = stream.headers.get("requestid", "")
        if request not in self._waiting:
            late = asyncio.get_running_loop().call_later(PAIR_SECONDS, self._give_up, request)
            self._waiting[request] = (stream, late)
            return
        other, late = self._waiting.pop(request)
        late.cancel()
        data, error = (stream, other) if kind == "data" else (other, stream)
        self._tasks.start(self._forward(data, error, int(port)), f"port {port}")

    def _give_up(self, request: str) -> None:
        stream, _ = self._waiting.pop(request)
        self._tasks.start(stream.reset(), "lonely")

    async def stop(self) -> None:
        for _, late in self._waiting.values():
            late.cancel()
        await self._tasks.stop()

    async def _forward(self, data: SpdyStream, error: SpdyStream, port: int) -> None:
        text = await _carry(data.pieces(), data.write, self._dial, port)
        with contextlib.suppress(ConnectionError):
            await error.write(_failure(port, self._pod, text) if text else b"")
        for stream in (error, data):
            await stream.close()
            stream.drop()


async def _carry(received: AsyncIterator[bytes], write: Write, dial: Dial, port: int) -> str:
    """One connection, from its beginning to its end; what went wrong, or ""."""
    try:
        reader, writer = await dial(port)
    except RuntimeFailure as failure:
        return str(failure)
    sending = asyncio.create_task(_send_all(received, writer))
    try:
        while data := await reader.read(CHUNK):
            await write(data)
    except OSError as error:
        return str(error)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
    return ""


async def _send_all(received: AsyncIterator[bytes], writer: asyncio.StreamWriter) -> None:
    """What the client says, and its end, after which the program may go on answering; a client that is gone ends both."""
    try:
        async for data in received:
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


def _failure(port: int, pod: str, text: str) -> bytes:
    return f"error forwarding port {port} to pod {pod}: {text}".encode()


# --- pairs of WebSocket channels ---


async def _serve_channels(socket: web.WebSocketResponse, ports: Sequence[int], pod: str, dial: Dial) -> None:
    """Channel 2n carries the data of the n-th port, 2n+1 its errors; each begins with its port."""
    queues: list[asyncio.Queue[bytes]] = [asyncio.Queue(16) for _ in ports]
    for channel in range(2 * len(ports)):
        await socket.send_bytes(bytes([channel]) + struct.pack("<H", ports[channel // 2]))

    async def forward(index: int, port: int) -> None:
        async def write(data: bytes) -> None:
            await socket.send_bytes(bytes([2 * index]) + data)

        if text := await _carry(_until_empty(queues[index]), write, dial, port):
            await socket.send_bytes(bytes([2 * index + 1]) + _failure(port, pod, text))

    forwarding = asyncio.gather(*(forward(*numbered) for numbered in enumerate(ports)))
    listening = asyncio.ensure_future(_distribute(socket, queues))
    both: set[asyncio.Future[Any]] = {forwarding, listening}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)


async def _distribute(socket: web.WebSocketResponse, queues: Sequence[asyncio.Queue[bytes]]) -> None:
    async for message in socket:
        if message.type is not WSMsgType.BINARY or len(message.data) < 2:
            continue
        index, is_error = divmod(message.data[0], 2)
        if not is_error and index < len(queues):
            await queues[index].put(message.data[1:])


async def _until_empty(queue: asyncio.Queue[bytes]) -> AsyncIterator[bytes]:
    while data := await queue.get():
        yield data


def _ports(request: web.Request) -> list[int]:
    words = [word for value in request.query.getall("port", []) for word in value.split(",")]
    if wrong := next((word for word in words if not _is_port(word)), None):
        raise web.HTTPBadRequest(text=f'invalid port "{wrong}"')
    return [int(word) for word in words]


def _is_port(word: str) -> bool:
    return word.isascii() and word.isdigit() and 0 < int(word) < 65536

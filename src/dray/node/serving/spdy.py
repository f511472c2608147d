"""One SPDY connection, the client's end being the one that begins streams; and the two ways it reaches this server.

Clients upgrade the HTTP connection itself, or tunnel SPDY through a WebSocket, whose messages are then pieces of it.
A stream that is not read keeps the whole connection waiting: SPDY as Kubernetes speaks it has no flow control.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import WSMsgType, web

from dray.wire import spdy

UPGRADE: Final = "SPDY/3.1"
PROTOCOL_HEADER: Final = "X-Stream-Protocol-Version"
QUEUED_CHUNKS: Final = 16
"""Of one stream, unread; and of one connection."""
CHUNK: Final = 64 * 1024

Send = Callable[[bytes], Awaitable[None]]


class SpdyStream:
    def __init__(self, id: int, headers: Mapping[str, str], connection: "SpdyConnection") -> None:
        self.id = id
        self.headers = headers
        self._connection = connection
        self._received: asyncio.Queue[bytes] = asyncio.Queue(QUEUED_CHUNKS)
        self._is_dropped = False
        self._is_closed = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """What the client sends, until it ends the stream. Raises ConnectionResetError when the stream is dropped."""
        while (data := await self._received.get()) and not self._is_dropped:
            yield data
        if self._is_dropped:
            raise ConnectionResetError("the stream was reset")

    async def write(self, data: bytes) -> None:
        """Raises ConnectionResetError when the stream is dropped."""
        for start in range(0, len(data), CHUNK):
            if self._is_dropped:
                raise ConnectionResetError("the stream was reset")
            await self._connection.send(self._connection.encoder.data(self.id, data[start : start + CHUNK]))

    async def close(self) -> None:
        """Nothing more is written; the client may go on."""
        if not self._is_closed:
            self._is_closed = True
            await self._connection.send(self._connection.encoder.data(self.id, b"", last=True))

    async def reset(self, code: int = spdy.CANCEL) -> None:
        """Neither side has any more to say."""
        if not self._is_dropped:
            self.drop()
            await self._connection.send(self._connection.encoder.reset(self.id, code))

    async def take(self, data: bytes, *, last: bool) -> None:
        if data and not self._is_dropped:
            await self._received.put(data)
        if last and not self._is_dropped:
            await self._received.put(b"")

    def drop(self) -> None:
        """The stream is over at once, whatever still comes for it; who reads it, or waits to fill it, goes on."""
        self._is_dropped = self._is_closed = True
        self._connection.forget(self)
        while not self._received.empty():
            self._received.get_nowait()
        self._received.put_nowait(b"")


class SpdyConnection:
    """`on_stream` is given each stream that the client begins; it must not wait for what the stream brings."""

    def __init__(self, send: Send, on_stream: Callable[[SpdyStream], None]) -> None:
        self.encoder = spdy.Encoder()
        self._send = send
        self._on_stream = on_stream
        self._streams: dict[int, SpdyStream] = {}

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            await self._send(data)

    async def run(self, chunks: AsyncIterator[bytes]) -> None:
        """Until the client's bytes end, or it says goodbye. Raises SpdyError."""
        decoder = spdy.Decoder()
        try:
            async for chunk in chunks:
                for frame in decoder.feed(chunk):
                    if isinstance(frame, spdy.GoAway):
                        return
                    await self._take(frame)
        finally:
            for stream in list(self._streams.values()):
                stream.drop()

    async def _take(self, frame: spdy.Frame) -> None:
        if isinstance(frame, spdy.Opened):
            await self._open(frame)
        elif isinstance(frame, spdy.Ping):
            await self.send(self.encoder.ping(frame.id))
        elif isinstance(frame, spdy.Data) and frame.stream in self._streams:
            await self._streams[frame.stream].take(frame.data, last=frame.last)
        elif isinstance(frame, spdy.Reset) and frame.stream in self._streams:
            self._streams[frame.stream].drop()

    async def _open(self, frame: spdy.Opened) -> None:
        stream = self._streams[frame.stream] = SpdyStream(frame.stream, frame.headers, self)
        await self.send(self.encoder.accept(frame.stream))
        if frame.last:
            await stream.take(b"", last=True)
        self._on_stream(stream)

    def forget(self, stream: SpdyStream) -> None:
        self._streams.pop(stream.id, None)


def is_spdy(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == UPGRADE.lower()


def chosen_protocol(request: web.Request, known: tuple[str, ...]) -> str | None:
    """The first protocol above SPDY that the client offers and this server knows."""
    offers = [
        word.strip() for header in request.headers.getall(PROTOCOL_HEADER, []) for word in header.split(",")
    ]
    return next((offer for offer in offers if offer in known), None)


class _Arrivals:
    """Takes the place of the HTTP parser of an upgraded connection: hands on what arrives, as fast as it is taken."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._chunks.put_nowait(bytes(data))
        if self._chunks.qsize() > QUEUED_CHUNKS:
            self._transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        self._chunks.put_nowait(b"")

    def set_exception(self, *arguments: Any) -> None:
        self.feed_eof()

    async def chunks(self) -> AsyncIterator[bytes]:
        while chunk := await self._chunks.get():
            yield chunk
            if self._chunks.empty():
                self._transport.resume_reading()


async def upgrade(
    request: web.Request, protocol: str, on_stream: Callable[[SpdyStream], None]
) -> tuple[web.StreamResponse, SpdyConnection, AsyncIterator[bytes]]:
    """Agree to speak SPDY on the request's own connection: the answer, the connection, and what comes on it."""
    transport = request.transport
    if transport is None:
        raise web.HTTPBadRequest(text="the connection is gone")
    headers = {"Connection": "Upgrade", "Upgrade": UPGRADE, PROTOCOL_HEADER: protocol}
    response = web.StreamResponse(status=101, headers=headers)
    response.force_close()
    writer = await response.prepare(request)
    if writer is None:
        raise web.HTTPBadRequest(text="the connection is gone")
    arrivals: Any = _Arrivals(transport)
    request.protocol.set_parser(arrivals)
    return response, SpdyConnection(writer.write, on_stream), arrivals.chunks()


async def messages(socket: web.WebSocketResponse) -> AsyncIterator[bytes]:
    """The binary messages of a WebSocket, as pieces of one stream of bytes."""
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            yield message.data

"""exec and attach: a session's streams to its client, as channels of a WebSocket or streams of a SPDY connection.

`v5.channel.k8s.io` and v4, which are numbers of channels in the one and names of streams in the other. What comes last
is a Status on the error channel, which says how the program ended. v5 adds to WebSocket the message that closes a
channel, which is how stdin ends; a SPDY stream has an end of its own.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final, Protocol

from aiohttp import WSMsgType, web

from dray.kits.tasks import TaskSet
from dray.node.runtime.protocol import RuntimeFailure, Session
from dray.node.serving.spdy import SpdyConnection, SpdyStream, chosen_protocol, is_spdy, upgrade
from dray.wire.spdy import PROTOCOL_ERROR, SpdyError

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
STREAM_NAMES: Final = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "error": ERROR, "resize": RESIZE}
STREAMS_SECONDS: Final = 30.0
"""How long a client may take to begin the streams it announced."""

Start = Callable[[], Awaitable[Session]]
"""Raises RuntimeFailure."""


class Wire(Protocol):
    async def send(self, channel: int, data: bytes) -> None: ...

    def incoming(self) -> AsyncIterator[tuple[int, bytes]]:
        """(channel, data) until the client goes; no data: the channel's end."""
        ...


async def serve(request: web.Request, start: Start, failed: str) -> web.StreamResponse:
    """Connect the client with the session until one of them ends; the session is closed in any case.

    `failed`: what is said, before the reason, when it cannot be started: `error executing command in container`.
    Raises HTTPForbidden for what is no upgrade to a known protocol.
    """
    if is_spdy(request):
        return await _serve_spdy(request, start, failed)
    socket = web.WebSocketResponse(protocols=PROTOCOLS)
    await socket.prepare(request)
    try:
        await _connect(SocketWire(socket), start, failed)
    finally:
        await socket.close()
    return socket


async def _connect(wire: Wire, start: Start, failed: str) -> None:
    try:
        session = await start()
    except RuntimeFailure as failure:
        await wire.send(ERROR, json.dumps(_internal_error(f"{failed}: {failure}")).encode())
        return
    speaking = asyncio.create_task(_speak(wire, session), name="speaking")
    listening = asyncio.create_task(_listen(wire, session), name="listening")
    try:
        # A client that goes away ends the session, although the program may have much to say yet.
        await asyncio.wait({speaking, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (speaking, listening):
            task.cancel()
        await asyncio.gather(speaking, listening, return_exceptions=True)
        await session.close()


async def _speak(wire: Wire, session: Session) -> None:
    await asyncio.gather(_send(wire, STDOUT, session.stdout()), _send(wire, STDERR, session.stderr()))
    await wire.send(ERROR, json.dumps(_exit_status(await session.wait())).encode())


async def _send(wire: Wire, channel: int, chunks: AsyncIterator[bytes]) -> None:
    async for chunk in chunks:
        await wire.send(channel, chunk)


async def _listen(wire: Wire, session: Session) -> None:
    async for channel, data in wire.incoming():
        if channel == STDIN and data:
            await session.write(data)
        elif channel == STDIN:
            session.close_stdin()
        elif channel == RESIZE:
            for size in _sizes(data):
                session.resize(size["Width"], size["Height"])


def _sizes(data: bytes) -> Iterator[dict[str, int]]:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        size = json.loads(data)
        yield {"Width": int(size["Width"]), "Height": int(size["Height"])}


def _internal_error(text: str) -> Any:
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {text}",
        "reason": "InternalError",
        "details": {"causes": [{"message": text}]},
        "code": 500,
    }


def _exit_status(code: int) -> Any:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": causes},
    }


# --- WebSocket ---


class SocketWire:
    """The first byte of a message is its channel."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def send(self, channel: int, data: bytes) -> None:
        await self._socket.send_bytes(bytes([channel]) + data)

    async def incoming(self) -> AsyncIterator[tuple[int, bytes]]:
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel == CLOSE and data:
                yield data[0], b""
            elif data:
                yield channel, data


# --- SPDY ---


class SpdyWire:
    """One stream a channel, begun by the client and named in its headers."""

    def __init__(self, expected: set[int]) -> None:
        self.complete = asyncio.Event()
        self.tasks = TaskSet("streams")
        self._expected = expected
        self._streams: dict[int, SpdyStream] = {}
        self._arrived: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(1)

    def take(self, stream: SpdyStream) -> None:
        channel = STREAM_NAMES.get(stream.headers.get("streamtype", ""))
        if channel is None or channel not in self._expected or channel in self._streams:
            self.tasks.start(stream.reset(PROTOCOL_ERROR), "refusal")
            return
        self._streams[channel] = stream
        if channel in (STDIN, RESIZE):
            self.tasks.start(self._read(channel, stream), "reading")
        if self._streams.keys() == self._expected:
            self.complete.set()

    async def _read(self, channel: int, stream: SpdyStream) -> None:
        with contextlib.suppress(ConnectionError):
            async for piece in stream.pieces():
                await self._arrived.put((channel, piece))
            await self._arrived.put((channel, b""))

    async def gone(self) -> None:
        await self._arrived.put(None)

    async def incoming(self) -> AsyncIterator[tuple[int, bytes]]:
        while (arrived := await self._arrived.get()) is not None:
            yield arrived

    async def send(self, channel: int, data: bytes) -> None:
        if stream := self._streams.get(channel):
            await stream.write(data)

    async def close(self) -> None:
        for stream in self._streams.values():
            await stream.close()


async def _serve_spdy(request: web.Request, start: Start, failed: str) -> web.StreamResponse:
    protocol = chosen_protocol(request, PROTOCOLS)
    if protocol is None:
        raise web.HTTPForbidden(text=f"unable to upgrade: this server supports {', '.join(PROTOCOLS)}")
    wire = SpdyWire(_announced(request))
    response, connection, chunks = await upgrade(request, protocol, wire.take)
    wire.tasks.start(_follow(connection, chunks, wire), "connection")
    try:
        async with asyncio.timeout(STREAMS_SECONDS):
            await wire.complete.wait()
        await _connect(wire, start, failed)
        await wire.close()
    except TimeoutError:
        # There is nobody to tell: the stream that takes errors may be the missing one.
        pass
    finally:
        await wire.tasks.stop()
    return response


async def _follow(connection: SpdyConnection, chunks: AsyncIterator[bytes], wire: SpdyWire) -> None:
    with contextlib.suppress(SpdyError):
        await connection.run(chunks)
    await wire.gone()


def _announced(request: web.Request) -> set[int]:
    """The channels that the client will begin a stream for."""
    flags = {name for name in ("input", "output", "error", "tty") if is_set(request, name)}
    channels = {"input": STDIN, "output": STDOUT, "error": STDERR, "tty": RESIZE}
    wanted = {ERROR, *(channels[flag] for flag in flags)}
    return wanted - {STDERR} if "tty" in flags else wanted


def is_set(request: web.Request, *names: str) -> bool:
    """Whether a flag of the query, under any of its names, is."""
    return any(request.query.get(name, "").lower() in ("1", "true") for name in names)

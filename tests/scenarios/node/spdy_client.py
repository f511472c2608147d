"""A client of SPDY, as kubectl's library is: streams it begins, and what comes back on each."""

import asyncio
from collections.abc import AsyncIterator
from typing import Self

import aiohttp

from dray.wire.spdy import Accepted, Data, Decoder, Encoder, Frame, Reset

PATIENCE_SECONDS = 8.0


class SpdyClient:
    """Over a WebSocket, or over a connection that was upgraded itself."""

    def __init__(self) -> None:
        self.accepted: set[int] = set()
        self.received: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.resets: set[int] = set()
        self.head = b""
        self.encoder = Encoder()
        self._next = 1
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self.close()

    async def close(self) -> None: ...

    async def send(self, data: bytes) -> None: ...

    def follow(self, chunks: AsyncIterator[bytes]) -> None:
        self._reading = asyncio.create_task(self._read(chunks))

    async def _read(self, chunks: AsyncIterator[bytes]) -> None:
        decoder = Decoder()
        async for chunk in chunks:
            for frame in decoder.feed(chunk):
                self._take(frame)
            self._changed.set()

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, Accepted):
            self.accepted.add(frame.stream)
        elif isinstance(frame, Data):
            self.received[frame.stream] = self.received.get(frame.stream, b"") + frame.data
            if frame.last:
                self.ended.add(frame.stream)
        elif isinstance(frame, Reset):
            self.resets.add(frame.stream)

    async def begin(self, **headers: str) -> int:
        stream, self._next = self._next, self._next + 2
        await self.send(self.encoder.open(stream, headers))
        return stream

    async def say(self, stream: int, data: bytes, *, last: bool = False) -> None:
        await self.send(self.encoder.data(stream, data, last=last))

    async def until_ended(self, *streams: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.ended.issuperset(streams):
                await self._wait()

    async def until_reset(self, stream: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while stream not in self.resets:
                await self._wait()

    async def until_received(self, stream: int, text: bytes) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while text not in self.received.get(stream, b""):
                await self._wait()

    async def _wait(self) -> None:
        await self._changed.wait()
        self._changed.clear()


class Tunnel(SpdyClient):
    def __init__(self, url: str, protocol: str) -> None:
        super().__init__()
        self._url, self._protocol = url, protocol
        self._session = aiohttp.ClientSession()

    async def __aenter__(self) -> Self:
        self._socket = await self._session.ws_connect(self._url, protocols=[self._protocol])
        self.follow(self._messages())
        return self

    async def _messages(self) -> AsyncIterator[bytes]:
        async for message in self._socket:
            yield message.data

    async def send(self, data: bytes) -> None:
        await self._socket.send_bytes(data)

    async def close(self) -> None:
        await self._socket.close()
        await self._session.close()


class Upgraded(SpdyClient):
    def __init__(self, port: int, path: str, protocol: str) -> None:
        super().__init__()
        self._port = port
        self._request = (
            f"POST {path} HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
            f"X-Stream-Protocol-Version: {protocol}\r\nContent-Length: 0\r\n\r\n"
        )

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(self._request.encode())
        self.head = await self._reader.readuntil(b"\r\n\r\n")
        self.follow(self._chunks())
        return self

    async def _chunks(self) -> AsyncIterator[bytes]:
        while chunk := await self._reader.read(65536):
            yield chunk

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        self._writer.close()

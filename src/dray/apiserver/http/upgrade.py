"""Hands a client's upgraded connection through to another server, byte for byte.

The other server answers the upgrade itself; once it agreed, neither side's frames are looked at. So any subprotocol
works. What becomes of a refusal is for the caller to say.
"""

import asyncio
import contextlib
import re
from typing import Any, Final

from aiohttp import web
from multidict import CIMultiDict

from dray.api import errors
from dray.api.fields import quote
from dray.apiserver.audit.events import TRAIL
from dray.apiserver.endpoint import Endpoint, dial_failure

CHUNK: Final = 64 * 1024
HIGH_WATER: Final = 1024 * 1024
"""Bytes on their way to the backend above which the client is not read any further."""

CONNECT_SECONDS: Final = 10
UPGRADES: Final = ("websocket", "spdy/3.1")
_HEAD_LIMIT: Final = 64 * 1024
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")
_PASSED_ON: Final = re.compile(
    r"upgrade|connection|sec-websocket-.*|x-stream-protocol-version|origin", re.IGNORECASE
)


class Refused(Exception):
    """The backend did not agree: its status, its headers as they came and the beginning of what it said."""

    def __init__(self, status: int, head: bytes, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.head = head
        self.body = body


class _Handed(web.StreamResponse):
    """The answer to a request whose connection was handed away: nothing is left to be written."""

    async def prepare(self, request: web.BaseRequest) -> Any:
        self._eof_sent = True
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None

    @property
    def keep_alive(self) -> bool | None:
        return False


class _ToBackend:
    """Stands in for the HTTP parser of the client's connection: passes on what arrives."""

    def __init__(self, writer: asyncio.StreamWriter, client: asyncio.Transport) -> None:
        self._writer = writer
        self._client = client
        self._resuming: asyncio.Task[None] | None = None

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._writer.write(data)
        if self._resuming is None and self._writer.transport.get_write_buffer_size() > HIGH_WATER:
            self._client.pause_reading()
            self._resuming = asyncio.create_task(self._resume())
        return False, b""

    async def _resume(self) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()
            self._client.resume_reading()
        finally:
            self._resuming = None

    def feed_eof(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write_eof()

    def set_exception(self, *arguments: Any) -> None:
        self._writer.close()


async def splice(request: web.BaseRequest, endpoint: Endpoint, path: str) -> web.StreamResponse:
    """Serve an upgrade request by the backend's `path`, until either side closes.

    Raises BadRequest for a request that is no upgrade, the backend's refusal, or a 500 when it cannot be reached.
    """
    if request.headers.get("Upgrade", "").lower() not in UPGRADES:
        raise errors.BadRequest("Upgrade request required")
    headers: CIMultiDict[str] = CIMultiDict(Host=endpoint.authority)
    headers.extend((name, value) for name, value in request.headers.items() if _PASSED_ON.fullmatch(name))
    try:
        return await hand_through(request, endpoint, path, headers)
    except Refused as refused:
        raise _refusal(refused.status, refused.body) from None


async def hand_through(
    request: web.BaseRequest, endpoint: Endpoint, path: str, headers: CIMultiDict[str]
) -> web.StreamResponse:
    """Send the request with these headers to the backend and, once it agrees, whatever follows on either side.

    Raises Refused, or a 500 when it cannot be reached or says nothing that is HTTP.
    """
    transport = request.transport
    if transport is None:
        raise errors.BadRequest("the connection is gone")
    reader, writer = await _connect(endpoint)
    try:
        # Its refusal is answered like any other: the connection is handed away only once it agrees.
        head = await _agree(request.method, path, headers, reader, writer)
        if (trail := request.get(TRAIL)) is not None:
            trail.switched()
        await _hand_over(request, transport, head, reader, writer)
    finally:
        writer.close()
    return _Handed()


async def _hand_over(
    request: web.BaseRequest,
    transport: asyncio.Transport,
    head: bytes,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    transport.write(head)
    parser: Any = _ToBackend(writer, transport)
    request.protocol.set_parser(parser)
    loop = asyncio.get_running_loop()
    await _to_client(reader, asyncio.StreamWriter(transport, request.protocol, None, loop))


async def _connect(endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await asyncio.open_connection(
                endpoint.host, endpoint.port, ssl=endpoint.ssl_context, limit=_HEAD_LIMIT
            )
    except (OSError, TimeoutError) as error:
        raise errors.StatusError(f"error dialing backend: {dial_failure(endpoint, error)}") from error


async def _agree(
    method: str,
    path: str,
    headers: CIMultiDict[str],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> bytes:
    """Pass on the upgrade; the backend's answer as it came, if it agrees. Raises Refused, or a 500."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if method != "GET":
        lines.append("Content-Length: 0")
    writer.write("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise errors.StatusError("net/http: server response headers exceeded the limit") from None
    except (asyncio.IncompleteReadError, OSError):
        raise errors.StatusError("unexpected EOF") from None
    status = _STATUS_LINE.match(head)
    if status is None:
        line = head.partition(b"\r\n")[0].decode("utf-8", "replace")
        raise errors.StatusError(f"malformed HTTP response {quote(line)}")
    if status.group(1) != b"101":
        raise Refused(int(status.group(1)), head, await _body(reader, head))
    return head


def _refusal(status: int, body: bytes) -> errors.StatusError:
    text = body.decode("utf-8", "replace").strip() or f"the backend answered {status}"
    if status == 404:
        return errors.NotFound(text)
    if status == 400:
        return errors.BadRequest(text)
    return errors.InternalError(f"Internal error occurred: {text}")


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if length is None:
        return b""
    try:
        return await reader.readexactly(min(int(length.group(1)), _HEAD_LIMIT))
    except asyncio.IncompleteReadError as error:
        return error.partial


async def _to_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything, and then the end."""
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()

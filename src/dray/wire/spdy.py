"""SPDY/3.1 as Kubernetes still speaks it inside port-forward, exec and attach: bytes to frames and back. No I/O.

Only what those use: streams with headers, data, resets, pings, goaway. There is no flow control, as there is none on
the other side; settings, priorities and windows are read over.
"""

import dataclasses
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

MAX_HEADER_BYTES: Final = 64 * 1024
"""Of one header block, decompressed."""
MAX_DATA_BYTES: Final = 0xFFFFFF
"""Of one data frame."""
PROTOCOL_ERROR: Final = 1
REFUSED_STREAM: Final = 3
CANCEL: Final = 5
INTERNAL_ERROR: Final = 6

_VERSION: Final = 3
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_FIN: Final = 1
_STREAM_BITS: Final = 0x7FFFFFFF

# Both sides start compressing headers as if these words had gone before: each with its length, then the rest as it is.
_WORDS: Final = (
    "options", "head", "post", "put", "delete", "trace", "accept", "accept-charset", "accept-encoding",
    "accept-language", "accept-ranges", "age", "allow", "authorization", "cache-control", "connection",
    "content-base", "content-encoding", "content-language", "content-length", "content-location", "content-md5", "content-range", "content-type", "date", "etag", "expect", "expires", "from", "host", "if-match",
    "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified", "location",
    "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range", "referer", "retry-after", "server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via",
    "warning", "www-authenticate", "method", "get", "status", "200 OK", "version", "HTTP/1.1", "url",
    "public", "set-cookie", "keep-alive", "origin",
)  # fmt: skip
_REST: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY: Final = b"".join(struct.pack(">I", len(word)) + word.encode() for word in _WORDS) + _REST.encode()


class SpdyError(Exception):
    """The other side does not speak SPDY/3.1."""


@dataclasses.dataclass(frozen=True, slots=True)
class Opened:
    """A stream that the other side begins. `last`: it will send nothing on it."""

    stream: int
    headers: Mapping[str, str]
    last: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Accepted:
    stream: int
    last: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Data:
    stream: int
    data: bytes
    last: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Reset:
    stream: int
    code: int


@dataclasses.dataclass(frozen=True, slots=True)
class Ping:
    id: int


@dataclasses.dataclass(frozen=True, slots=True)
class GoAway:
    """The other side will begin no stream any more, and take none."""


Frame = Opened | Accepted | Data | Reset | Ping | GoAway


class Decoder:
    """Of one connection's one direction: its headers are compressed as one text."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._headers = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Every frame that is complete with `data`. Raises SpdyError."""
        self._buffer += data
        while len(self._buffer) >= 8:
            word, rest = struct.unpack_from(">II", self._buffer)
            length = rest & 0xFFFFFF
            if len(self._buffer) < 8 + length:
                return
            body = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            if not word >> 31:
                yield Data(word, body, _is_last(rest >> 24))
            elif (word >> 16) & 0x7FFF != _VERSION:
                raise SpdyError(f"SPDY version {(word >> 16) & 0x7FFF} is not spoken here")
            else:
                yield from self._control(word & 0xFFFF, rest >> 24, body)

    def _control(self, type: int, flags: int, body: bytes) -> Iterator[Frame]:
        try:
            if type == _SYN_STREAM:
                yield Opened(_stream(body), self._read_headers(body[10:]), _is_last(flags))
            elif type == _SYN_REPLY:
                self._read_headers(body[4:])
                yield Accepted(_stream(body), _is_last(flags))
            elif type == _RST_STREAM:
                yield Reset(*struct.unpack(">II", body))
            elif type == _PING:
                yield Ping(*struct.unpack(">I", body))
            elif type == _GOAWAY:
                yield GoAway()
        except (struct.error, zlib.error, UnicodeDecodeError) as error:
            raise SpdyError(f"a frame of type {type} cannot be read: {error}") from error

    def _read_headers(self, block: bytes) -> dict[str, str]:
        text = self._headers.decompress(block, MAX_HEADER_BYTES)
        if self._headers.unconsumed_tail:
            raise SpdyError(f"headers of more than {MAX_HEADER_BYTES} bytes")
        (count,) = struct.unpack_from(">I", text)
        headers, at = {}, 4
        for _ in range(count):
            name, at = _read_text(text, at)
            value, at = _read_text(text, at)
            headers[name] = value.partition("\0")[0]
        return headers


class Encoder:
    """Of one connection's one direction."""

    def __init__(self) -> None:
        self._headers = zlib.compressobj(zdict=DICTIONARY)

    def open(self, stream: int, headers: Mapping[str, str], *, last: bool = False) -> bytes:
        body = struct.pack(">IIH", stream, 0, 0) + self._write_headers(headers)
        return _control(_SYN_STREAM, body, last)

    def accept(self, stream: int) -> bytes:
        return _control(_SYN_REPLY, struct.pack(">I", stream) + self._write_headers({}))

    def data(self, stream: int, data: bytes, *, last: bool = False) -> bytes:
        """`data`: at most MAX_DATA_BYTES."""
        return struct.pack(">II", stream, (_FIN if last else 0) << 24 | len(data)) + data

    def reset(self, stream: int, code: int) -> bytes:
        return _control(_RST_STREAM, struct.pack(">II", stream, code))

    def ping(self, id: int) -> bytes:
        return _control(_PING, struct.pack(">I", id))

    def _write_headers(self, headers: Mapping[str, str]) -> bytes:
        text = struct.pack(">I", len(headers)) + b"".join(
            struct.pack(">I", len(part)) + part
            for pair in headers.items()
            for part in (pair[0].encode(), pair[1].encode())
        )
        return self._headers.compress(text) + self._headers.flush(zlib.Z_SYNC_FLUSH)


def _control(type: int, body: bytes, last: bool = False) -> bytes:
    head = (1 << 31 | _VERSION << 16 | type, (_FIN if last else 0) << 24 | len(body))
    return struct.pack(">II", *head) + body


def _is_last(flags: int) -> bool:
    return bool(flags & _FIN)


def _stream(body: bytes) -> int:
    return int(struct.unpack_from(">I", body)[0]) & _STREAM_BITS


def _read_text(text: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">I", text, at)
    end = at + 4 + length
    if end > len(text):
        raise SpdyError("headers end too early")
    return text[at + 4 : end].decode(), end

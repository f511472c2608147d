"""What arrives on a connection, byte for byte: bounded before anybody is known, and answered as Kubernetes answers it."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from dray.apiserver.http import body, connection
from dray.testing.scenario_server import scenario_server

ADMIN = b"Authorization: Bearer tok-admin\r\n"
WRITE = (
    b"POST /api/v1/namespaces/default/configmaps?dryRun=All HTTP/1.1\r\nHost: x\r\n"
    b"Content-Type: application/json\r\n"
)
OBJECT = b'{"metadata":{"name":"a"}}'
PATIENCE = 5.0


def read(target: str, headers: bytes = ADMIN) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: x\r\n".encode() + headers + b"\r\n"


class Wire:
    def __init__(self, host: str, port: int) -> None:
        self._place = host, port

    async def answer(self, *sent: bytes | float) -> bytes:
        """The head and the first of the body of the first answer to what is sent; numbers are pauses in seconds."""
        reader, writer = await asyncio.open_connection(*self._place)
        try:
            for part in sent:
                if isinstance(part, float):
                    await asyncio.sleep(part)
                else:
                    writer.write(part)
            async with asyncio.timeout(PATIENCE):
                return await reader.read(1 << 16)
        finally:
            writer.close()

    async def code(self, *sent: bytes | float) -> int:
        answer = await self.answer(*sent)
        return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with scenario_server() as (url, _):
        host, port = url.removeprefix("http://").split(":")
        yield Wire(host, int(port))


async def test_bytes_that_are_no_text_in_a_header_are_no_failure(wire: Wire) -> None:
    assert await wire.code(read("/version", b"Authorization: Bearer \xff\xfe\r\n")) == 401
    assert await wire.code(read("/api/v1/pods", ADMIN + b"Impersonate-User: \xff\r\n")) == 403
    agent = b"User-Agent: \xff\r\nContent-Length: 25\r\n\r\n"
    assert await wire.code(WRITE + ADMIN + agent + OBJECT) == 201


@pytest.mark.parametrize("name", ["limit", "timeoutSeconds"])
@pytest.mark.parametrize("digits", [20, 400, 5000])
async def test_numbers_beyond_64_bits_are_bad_requests(wire: Wire, name: str, digits: int) -> None:
    answer = await wire.answer(read(f"/api/v1/namespaces?{name}={'9' * digits}"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"value out of range" in answer


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(wire: Wire) -> None:
    head = WRITE + ADMIN + b"Expect: 100-continue\r\nContent-Length: 25\r\n\r\n"
    assert await wire.answer(head) == b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "code"),
    [(b"", 403), (b"Authorization: Bearer nobody\r\n", 401)],
    ids=["anonymous", "unknown"],
)
async def test_who_may_not_is_refused_before_sending_anything(wire: Wire, headers: bytes, code: int) -> None:
    wait = b"Expect: 100-continue\r\nContent-Length: 25\r\n\r\n"
    assert await wire.code(WRITE + headers + wait) == code
    assert await wire.code(WRITE + headers + b"Content-Length: 25\r\n\r\n") == code


async def test_a_body_that_is_said_to_be_too_large_is_not_waited_for(wire: Wire) -> None:
    assert await wire.code(WRITE + ADMIN + b"Content-Length: 4000000\r\n\r\n") == 413


async def test_bodies_are_never_decompressed(wire: Wire) -> None:
    packed = gzip.compress(OBJECT)
    head = f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    assert await wire.code(WRITE + ADMIN + head + packed) == 400
    assert (
        await wire.code(WRITE + ADMIN + b"Content-Encoding: deflate\r\nContent-Length: 25\r\n\r\n" + OBJECT)
        == 201
    )


async def test_a_body_that_does_not_arrive_is_given_up(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "SECONDS", 0.1)
    assert await wire.code(WRITE + ADMIN + b"Content-Length: 25\r\n\r\n{") == 504


@pytest.mark.parametrize(
    "sent", [b"", b"GET /version HT", read("/version")[:-2]], ids=["nothing", "a word", "no end"]
)
async def test_a_head_that_does_not_arrive_ends_the_connection(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.1)
    assert await wire.answer(sent) == b""


async def test_a_head_in_pieces_is_read_if_it_is_soon_whole(wire: Wire) -> None:
    assert await wire.code(read("/version")[:20], 0.05, read("/version")[20:]) == 200


SMUGGLED = {
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}    ",
    "negative length": b"Content-Length: -1\r\n\r\n",
    "unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "no chunk size": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "huge chunk size": b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "folded header": b"X: a\r\n b\r\n\r\n",
    "too many trailers": b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    + b"A: b\r\n" * 50_000
    + b"\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
async def test_what_two_servers_could_read_differently_is_refused(wire: Wire, name: str) -> None:
    assert await wire.code(WRITE + ADMIN + SMUGGLED[name]) == 400


async def test_long_selectors_are_read(wire: Wire) -> None:
    assert await wire.code(read(f"/api/v1/pods?labelSelector=a+in+({','.join(['b'] * 20_000)})")) == 200


async def test_heads_without_end_are_refused(wire: Wire) -> None:
    assert await wire.code(read("/version", b"X: " + b"a" * 100_000 + b"\r\n")) == 400
    assert await wire.code(read("/version", b"X: a\r\n" * 50_000)) == 400

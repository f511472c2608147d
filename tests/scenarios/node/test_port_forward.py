"""`kubectl port-forward`, as it asks the node's server: pairs of streams, each a connection with a port of the pod."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from node_story import NAMESPACE, NodeStory, shell
from spdy_client import SpdyClient, Tunnel, Upgraded

FOREVER = "trap 'exit 0' TERM; sleep 600 & wait"
PROTOCOL = "portforward.k8s.io"

Connect = Callable[[], SpdyClient]


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Of a program that gives back what it is sent, in capitals, until that ends."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data.upper())
            await writer.drain()
        writer.write(b"[bye]")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def closed_port() -> int:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


@pytest.fixture
async def app(story: NodeStory) -> NodeStory:
    await story.create_pod("app", shell(FOREVER))
    await story.until_ready("app")
    return story


def address(story: NodeStory, query: str = "") -> str:
    assert story.agent is not None
    return f"http://127.0.0.1:{story.agent.port}/portForward/{NAMESPACE}/app{query}"


@pytest.fixture(params=["tunnel", "upgrade"])
def connect(app: NodeStory, request: pytest.FixtureRequest) -> Connect:
    """Both ways that kubectl knows: the first is tried first."""
    assert app.agent is not None
    port = app.agent.port
    if request.param == "tunnel":
        return lambda: Tunnel(address(app), f"SPDY/3.1+{PROTOCOL}")
    return lambda: Upgraded(port, f"/portForward/{NAMESPACE}/app", PROTOCOL)


async def pair(client: SpdyClient, port: int, request: str = "0") -> tuple[int, int]:
    """(data, error)."""
    error = await client.begin(streamtype="error", port=str(port), requestid=request)
    await client.say(error, b"", last=True)
    return await client.begin(streamtype="data", port=str(port), requestid=request), error


async def test_connections_go_side_by_side_and_end_one_by_one(connect: Connect, port: int) -> None:
    async with connect() as client:
        first, first_error = await pair(client, port, "0")
        second, second_error = await pair(client, port, "1")
        await client.say(first, b"one ")
        await client.say(second, b"two")
        await client.until_received(second, b"TWO")
        await client.say(first, b"more", last=True)
        await client.until_ended(first, first_error)
        assert client.received[first] == b"ONE MORE[bye]"
        assert client.accepted == {first, first_error, second, second_error}
        assert second not in client.ended
        await client.say(second, b"", last=True)
        await client.until_ended(second, second_error)
        assert client.received[second] == b"TWO[bye]"
        assert client.received[first_error] == client.received[second_error] == b""


async def test_much_goes_both_ways(connect: Connect, port: int) -> None:
    content = bytes(range(97, 123)) * 80_000
    async with connect() as client:
        data, error = await pair(client, port)
        for start in range(0, len(content), 32_768):
            await client.say(data, content[start : start + 32_768])
        await client.say(data, b"", last=True)
        await client.until_ended(data, error)
    assert client.received[data] == content.upper() + b"[bye]"


async def test_a_port_where_nobody_listens_is_told_on_the_error_stream(
    connect: Connect, closed_port: int
) -> None:
    async with connect() as client:
        data, error = await pair(client, closed_port)
        await client.until_ended(data, error)
    text = client.received[error].decode()
    assert text.startswith(f"error forwarding port {closed_port} to pod app, uid ")
    assert text.endswith(f":{closed_port}: connect: connection refused")


async def test_a_stream_without_a_port_is_refused_and_the_others_go_on(connect: Connect, port: int) -> None:
    async with connect() as client:
        await client.until_reset(await client.begin(streamtype="data", requestid="7"))
        data, _ = await pair(client, port)
        await client.say(data, b"fine")
        await client.until_received(data, b"FINE")


async def test_a_client_that_resets_its_stream_ends_the_connection_with_the_pod(connect: Connect) -> None:
    gone = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await asyncio.gather(reader.read(), return_exceptions=True)
        gone.set()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with connect() as client:
        data, _ = await pair(client, server.sockets[0].getsockname()[1])
        await client.until_received(data, b"hello")
        await client.send(client.encoder.reset(data, 5))
        async with asyncio.timeout(5):
            await gone.wait()
    server.close()


async def test_clients_without_spdy_name_their_ports_and_get_channels(app: NodeStory, port: int) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(
            address(app, f"?port={port}&port=9"), protocols=["v4.channel.k8s.io"]
        )
        first = [(await socket.receive()).data for _ in range(4)]
        assert first == [
            bytes([channel]) + struct.pack("<H", number) for channel, number in enumerate((port, port, 9, 9))
        ]
        await socket.send_bytes(b"\x00hello")
        answers = [(await socket.receive()).data for _ in range(2)]
        assert b"\x00HELLO" in answers
        await socket.close()
        assert any(answer.startswith(b"\x03error forwarding port 9 to pod app") for answer in answers)


async def test_what_is_no_upgrade_is_refused(app: NodeStory) -> None:
    async with aiohttp.ClientSession() as session, session.post(address(app)) as answer:
        assert answer.status == 400
    async with aiohttp.ClientSession() as session, session.get(address(app, "x")) as answer:
        assert answer.status == 404

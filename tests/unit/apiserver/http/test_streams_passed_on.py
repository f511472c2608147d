"""exec and port-forward through the API server: the kubelet's streams as they are, and its refusals as Statuses."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from dray.api.meta import Object
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.server import ApiServer
from dray.client.config import ClientConfig
from dray.client.http import HttpClient
from dray.store.memory import MemoryStore

POD = "/api/v1/namespaces/default/pods/app"


async def _echo(request: web.Request) -> web.StreamResponse:
    if request.query_string.endswith("command=refused"):
        return web.Response(status=404, text="container not found")
    socket = web.WebSocketResponse(protocols=["v5.channel.k8s.io"])
    await socket.prepare(request)
    async for message in socket:
        await socket.send_bytes(message.data)
    return socket


async def _kubelet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Agrees to SPDY, and gives back its request and then what follows."""
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n" + head
    )
    while data := await reader.read(1024):
        writer.write(data)
    writer.close()


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """The address of an API server with the pod `app`, whose node is not there yet."""
    server = ApiServer(MemoryStore(), catalog())
    await server.start()
    async with HttpClient(ClientConfig(server=f"http://{server.address}")) as client:
        await client.request("POST", "/api/v1/namespaces", body={"metadata": {"name": "default"}})
        spec = {"nodeName": "n1", "containers": [{"name": "main", "image": "busybox"}]}
        body = {"metadata": {"name": "app"}, "spec": spec}
        await client.request("POST", "/api/v1/namespaces/default/pods", body=body)
    yield server.address
    await server.stop()


async def listens_at(server: str, port: int) -> None:
    status: Object = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    async with HttpClient(ClientConfig(server=f"http://{server}")) as client:
        await client.request("POST", "/api/v1/nodes", body={"metadata": {"name": "n1"}})
        await client.request(
            "PATCH", "/api/v1/nodes/n1/status", body={"status": status},
            content_type="application/merge-patch+json",
        )  # fmt: skip


@pytest.fixture
async def kubelet(server: str) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_get("/exec/default/app/main", _echo)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await listens_at(server, runner.addresses[0][1])
    yield
    await runner.cleanup()


@pytest.mark.usefixtures("kubelet")
async def test_messages_go_both_ways(server: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"http://{server}{POD}/exec?command=cat", protocols=["v5.channel.k8s.io"]
        ) as socket,
    ):
        assert socket.protocol == "v5.channel.k8s.io"
        await socket.send_bytes(b"\x00hello")
        assert (await socket.receive()).data == b"\x00hello"


@pytest.mark.usefixtures("kubelet")
async def test_a_kubelets_refusal_is_a_status(server: str) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{server}{POD}/exec?command=refused", headers=headers) as answer,
    ):
        assert answer.status == 404
        assert (await answer.json())["message"] == "container not found"


async def test_spdy_is_handed_through_with_its_method_and_its_protocol(server: str) -> None:
    kubelet = await asyncio.start_server(_kubelet, "127.0.0.1", 0)
    await listens_at(server, kubelet.sockets[0].getsockname()[1])
    host, _, port = server.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST {POD}/portforward HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        "X-Stream-Protocol-Version: portforward.k8s.io\r\nContent-Length: 0\r\n\r\n".encode()
    )
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        asked = await reader.readuntil(b"\r\n\r\n")
        assert asked.startswith(b"POST /portForward/default/app HTTP/1.1\r\n")
        assert b"X-Stream-Protocol-Version: portforward.k8s.io\r\n" in asked
        writer.write(b"frames")
        assert await reader.readexactly(6) == b"frames"
    writer.close()
    kubelet.close()


@pytest.mark.usefixtures("kubelet")
async def test_what_asks_for_no_upgrade_is_told_so(server: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://{server}{POD}/exec?command=cat") as answer,
    ):
        assert answer.status == 400
        assert (await answer.json())["message"] == "Upgrade request required"

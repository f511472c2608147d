"""What `dray doctor` reads over HTTP and the objects do not have: kubelets' own pages, and feature gates in metrics."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.resources import NODES
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.server import ApiServer
from dray.cli.insight.gather import gather
from dray.client.config import ClientConfig
from dray.client.http import HttpClient
from dray.client.versions import VersionedClient
from dray.store.memory import MemoryStore

PLUGINS = """\
plugin_manager_total_plugins{socket_path="/reg/gpu.example.com-reg.sock",state="actual_state_of_world"} 1
plugin_manager_total_plugins{socket_path="/reg/gpu.example.com-reg.sock",state="desired_state_of_world"} 1
plugin_manager_total_plugins{socket_path="/reg/nic.example.com-reg.sock",state="desired_state_of_world"} 1
kubernetes_feature_enabled{name="DynamicResourceAllocation",stage="BETA"} 0
kubernetes_feature_enabled{name="GracefulNodeShutdown",stage="BETA"} 1
"""


@pytest.fixture
async def kubelet() -> AsyncIterator[int]:
    """A kubelet's pages: its port. It repeats the query it was asked with."""

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text=PLUGINS + request.query_string)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    gates = FeatureGates({"DRAConsumableCapacity": False})
    server = ApiServer(MemoryStore(), catalog(), features=gates)
    await server.start()
    async with HttpClient(ClientConfig(server=f"http://{server.address}")) as client:
        yield client
    await server.stop()


def node(name: str, port: int) -> Object:
    endpoint = {"kubeletEndpoint": {"Port": port}} if port else {}
    addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
    return {"metadata": {"name": name}, "status": {"addresses": addresses, "daemonEndpoints": endpoint}}


async def add_node(client: HttpClient, name: str, port: int) -> None:
    await client.request("POST", "/api/v1/nodes", body=node(name, port))
    await client.request(
        "PATCH", f"/api/v1/nodes/{name}/status", body={"status": node(name, port)["status"]},
        content_type="application/merge-patch+json",
    )  # fmt: skip


async def test_a_page_of_a_kubelet_is_passed_on_with_its_query(client: HttpClient, kubelet: int) -> None:
    await add_node(client, "n1", kubelet)
    async with client.open("GET", "/api/v1/nodes/n1/proxy/metrics?a=1", accept="text/plain") as answer:
        assert answer.status == 200
        assert (await answer.text()).endswith("a=1")
    async with client.open("GET", "/api/v1/nodes/n1/proxy/nothing", accept="text/plain") as answer:
        assert answer.status == 404


async def test_registrations_and_gates_are_gathered_and_what_is_silent_is_named(
    client: HttpClient, kubelet: int
) -> None:
    await add_node(client, "n1", kubelet)
    await add_node(client, "n2", 0)
    snapshot = await gather(VersionedClient(client), [NODES], {}, kubelets=True)
    assert snapshot.server["kubelets"]["n1"]["plugins"] == {
        "/reg/gpu.example.com-reg.sock": True,
        "/reg/nic.example.com-reg.sock": False,
    }
    assert snapshot.server["kubelets"]["n1"]["gates"] == {"DynamicResourceAllocation": False}
    assert "answers 500" in snapshot.server["kubelets"]["n2"]["unknown"]
    assert snapshot.server["gates"]["DRAConsumableCapacity"] is False
    assert snapshot.server["gates"]["DRAPartitionableDevices"] is True

"""A driver on a fake kubelet: what it tells of its devices and of itself."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import aiohttp
import grpc.aio
import pytest
from plugin_stage import NAME, Fragile, Lamps, Stage

from dray.api.errors import Forbidden, InternalError
from dray.api.meta import Object
from dray.api.resources import RESOURCE_CLAIMS, RESOURCE_SLICES, Resource
from dray.sdk import (
    Claim,
    DeviceStatus,
    PreparedDevice,
)
from dray.wire.kubelet import GRPC_HEALTH
from dray.wire.rpc import Stub


# --- device status ---
class Talkative(Lamps):
    async def device_status(self, claim: Claim, prepared: Sequence[PreparedDevice]) -> Sequence[DeviceStatus]:
        return [DeviceStatus(one.device, {"watts": {"int": 5}}) for one in prepared]


async def status_of(stage: Stage, name: str) -> list[Object]:
    async with asyncio.timeout(10):
        while True:
            devices = stage.client.find(RESOURCE_CLAIMS, name, "default")["status"].get("devices")  # type: ignore[index]
            if devices and any(device["driver"] == NAME for device in devices):
                return list(devices)
            await asyncio.sleep(0.01)


async def test_device_status_is_applied_under_the_drivers_name(stage: Stage) -> None:
    applied: list[dict[str, Any]] = []
    original = stage.client.patch

    async def patch(resource: Resource, name: str, body: Any, namespace: str = "", **more: Any) -> Object:
        applied.append({"body": body, **more})
        return await original(resource, name, body, namespace, **more)

    stage.client.patch = patch  # type: ignore[method-assign]
    claim = stage.claim("a", {"device": "lamp-0", "shareID": "x"})
    async with stage.plugin(Talkative()):
        await (await stage.kubelet.plugin(NAME)).prepare(claim)
        await status_of(stage, "a")
    assert applied[0]["field_manager"] == NAME
    assert applied[0]["force"] is True
    assert applied[0]["subresource"] == "status"
    assert applied[0]["body"]["metadata"]["uid"] == "uid-a"
    assert applied[0]["body"]["status"]["devices"] == [
        {"driver": NAME, "pool": "node", "device": "lamp-0", "shareID": "x", "data": {"watts": {"int": 5}}}
    ]


async def test_where_patching_is_forbidden_the_entries_of_others_are_kept(stage: Stage) -> None:
    def forbid(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
        if verb == "patch":
            raise Forbidden("patch is not allowed")

    claim = stage.claim("a")
    other = {"driver": "other.example.com", "pool": "p", "device": "d"}
    claim["status"]["devices"] = [other]
    stage.client.reactions.append(forbid)
    async with stage.plugin(Talkative()):
        await (await stage.kubelet.plugin(NAME)).prepare(claim)
        devices = await status_of(stage, "a")
    assert devices[0] == other
    assert devices[1]["data"] == {"watts": {"int": 5}}


async def test_a_status_that_cannot_be_written_fails_nothing(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
        if subresource == "status":
            raise InternalError("no")

    stage.client.reactions.append(refuse)
    claim = stage.claim("a")
    async with stage.plugin(Talkative()):
        assert len(await (await stage.kubelet.plugin(NAME)).prepare(claim)) == 1
        async with asyncio.timeout(10):
            while "The device status of the claim could not be written" not in caplog.messages:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


# --- health ---
@pytest.mark.parametrize("version", ["v1", "v1alpha1"])
async def test_health_is_streamed_whole_and_follows_changes(stage: Stage, version: str) -> None:
    driver = Fragile()
    async with stage.plugin(driver):
        plugin = await stage.kubelet.plugin(NAME)
        assert plugin.advertised[2:] == ("v1.DRAResourceHealth", "v1alpha1.DRAResourceHealth")
        stream = plugin.health(version)
        assert await anext(stream) == {"lamp-0": (1, ""), "lamp-1": (1, "")}
        driver.broken = "lamp-1"
        assert await anext(stream) == {"lamp-0": (1, ""), "lamp-1": (2, "burnt out")}
        driver.broken = ""
        assert await anext(stream) == {"lamp-0": (1, ""), "lamp-1": (1, "")}
        await stream.aclose()  # type: ignore[attr-defined]


async def test_unhealthy_devices_get_a_taint_and_lose_it_again(stage: Stage) -> None:
    def taints() -> list[list[Any]]:
        return [
            device.get("taints", []) for device in stage.client.all(RESOURCE_SLICES)[0]["spec"]["devices"]
        ]

    async def until(expected: list[list[Any]]) -> None:
        async with asyncio.timeout(10):
            while taints() != expected:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    driver = Fragile()
    async with stage.plugin(driver) as plugin:
        await plugin.publisher.published()
        driver.broken = "lamp-0"
        await until([[{"key": f"{NAME}/unhealthy", "effect": "NoSchedule"}], []])
        driver.broken = ""
        await until([[], []])


async def test_several_streams_see_the_same(stage: Stage) -> None:
    async with stage.plugin(Fragile()):
        plugin = await stage.kubelet.plugin(NAME)
        streams = [plugin.health("v1") for _ in range(3)]
        assert {len(await anext(stream)) for stream in streams} == {2}
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]


async def test_a_driver_without_health_does_not_offer_it(stage: Stage) -> None:
    async with stage.plugin():
        plugin = await stage.kubelet.plugin(NAME)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(plugin.health())
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


# --- probes and metrics ---
async def check(port: int, service: str = "liveness") -> int:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = Stub(channel, GRPC_HEALTH, "Health")
        response = await stub.call("Check", stub.new_request("Check", service=service), timeout=10)
        return int(response.status)


async def test_the_liveness_probe_goes_through_the_sockets(stage: Stage) -> None:
    async with stage.plugin(healthcheck_port=0, bind_address="127.0.0.1") as plugin:
        assert plugin.probe is not None
        assert [await check(plugin.probe.port, service) for service in ("", "liveness")] == [1, 1]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await check(plugin.probe.port, "readiness")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        await plugin.sockets.end("registration")
        assert await check(plugin.probe.port) == 2


async def test_metrics_and_readiness_are_served_over_http(stage: Stage) -> None:
    claim = stage.claim("a")
    async with stage.plugin(metrics_port=0, bind_address="127.0.0.1") as plugin:
        await (await stage.kubelet.plugin(NAME)).prepare(claim)
        assert plugin.http is not None
        async with aiohttp.ClientSession(f"http://127.0.0.1:{plugin.http.port}") as session:
            text = await (await session.get("/metrics")).text()
            ready = await session.get("/readyz")
            assert (ready.status, await ready.text()) == (200, "ok")
            assert await (await session.get("/healthz")).text() == "ok"
    assert 'dray_driver_prepare_claims_total{result="success"} 1' in text
    assert "dray_driver_registered 1" in text
    assert "dray_driver_published_devices 2" in text


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_by_default_the_endpoints_are_heard_over_both_families(stage: Stage, host: str) -> None:
    if "::" in host and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    async with stage.plugin(metrics_port=0) as plugin:
        assert plugin.http is not None
        async with aiohttp.ClientSession(f"http://{host}:{plugin.http.port}") as session:
            assert await (await session.get("/healthz")).text() == "ok"


async def test_a_port_that_is_taken_is_said_at_the_start(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        plugin = stage.plugin(metrics_port=port, bind_address="127.0.0.1")
        with pytest.raises(OSError, match="in use"):
            await plugin.start()
        await plugin.stop()


async def test_readiness_waits_for_the_kubelet(stage: Stage) -> None:
    stage.kubelet.refusal = "no"
    async with stage.plugin(metrics_port=0, bind_address="127.0.0.1") as plugin:
        assert plugin.http is not None
        async with aiohttp.ClientSession(f"http://127.0.0.1:{plugin.http.port}") as session:
            ready = await session.get("/readyz")
            assert ready.status == 503
            assert await ready.text() in ("no", "not registered yet", "no kubelet has asked yet")

"""The pod-resources socket, as a monitoring agent asks it."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.json_format import MessageToDict
from node_story import NODE, NodeStory, eventually, shell, with_claim

from dray.node.serving.podresources import Allowance
from dray.sdk import AllocatedDevice, Claim, ClaimRef, Device, Driver, PreparedDevice, env
from dray.wire.kubelet import POD_RESOURCES
from dray.wire.rpc import RpcFailure, Stub, UnixChannel

FOREVER = "trap 'exit 0' TERM; sleep 600 & wait"
LAMPS = "lamps.example.com"


class Lamps(Driver):
    name = LAMPS

    async def discover(self) -> Sequence[Device]:
        return [Device("lamp-1"), Device("lamp-2")]

    async def prepare(self, claim: Claim) -> Sequence[PreparedDevice]:
        return [PreparedDevice(device, env(LAMP=device.device)) for device in claim.devices]

    async def unprepare(self, claim: ClaimRef, devices: Sequence[AllocatedDevice]) -> None: ...


@pytest.fixture
async def agent(story: NodeStory) -> AsyncIterator[Stub]:
    socket = story.root / "pod-resources" / "kubelet.sock"

    async def is_there() -> bool:
        return socket.exists()

    await eventually(is_there, "the socket is served")
    channel = UnixChannel(socket)
    yield channel.stub(POD_RESOURCES, "PodResourcesLister")
    await channel.close()


def cdi_names(story: NodeStory) -> list[tuple[str, str]]:
    """(device, CDI name) of what the driver prepared, as the node has it on record."""
    outer = json.loads((story.root / "dra_manager_state").read_text())
    (claim,) = json.loads(outer["Data"])["ClaimInfoStateList"]
    return [
        (device["DeviceName"], device["CDIDeviceIDs"][0]) for device in claim["DriverState"][LAMPS]["Devices"]
    ]


async def listed(agent: Stub) -> list[dict[str, Any]]:
    answer = MessageToDict(await agent.call("List", timeout=5), preserving_proto_field_name=True)
    return list(answer.get("pod_resources", []))


async def test_each_container_shows_the_devices_of_its_claims(story: NodeStory, agent: Stub) -> None:
    async with story.plugin(Lamps()):
        pod = await story.create_pod(
            "app",
            with_claim(shell(FOREVER)),
            shell(FOREVER, "bare"),
            initContainers=[
                shell("true", "first"),
                with_claim(shell(FOREVER, "helper", restartPolicy="Always")),
            ],
            resourceClaims=[{"name": "gpu", "resourceClaimName": "claim"}],
        )
        await story.create_claim("claim", pod, LAMPS, "lamp-1", "lamp-2")
        await story.until_ready("app")
        devices = [
            {
                "cdi_devices": [{"name": name}],
                "driver_name": LAMPS,
                "pool_name": NODE,
                "device_name": device,
            }
            for device, name in cdi_names(story)
        ]
        claims = [{"claim_name": "claim", "claim_namespace": "default", "claim_resources": devices}]
        wanted = {
            "name": "app",
            "namespace": "default",
            "containers": [
                {"name": "helper", "dynamic_resources": claims},
                {"name": "main", "dynamic_resources": claims},
                {"name": "bare"},
            ],
        }
        assert await listed(agent) == [wanted]
        request = agent.new_request("Get", pod_name="app", pod_namespace="default")
        answer = await agent.call("Get", request, timeout=5)
        assert MessageToDict(answer.pod_resources, preserving_proto_field_name=True) == wanted
        await story.delete_pod("app")
        await story.until_gone("app")
        assert await listed(agent) == []


async def test_a_pod_that_is_over_is_not_listed(story: NodeStory, agent: Stub) -> None:
    await story.create_pod("job", shell("true"), restartPolicy="Never")
    await story.until_phase("job", "Succeeded")
    assert await listed(agent) == []


async def test_a_pod_that_is_not_here_cannot_be_got(agent: Stub) -> None:
    request = agent.new_request("Get", pod_name="app", pod_namespace="default")
    with pytest.raises(grpc.aio.AioRpcError, match="pod app in namespace default not found"):
        await agent.call("Get", request, timeout=5)


async def test_nothing_but_claims_is_managed_here(agent: Stub) -> None:
    assert MessageToDict(await agent.call("GetAllocatableResources", timeout=5)) == {}


def test_who_asks_too_often_is_refused_until_time_has_passed() -> None:
    now = 0.0
    allowance = Allowance(lambda: now, rate=100, burst=10)
    for _ in range(10):
        allowance.take()
    with pytest.raises(RpcFailure) as refusal:
        allowance.take()
    assert refusal.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    now = 0.02
    allowance.take()
    allowance.take()
    with pytest.raises(RpcFailure):
        allowance.take()

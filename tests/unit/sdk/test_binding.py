"""A controller answers binding conditions: for its own devices, once, and beside the entries of others."""

import asyncio
from collections.abc import Callable
from typing import Any

from dray.api.errors import Forbidden, ServiceUnavailable
from dray.api.meta import Object
from dray.api.resources import RESOURCE_CLAIMS, Resource
from dray.sdk.binding import BindingConditions, Decision, Failed, Ready, Wait
from dray.sdk.claims import AllocatedDevice, Claim
from dray.testing import virtual
from dray.testing.fake_kubelet import allocated_claim
from dray.testing.memory_client import MemoryClient

DRIVER = "fabric.example.com"
WAITING = {"bindingConditions": ["Attached", "Zoned"], "bindingFailureConditions": ["Broken"]}


def fabric_claim(*results: Object) -> Object:
    return allocated_claim("a", *(results or ({"device": "gpu-0", **WAITING},)), driver=DRIVER)


def devices_of(client: MemoryClient) -> list[Object]:
    claim = client.find(RESOURCE_CLAIMS, "a", "default")
    assert claim is not None
    return list(claim["status"].get("devices") or [])


def run(client: MemoryClient, decide: Callable[[Claim, AllocatedDevice], Any], seconds: float = 10.0) -> None:
    """Let the controller work for `seconds` of virtual time."""

    async def some_time() -> None:
        controller = asyncio.create_task(BindingConditions(client, DRIVER, decide).run())
        await asyncio.sleep(seconds)
        controller.cancel()
        await asyncio.wait([controller])

    virtual.run(some_time())


async def ready(claim: Claim, device: AllocatedDevice) -> Decision:
    return Ready()


def shown(device: Object) -> dict[str, tuple[str, str]]:
    return {
        one["type"]: (one["status"], f"{one['reason']}: {one['message']}") for one in device["conditions"]
    }


def test_a_ready_device_gets_every_binding_condition() -> None:
    client = MemoryClient(fabric_claim())
    run(client, ready)
    (device,) = devices_of(client)
    assert (device["driver"], device["pool"], device["device"]) == (DRIVER, "node", "gpu-0")
    good = ("True", "Ready: Device is ready")
    assert shown(device) == {"Attached": good, "Zoned": good}
    assert device["conditions"][0]["lastTransitionTime"].endswith("Z")


def test_a_failed_device_gets_its_failure_condition_with_the_reason() -> None:
    async def fail(claim: Claim, device: AllocatedDevice) -> Decision:
        return Failed("no port is free", reason="NoPort")

    client = MemoryClient(fabric_claim())
    run(client, fail)
    assert shown(devices_of(client)[0]) == {"Broken": ("True", "NoPort: no port is free")}


def test_a_decision_is_written_once_and_not_asked_for_again() -> None:
    asked: list[str] = []

    async def count(claim: Claim, device: AllocatedDevice) -> Decision:
        asked.append(device.device)
        return Ready()

    client = MemoryClient(fabric_claim())
    run(client, count, 300.0)
    assert asked == ["gpu-0"]
    assert len(client.writes) == 1


def test_a_device_that_is_not_ready_is_asked_about_again_after_the_wait() -> None:
    asked: list[float] = []

    async def third_time(claim: Claim, device: AllocatedDevice) -> Decision:
        asked.append(round(asyncio.get_running_loop().time(), 1))
        return Ready() if len(asked) == 3 else Wait(2.0)

    client = MemoryClient(fabric_claim())
    run(client, third_time)
    assert [moment - asked[0] for moment in asked] == [0, 2.0, 4.0]
    assert len(devices_of(client)) == 1


def test_devices_without_conditions_and_of_other_drivers_are_left_alone() -> None:
    claim = fabric_claim({"device": "plain"}, {"device": "x", "driver": "other.example.com", **WAITING})
    client = MemoryClient(claim)
    run(client, ready)
    assert client.writes == []


def test_shares_of_one_device_have_conditions_of_their_own() -> None:
    claim = fabric_claim(*({"device": "gpu-0", "shareID": share, **WAITING} for share in ("s1", "s2")))
    client = MemoryClient(claim)
    run(client, ready)
    assert [device["shareID"] for device in devices_of(client)] == ["s1", "s2"]


def test_a_plain_function_may_decide() -> None:
    client = MemoryClient(fabric_claim())

    async def real_time() -> None:
        controller = asyncio.create_task(BindingConditions(client, DRIVER, lambda *_: Ready()).run())
        async with asyncio.timeout(10):
            while not devices_of(client):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        controller.cancel()
        await asyncio.wait([controller])

    asyncio.run(real_time())
    assert "Attached" in shown(devices_of(client)[0])


def test_a_failing_decision_and_an_absent_api_are_tried_again() -> None:
    failures: list[Exception] = [RuntimeError("fabric manager is away"), RuntimeError("still away")]

    async def decide(claim: Claim, device: AllocatedDevice) -> Decision:
        if failures:
            raise failures.pop()
        return Ready()

    client, refused = MemoryClient(fabric_claim()), [True]

    def refuse_once(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
        if refused:
            refused.pop()
            raise ServiceUnavailable("starting up")

    client.reactions.append(refuse_once)
    run(client, decide)
    assert "Attached" in shown(devices_of(client)[0])


def test_where_patching_is_forbidden_data_and_conditions_of_the_nodes_driver_stay() -> None:
    def forbid(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
        if verb == "patch":
            raise Forbidden("no patch")

    claim = fabric_claim()
    mine = {"driver": DRIVER, "pool": "node", "device": "gpu-0", "data": {"uuid": "u"}}
    claim["status"]["devices"] = [
        {**mine, "conditions": [{"type": "Healthy", "status": "True"}]},
        {"driver": "other.example.com", "pool": "p", "device": "d"},
    ]
    client = MemoryClient(claim)
    client.reactions.append(forbid)
    run(client, ready)
    device, other = devices_of(client)
    assert device["data"] == {"uuid": "u"}
    assert [condition["type"] for condition in device["conditions"]] == ["Healthy", "Attached", "Zoned"]
    assert other["driver"] == "other.example.com"

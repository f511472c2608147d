"""What a driver publishes, to API servers old and new, and how it looks after it."""

import asyncio

from dray.api.meta import Object, name_of
from dray.api.resources import NODES, RESOURCE_SLICES
from dray.testing.conformance.rules import rule
from dray.testing.conformance.stage import NODE, REPAIR_SECONDS, Stage
from dray.testing.conformance.verdicts import NotApplicable, Violation

_QUIET_SECONDS = 3.0
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


@rule()
async def publishes_complete_pools_of_its_node(stage: Stage) -> None:
    """Slices name the driver and its node, belong to the Node object, and make complete pools"""
    await stage.started()
    node = await stage.api.client.get(NODES, NODE)
    for obj in _local(await stage.published()):
        if obj["spec"]["driver"] != stage.driver:
            raise Violation(f"{name_of(obj)} is of driver {obj['spec']['driver']}, not {stage.driver}")
        owners = {owner["uid"] for owner in obj["metadata"].get("ownerReferences") or ()}
        if node["metadata"]["uid"] not in owners:
            raise Violation(f"{name_of(obj)} does not belong to the Node: it would outlive the node")


async def _works(stage: Stage) -> None:
    plugin = await stage.started()
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.prepared(plugin, claim)


@rule(api_versions=("v1beta1",))
async def works_with_an_api_server_of_1_32(stage: Stage) -> None:
    """An API server that serves resource.k8s.io/v1beta1 alone is enough"""
    await _works(stage)


@rule(api_versions=("v1beta1", "v1beta2"))
async def works_with_an_api_server_of_1_33(stage: Stage) -> None:
    """An API server that serves the two beta versions is enough"""
    await _works(stage)


@rule(api_versions=("v1",))
async def works_with_an_api_server_without_betas(stage: Stage) -> None:
    """An API server that serves resource.k8s.io/v1 alone is enough"""
    await _works(stage)


@rule(waits=True)
async def publishes_again_what_a_kubelet_wiped(stage: Stage) -> None:
    """Slices that a restarting kubelet wiped are published again"""
    await stage.started()
    before = _contents(await stage.published())
    await stage.restarted_kubelet()
    await stage.published(REPAIR_SECONDS)
    after = _contents(await stage.slices())
    if after != before:
        raise Violation("what is published after the wipe differs from what was published before")


@rule(waits=True)
async def repairs_a_deleted_slice(stage: Stage) -> None:
    """One slice that somebody deleted comes back, and its pool is complete again"""
    await stage.started()
    before = _contents(await stage.published())
    await stage.api.client.delete(RESOURCE_SLICES, name_of((await stage.slices())[0]))

    async def repaired() -> bool | None:
        return _contents(await stage.slices()) == before or None

    await stage.until_async(repaired, REPAIR_SECONDS, "the deleted slice is published again")


@rule(waits=True)
async def repairs_a_changed_slice(stage: Stage) -> None:
    """A slice that somebody changed is put right"""
    await stage.started()
    before = _contents(await stage.published())
    obj = next((obj for obj in await stage.slices() if obj["spec"].get("devices")), None)
    if obj is None:
        raise NotApplicable("the driver publishes no devices")
    fewer = {**obj, "spec": {**obj["spec"], "devices": obj["spec"]["devices"][1:]}}
    await stage.api.client.update(RESOURCE_SLICES, fewer)

    async def repaired() -> bool | None:
        return _contents(await stage.slices()) == before or None

    await stage.until_async(repaired, REPAIR_SECONDS, "the changed slice is put right")


@rule()
async def is_quiet_when_nothing_changes(stage: Stage) -> None:
    """A driver whose devices do not change does not write"""
    await stage.started()
    await asyncio.sleep(_QUIET_SECONDS)
    writes = stage.faults.count("/resourceslices", _WRITES)
    await asyncio.sleep(_QUIET_SECONDS)
    more = stage.faults.count("/resourceslices", _WRITES) - writes
    if more:
        raise Violation(f"{more} writes of ResourceSlices in {_QUIET_SECONDS:.0f} s without a reason")


@rule(
    features={
        "DRAPartitionableDevices": False,
        "DRAConsumableCapacity": False,
        "DRADeviceTaints": False,
        "DRADeviceBindingConditions": False,
    }
)
async def does_not_insist_on_features_that_are_off(stage: Stage) -> None:
    """An API server that drops fields, since their features are off, is not asked again and again"""
    await stage.start()
    await stage.registered()
    try:
        await stage.published()
    except Violation:
        raise NotApplicable(
            "nothing of this driver's devices can be published without these features"
        ) from None
    await asyncio.sleep(_QUIET_SECONDS)
    writes = stage.faults.count("/resourceslices", _WRITES)
    await asyncio.sleep(_QUIET_SECONDS)
    if stage.faults.count("/resourceslices", _WRITES) != writes:
        raise Violation("the driver writes its slices over and over")


@rule()
async def publishes_through_a_slow_api_server(stage: Stage) -> None:
    """An API server that takes a second for every answer slows publishing down and breaks nothing"""
    stage.faults.delay_seconds = 1.0
    await stage.start()
    plugin = await stage.registered()
    await stage.published(2 * stage.subject.ready_seconds)
    claim = await stage.claim("a", *await stage.devices(1))
    await stage.prepared(plugin, claim)


@rule(waits=True)
async def follows_watches_that_end(stage: Stage) -> None:
    """Watches that the server ends are opened again: a wipe afterwards is still noticed"""
    await stage.started()
    before = _contents(await stage.published())
    stage.api.end_watches()
    await asyncio.sleep(2.0)
    await stage.wipe()
    await stage.published(REPAIR_SECONDS)
    if _contents(await stage.slices()) != before:
        raise Violation("what is published after the wipe differs from what was published before")


def _local(slices: list[Object]) -> list[Object]:
    """Those of the node; drivers of network-attached devices publish others."""
    local = [obj for obj in slices if obj["spec"].get("nodeName")]
    if not local:
        raise NotApplicable("the driver publishes no devices of its node")
    return local


def _contents(slices: list[Object]) -> list[Object]:
    """What slices say, without names and generations."""
    contents = [
        {key: value for key, value in obj["spec"].items() if key != "pool"}
        | {"pool": obj["spec"]["pool"]["name"]}
        for obj in slices
    ]
    return sorted(contents, key=str)

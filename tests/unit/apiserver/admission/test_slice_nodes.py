"""Devices that are part of their node are offered in 1.37 only where the node says that it counts them."""

from typing import Any

import pytest

from dray.api import errors
from dray.api.features import FeatureGates, parse_feature_gates
from dray.api.meta import Object
from dray.api.resources import NODES, RESOURCE_SLICES
from tests.unit.apiserver.admission.cluster import Cluster, new_cluster

GATE = "DRANodeAllocatableResources=true"
ON = parse_feature_gates(GATE, "1.37")
COUNTS = {"cpu": {"mapping": {"deviceMultiplier": "1"}}}
SELECTOR = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]}


def device(name: str = "x", **more: Any) -> Object:
    return {"name": name, "nodeAllocatableResources": COUNTS, **more}


async def a_node(cluster: Cluster, name: str, *declared: str, zone: str = "a") -> None:
    node = await cluster.client.create(NODES, {"metadata": {"name": name, "labels": {"zone": zone}}})
    status = {"declaredFeatures": list(declared)}
    await cluster.client.update(NODES, {**node, "status": status}, subresource="status")


async def offered(features: FeatureGates, devices: list[Object] | None = None, **place: Any) -> str:
    """What is against a slice, where node `old` counts no devices and `new` does; "" for nothing."""
    async with new_cluster(features=features) as cluster:
        await a_node(cluster, "old", "Other", zone="b")
        await a_node(cluster, "new", "DRANodeAllocatableResources")
        pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
        spec = {"driver": "d.example.com", "pool": pool, "devices": devices or [device()], **place}
        try:
            await cluster.client.create(RESOURCE_SLICES, {"metadata": {"name": "s"}, "spec": spec})
        except errors.Forbidden as refused:
            return str(refused).removeprefix('resourceslices.resource.k8s.io "s" is forbidden: ')
    return ""


OLD = 'node "old" does not support DRANodeAllocatableResources feature'


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ({"nodeName": "new"}, ""),
        ({"nodeName": "old"}, OLD),
        ({"nodeName": "gone"}, 'node "gone" not found for device "x"'),
        ({"allNodes": True}, OLD),
        ({"nodeSelector": SELECTOR}, ""),
    ],
)
async def test_slice_is_for_nodes_that_count_its_devices(place: Object, why: str) -> None:
    assert await offered(ON, **place) == why


async def test_devices_that_name_nodes_themselves_are_looked_at_one_by_one() -> None:
    good = [device("a", nodeName="new"), device("b", nodeSelector=SELECTOR)]
    assert await offered(ON, good, perDeviceNodeSelection=True) == ""
    assert await offered(ON, [*good, device("c", allNodes=True)], perDeviceNodeSelection=True) == OLD


async def test_update_is_judged_like_a_new_slice() -> None:
    async with new_cluster(features=ON) as cluster:
        await a_node(cluster, "old")
        pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
        spec = {"driver": "d.example.com", "pool": pool, "nodeName": "old", "devices": [{"name": "x"}]}
        made = await cluster.client.create(RESOURCE_SLICES, {"metadata": {"name": "s"}, "spec": spec})
        changed = {**made, "spec": {**spec, "devices": [device()]}}
        with pytest.raises(errors.Forbidden, match="does not support"):
            await cluster.client.update(RESOURCE_SLICES, changed)


async def test_nobody_asks_without_the_gate_before_1_37_or_for_other_devices() -> None:
    plain = [{"name": "x"}]
    assert await offered(ON, plain, nodeName="old") == ""
    assert await offered(parse_feature_gates("", "1.37"), nodeName="old") == ""
    assert (
        await offered(parse_feature_gates(GATE + ",NodeDeclaredFeatures=false", "1.37"), nodeName="old") == ""
    )
    older = [{"name": "x", "nodeAllocatableResourceMappings": {"cpu": {"allocationMultiplier": "1"}}}]
    assert await offered(parse_feature_gates(GATE), older, nodeName="old") == ""

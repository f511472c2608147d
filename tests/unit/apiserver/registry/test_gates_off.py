"""What becomes of writes that use a feature which is off, as kube-apiserver 1.36.2 answered them."""

import copy

from dray.api.features import FeatureGates, parse_feature_gates
from dray.api.meta import Object
from dray.api.resources import RESOURCE_SLICES
from dray.apiserver.core import Core
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.resource_claim import RESOURCE_CLAIM
from dray.apiserver.registry.resource_slice import RESOURCE_SLICE
from dray.store.memory import MemoryStore
from dray.testing import virtual

from .recorded import Context

SLICE: Object = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceSlice",
    "metadata": {"name": "s"},
    "spec": {
        "driver": "d",
        "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
        "nodeName": "n",
        "devices": [{"name": "x", "capacity": {"c": {"value": "1"}}}],
    },
}


def test_slice_is_a_new_generation_though_all_that_was_new_in_it_is_left_out() -> None:
    async def scenario() -> None:
        client = LocalClient(Core(MemoryStore(), catalog()))
        first = await client.create(RESOURCE_SLICES, copy.deepcopy(SLICE))
        asked = copy.deepcopy(first)
        asked["spec"]["devices"][0]["nodeAllocatableResourceMappings"] = {
            "cpu": {"allocationMultiplier": "1"}
        }
        second = await client.update(RESOURCE_SLICES, asked)
        assert second["spec"] == first["spec"]
        assert second["metadata"]["generation"] == 2
        assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
        third = await client.update(RESOURCE_SLICES, copy.deepcopy(second))
        assert third["metadata"] == second["metadata"], "nothing was new in it"

    virtual.run(scenario())


def test_slice_without_nodes_is_told_of_all_ways_to_name_them_whatever_the_gate() -> None:
    obj = copy.deepcopy(SLICE)
    del obj["spec"]["nodeName"]
    text = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
    for features in (FeatureGates(), parse_feature_gates("DRAPartitionableDevices=false")):
        (found,) = RESOURCE_SLICE.validate_create(Context(features=features), obj)
        assert str(found) == f"spec: Required value: {text}"


def test_data_of_a_share_is_data_of_the_device_where_shares_are_off() -> None:
    share = {"driver": "d", "pool": "p", "device": "x", "shareID": "11111111-2222-3333-4444-555555555555"}
    spec = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}}
    old: Object = {"metadata": {"name": "c", "namespace": "n"}, "spec": spec, "status": {}}
    results = [{"request": "r", "consumedCapacity": {"m": "1"}, **share}]
    status = {"allocation": {"devices": {"results": results}}, "devices": [dict(share)]}
    context = Context(features=parse_feature_gates("DRAConsumableCapacity=false"), old=old)
    obj = {**copy.deepcopy(old), "status": status}
    RESOURCE_CLAIM.status.prepare_update(context, obj)
    assert "shareID" not in obj["status"]["devices"][0]
    assert RESOURCE_CLAIM.status.validate_update(context, obj) == []

"""Devices that are part of their node, or cost it something: the form of 1.36, the form of 1.37, and what lies between."""

import copy

import pytest

from dray.api import errors
from dray.api.features import FeatureGates, parse_feature_gates
from dray.api.fields import Path
from dray.api.patch import strategic_merge_patch
from dray.api.resources import PODS, RESOURCE_SLICES
from dray.api.schema import schema_for
from dray.api.schema.openapi import Served, openapi_v3
from dray.api.validation.pod.node_claims import declared, validate_node_claims, validate_node_claims_137
from dray.api.validation.resource.declared import in_declared_words
from dray.api.validation.resource.node_allocatable import validate_node_allocatable_resources
from dray.apiserver.core import Core
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.pod_gates import drop_disabled_pod_status
from dray.apiserver.registry.resource_slice import RESOURCE_SLICE
from dray.apiserver.structure import Body, from_hub, structured
from dray.apiserver.type_name import type_name
from dray.client.protocol import PatchType
from dray.store.memory import MemoryStore
from dray.testing import virtual

from .recorded import Context

GATE = "DRANodeAllocatableResources=true"
OLDER, NEWER = parse_feature_gates(GATE), parse_feature_gates(GATE, "1.37")
CPU = {
    "cpu": {"mapping": {"capacityKey": "d/cpu", "capacityMultiplier": "1"}, "overhead": {"perPod": "100m"}}
}
OLD_CPU = {"cpu": {"capacityKey": "d/cpu", "allocationMultiplier": "2"}}
AT = "spec.devices[0].nodeAllocatableResources"


def device(**fields):
    return {"name": "x", "capacity": {"d/cpu": {"value": "8"}}, **fields}


def slice_(**fields):
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": "d", "pool": pool, "nodeName": "n", "devices": [device(**fields)]}
    return {"metadata": {"name": "s"}, "spec": copy.deepcopy(spec)}


def read(obj, features, version="v1", validation="Strict"):
    served = Core(MemoryStore(), (RESOURCE_SLICE,), features=features).kinds.kinds[0]
    return structured(Body(copy.deepcopy(obj)), type_name(served, version), validation)


# --- structure


@pytest.mark.parametrize("version", ["v1", "v1beta2"])
def test_each_release_knows_its_own_form_alone(version):
    for features, known, unknown in (
        (OLDER, {"nodeAllocatableResourceMappings": OLD_CPU}, {"nodeAllocatableResources": CPU}),
        (NEWER, {"nodeAllocatableResources": CPU}, {"nodeAllocatableResourceMappings": OLD_CPU}),
    ):
        assert read(slice_(**known), features, version)["spec"]["devices"] == [device(**known)]
        (field,) = unknown
        with pytest.raises(errors.BadRequest) as refused:
            read(slice_(**unknown), features, version)
        assert f'unknown field "spec.devices[0].{field}"' in str(refused.value)
        assert read(slice_(**unknown), features, version, "Ignore")["spec"]["devices"] == [device()]


def test_oldest_version_has_the_form_of_its_release_inside_basic():
    sent = slice_()
    sent["spec"]["devices"] = [{"name": "x", "basic": {"nodeAllocatableResources": CPU}}]
    hub = RESOURCE_SLICE.to_hub(read(sent, NEWER, "v1beta1"), "v1beta1")
    assert hub["spec"]["devices"] == [{"name": "x", "nodeAllocatableResources": CPU}]
    assert from_hub(RESOURCE_SLICE, hub, "v1beta1")["spec"]["devices"] == sent["spec"]["devices"]
    sent["spec"]["devices"] = [{"name": "x", "basic": {"nodeAllocatableResourceMappings": OLD_CPU}}]
    read(sent, OLDER, "v1beta1")
    with pytest.raises(errors.BadRequest, match="nodeAllocatableResourceMappings"):
        read(sent, NEWER, "v1beta1")


def test_field_goes_without_the_gate_unless_it_is_in_use():
    off = parse_feature_gates("", "1.37")
    fresh = slice_(nodeAllocatableResources=CPU)
    RESOURCE_SLICE.prepare_create(Context(features=off), fresh)
    assert fresh["spec"]["devices"] == [device()]
    update = slice_(nodeAllocatableResources=CPU)
    RESOURCE_SLICE.prepare_update(Context(features=off, old=slice_(nodeAllocatableResources=CPU)), update)
    assert update["spec"]["devices"] == [device(nodeAllocatableResources=CPU)]
    kept = slice_(nodeAllocatableResources=CPU)
    RESOURCE_SLICE.prepare_create(Context(features=NEWER), kept)
    assert kept["spec"]["devices"] == [device(nodeAllocatableResources=CPU)]


def test_multiplier_has_a_default_in_the_older_form_only():
    older, newer = slice_(nodeAllocatableResourceMappings={"cpu": {"capacityKey": "d/cpu"}}), slice_()
    newer["spec"]["devices"] = [
        device(nodeAllocatableResources={"cpu": {"mapping": {"capacityKey": "d/cpu"}}})
    ]
    RESOURCE_SLICE.default(older, "v1")
    RESOURCE_SLICE.default(newer, "v1")
    mapping = older["spec"]["devices"][0]["nodeAllocatableResourceMappings"]["cpu"]
    assert mapping == {"capacityKey": "d/cpu", "allocationMultiplier": "1"}
    assert newer["spec"]["devices"][0]["nodeAllocatableResources"] == {
        "cpu": {"mapping": {"capacityKey": "d/cpu"}}
    }


def test_documents_of_a_release_show_its_form():
    def shown(features):
        later = features.later()
        pods = openapi_v3("v1", [Served(PODS, later=later)])["components"]["schemas"]
        devices = openapi_v3("resource.k8s.io/v1", [Served(RESOURCE_SLICES, later=later)])["components"]
        status = pods["io.k8s.api.core.v1.PodStatus"]["properties"]["nodeAllocatableResourceClaimStatuses"]
        of_claim = pods["io.k8s.api.core.v1.NodeAllocatableResourceClaimStatus"]["properties"]
        names = {name.rpartition(".")[2] for name in devices["schemas"]}
        return (
            status["x-kubernetes-list-type"],
            set(of_claim),
            {name for name in names if "NodeAlloc" in name},
        )

    common = {"resourceClaimName", "containers"}
    assert shown(OLDER) == ("atomic", common | {"resources"}, {"NodeAllocatableResourceMapping"})
    assert shown(NEWER) == (
        "map",
        common | {"mapping", "overhead"},
        {"NodeAllocatableResource", "NodeAllocatableMapping", "NodeAllocatableOverhead"},
    )


# --- what one release stored, under another


def test_form_of_another_release_stays_until_the_next_write_and_goes_with_it():
    async def scenario():
        store = MemoryStore()
        older = LocalClient(Core(store, catalog(), features=OLDER))
        newer = LocalClient(Core(store, catalog("1.37"), features=NEWER))
        for writer, reader, form in (
            (older, newer, {"nodeAllocatableResourceMappings": OLD_CPU}),
            (newer, older, {"nodeAllocatableResources": CPU}),
        ):
            made = await writer.create(RESOURCE_SLICES, slice_(**form))
            assert made["spec"]["devices"] == [device(**form)]
            assert (await reader.get(RESOURCE_SLICES, "s"))["spec"]["devices"] == [device(**form)]
            change = {"metadata": {"labels": {"a": "b"}}}
            written = await reader.patch(RESOURCE_SLICES, "s", change, patch_type=PatchType.MERGE)
            assert written["spec"]["devices"] == [device()]
            assert written["metadata"]["generation"] == 2
            await writer.delete(RESOURCE_SLICES, "s")

    virtual.run(scenario())


# --- devices


def findings(capacity=("d/cpu",), **resources):
    of = {"capacity": {key: {"value": "8"} for key in capacity}, "nodeAllocatableResources": resources}
    found = validate_node_allocatable_resources(of, Path("spec").child("devices").index(0))
    return [str(error).removeprefix(AT) for error in in_declared_words(found, {})]


MAPPED = {"capacityKey": "d/cpu", "capacityMultiplier": "1"}
ONE_OF = "`capacityKey`, `deviceMultiplier`"


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        ({"mapping": MAPPED}, []),
        ({"mapping": {"deviceMultiplier": "8"}}, []),
        ({"overhead": {"perContainer": "0"}}, []),
        ({"mapping": MAPPED, "overhead": {"perPod": "1"}}, []),
        ({}, ["[cpu]: Required value: at least one of mapping or overhead must be set"]),
        ({"mapping": {}}, [f'[cpu].mapping: Invalid value: "": must specify one of: {ONE_OF}']),
        (
            {"mapping": {**MAPPED, "deviceMultiplier": "1"}},
            [
                '[cpu].mapping: Invalid value: "{capacityKey, deviceMultiplier}": '
                f"must specify exactly one of: {ONE_OF}"
            ],
        ),
        (
            {"mapping": {"capacityKey": "other", "capacityMultiplier": "1"}},
            ['[cpu].mapping.capacityKey: Not found: "other"'],
        ),
        (
            {"mapping": {"capacityKey": "", "capacityMultiplier": "1"}},
            ['[cpu].mapping.capacityKey: Invalid value: "": capacityKey must not be an empty string'],
        ),
        (
            {"mapping": {"capacityKey": "d/cpu"}},
            [
                "[cpu].mapping.capacityMultiplier: Required value: "
                "capacityMultiplier is required when capacityKey is set"
            ],
        ),
        (
            {"mapping": {"capacityMultiplier": "1"}},
            [
                "[cpu].mapping.capacityKey: Required value: "
                "capacityKey is required when capacityMultiplier is set",
                f'[cpu].mapping: Invalid value: "": must specify one of: {ONE_OF}',
            ],
        ),
        (
            {"mapping": {"capacityKey": "d/cpu", "capacityMultiplier": "0"}},
            ['[cpu].mapping.capacityMultiplier: Invalid value: "0": must be positive'],
        ),
        (
            {"mapping": {"deviceMultiplier": "-1"}},
            ['[cpu].mapping.deviceMultiplier: Invalid value: "-1": must be positive'],
        ),
        (
            {"overhead": {}},
            ['[cpu].overhead: Invalid value: "": at least one of perPod or perContainer must be set'],
        ),
        (
            {"overhead": {"perPod": "-100m", "perContainer": "-1"}},
            [
                '[cpu].overhead.perPod: Invalid value: "-100m": must be non-negative',
                '[cpu].overhead.perContainer: Invalid value: "-1": must be non-negative',
            ],
        ),
    ],
)
def test_device(resource, found):
    assert findings(cpu=resource) == found


def test_device_counts_as_cpu_memory_or_huge_pages_alone():
    good = {"overhead": {"perPod": "1"}}
    text = "must be a node allocatable resource name"
    for name in ("cpu", "memory", "hugepages-2Mi"):
        assert findings(**{name: good}) == []
    for name in ("ephemeral-storage", "example.com/gpu", "pods"):
        assert findings(**{name: good}) == [f'[{name}]: Invalid value: "{name}": {text}']


def test_slice_tells_what_it_must_specify_after_all_else():
    both = {"capacityKey": "other", "deviceMultiplier": "1"}
    sent = slice_(nodeAllocatableResources={"cpu": {"mapping": both}})
    found = [str(error) for error in RESOURCE_SLICE.validate_create(Context(features=NEWER), sent)]
    assert [text.partition(": ")[0].removeprefix(AT) for text in found] == [
        "[cpu].mapping.capacityKey",
        "[cpu].mapping.capacityMultiplier",
        "[cpu].mapping",
    ]


# --- the status of pods

SPEC = {"resourceClaims": [{"name": "c", "resourceClaimName": "a"}]}


def status(*claims):
    return {"nodeAllocatableResourceClaimStatuses": list(claims)}


def found_in(*claims, newer=True):
    check = validate_node_claims_137 if newer else validate_node_claims
    found = check(status(*claims), SPEC, Path("s"))
    return [str(error) for error in found + (declared(status(*claims), Path("s")) if newer else [])]


GOOD = {"resourceClaimName": "a", "mapping": [{"name": "cpu", "quantity": "1"}]}


@pytest.mark.parametrize(
    ("claims", "found"),
    [
        ([GOOD], []),
        ([{"resourceClaimName": "a"}], []),
        ([{**GOOD, "containers": ["c"]}], []),
        ([{**GOOD, "resourceClaimName": "b"}],
         ['s[0].resourceClaimName: Invalid value: "b": no mapping found in pod reference']),
        ([{**GOOD, "resourceClaimName": ""}], ["s[0].resourceClaimName: Required value"]),
        ([GOOD, GOOD],
         ['s[1]: Duplicate value: {"resourceClaimName":"a","mapping":[{"name":"cpu","quantity":"1"}]}']),
        ([{**GOOD, "containers": ["c", "c"]}], ['s[0].containers[1]: Duplicate value: "c"']),
        ([{**GOOD, "mapping": [{"name": "cpu", "quantity": "1"}, {"name": "cpu", "quantity": "2"}]}],
         ['s[0].mapping[1]: Duplicate value: {"name":"cpu","quantity":"2"}']),
        ([{**GOOD, "mapping": [{"quantity": "1"}]}], ["s[0].mapping[0].name: Required value"]),
        ([{**GOOD, "mapping": [{"name": "cpu"}]}], ["s[0].mapping[0].quantity: Required value"]),
        ([{**GOOD, "mapping": [{"name": "cpu", "quantity": "-1"}]}],
         ['s[0].mapping[0].quantity: Invalid value: "-1": must be non-negative']),
        ([{**GOOD, "mapping": [{"name": "ephemeral-storage", "quantity": "1"}]}],
         ['s[0].mapping[0].name: Invalid value: "ephemeral-storage": must be a node allocatable resource name']),
        ([{**GOOD, "overhead": [{"name": "cpu"}]}],
         ['s[0].overhead[0]: Invalid value: "": at least one of perPod or perContainer must be set']),
        ([{**GOOD, "overhead": [{"name": "cpu", "perPod": "-100m"}]}],
         ['s[0].overhead[0].perPod: Invalid value: "-100m": must be non-negative']),
        ([{**GOOD, "overhead": [{"perPod": "1"}]}], ["s[0].overhead[0].name: Required value"]),
        ([{**GOOD, "overhead": [{"name": "cpu", "perPod": "1"}, {"name": "cpu", "perPod": "2"}]}],
         ['s[0].overhead[1]: Duplicate value: {"name":"cpu","perPod":"2"}']),
    ],
)  # fmt: skip
def test_status_in_the_newer_form(claims, found):
    assert found_in(*claims) == found


def test_status_in_the_older_form_as_kube_apiserver_1_36_judges_it():
    good = {"resourceClaimName": "a", "containers": ["c"], "resources": {"cpu": "1", "foo": "1"}}
    assert found_in(good, good, {**good, "containers": ["c", "c"]}, newer=False) == []
    assert found_in({"containers": [], "resources": {"foo": "-1"}}, newer=False) == [
        "s[0].resourceClaimName: Required value: must not be empty",
        's[0].resourceClaimName: Invalid value: "": no mapping found in pod reference',
        "s[0].containers: Required value: must not be empty",
        's[0].resources[foo]: Invalid value: "-1": must be non-negative',
    ]
    assert found_in({**good, "resources": {}}, newer=False) == [
        "s[0].resources: Required value: must not be empty"
    ]
    assert found_in({**good, "resources": {"example.com/x": "1"}}, newer=False) == [
        's[0].resources[example.com/x]: Invalid value: "example.com/x": must be a node allocatable resource name'
    ]


def test_status_goes_without_the_gate_unless_it_is_in_use():
    fresh, update = status(GOOD), status(GOOD)
    drop_disabled_pod_status(parse_feature_gates("", "1.37"), fresh, {})
    assert fresh == {}
    drop_disabled_pod_status(parse_feature_gates("", "1.37"), update, status(GOOD))
    assert update == status(GOOD)


def test_patch_replaces_the_list_of_claims_in_1_36_and_merges_it_by_name_in_1_37():
    def patched(features):
        schema = schema_for("v1", "Pod", features.later())
        other = {"resourceClaimName": "b"}
        order = [{"resourceClaimName": "a"}, {"resourceClaimName": "b"}]
        patch = {"status": {**status(other)}}
        if features.reaches("1.37"):
            patch["status"]["$setElementOrder/nodeAllocatableResourceClaimStatuses"] = order
        live = {"status": status({"resourceClaimName": "a"})}
        return strategic_merge_patch(live, patch, schema)["status"]

    assert patched(FeatureGates()) == status({"resourceClaimName": "b"})
    assert patched(NEWER) == status({"resourceClaimName": "a"}, {"resourceClaimName": "b"})

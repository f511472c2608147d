"""Fields and rules of 1.37: there behind their gates, and without those unknown, as they are to 1.36."""

import copy

import pytest

from dray.api import errors
from dray.api.features import FeatureGateError, FeatureGates, parse_feature_gates
from dray.api.resources import DEVICE_TAINT_RULES
from dray.api.schema import decode, schema_for
from dray.apiserver.core import Core
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.kind import in_release
from dray.apiserver.registry.resource_claim import RESOURCE_CLAIM
from dray.apiserver.registry.resource_slice import RESOURCE_SLICE
from dray.apiserver.structure import Body, structured
from dray.apiserver.type_name import type_name
from dray.store.memory import MemoryStore
from dray.testing import virtual

from .recorded import Context

ALL = parse_feature_gates(
    "DRADeviceCompatibilityGroups=true,DRAFractionalCapacityRange=true,DRAOptionalNodeOperations=true,"
    "DRAPartitionableDevicesType=true,DRAResourcePoolStatus=true"
)
COUNTERS = {"counterSet": "s", "counters": {"c": {"value": "1"}}, "compatibilityGroups": ["g"]}
SLICE = {
    "driver": "d",
    "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
    "nodeName": "n",
    "devices": [{"name": "x", "consumesCounters": [COUNTERS], "attributes": {"kind": {"string": "k"}}}],
    "partitionTypeAttribute": "d/kind",
    "skipNodeOperations": ["*"],
}


def texts(found):
    return [str(error).removeprefix("spec.") for error in found]


def slice_(**spec):
    return {"metadata": {"name": "s"}, "spec": {**copy.deepcopy(SLICE), **spec}}


def read(kind, obj, features):
    """The object as a server with these gates reads it, strictly."""
    served = Core(MemoryStore(), (kind,), features=features).kinds.kinds[0]
    return structured(Body(obj), type_name(served, "v1"), "Strict")


def test_field_of_a_later_release_is_unknown_without_its_gate() -> None:
    unknown = [
        "spec.devices[0].consumesCounters[0].compatibilityGroups",
        "spec.partitionTypeAttribute",
        "spec.skipNodeOperations",
    ]
    text = "strict decoding error: " + ", ".join(f'unknown field "{field}"' for field in unknown)
    with pytest.raises(errors.BadRequest) as refused:
        read(RESOURCE_SLICE, slice_(), FeatureGates())
    assert str(refused.value).endswith(text)
    dropped = decode(slice_(), schema_for("resource.k8s.io/v1", "ResourceSlice"), strict=False).object
    assert not {"partitionTypeAttribute", "skipNodeOperations"} & set(dropped["spec"])


def test_field_of_a_later_release_is_read_kept_and_accepted_behind_its_gate() -> None:
    obj = read(RESOURCE_SLICE, slice_(), ALL)
    RESOURCE_SLICE.prepare_create(Context(features=ALL), obj)
    assert obj["spec"] == SLICE
    assert RESOURCE_SLICE.validate_create(Context(features=ALL), obj) == []
    result = {"request": "r", "driver": "d", "pool": "p", "device": "x", "skipNodeOperations": ["*"]}
    claim = {
        "metadata": {"name": "c"},
        "spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}},
        "status": {"allocation": {"devices": {"results": [result]}}},
    }
    assert read(RESOURCE_CLAIM, claim, ALL)["status"]["allocation"]["devices"]["results"] == [result]


def test_field_in_use_stays_when_its_gate_is_turned_off() -> None:
    stored, update = slice_(), slice_()
    RESOURCE_SLICE.prepare_update(Context(old=stored), update)
    assert update["spec"] == SLICE
    fresh = slice_()
    RESOURCE_SLICE.prepare_create(Context(), fresh)
    assert "compatibilityGroups" not in fresh["spec"]["devices"][0]["consumesCounters"][0]
    assert not {"partitionTypeAttribute", "skipNodeOperations"} & set(fresh["spec"])


PLAIN = {"name": "y"}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (
            {"skipNodeOperations": ["NodePrepareResources"]},
            [
                'skipNodeOperations: Invalid value: ["NodePrepareResources"]: NodePrepareResources cannot be skipped '
                "unless NodeUnprepareResources is also skipped"
            ],
        ),
        ({"skipNodeOperations": ["NodeUnprepareResources"]}, []),
        (
            {"skipNodeOperations": ["*", "x", "*"]},
            [
                'skipNodeOperations[1]: Unsupported value: "x": supported values: "*", "NodePrepareResources", '
                '"NodeUnprepareResources"',
                'skipNodeOperations[2]: Duplicate value: "*"',
            ],
        ),
        (
            {"devices": [PLAIN]},
            [
                'partitionTypeAttribute: Invalid value: "d/kind": may only be set on a slice which declares devices '
                "that consume counters"
            ],
        ),
        (
            {"partitionTypeAttribute": "d/other"},
            [
                "devices[0].attributes[d/other]: Required value: device consumes counters and `partitionTypeAttribute` "
                "names this attribute, so it must be set"
            ],
        ),
        (
            {"partitionTypeAttribute": "kind"},
            [
                'partitionTypeAttribute: Invalid value: "kind": a fully qualified name must be a domain and a name '
                "separated by a slash"
            ],
        ),
        (
            {"devices": [{"name": "x", "consumesCounters": [COUNTERS], "attributes": {"d/kind": {"int": 1}}}, PLAIN]},
            [
                'devices[0].attributes[d/kind]: Invalid value: {"IntValue":1,"BoolValue":null,"StringValue":null,'
                '"VersionValue":null,"IntValues":null,"BoolValues":null,"StringValues":null,"VersionValues":null}: must '
                "be a string value because `partitionTypeAttribute` names this attribute"
            ],
        ),
        (
            {
                "partitionTypeAttribute": None,
                "devices": [{"name": "x", "consumesCounters": [{**COUNTERS, "compatibilityGroups": ["a", "b", "c"]}]}],
            },
            ["devices[0].consumesCounters[0].compatibilityGroups: Too many: 3: must have at most 2 items"],
        ),
        (
            {
                "partitionTypeAttribute": None,
                "devices": [{"name": "x", "consumesCounters": [{**COUNTERS, "compatibilityGroups": ["a", "a"]}]}],
            },
            ['devices[0].consumesCounters[0].compatibilityGroups[1]: Duplicate value: "a"'],
        ),
    ],
)  # fmt: skip
def test_rule_of_a_later_release(changes, found) -> None:
    obj = slice_(**changes)
    assert texts(RESOURCE_SLICE.validate_create(Context(features=ALL), obj)) == found


@pytest.mark.parametrize(
    ("policy", "rounded", "exact"),
    [
        (
            {"default": "100m", "validValues": ["100m", "900m"]},
            ['.validValues[1]: Duplicate value: "1"'],
            [],
        ),
        (
            {"default": "150m", "validRange": {"min": "100m", "step": "100m"}},
            [],
            [
                '.validRange.step: Invalid value: "150m": value is not a multiple of a given step (100m) from (100m)'
            ],
        ),
        (
            {"default": "1", "validRange": {"min": "1", "step": "1u"}},
            [],
            ['.validRange.step: Invalid value: "1u": value cannot be represented as a milli value'],
        ),
        ({"default": "3", "validRange": {"min": "1", "step": "2"}}, [], []),
    ],
)
def test_fractions_of_a_capacity_count_behind_their_gate(policy, rounded, exact) -> None:
    capacity = {"c": {"value": "10", "requestPolicy": policy}}
    device = {"name": "x", "allowMultipleAllocations": True, "capacity": capacity}
    obj = slice_(devices=[device], partitionTypeAttribute=None)
    for features, found in ((FeatureGates(), rounded), (ALL, exact)):
        got = texts(RESOURCE_SLICE.validate_create(Context(features=features), obj))
        assert [text.removeprefix("devices[0].capacity[c].requestPolicy") for text in got] == found


def test_gates_of_a_later_release_are_only_turned_on_by_name() -> None:
    assert parse_feature_gates("AllAlpha=true,GenericWorkload=true").later() == frozenset()
    assert parse_feature_gates("DRAOptionalNodeOperations=true").later() == {"DRAOptionalNodeOperations"}
    with pytest.raises(FeatureGateError, match="depends on features that are disabled"):
        parse_feature_gates("DRADeviceCompatibilityGroups=true,DRAPartitionableDevices=false")


@pytest.mark.parametrize(
    ("release", "rules"),
    [
        ("1.35", ("v1alpha3",)),
        ("1.36", ("v1beta2", "v1alpha3")),
        ("1.37", ("v1", "v1beta2", "v1alpha3")),
    ],
)
def test_each_release_has_its_versions_of_taint_rules_the_newest_preferred(
    release: str, rules: tuple[str, ...]
) -> None:
    (kind,) = (kind for kind in catalog(release) if kind.resource.plural == "devicetaintrules")
    assert kind.versions == rules


def test_slices_are_selected_by_their_pool_where_the_release_does() -> None:
    assert "spec.pool.name" not in in_release(RESOURCE_SLICE, "1.36").field_labels
    assert in_release(RESOURCE_SLICE, "1.37").field_labels["spec.pool.name"](slice_()) == "p"


def test_taint_rule_in_v1_is_no_kind_to_the_release_before_it() -> None:
    rule = {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceTaintRule", "metadata": {"name": "r"}}

    def refusal(features: FeatureGates) -> str:
        core = Core(MemoryStore(), catalog(features.release), features=features)
        (kind,) = (kind for kind in core.kinds.kinds if kind.resource.plural == "devicetaintrules")
        with pytest.raises(errors.BadRequest) as refused:
            structured(Body(rule), type_name(kind, "v1beta2"), "Strict")
        return str(refused.value)

    assert 'no kind "DeviceTaintRule" is registered for version "resource.k8s.io/v1"' in refusal(
        FeatureGates()
    )
    assert refusal(FeatureGates(release="1.37")) == (
        "the API version in the data (resource.k8s.io/v1) does not match "
        "the expected API version (resource.k8s.io/v1beta2)"
    )


def test_taint_rule_written_in_v1_is_the_same_object_in_every_version() -> None:
    async def scenario() -> None:
        features = FeatureGates(release="1.37")
        client = LocalClient(Core(MemoryStore(), catalog("1.37"), features=features))
        spec = {"deviceSelector": {"driver": "d"}, "taint": {"key": "k", "effect": "NoSchedule"}}
        at = DEVICE_TAINT_RULES.at
        rule = {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "DeviceTaintRule",
            "metadata": {"name": "r"},
            "spec": spec,
        }
        await client.create(at("v1"), rule)
        for version in ("v1", "v1beta2", "v1alpha3"):
            found = await client.get(at(version), "r")
            assert found["apiVersion"] == f"resource.k8s.io/{version}"
            assert found["spec"]["deviceSelector"] == {"driver": "d"}

    virtual.run(scenario())


def test_protobuf_body_with_a_field_of_a_later_release_is_read_without_it_and_without_complaint() -> None:
    served = Core(MemoryStore(), (RESOURCE_SLICE,), features=FeatureGates()).kinds.kinds[0]
    warnings: list[str] = []
    for validation in ("Strict", "Warn"):
        body = Body(slice_(), skips_unknown=True)
        obj = structured(body, type_name(served, "v1"), validation, warnings)
        assert "partitionTypeAttribute" not in obj["spec"]
    assert warnings == []

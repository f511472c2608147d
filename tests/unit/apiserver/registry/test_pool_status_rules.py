"""What a ResourcePoolStatusRequest may say: in the order and words of Kubernetes 1.36.2, and the summaries of 1.37."""

import copy

import pytest

from dray.api import errors
from dray.api.features import FeatureGates, parse_feature_gates
from dray.apiserver.core import Core
from dray.apiserver.registry.kind import Kind
from dray.apiserver.registry.resource_pool_status_request import RESOURCE_POOL_STATUS_REQUEST as KIND
from dray.apiserver.structure import Body, structured
from dray.apiserver.type_name import type_name
from dray.store.memory import MemoryStore

from .recorded import Context

BY_NAME = parse_feature_gates("DRAPartitionableDevicesType=true,DRAResourcePoolStatus=true")
IN_137 = parse_feature_gates("DRAResourcePoolStatus=true", "1.37")
LOWER_CASE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
CONDITION = {
    "type": "A",
    "status": "True",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "reason": "R",
    "message": "",
}
SHOWN = '{"type":"A","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z","reason":"R","message":""}'
POOL = {"driver": "d", "poolName": "p", "generation": 1}
PARTITION = {"attribute": "d/kind", "type": "Half", "total": 2, "allocatable": 1}
CAPACITY = {"name": "memory", "total": "2Gi", "consumed": "1Gi", "available": "1Gi"}
SHAREABLE = {"fullyAvailableDevices": 0, "partiallyAvailableDevices": 1, "capacity": [CAPACITY]}


def texts(found):
    return [str(error) for error in found]


def request(status=None, **spec):
    asked = {"metadata": {"name": "q"}, "spec": {"driver": "d", "limit": 1, **spec}}
    return asked if status is None else asked | {"status": copy.deepcopy(status)}


def found_in(status, features=BY_NAME, old=None):
    context = Context(old=old or request(), features=features)
    return texts(KIND.status.validate_update(context, request(status)))


def served(features: FeatureGates) -> Kind:
    return Core(MemoryStore(), (KIND,), features=features).kinds.kinds[0]


def read(obj, features):
    """The object as a server with these gates reads it, strictly."""
    return structured(Body(obj), type_name(served(features), "v1alpha3"), "Strict")


# --- as in 1.36: recorded


@pytest.mark.parametrize(
    ("pool", "finding"),
    [
        ("a//b", 'Invalid value: "a//b": segment 1: must not be empty'),
        ("/a", 'Invalid value: "/a": segment 0: must not be empty'),
        ("A/b", f'Invalid value: "A": segment 0: {LOWER_CASE}'),
    ],
)
def test_each_part_of_the_name_of_a_pool_is_a_subdomain(pool, finding):
    assert texts(KIND.validate_create(Context(), request(poolName=pool))) == [f"spec.poolName: {finding}"]


@pytest.mark.parametrize(
    ("status", "findings"),
    [
        ({}, ["status.poolCount: Required value"]),
        (
            {"poolCount": 1, "pools": [{**POOL, "generation": 0}]},
            ["status.pools[0].generation: Required value"],
        ),
        (
            {
                "poolCount": 1,
                "pools": [
                    {**POOL, "poolName": "p//q"},
                    {"generation": -1, "resourceSliceCount": 0, "totalDevices": -1, "nodeName": "A_"},
                ],
            },
            [
                'status.pools[0].poolName: Invalid value: "p//q": segment 1: must not be empty',
                "status.pools[1].driver: Required value",
                "status.pools[1].poolName: Required value",
                "status.pools[1].generation: Invalid value: -1: must be greater than or equal to 0",
                "status.pools[1].resourceSliceCount: Invalid value: 0: must be greater than or equal to 1",
                "status.pools[1].totalDevices: Invalid value: -1: must be greater than or equal to 0",
                f'status.pools[1].nodeName: Invalid value: "A_": {LOWER_CASE}',
            ],
        ),
        (
            {"poolCount": -1, "conditions": [CONDITION] * 3},
            [
                'status.conditions[1].type: Duplicate value: "A"',
                'status.conditions[2].type: Duplicate value: "A"',
                "status.poolCount: Invalid value: -1: must be greater than or equal to 0",
                f"status.conditions[1]: Duplicate value: {SHOWN}",
                f"status.conditions[2]: Duplicate value: {SHOWN}",
            ],
        ),
        (
            {"poolCount": 0, "conditions": [{**CONDITION, "type": f"A{index}"} for index in range(11)]},
            ["status.conditions: Too many: 11: must have at most 10 items"],
        ),
        (
            {"poolCount": 0, "pools": [POOL] * 1001},
            ["status.pools: Too many: 1001: must have at most 1000 items"],
        ),
        (
            {"poolCount": 0, "pools": [{**POOL, "validationError": "é" * 200}]},
            ["status.pools[0].validationError: Too long: may not be more than 256 bytes"],
        ),
    ],
)
def test_answer_is_checked_conditions_first_then_field_by_field(status, findings):
    assert found_in(status, FeatureGates()) == findings


# --- as in 1.37


@pytest.mark.parametrize(
    ("attribute", "findings"),
    [
        ("gpu.example.com/profile", []),
        ("gpu.example.com/a/b", []),
        (
            "profile",
            ['Invalid value: "profile": a fully qualified name must be a domain and a name separated by a slash'],
        ),
        ("/profile", ['Invalid value: "": prefix must not be empty']),
        ("d/", ['Invalid value: "": name must not be empty']),
        ("GPU/profile", [f'Invalid value: "GPU": prefix: {LOWER_CASE}']),
        ("a" * 64 + "/" + "b" * 33, ["Too long: may not be more than 63 bytes", "Too long: may not be more than 32 bytes"]),
    ],
)  # fmt: skip
def test_default_attribute_is_a_fully_qualified_name(attribute, findings):
    found = KIND.validate_create(Context(features=BY_NAME), request(defaultPartitionTypeAttribute=attribute))
    assert texts(found) == [f"spec.defaultPartitionTypeAttribute: {text}" for text in findings]


def test_attribute_that_is_no_identifier_is_told_besides():
    found = KIND.validate_create(Context(features=BY_NAME), request(defaultPartitionTypeAttribute=""))
    shape, format = texts(found)
    assert "a valid C identifier must start with alphabetic character" in shape
    assert format.endswith('"": a fully qualified name must be a domain and a name separated by a slash')


def test_default_attribute_is_unknown_to_136_left_out_by_137_and_kept_behind_its_gate():
    asked = request(defaultPartitionTypeAttribute="d/kind")
    with pytest.raises(errors.BadRequest, match=r'unknown field "spec\.defaultPartitionTypeAttribute"'):
        read(asked, FeatureGates())
    for features, kept in ((IN_137, False), (BY_NAME, True)):
        obj = read(asked, features)
        KIND.prepare_create(Context(features=features), obj)
        assert ("defaultPartitionTypeAttribute" in obj["spec"]) == kept


def test_default_attribute_in_use_stays_when_its_gate_is_turned_off():
    old, new = (request(defaultPartitionTypeAttribute="d/kind") for _ in range(2))
    KIND.prepare_update(Context(old=old, features=IN_137), new)
    assert new == old
    assert KIND.validate_update(Context(old=old, features=IN_137), new) == []


@pytest.mark.parametrize("features", [IN_137, BY_NAME])
def test_summaries_are_read_kept_and_accepted(features):
    status = {
        "poolCount": 1,
        "pools": [{**POOL, "partitionSummary": [PARTITION], "shareableSummary": SHAREABLE}],
    }
    obj = read(request(status), features)
    assert obj["status"] == status
    assert found_in(obj["status"], features) == []


def test_summaries_are_unknown_to_136():
    with pytest.raises(errors.BadRequest, match=r'unknown field "status\.pools\[0\]\.shareableSummary"'):
        read(request({"poolCount": 1, "pools": [{**POOL, "shareableSummary": SHAREABLE}]}), FeatureGates())


PARTITIONS = "status.pools[0].partitionSummary"


@pytest.mark.parametrize(
    ("summary", "findings"),
    [
        ([{**PARTITION, "type": f"T{index}"} for index in range(32)], []),
        (
            [{**PARTITION, "type": f"T{index}"} for index in range(33)],
            [": Too many: 33: must have at most 32 items"],
        ),
        ([{}], [f"[0].{field}: Required value" for field in ("attribute", "type", "total", "allocatable")]),
        (
            [{**PARTITION, "total": -1, "allocatable": -2}],
            [
                "[0].total: Invalid value: -1: must be greater than or equal to 0",
                "[0].allocatable: Invalid value: -2: must be greater than or equal to 0",
            ],
        ),
        (
            [PARTITION, {**PARTITION, "attribute": "d/other"}, {**PARTITION, "total": 0}],
            ['[2]: Duplicate value: {"attribute":"d/kind","type":"Half","total":0,"allocatable":1}'],
        ),
    ],
)
def test_each_type_of_partition_is_told_once_and_whole(summary, findings):
    found = found_in({"poolCount": 1, "pools": [{**POOL, "partitionSummary": summary}]})
    assert found == [PARTITIONS + finding for finding in findings]


@pytest.mark.parametrize(
    ("summary", "findings"),
    [
        (
            {},
            [f".{field}: Required value" for field in ("fullyAvailableDevices", "partiallyAvailableDevices")],
        ),
        (
            {"fullyAvailableDevices": -1, "partiallyAvailableDevices": -2},
            [
                ".fullyAvailableDevices: Invalid value: -1: must be greater than or equal to 0",
                ".partiallyAvailableDevices: Invalid value: -2: must be greater than or equal to 0",
            ],
        ),
        (
            {**SHAREABLE, "capacity": [CAPACITY, {}]},
            [f".capacity[1].{field}: Required value" for field in ("name", "total", "consumed", "available")],
        ),
        ({**SHAREABLE, "capacity": [CAPACITY] * 33}, [".capacity: Too many: 33: must have at most 32 items"]),
        ({**SHAREABLE, "capacity": [CAPACITY] * 2}, []),
    ],
)
def test_what_is_left_of_shareable_devices_is_told_whole(summary, findings):
    found = found_in({"poolCount": 1, "pools": [{**POOL, "shareableSummary": summary}]})
    assert found == [f"status.pools[0].shareableSummary{finding}" for finding in findings]


def test_changed_answer_shows_the_summaries_where_they_exist():
    status = {"poolCount": 1, "pools": [{**POOL, "partitionSummary": [PARTITION]}]}
    changed = {**status, "poolCount": 2}
    (plain,) = found_in({"poolCount": 2}, FeatureGates(), old=request({"poolCount": 1}))
    assert (
        plain == 'status: Invalid value: {"PoolCount":2,"Pools":null,"Conditions":null}: field is immutable'
    )
    (summed,) = found_in(changed, old=request(status))
    assert summed.endswith(
        '"ValidationError":null,"PartitionSummary":[{"Attribute":"d/kind","Type":"Half","Total":2,"Allocatable":1}],'
        '"ShareableSummary":null}],"Conditions":null}: field is immutable'
    )

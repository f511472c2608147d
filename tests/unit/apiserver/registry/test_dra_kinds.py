"""The other kinds of resource.k8s.io: what changes with time, gates and versions."""

import copy

import pytest

from dray.api.features import FeatureGates
from dray.api.meta import format_time
from dray.apiserver.registry.device_class import DEVICE_CLASS
from dray.apiserver.registry.device_taint_rule import DEVICE_TAINT_RULE
from dray.apiserver.registry.resource_claim_template import RESOURCE_CLAIM_TEMPLATE
from dray.apiserver.registry.resource_pool_status_request import RESOURCE_POOL_STATUS_REQUEST
from dray.apiserver.registry.resource_slice import RESOURCE_SLICE

from .recorded import NOW, Context

EARLIER = "2025-06-01T00:00:00Z"


def texts(found):
    return [str(error) for error in found]


def a_slice(**device):
    return {
        "metadata": {"name": "s"},
        "spec": {
            "driver": "d.example.com",
            "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
            "nodeName": "n",
            "devices": [{"name": "x", **device}],
        },
    }


def a_rule(**taint):
    return {"metadata": {"name": "r"}, "spec": {"taint": {"key": "k", "effect": "NoSchedule", **taint}}}


def cells(kind, obj):
    return [column.cell(obj, NOW) for column in kind.columns]


def test_taint_without_time_was_added_now():
    fresh = a_slice(
        taints=[{"key": "k", "effect": "None"}, {"key": "k", "effect": "None", "timeAdded": EARLIER}]
    )
    RESOURCE_SLICE.prepare_create(Context(), fresh)
    times = [taint["timeAdded"] for taint in fresh["spec"]["devices"][0]["taints"]]
    assert times == [format_time(NOW), EARLIER]


def test_rule_whose_effect_changes_is_as_if_added_now():
    old = a_rule(timeAdded=EARLIER)
    new = a_rule(timeAdded=EARLIER, effect="NoExecute")
    DEVICE_TAINT_RULE.prepare_update(Context(old=old), new)
    assert new["spec"]["taint"]["timeAdded"] == format_time(NOW)
    other_key = a_rule(timeAdded=EARLIER, key="other")
    DEVICE_TAINT_RULE.prepare_update(Context(old=old), other_key)
    assert other_key["spec"]["taint"]["timeAdded"] == EARLIER


def test_unknown_effect_that_is_stored_already_is_accepted():
    old = a_rule(effect="Future", timeAdded=EARLIER)
    assert DEVICE_TAINT_RULE.validate_update(Context(old=old), copy.deepcopy(old)) == []
    assert DEVICE_TAINT_RULE.validate_create(Context(), old) != []


def test_taints_that_did_not_change_are_not_looked_at_again():
    old = a_slice(taints=[{"key": "k", "effect": "Future", "timeAdded": EARLIER}])
    assert RESOURCE_SLICE.validate_update(Context(old=old), copy.deepcopy(old)) == []
    changed = a_slice(taints=[{"key": "l", "effect": "Future", "timeAdded": EARLIER}])
    assert texts(RESOURCE_SLICE.validate_update(Context(old=old), changed)) == [
        'spec.devices[0].taints[0].effect: Unsupported value: "Future": supported values: "NoExecute", '
        '"NoSchedule", "None"'
    ]


@pytest.mark.parametrize(
    ("gate", "fields"),
    [
        ("DRADeviceTaints", {"taints": [{"key": "k", "effect": "None"}]}),
        (
            "DRAPartitionableDevices",
            {"consumesCounters": [{"counterSet": "a", "counters": {"c": {"value": "1"}}}]},
        ),
        ("DRAConsumableCapacity", {"allowMultipleAllocations": True}),
        ("DRADeviceBindingConditions", {"bindingConditions": ["a"], "bindingFailureConditions": ["b"]}),
        ("DRAResourceClaimDeviceStatus", {"bindsToNode": True}),
        ("DRANodeAllocatableResources", {"nodeAllocatableResourceMappings": {"cpu": {"capacityKey": "c"}}}),
    ],
)
def test_field_of_a_feature_that_is_off_is_left_out_unless_in_use(gate, fields):
    off = FeatureGates({gate: False})
    fresh = a_slice(**fields)
    RESOURCE_SLICE.prepare_create(Context(features=off), fresh)
    assert fresh["spec"]["devices"] == [{"name": "x"}]
    stored = a_slice(**fields)
    update = copy.deepcopy(stored)
    RESOURCE_SLICE.prepare_update(Context(features=off, old=stored), update)
    assert set(update["spec"]["devices"][0]) == {"name", *fields}


def test_list_attributes_need_their_gate():
    attributes = {"a": {"strings": ["x", "y"]}}
    off = a_slice(attributes=copy.deepcopy(attributes))
    RESOURCE_SLICE.prepare_create(Context(), off)
    assert texts(RESOURCE_SLICE.validate_create(Context(), off)) == [
        'spec.devices[0].attributes[a]: Invalid value: "": exactly one value must be specified'
    ]
    on = Context(features=FeatureGates({"DRAListTypeAttributes": True}))
    listed = a_slice(attributes=copy.deepcopy(attributes))
    RESOURCE_SLICE.prepare_create(on, listed)
    assert RESOURCE_SLICE.validate_create(on, listed) == []


def test_what_a_slice_is_of_and_where_stays():
    old, new = a_slice(), a_slice()
    new["spec"] |= {"driver": "e.example.com", "nodeName": "m"}
    assert texts(RESOURCE_SLICE.validate_update(Context(old=old), new)) == [
        'spec.driver: Invalid value: "e.example.com": field is immutable',
        'spec.nodeName: Invalid value: "m": field is immutable',
    ]


def test_driver_in_upper_case_is_warned_about():
    slice_ = a_slice()
    assert RESOURCE_SLICE.warnings(Context(), slice_) == ()
    slice_["spec"]["driver"] = "D.example.com"
    assert RESOURCE_SLICE.warnings(Context(), slice_) == (
        'spec.driver: driver names should be lowercase; "D.example.com" contains uppercase characters',
    )


def test_step_of_zero_is_refused_where_upstream_panics():
    policy = {"default": "1", "validRange": {"min": "1", "step": "0"}}
    slice_ = a_slice(allowMultipleAllocations=True, capacity={"m": {"value": "8", "requestPolicy": policy}})
    assert texts(RESOURCE_SLICE.validate_create(Context(), slice_)) == [
        'spec.devices[0].capacity[m].requestPolicy.validRange.step: Invalid value: "0": must be greater than zero'
    ]


@pytest.mark.parametrize(
    ("bounds", "default", "finding"),
    [
        ({"min": "9"}, "9", '.min: Invalid value: "9": min is larger than capacity value: 8'),
        ({"min": "2"}, "1", '.min: Invalid value: "1": default is less than min: 2'),
        ({"min": "3", "max": "2"}, "3", '.max: Invalid value: "3": min is larger than max: 2'),
        ({"min": "1", "max": "9"}, "1", '.max: Invalid value: "9": max is larger than capacity value: 8'),
        ({"min": "1", "max": "2"}, "3", '.max: Invalid value: "3": default is more than max: 2'),
    ],
)
def test_bounds_of_a_request_policy(bounds, default, finding):
    policy = {"default": default, "validRange": bounds}
    slice_ = a_slice(allowMultipleAllocations=True, capacity={"m": {"value": "8", "requestPolicy": policy}})
    found = texts(RESOURCE_SLICE.validate_create(Context(), slice_))
    assert f"spec.devices[0].capacity[m].requestPolicy.validRange{finding}" in found


def test_selector_of_a_class_is_checked_anew_only_when_it_changed():
    bad = {"metadata": {"name": "c"}, "spec": {"selectors": [{"cel": {"expression": "x" * 10241}}]}}
    assert texts(DEVICE_CLASS.validate_create(Context(), bad)) == [
        "spec.selectors[0].cel.expression: Too long: may not be more than 10240 bytes"
    ]


def test_configuration_of_a_class_may_have_grown_too_long_before():
    config = [{"opaque": {"driver": "d", "parameters": {"a": "x" * 10240}}}]
    stored = {"metadata": {"name": "c"}, "spec": {"config": config}}
    assert DEVICE_CLASS.validate_update(Context(old=stored), copy.deepcopy(stored)) == []
    assert texts(DEVICE_CLASS.validate_create(Context(), stored)) == [
        "spec.config[0].opaque.parameters: Too long: may not be more than 10240 bytes"
    ]


def test_extended_resource_name_is_left_out_while_its_gate_is_off():
    off = FeatureGates({"DRAExtendedResource": False})
    named = {"metadata": {"name": "c"}, "spec": {"extendedResourceName": "example.com/gpu"}}
    fresh = copy.deepcopy(named)
    DEVICE_CLASS.prepare_create(Context(features=off), fresh)
    assert fresh["spec"] == {}
    kept = copy.deepcopy(named)
    DEVICE_CLASS.prepare_update(Context(features=off, old=named), kept)
    assert kept == named


def test_template_is_checked_again_when_it_is_updated():
    spec = {
        "spec": {
            "devices": {
                "requests": [
                    {
                        "name": "r",
                        "exactly": {"deviceClassName": "c", "allocationMode": "ExactCount", "count": 1},
                    }
                ]
            }
        }
    }
    old = {"metadata": {"name": "t", "namespace": "ns"}, "spec": spec}
    new = copy.deepcopy(old)
    new["spec"]["spec"]["devices"]["requests"][0]["exactly"]["count"] = 0
    found = texts(RESOURCE_CLAIM_TEMPLATE.validate_update(Context(old=old), new))
    assert (
        found[0] == "spec.spec.devices.requests[0].exactly.count: Invalid value: 0: must be greater than zero"
    )
    assert found[1].startswith('spec: Invalid value: {"Spec":{"Devices":')


# --- ResourcePoolStatusRequest


def a_request(status=None):
    request = {"metadata": {"name": "q"}, "spec": {"driver": "d.example.com", "limit": 1}}
    return request if status is None else request | {"status": status}


ANSWER = {
    "poolCount": 2,
    "pools": [
        {
            "driver": "d.example.com", "poolName": "p", "generation": 1, "totalDevices": 4, "allocatedDevices": 1,
            "availableDevices": 3, "unavailableDevices": 0,
        }
    ],
    "conditions": [
        {
            "type": "Complete", "status": "True", "reason": "CalculationComplete", "message": "",
            "lastTransitionTime": "2025-12-31T23:59:00Z",
        }
    ],
}  # fmt: skip


def test_request_in_a_table_before_and_after_its_answer():
    waiting, answered = (
        cells(RESOURCE_POOL_STATUS_REQUEST, a_request()),
        cells(RESOURCE_POOL_STATUS_REQUEST, a_request(ANSWER)),
    )
    assert waiting == ["q", "d.example.com", "-", "-", "-", "-", "-", 0, "Pending", "<none>"]
    assert answered == ["q", "d.example.com", "4", "3", "1", "0", "0", 2, "Complete (1/2 pools)", "60s"]


def test_request_is_answered_once():
    strategy = RESOURCE_POOL_STATUS_REQUEST.status
    assert strategy.validate_update(Context(old=a_request()), a_request(ANSWER)) == []
    again = a_request(ANSWER | {"poolCount": 3})
    (finding,) = texts(strategy.validate_update(Context(old=a_request(ANSWER)), again))
    assert finding.startswith('status: Invalid value: {"PoolCount":3,"Pools":[{"Driver":"d.example.com",')
    cleared = texts(strategy.validate_update(Context(old=a_request(ANSWER)), a_request()))
    assert cleared == ["status: Invalid value: null: field is immutable"]


def test_rule_in_a_table():
    rule = a_rule(timeAdded="2025-12-31T23:59:00Z", value="v")
    rule["metadata"]["creationTimestamp"] = "2025-12-31T23:58:00Z"
    assert cells(DEVICE_TAINT_RULE, rule) == ["r", "k", "v", "NoSchedule", "60s", "2m"]

"""What is told of parts of resource.k8s.io that break several rules at once, and in which order."""

import pytest

from dray.api.fields import Path
from dray.api.names import long_name_any_case
from dray.api.validation.resource.binding import validate_binding_conditions
from dray.api.validation.resource.capacity import validate_capacity
from dray.api.validation.resource.claim import ClaimRules
from dray.api.validation.resource.claim_status import validate_claim_status
from dray.api.validation.resource.derived import Finding
from dray.api.validation.resource.naming import shown_key
from dray.api.validation.resource.pool_status import validate_pool_request_spec
from dray.api.validation.resource.slice import SliceRules, validate_slice_spec
from dray.api.validation.resource.taint_rule import validate_taint_rule_status
from dray.api.validation.resource.template import validate_template_spec

AT = Path("x")


def texts(found):
    return [str(error).removeprefix("x.requestPolicy") for error in found]


def conditions(count, **changes):
    whole = {"status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z", "reason": "R"}
    return [{"type": f"T{number}", **whole, **changes} for number in range(count)]


ELEVEN = [str(number) for number in range(1, 12)]


@pytest.mark.parametrize(
    ("policy", "findings"),
    [
        # Without a default nothing else of the policy is looked at.
        ({"validValues": ["3", "2"]}, [".default: Required value: required when validValues is defined"]),
        ({"validRange": {"min": "9"}}, [".default: Required value: required when validRange is defined"]),
        ({"validRange": {}}, [".default: Required value: required when validRange is defined"]),
        (
            {"default": "1", "validRange": {}},
            [".validRange.min: Required value: required when validRange is defined"],
        ),
        # A list that is too long hides its members, and the default among them; its order is seen before.
        (
            {"default": "1", "validValues": [*ELEVEN[:9], "11", "10"]},
            [
                '.validValues[10]: Invalid value: "10": values must be sorted in ascending order',
                ".validValues: Too many: 11: must have at most 10 items",
                '.validValues: Invalid value: "1": default value is not valid according to the requestPolicy',
            ],
        ),
        ({"default": "10", "validValues": ELEVEN[:10]}, []),
        # Larger than the capacity comes before what is there twice.
        (
            {"default": "2", "validValues": ["2", "2", "12"]},
            [
                '.validValues[2]: Invalid value: "12": option is larger than capacity value: 10',
                '.validValues[1]: Duplicate value: "2"',
            ],
        ),
        # Exact where values are compared, whole numbers where they are told apart.
        (
            {"default": "500m", "validValues": ["1"]},
            [
                '.validValues: Invalid value: "500m": default value is not valid according to the requestPolicy'
            ],
        ),
        (
            {"default": "100m", "validRange": {"min": "200m", "max": "10500m"}},
            [
                '.validRange.min: Invalid value: "100m": default is less than min: 200m',
                '.validRange.max: Invalid value: "10500m": max is larger than capacity value: 10',
            ],
        ),
        ({"default": "100m", "validValues": ["100m", "900m"]}, ['.validValues[1]: Duplicate value: "1"']),
        (
            {"default": "2", "validRange": {"min": "1", "step": "10"}},
            [
                '.validRange.step: Invalid value: "10": one step 11 is larger than capacity value: 10',
                '.validRange.step: Invalid value: "2": value is not a multiple of a given step (10) from (1)',
            ],
        ),
    ],
)
def test_request_policy(policy, findings):
    capacity = {"value": "10", "requestPolicy": policy}
    assert texts(validate_capacity(capacity, AT, shared=True)) == findings


@pytest.mark.parametrize(
    ("holder", "findings"),
    [
        (
            {"bindingConditions": ["a", "a"], "bindingFailureConditions": ["a b", "a b"]},
            [
                "x.bindingFailureConditions[0]: Invalid",
                "x.bindingFailureConditions[1]: Invalid",
                "x.bindingConditions[1]: Duplicate",
                "x.bindingFailureConditions[1]: Duplicate",
            ],
        ),
        (
            {"bindingConditions": list("aabcd"), "bindingFailureConditions": ["b", "b"]},
            [
                "x.bindingConditions: Too many",
                "x.bindingConditions[1]: Duplicate",
                "x.bindingFailureConditions[0]: Invalid",
                "x.bindingFailureConditions[1]: Duplicate",
                "x.bindingFailureConditions[1]: Invalid",
            ],
        ),
        (
            {"bindingConditions": [], "bindingFailureConditions": ["a"]},
            ["x.bindingConditions: Invalid value: []"],
        ),
        ({"bindingFailureConditions": ["a"]}, ["x.bindingConditions: Invalid value: null"]),
        ({"bindingConditions": ["a"]}, ["x.bindingFailureConditions: Invalid value: null"]),
    ],
)
def test_binding_conditions_are_read_singly_before_they_are_compared(holder, findings):
    found = [str(error) for error in validate_binding_conditions(holder, AT)]
    assert [text[: len(start)] for text, start in zip(found, findings, strict=True)] == findings


def test_conditions_of_a_rule_are_read_before_they_are_counted_and_those_of_a_device_after():
    nine = conditions(9)
    nine[8]["status"] = "Maybe"
    bad = 'conditions[8].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"'
    many = "conditions: Too many: 9: must have at most 8 items"
    assert texts(validate_taint_rule_status({"conditions": nine})) == [f"status.{bad}", f"status.{many}"]
    device = {"driver": "d", "pool": "p", "device": "a"}
    status = {
        "allocation": {"devices": {"results": [{"request": "r", **device}]}},
        "devices": [{**device, "conditions": nine}],
    }
    spec = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}}
    claim = {"metadata": {"name": "c"}, "spec": spec, "status": status}
    found = texts(validate_claim_status(claim, {"metadata": {"name": "c"}, "spec": spec}))
    assert found == [f"status.devices[0].{many}", f"status.devices[0].{bad}"]


@pytest.mark.parametrize(
    ("field", "value", "refused"),
    [
        ("name", "", False),
        ("generation", 0, False),
        ("deletionGracePeriodSeconds", 0, True),
        ("finalizers", [], True),
        ("ownerReferences", [], True),
        ("ownerReferences", None, False),
        ("creationTimestamp", None, False),
        ("uid", "u", True),
    ],
)
def test_metadata_of_a_template_may_hold_nothing_but_labels_and_annotations(field, value, refused):
    spec = {"metadata": {field: value}, "spec": {}}
    shown = "uID" if field == "uid" else field
    found = texts(validate_template_spec(spec, ClaimRules(lambda *_, **__: [], lambda *_: Finding([]))))
    assert found == ([f"spec.metadata.{shown}: Forbidden: cannot be set"] if refused else [])


def test_identity_of_a_slice_is_compared_before_its_nodes_and_devices_are_read():
    pool = {"name": "p", "generation": -1, "resourceSliceCount": 1}
    old = {"driver": "d", "pool": pool, "nodeName": "n"}
    new = {"driver": "e", "pool": {**pool, "name": "q"}, "devices": [{"name": "A"}]}
    found = [text.split(" value")[0] for text in texts(validate_slice_spec(new, old, SliceRules()))]
    assert found == [
        "spec.pool.generation: Invalid",
        "spec.pool.name: Invalid",
        "spec.driver: Invalid",
        "spec.nodeName: Invalid",
        "spec: Required",
        "spec.devices[0].name: Invalid",
    ]


def test_long_key_is_cut_in_the_middle_with_the_odd_byte_kept_in_front():
    assert shown_key("a" * 60 + "b" * 37) == "a" * 47 + "..." + "a" * 9 + "b" * 37
    assert shown_key("a" * 96) == "a" * 96
    assert shown_key("é" * 49, 96).startswith("é" * 23 + "\ufffd...")


def test_pool_requests_are_told_in_the_words_of_declarative_validation():
    assert texts(validate_pool_request_spec({"driver": "Some.Driver"})) == []
    assert texts(validate_pool_request_spec({"driver": "a_b"})) == [
        "spec.driver: Invalid value: \"a_b\": an RFC 1123 subdomain must consist of alphanumeric characters, '-' or "
        "'.', and must start and end with an alphanumeric character (e.g. 'Example.com', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    ]
    assert long_name_any_case("\u212a") != []
    assert texts(validate_pool_request_spec({"driver": "d", "poolName": "a/" + "é" * 126}))[0] == (
        "spec.poolName: Too long: may not be more than 253 bytes"
    )

"""Rules that came with 1.37 without a gate, and the words in which it says what was refused before."""

import copy

import pytest

from dray.api.features import FeatureGates, parse_feature_gates
from dray.apiserver.registry.device_class import DEVICE_CLASS
from dray.apiserver.registry.resource_claim import RESOURCE_CLAIM
from dray.apiserver.registry.resource_slice import RESOURCE_SLICE

from .recorded import Context

OLDER, NEWER = FeatureGates(), FeatureGates(release="1.37")
UNDECLARED = parse_feature_gates("DeclarativeValidationBeta=false", "1.37")
LONG = "x" * 64


def claim(**devices):
    request = {"name": "r", "exactly": {"deviceClassName": "c", "allocationMode": "ExactCount", "count": 1}}
    return {
        "metadata": {"name": "c", "namespace": "n"},
        "spec": {"devices": {"requests": [copy.deepcopy(request)], **devices}},
    }


def allocated(obj, result, **status):
    given = {"request": "r", "driver": "d", "pool": "p", "device": "x", **result}
    return {**obj, "status": {"allocation": {"devices": {"results": [given]}}, **status}}


def slice_(**device):
    return {
        "metadata": {"name": "s"},
        "spec": {
            "driver": "d",
            "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
            "nodeName": "n",
            "devices": [{"name": "x", **device}],
        },
    }


def of_claim(features, obj):
    return list(map(str, RESOURCE_CLAIM.validate_create(Context(features=features), obj)))


def of_status(features, obj, old=None):
    user = Context(features=features, old=old or claim())
    return list(map(str, RESOURCE_CLAIM.status.validate_update(user, obj)))


def of_slice(features, obj, old=None):
    context = Context(features=features, old=old)
    check = RESOURCE_SLICE.validate_create if old is None else RESOURCE_SLICE.validate_update
    return list(map(str, check(context, obj)))


def test_name_of_an_attribute_has_one_slash() -> None:
    obj = slice_(attributes={"a/b/c": {"int": 1}}, capacity={"d/e/f": {"value": "1"}})
    assert of_slice(OLDER, obj) == []
    assert of_slice(NEWER, obj) == [
        'spec.devices[0].attributes: Invalid value: "a/b/c": must not contain more than one slash',
        'spec.devices[0].capacity: Invalid value: "d/e/f": must not contain more than one slash',
    ]
    constraint = claim(constraints=[{"matchAttribute": "a/b/c"}, {"distinctAttribute": "a/b/c"}])
    assert of_claim(OLDER, constraint) == []
    assert of_claim(UNDECLARED, constraint) == [
        f'spec.devices.constraints[{index}].{field}: Invalid value: "a/b/c": must not contain more than one slash'
        for index, field in enumerate(("matchAttribute", "distinctAttribute"))
    ]


def test_tolerations_that_were_copied_into_results_are_checked() -> None:
    obj = allocated(claim(), {"tolerations": [{"key": "k", "operator": "Nope"}]})
    assert of_status(OLDER, obj) == []
    assert of_status(NEWER, obj) == [
        'status.allocation.devices.results[0].tolerations[0].operator: Unsupported value: "Nope": supported values: '
        '"Equal", "Exists"'
    ]


def test_stored_selectors_are_believed() -> None:
    obj = {"metadata": {"name": "c"}, "spec": {"selectors": [{"cel": {"expression": "no such thing"}}]}}
    assert DEVICE_CLASS.validate_update(Context(features=OLDER, old=obj), obj) != []
    assert DEVICE_CLASS.validate_update(Context(features=NEWER, old=obj), obj) == []
    assert DEVICE_CLASS.validate_create(Context(features=NEWER), obj) != []


def policy(default, **bounds):
    capacity = {"c": {"value": "10", "requestPolicy": {"default": default, "validRange": bounds}}}
    return slice_(allowMultipleAllocations=True, capacity=capacity)


@pytest.mark.parametrize(
    ("obj", "older", "newer"),
    [
        (
            policy("1", min="2"),
            ['min: Invalid value: "1": default is less than min: 2'],
            ['default: Invalid value: "1": default is less than min: 2'],
        ),
        (
            policy("5", min="2", max="4"),
            ['max: Invalid value: "5": default is more than max: 4'],
            ['default: Invalid value: "5": default is more than max: 4'],
        ),
        (policy("-1", min="-2"), [], [
            'default: Invalid value: "-1": must be greater than or equal to 0',
            'min: Invalid value: "-2": must be greater than or equal to 0',
        ]),
        (policy("1", min="1", step="-1"), [], ['step: Invalid value: "-1": must be greater than zero']),
        (
            policy("1", min="1", max="20E"),
            ['max: Invalid value: "20E": max is larger than capacity value: 10'],
            [
                'max: Invalid value: "20E": max is larger than capacity value: 10',
                'max: Invalid value: "20E": must not be larger than 9223372036854775807',
            ],
        ),
    ],
)  # fmt: skip
def test_range_of_a_capacity(obj, older, newer) -> None:
    place = "spec.devices[0].capacity[c].requestPolicy.validRange."
    assert of_slice(OLDER, obj) == [place + text for text in older]
    assert of_slice(NEWER, obj) == [place + text for text in newer]


def test_capacity_of_a_device_that_is_as_it_was_is_not_looked_at_again() -> None:
    obj = policy("1", min="2")
    assert of_slice(OLDER, obj, obj) != []
    assert of_slice(NEWER, obj, obj) == []
    assert of_slice(NEWER, policy("1", min="3"), obj) != []


REQUEST = {"name": "r", "exactly": {"deviceClassName": "c", "allocationMode": "ExactCount", "count": 1}}
SHOWN = '{"name":"r","exactly":{"deviceClassName":"c","allocationMode":"ExactCount","count":1}}'


@pytest.mark.parametrize(
    ("obj", "older", "newer"),
    [
        (
            claim(requests=[REQUEST, REQUEST]),
            ['requests[1]: Duplicate value: "r"'],
            [f"requests[1]: Duplicate value: {SHOWN}"],
        ),
        (
            claim(config=[{"opaque": {"driver": LONG, "parameters": {}}}]),
            ["config[0].opaque.driver: Too long: may not be more than 63 bytes"],
            ["config[0].opaque.driver: Too long: may not be more than 63 characters"],
        ),
        (
            claim(constraints=[{"matchAttribute": "/x"}, {"matchAttribute": "d/"}]),
            [
                'constraints[0].matchAttribute: Invalid value: "": the domain must not be empty',
                'constraints[1].matchAttribute: Invalid value: "": the name must not be empty',
            ],
            [
                'constraints[0].matchAttribute: Invalid value: "": prefix must not be empty',
                'constraints[1].matchAttribute: Invalid value: "": name must not be empty',
            ],
        ),
    ],
)
def test_claim_is_refused_in_the_words_of_the_release(obj, older, newer) -> None:
    for features, texts in ((OLDER, older), (UNDECLARED, older), (NEWER, newer)):
        assert of_claim(features, obj) == [f"spec.devices.{text}" for text in texts]


def test_driver_in_a_configuration_is_called_a_subdomain_of_any_case() -> None:
    obj = claim(config=[{"opaque": {"driver": "a_b", "parameters": {}}}])
    (older,), (newer,) = of_claim(OLDER, obj), of_claim(NEWER, obj)
    assert "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters" in older
    assert "an RFC 1123 subdomain must consist of alphanumeric characters" in newer
    assert "(e.g. 'Example.com'" in newer


def test_spec_that_cannot_change_is_not_shown() -> None:
    old, new = claim(), claim(constraints=[{"matchAttribute": "d/x"}])
    (newer,) = RESOURCE_CLAIM.validate_update(Context(features=NEWER, old=old), new)
    assert str(newer) == "spec: Invalid value: null: field is immutable"


def test_allocation_that_cannot_change_is_not_shown() -> None:
    old, new = allocated(claim(), {}), allocated(claim(), {"device": "y"})
    assert of_status(NEWER, new, old) == [
        "status.allocation: Invalid value: null: field cannot be modified once set"
    ]


def test_results_name_the_part_of_a_pool_and_the_form_of_an_id() -> None:
    obj = allocated(claim(), {"pool": "a//B", "shareID": "nope"})
    assert [text.removeprefix("status.allocation.devices.results[0].") for text in of_status(NEWER, obj)] == [
        'pool: Invalid value: "a//B": segment 1: must not be empty',
        'pool: Invalid value: "B": segment 2: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric '
        "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
        "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        'shareID: Invalid value: "nope": must be a lowercase UUID in 8-4-4-4-12 format',
    ]


def test_duplicates_in_a_status_are_shown_whole() -> None:
    consumer = {"resource": "pods", "name": "p", "uid": "u"}
    obj = allocated(claim(), {}, reservedFor=[consumer, consumer])
    assert of_status(NEWER, obj) == [
        'status.reservedFor[1]: Duplicate value: {"resource":"pods","name":"p","uid":"u"}'
    ]


def test_attribute_has_one_of_the_kinds_that_are_named() -> None:
    obj = slice_(attributes={"none": {}, "two": {"int": 1, "string": "s"}})
    kinds = "`int`, `bool`, `string`, `version`, `ints`, `bools`, `strings`, `versions`"
    assert of_slice(NEWER, obj) == [
        f'spec.devices[0].attributes[none]: Invalid value: "": must specify one of: {kinds}',
        f'spec.devices[0].attributes[two]: Invalid value: "{{int, string}}": must specify exactly one of: {kinds}',
    ]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("gpu", ["a name must be a domain-prefixed path, such as 'example.com/my-prop'"]),
        ("kubernetes.io/gpu", ['must not have "kubernetes.io/" domain']),
        ("requests.example.com/gpu", ['must not have "requests." prefix']),
        ("example.com/gpu", []),
    ],
)
def test_extended_resource_says_what_is_wrong_with_its_name(name, texts) -> None:
    obj = {"metadata": {"name": "c"}, "spec": {"extendedResourceName": name}}
    found = DEVICE_CLASS.validate_create(Context(features=NEWER), obj)
    assert [error.detail for error in found] == texts


def test_rules_that_are_not_declared_keep_their_words_and_come_first() -> None:
    obj = claim(config=[{"opaque": {"driver": LONG, "parameters": {}}, "requests": ["nobody"]}])
    first, second = of_claim(NEWER, obj)
    assert "must be the name of a request in the claim" in first
    assert second == "spec.devices.config[0].opaque.driver: Too long: may not be more than 63 characters"

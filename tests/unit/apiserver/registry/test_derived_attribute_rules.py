"""derivedAttributes of claims and templates (1.37): read behind DRADerivedAttributes in every version, checked whole."""

import copy
from typing import Any

import pytest

from dray.api import errors
from dray.api.features import FeatureGates, parse_feature_gates
from dray.api.resources import RESOURCE_CLAIMS
from dray.api.schema.openapi import Served, openapi_v3
from dray.apiserver.core import Core
from dray.apiserver.registry.kind import Kind
from dray.apiserver.registry.resource_claim import RESOURCE_CLAIM
from dray.apiserver.registry.resource_claim_template import RESOURCE_CLAIM_TEMPLATE
from dray.apiserver.structure import Body, structured
from dray.apiserver.type_name import type_name
from dray.store.memory import MemoryStore

from .recorded import Context

ON = parse_feature_gates("DRADerivedAttributes=true")
LISTS = parse_feature_gates("DRADerivedAttributes=true,DRAListTypeAttributes=true")
NUMA = 'device.attributes["gpu.example.com"].numa'
HEADER = {"apiVersion": "resource.k8s.io/v1", "metadata": {"name": "x", "namespace": "ns"}}
DERIVED = {"name": "derived/numa", "expression": NUMA}
TOO_COSTLY = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].all(a, " * 6 + "true" + ")" * 6
"""Estimated at more than a million; one loop less is not."""


def derived(name: str = "derived/numa", expression: str = NUMA) -> dict[str, Any]:
    return {"name": name, "expression": expression}


def exact(*attributes: dict[str, Any], name: str = "r") -> dict[str, Any]:
    exactly = {"deviceClassName": "c", "allocationMode": "ExactCount", "count": 1}
    return {"name": name, "exactly": {**exactly, "derivedAttributes": list(attributes)}}


def match(attribute: str = "derived/numa", *requests: str) -> dict[str, Any]:
    return {"matchAttribute": attribute, **({"requests": list(requests)} if requests else {})}


def claim(*requests: dict[str, Any], constraints: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    devices = {"requests": list(requests), "constraints": [match()] if constraints is None else constraints}
    return {**HEADER, "kind": "ResourceClaim", "spec": {"devices": devices}}


def template(claimed: dict[str, Any]) -> dict[str, Any]:
    return {**HEADER, "kind": "ResourceClaimTemplate", "spec": {"spec": claimed["spec"]}}


def found(obj: dict[str, Any], features: FeatureGates = ON, kind: Kind = RESOURCE_CLAIM) -> list[str]:
    errors = kind.validate_create(Context(features=features), copy.deepcopy(obj))
    return [str(error).removeprefix("spec.devices.") for error in errors]


def read(
    obj: dict[str, Any], version: str, features: FeatureGates, kind: Kind = RESOURCE_CLAIM
) -> dict[str, Any]:
    """The object as a server with these gates reads it, strictly, in the hub version."""
    served = Core(MemoryStore(), (kind,), features=features).kinds.kinds[0]
    body = {**copy.deepcopy(obj), "apiVersion": f"resource.k8s.io/{version}"}
    return served.to_hub(structured(Body(body), type_name(served, version), "Strict"), version)


# The field


@pytest.mark.parametrize("version", ["v1", "v1beta2"])
def test_field_is_read_of_requests_and_of_alternatives_behind_its_gate(version: str) -> None:
    alternative = {"name": "s", "deviceClassName": "c", "derivedAttributes": [DERIVED]}
    obj = read(claim(exact(DERIVED), {"name": "f", "firstAvailable": [alternative]}), version, ON)
    requests = obj["spec"]["devices"]["requests"]
    assert requests[0]["exactly"]["derivedAttributes"] == [DERIVED]
    assert requests[1]["firstAvailable"][0]["derivedAttributes"] == [DERIVED]


def test_field_stands_beside_the_others_of_a_flat_request_in_v1beta1() -> None:
    flat = {"name": "r", "deviceClassName": "c", "derivedAttributes": [DERIVED]}
    obj = read(claim(flat), "v1beta1", ON)
    assert obj["spec"]["devices"]["requests"][0]["exactly"]["derivedAttributes"] == [DERIVED]
    shown = RESOURCE_CLAIM.from_hub(obj, "v1beta1")
    assert shown["spec"]["devices"]["requests"][0]["derivedAttributes"] == [DERIVED]


def test_flat_request_with_nothing_but_a_derived_attribute_is_an_incomplete_one() -> None:
    obj = read(claim({"name": "r", "derivedAttributes": [DERIVED]}), "v1beta1", ON)
    assert "requests[0].exactly.deviceClassName: Required value" in found(obj)


@pytest.mark.parametrize("kind", [RESOURCE_CLAIM, RESOURCE_CLAIM_TEMPLATE], ids=["claim", "template"])
def test_field_is_unknown_without_the_gate(kind: Kind) -> None:
    obj = claim(exact(DERIVED))
    path = "spec.devices" if kind is RESOURCE_CLAIM else "spec.spec.devices"
    with pytest.raises(errors.BadRequest) as refused:
        read(obj if kind is RESOURCE_CLAIM else template(obj), "v1", FeatureGates(), kind)
    assert str(refused.value).endswith(f'unknown field "{path}.requests[0].exactly.derivedAttributes"')


def test_release_that_has_the_field_reads_it_and_leaves_it_out_where_the_gate_is_off() -> None:
    release = FeatureGates(release="1.37")
    obj = read(claim(exact(DERIVED)), "v1", release)
    RESOURCE_CLAIM.prepare_create(Context(features=release), obj)
    assert "derivedAttributes" not in obj["spec"]["devices"]["requests"][0]["exactly"]


@pytest.mark.parametrize("kind", [RESOURCE_CLAIM, RESOURCE_CLAIM_TEMPLATE], ids=["claim", "template"])
def test_field_in_use_stays_when_the_gate_is_turned_off(kind: Kind) -> None:
    alternative = {"name": "s", "deviceClassName": "c", "derivedAttributes": [DERIVED]}
    stored = claim({"name": "f", "firstAvailable": [alternative]})
    stored = stored if kind is RESOURCE_CLAIM else template(stored)
    update, fresh = copy.deepcopy(stored), copy.deepcopy(stored)
    kind.prepare_update(Context(old=stored), update)
    assert update["spec"] == stored["spec"]
    kind.prepare_create(Context(), fresh)
    assert "derivedAttributes" not in str(fresh)


@pytest.mark.parametrize(
    ("version", "owner"), [("v1", "ExactDeviceRequest"), ("v1beta2", "ExactDeviceRequest"), ("v1beta1", "DeviceRequest")]
)  # fmt: skip
def test_field_and_its_type_are_published_and_explained_behind_the_gate(version: str, owner: str) -> None:
    def schemas(features: FeatureGates) -> dict[str, Any]:
        served = [Served(RESOURCE_CLAIMS.at(version), later=features.later())]
        found: dict[str, Any] = openapi_v3(f"resource.k8s.io/{version}", served)["components"]["schemas"]
        return found

    package = f"io.k8s.api.resource.{version}"
    assert f"{package}.DeviceDerivedAttribute" not in schemas(FeatureGates())
    published = schemas(ON)
    for name in (owner, "DeviceSubRequest"):
        assert published[f"{package}.{name}"]["properties"]["derivedAttributes"]["description"]
    derived = published[f"{package}.DeviceDerivedAttribute"]
    assert derived["required"] == ["name", "expression"]
    assert all(field["description"] for field in derived["properties"].values())


def test_field_cannot_change() -> None:
    old, new = claim(exact(DERIVED)), claim(exact(derived(expression="1")))
    changed = RESOURCE_CLAIM.validate_update(Context(features=ON, old=old), new)
    assert [error.detail for error in changed] == ["field is immutable"]
    assert RESOURCE_CLAIM.validate_update(Context(features=ON, old=old), copy.deepcopy(old)) == []


# Names, and who uses them

UNUSED = (
    '.derivedAttributes[0].name: Invalid value: "derived/numa": must be referenced by at least one matchAttribute or '
    "distinctAttribute constraint targeting this request"
)


@pytest.mark.parametrize(
    ("constraints", "used"),
    [
        ([match()], True),
        ([match("derived/numa", "r")], True),
        ([{"distinctAttribute": "derived/numa", "requests": ["r"]}], True),
        ([match("derived/numa", "other")], False),
        ([match("derived/other", "r")], False),
        # Only matchAttribute of such a constraint is looked at.
        ([{"matchAttribute": "derived/other", "distinctAttribute": "derived/numa"}], False),
        ([], False),
    ],
)
def test_constraint_on_the_request_must_use_the_attribute(
    constraints: list[dict[str, Any]], *, used: bool
) -> None:
    obj = claim(exact(DERIVED), exact(name="other"), constraints=constraints)
    assert found(obj) == ([] if used else [f"requests[0].exactly{UNUSED}"])


@pytest.mark.parametrize(("target", "used"), [("r", True), ("r/s", True), ("r/t", False), ("other", False)])
def test_constraint_on_an_alternative_or_its_request_uses_the_attribute(target: str, *, used: bool) -> None:
    plain = {"deviceClassName": "c", "allocationMode": "ExactCount", "count": 1}
    alternatives = [{"name": "s", **plain, "derivedAttributes": [DERIVED]}, {"name": "t", **plain}]
    request = {"name": "r", "firstAvailable": alternatives}
    obj = claim(request, exact(name="other"), constraints=[match("derived/numa", target)])
    assert found(obj) == ([] if used else [f"requests[0].firstAvailable[0]{UNUSED}"])


@pytest.mark.parametrize(
    ("attribute", "texts"),
    [
        (derived(name=""), [".name: Required value"]),
        (derived(expression=""), [".expression: Required value"]),
        (
            derived(name="numa"),
            [
                '.name: Invalid value: "numa": a fully qualified name must be a domain and a name separated by a slash',
            ],
        ),
        (
            derived(name="derived/a-b"),
            [
                '.name: Invalid value: "a-b": a valid C identifier must start with alphabetic character or \'_\', followed '
                "by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used "
                "for validation is '[A-Za-z_][A-Za-z0-9_]*')"
            ],
        ),
        (derived(name=f"derived/{'x' * 33}"), [".name: Too long: may not be more than 32 bytes"]),
    ],
)  # fmt: skip
def test_name_is_fully_qualified_and_both_fields_are_there(
    attribute: dict[str, Any], texts: list[str]
) -> None:
    constraints = [match(attribute["name"])] if attribute["name"] else []
    at = "requests[0].exactly.derivedAttributes[0]"
    assert [text for text in found(claim(exact(attribute), constraints=constraints)) if at in text] == [
        f"{at}{text}" for text in texts
    ]


def test_names_are_unique_in_a_request_but_not_in_the_claim() -> None:
    assert found(claim(exact(DERIVED), exact(DERIVED, name="other"))) == []
    assert found(claim(exact(DERIVED, DERIVED))) == [
        'requests[0].exactly.derivedAttributes[1]: Duplicate value: "derived/numa"'
    ]


def test_request_has_at_most_32_derived_attributes() -> None:
    many = [derived(name=f"derived/a{number}") for number in range(33)]
    constraints = [match(each["name"]) for each in many[:32]]
    assert found(claim(exact(*many[:32]), constraints=constraints)) == []
    assert found(claim(exact(*many), constraints=constraints)) == [
        "requests[0].exactly.derivedAttributes: Too many: 33: must have at most 32 items"
    ]


# Expressions


@pytest.mark.parametrize(
    ("features", "expression", "text"),
    [
        (
            ON,
            "1.5",
            'Invalid value: "1.5": must evaluate to a primitive scalar (string, integer, boolean, semver), not double',
        ),
        (
            ON,
            "[1]",
            'Invalid value: "[1]": must evaluate to a primitive scalar (string, integer, boolean, semver), not list(int)',
        ),
        (LISTS, "[1]", ""),
        (
            LISTS,
            "[1.5]",
            'Invalid value: "[1.5]": must evaluate to a primitive scalar (string, integer, boolean, semver) or a list of '
            "these scalars, not list(double)",
        ),
        (
            ON,
            "device.numa",
            "Invalid value: \"device.numa\": compilation failed: ERROR: <input>:1:7: undefined field 'numa'\n"
            " | device.numa\n | ......^",
        ),
        (ON, f'"{"x" * 10240}"', "Too long: may not be more than 10240 bytes"),
    ],
    ids=["double", "list", "list with its gate", "list of doubles", "unknown field", "long"],
)
def test_expression_is_compiled_with_the_results_that_an_attribute_may_have(
    features: FeatureGates, expression: str, text: str
) -> None:
    where = "requests[0].exactly.derivedAttributes[0].expression: "
    assert found(claim(exact(derived(expression=expression))), features) == ([where + text] if text else [])


TOTAL = (
    "spec.devices: Forbidden: too complex, total cost of derived attribute CEL expressions in the claim exceeds "
    "cost limit"
)


def test_expression_has_the_cost_limit_of_selectors() -> None:
    assert found(claim(exact(derived(expression=TOO_COSTLY)))) == [
        "requests[0].exactly.derivedAttributes[0].expression: Forbidden: too complex, exceeds cost limit",
        TOTAL,
    ]


def test_expressions_of_a_claim_share_one_budget() -> None:
    costly = derived(expression=TOO_COSTLY.replace("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].all(a, ", "", 1)[:-1])
    alternative = {
        "name": "s", "deviceClassName": "c", "allocationMode": "ExactCount", "count": 1, "derivedAttributes": [costly],
    }  # fmt: skip
    one, other = exact(costly), {"name": "f", "firstAvailable": [alternative]}
    fits = 0
    while found(claim(*[exact(costly, name=f"r{number}") for number in range(fits + 1)])) == []:
        fits += 1
    assert fits > 1
    more = [exact(costly, name=f"r{number}") for number in range(fits)]
    assert found(claim(*more)) == []
    assert found(claim(*more, other)) == [TOTAL]
    assert found(claim(one, other)) == []


def test_expressions_of_a_template_are_checked_as_those_of_a_claim() -> None:
    obj = template(claim(exact(derived(expression="1.5"))))
    (text,) = found(obj, kind=RESOURCE_CLAIM_TEMPLATE)
    assert text.startswith(
        "spec.spec.devices.requests[0].exactly.derivedAttributes[0].expression: Invalid value"
    )

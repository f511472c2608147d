"""`dray cel` about derived attributes: which value each device has, before a claim depends on it."""

from typing import Any

from insight_story import DRIVER, claim, gpus

NUMA = f'device.attributes["{DRIVER}"].numa'
SLICES = [
    gpus("n1", 2, attributes={"numa": {"int": 0}}),
    gpus("n2", 1, attributes={"numa": {"int": 1}}),
    gpus("n3", 1, attributes={"row": {"int": 7}}),
]


def deriving(expression: str, selector: str = "") -> dict[str, Any]:
    wanted = claim("pair", selector=selector)
    derived = [{"name": "derived/numa", "expression": expression}]
    wanted["spec"]["devices"]["requests"][0]["exactly"]["derivedAttributes"] = derived
    return wanted


def test_values_are_told_with_their_devices_and_failures_with_theirs(ask: Any) -> None:
    text = ask("cel", "--derived", NUMA, resourceslices=SLICES)
    assert "It compiles (type dyn) and costs at most 4 of 1000000." in text
    assert "Of 4 devices 3 have a value, and for 1 it fails." in text
    assert f"2 int 0: {DRIVER}/n1/gpu-0, {DRIVER}/n1/gpu-1" in text
    assert f"1 int 1: {DRIVER}/n2/gpu-0" in text
    assert f"1 no such key: numa: {DRIVER}/n3/gpu-0" in text


def test_expression_of_a_claim_is_asked_about_devices_that_its_selectors_accept(ask: Any) -> None:
    wanted = deriving(NUMA, f'"numa" in device.attributes["{DRIVER}"]')
    text = ask("cel", "--claim", "pair", resourceslices=SLICES, resourceclaims=[wanted])
    assert "spec.devices.requests[0].exactly.derivedAttributes[0].expression" in text
    assert "Of 3 devices 3 have a value, and for 0 it fails." in text


def test_expression_that_no_attribute_can_be_is_refused_with_advice(ask: Any) -> None:
    text = ask("cel", "--derived", "1.5", resourceslices=SLICES)
    assert "must evaluate to a primitive scalar" in text
    assert "A derived attribute is a text, a whole number, true or false, or a version" in text


def test_expression_that_is_not_given_cannot_be_derived(ask: Any) -> None:
    wanted = deriving(NUMA)
    text = ask("cel", "--claim", "pair", "--derived", resourceslices=SLICES, resourceclaims=[wanted])
    assert "--derived is about EXPRESSION" in text

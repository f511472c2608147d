"""Derived attributes: which values an expression may give, in the form of an attribute, and what is no attribute."""

from typing import Any

import pytest

from dray.cel import (
    CelCompileError,
    CelRuntimeError,
    Derivation,
    DeviceInput,
    Environment,
    compile_derivation,
    compile_selector,
)

DRIVER = "d.example.com"
LISTS = Environment(list_type_attributes=True)
NEW = Environment(new_expressions=True)
NEW_LISTS = Environment(new_expressions=True, list_type_attributes=True)
HERE = f'device.attributes["{DRIVER}"]'


def device(**attributes: Any) -> DeviceInput:
    return DeviceInput.of(DRIVER, {"attributes": attributes, "capacity": {"memory": {"value": "80Gi"}}})


DEVICE = device(
    numa={"int": 3},
    topology={"string": "numa0-pcie1"},
    firmware={"version": "1.2.3-rc.1+b7"},
    shared={"bool": True},
    links={"strings": ["a", "b"]},
    releases={"versions": ["1.0.0", "2.0.0"]},
)


def values(expression: str, *devices: DeviceInput) -> list[Any]:
    """Of each device; the first is asked exactly, the others by generated code."""
    derivation = compile_derivation(expression, LISTS)
    return [derivation.attribute(each) for each in devices]


@pytest.mark.parametrize(
    ("expression", "attribute"),
    [
        (f"{HERE}.numa", {"int": 3}),
        (f"{HERE}.numa * 2 + 1", {"int": 7}),
        (f"{HERE}.shared", {"bool": True}),
        (f"{HERE}.numa == 3", {"bool": True}),
        (f'{HERE}.topology.split("-")[0]', {"string": "numa0"}),
        (f"{HERE}.firmware", {"version": "1.2.3-rc.1+b7"}),
        ('semver("1.0.0")', {"version": "1.0.0"}),
        (f"{HERE}.?absent.orValue(-1)", {"int": -1}),
        (f'"absent" in {HERE} ? "yes" : "no"', {"string": "no"}),
        (
            f'device.capacity["{DRIVER}"].memory.isGreaterThan(quantity("40Gi")) ? "large" : "small"',
            {"string": "large"},
        ),
        ("device.driver", {"string": DRIVER}),
    ],
)
def test_scalar_becomes_an_attribute_of_its_type(expression: str, attribute: Any) -> None:
    assert values(expression, DEVICE, DEVICE, DEVICE) == [attribute] * 3


@pytest.mark.parametrize(
    ("expression", "attribute"),
    [
        (f"{HERE}.links", {"strings": ["a", "b"]}),
        (f"{HERE}.releases", {"versions": ["1.0.0", "2.0.0"]}),
        (f"[{HERE}.numa, {HERE}.numa]", {"ints": [3, 3]}),
        (f'{HERE}.links.map(link, link + "!")', {"strings": ["a!", "b!"]}),
        ("[true]", {"bools": [True]}),
        ("[]", {"strings": []}),
    ],
)
def test_list_becomes_an_attribute_of_the_type_of_its_items(expression: str, attribute: Any) -> None:
    assert values(expression, DEVICE, DEVICE) == [attribute] * 2


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (f"{HERE}.absent", "no such key: absent"),
        ("dyn(1.5)", "unsupported CEL return type: float64"),
        ("dyn(1u)", "unsupported CEL return type: uint64"),
        ("dyn(null)", "unsupported CEL return type: structpb.NullValue"),
        (f'dyn(device.capacity["{DRIVER}"].memory)', "unsupported CEL return type: *resource.Quantity"),
        ('dyn(duration("1s"))', "unsupported CEL return type: time.Duration"),
        ("dyn([1.5])", "unsupported list element type: float64"),
        (f"[{HERE}.numa, {HERE}.topology]", "expected list element at index 1 to be int, got string"),
        (f"[{HERE}.firmware, {HERE}.shared]", "expected list element at index 1 to be semver, got bool"),
    ],
)
def test_value_that_is_no_attribute_is_an_error_of_the_device(expression: str, text: str) -> None:
    derivation = compile_derivation(expression, LISTS)
    for _ in range(2):
        with pytest.raises(CelRuntimeError) as error:
            derivation.attribute(DEVICE)
        assert str(error.value) == text


def test_optional_is_looked_through() -> None:
    assert values(f"dyn({HERE}.?numa)", DEVICE) == [{"int": 3}]
    with pytest.raises(CelRuntimeError, match="unsupported CEL return type: <nil>"):
        values(f"dyn({HERE}.?absent)", DEVICE)


SCALARS = "must evaluate to a primitive scalar (string, integer, boolean, semver)"


@pytest.mark.parametrize(
    ("environment", "expression", "text"),
    [
        (NEW, "1.5", f"{SCALARS}, not double"),
        (NEW, "device.attributes", f"{SCALARS}, not map(string, map(string, google.protobuf.Any))"),
        (NEW, "[1]", f"{SCALARS}, not list(int)"),
        (NEW_LISTS, "1.5", f"{SCALARS} or a list of these scalars, not double"),
        (NEW_LISTS, "[[1]]", f"{SCALARS} or a list of these scalars, not list(list(int))"),
        (LISTS, f"{HERE}.?numa", f"{SCALARS} or a list of these scalars, not optional_type(dyn)"),
    ],
)
def test_type_that_no_attribute_has_does_not_compile(
    environment: Environment, expression: str, text: str
) -> None:
    with pytest.raises(CelCompileError) as error:
        compile_derivation(expression, environment)
    assert str(error.value) == text


def test_lists_are_for_new_expressions_behind_their_gate_and_for_stored_ones_always() -> None:
    assert isinstance(compile_derivation("[1]", Environment()), Derivation)
    assert isinstance(compile_derivation("[1]", NEW_LISTS), Derivation)


def test_text_that_does_not_compile_is_refused_with_the_place() -> None:
    with pytest.raises(CelCompileError) as error:
        compile_derivation("device.numa", NEW)
    assert "undefined field 'numa'" in str(error.value)
    assert error.value.issues[0].column == 7


def test_cost_is_that_of_the_same_expression_as_a_selector() -> None:
    expression = f'{HERE}.topology.startsWith("numa0")'
    assert (
        compile_derivation(expression, LISTS).estimated_cost
        == compile_selector(expression, LISTS).estimated_cost
    )
    value, cost = compile_derivation(expression, LISTS).attribute_with_cost(DEVICE)
    assert (value, cost) == (
        {"bool": True},
        compile_selector(expression, LISTS).evaluate_with_cost(DEVICE)[1],
    )


def test_evaluation_stops_at_the_cost_limit() -> None:
    derivation = compile_derivation(f"{HERE}.numa + 1", LISTS)
    with pytest.raises(CelRuntimeError, match="actual cost limit exceeded"):
        derivation.attribute_with_cost(DEVICE, limit=2)

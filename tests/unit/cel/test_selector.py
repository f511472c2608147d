"""The device environment: its variable, its costs, its gates, its releases."""

from typing import Any

import pytest
from evaluation import DEVICE, DRIVER, matches

from dray.cel import (
    NEW,
    STORED,
    CelCompileError,
    CelRuntimeError,
    DeviceInput,
    Environment,
    compile_expression,
    compile_selector,
)
from dray.cel.declarations import Version

A = f'device.attributes["{DRIVER}"]'


@pytest.mark.parametrize(
    "text",
    [
        f'device.driver == "{DRIVER}"',
        f"{A}.index == 3 && {A}.healthy",
        'device.attributes["net.example.org"].rack == "r1"',
        f'{A}.driverVersion.isGreaterThan(semver("1.2.0"))',
        f'device.capacity["{DRIVER}"].memory == quantity("80Gi")',
        "!device.allowMultipleAllocations",
        "has(device.attributes.nope) && size(device.attributes.nope) == 0",
        '!("nope" in device.attributes) && device.attributes.size() == 2',
        f'{A}.?nope.orValue("x") == "x" && !has({A}.nope) && !("nope" in {A})',
        f"{A}.model != 3",
        f"false || true || {A}.nope",
    ],
)
def test_device_variable(text: str) -> None:
    assert matches(text)


@pytest.mark.parametrize(
    ("text", "device", "failure"),
    [
        (f"{A}.nope == 1", DEVICE, "no such key: nope"),
        (f"{A}.model < 3", DEVICE, "no such overload"),
        ("true", {"attributes": {"v": {"version": "1"}}}, "attribute v: parse semantic version: No Major.Minor.Patch elements found"),
        ("true", {"attributes": {"l": {"ints": [1]}}}, "attribute l: unsupported attribute value"),
    ],
)  # fmt: skip
def test_device_failure(text: str, device: dict[str, Any], failure: str) -> None:
    selector, prepared = compile_selector(text), DeviceInput.of(DRIVER, device)
    for _ in range(3):
        with pytest.raises(CelRuntimeError) as caught:
            selector.matches(prepared)
        assert str(caught.value) == failure


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("true", 0),
        ('"dom" in device.attributes', 3),
        ('device.driver == "dra.example.com"', 4),
        ('device.attributes["dra.example.com"].x > 0', 5),
        ('device.attributes["dra.example.com"].x.isGreaterThan(semver("0.0.1"))', 6),
        ('device.capacity["dra.example.com"].x.isGreaterThan(quantity("1Ki"))', 6),
    ],
)
def test_estimated_cost(text: str, cost: int) -> None:
    assert compile_selector(text).estimated_cost == cost


def test_nested_loops_are_estimated_beyond_the_limit_and_stop_at_it() -> None:
    digits = "[0,1,2,3,4,5,6,7,8,9]"
    text = "".join(f"{digits}.all(v{i}, " for i in range(7)) + "true" + ")" * 7
    assert compile_selector(text).estimated_cost > 1_000_000
    with pytest.raises(CelRuntimeError, match="actual cost limit exceeded") as caught:
        compile_selector(text).evaluate_with_cost(DeviceInput.of(DRIVER, DEVICE), 1000)
    assert 1000 < caught.value.cost < 1100


def refusal(text: str, environment: Environment) -> str:
    with pytest.raises(CelCompileError) as caught:
        compile_selector(text, environment)
    return str(caught.value)


def test_the_result_must_be_a_bool_or_unknown() -> None:
    assert refusal("1", STORED) == "must evaluate to bool or the unknown type, not int"
    compile_selector(f"{A}.healthy")


def test_gates_only_bind_new_expressions() -> None:
    multiple, includes = "device.allowMultipleAllocations", f"{A}.zones.includes('a')"
    off = Environment(new_expressions=True, consumable_capacity=False)
    assert "undefined field 'allowMultipleAllocations'" in refusal(multiple, off)
    assert "undeclared reference to 'includes'" in refusal(includes, NEW)
    compile_selector(multiple, Environment(consumable_capacity=False))
    compile_selector(includes, STORED)
    compile_selector(includes, Environment(new_expressions=True, list_type_attributes=True))


def test_list_attributes_are_searched_by_includes_up_to_48_values() -> None:
    lists = Environment(list_type_attributes=True)
    selector = compile_selector(f"{A}.l.includes(48)", lists)
    assert selector.matches(DeviceInput.of(DRIVER, {"attributes": {"l": {"ints": [1, 48]}}}))
    with pytest.raises(CelRuntimeError, match="longer than 48 values"):
        selector.matches(DeviceInput.of(DRIVER, {"attributes": {"l": {"ints": [1] * 49}}}))


@pytest.mark.parametrize(
    ("text", "introduced"),
    [
        ("quantity('1') == quantity('1')", Version(1, 28)),
        ("optional.of(1).hasValue()", Version(1, 28)),
        ("sets.contains([1], [1])", Version(1, 29)),
        ("'%d'.format([1]) == '1'", Version(1, 29)),
        ("isIP('::1') && isCIDR('::/0')", Version(1, 30)),
        ("format.named('uuid').hasValue()", Version(1, 31)),
        ("[1].all(i, v, true)", Version(1, 32)),
        ("isSemver('1.2.3')", Version(1, 33)),
        ("[1].distinct() == [1]", Version(1, 34)),
    ],
)
def test_a_library_is_there_from_its_release_on(text: str, introduced: Version) -> None:
    compile_expression(text, {}, version=introduced)
    with pytest.raises(CelCompileError):
        compile_expression(text, {}, version=Version(1, introduced.minor - 1))


def test_new_expressions_know_the_libraries_of_the_release_before() -> None:
    text = "[1].distinct() == [1]"
    compile_selector(text, Environment(version=Version(1, 35), new_expressions=True))
    assert "undeclared" in refusal(text, Environment(version=Version(1, 34), new_expressions=True))


def test_a_cost_is_never_negative() -> None:
    """Or an expression could buy itself more than its limit."""
    selector = compile_selector("[1, 2, 3].flatten(-9223372036854775807) == [] || true")
    with pytest.raises(CelRuntimeError) as caught:
        selector.evaluate_with_cost(DeviceInput.of(DRIVER, DEVICE))
    assert caught.value.cost > 0

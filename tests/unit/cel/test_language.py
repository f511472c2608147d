"""Operators, conversions, time, and how failures are absorbed."""

import pytest
from evaluation import failure_of, refusal_of, value_of

TRUE = [
    "7 / -2 == -3 && -7 % 3 == -1 && 1.0 / 0.0 > 1e308",
    "18446744073709551615u / 1u == 18446744073709551615u",
    "dyn(1) == 1.0 && dyn(1u) == 1 && 2 > 1.5 && dyn(1) != dyn('1')",
    "(1 / 0 > 0 || true) && !(1 / 0 > 0 && false)",
    "[1, 2].exists(x, x == 2 || 1 / 0 == 1)",
    "0x1F == 31 && r'\\d' == '\\\\d' && b'\\xff'.size() == 1 && '''a'b''' == \"a'b\"",
    "int('-12') == -12 && uint(3.9) == 3u && double('1e3') == 1000.0 && string(1.5) == '1.5' && bool('t')",
    "string(b'abc') == 'abc' && bytes('é').size() == 2 && type(1u) == uint",
    "{true: 1}[true] == 1 && !(dyn(1) in {true: 1}) && dyn(1.0) in {1: 'x'}",
    "duration('90m') == duration('1.5h') && duration('90m').getHours() == 1 && duration('1.5s').getMilliseconds() == 1500",
    "timestamp('2024-02-29T12:00:00+02:00') == timestamp('2024-02-29T10:00:00Z')",
    "timestamp('2024-02-29T12:00:00Z').getHours('+02:00') == 14 && timestamp('2024-02-29T00:00:00Z').getDayOfYear() == 59",
    "timestamp('2024-03-01T00:00:00Z') - timestamp('2024-02-29T00:00:00Z') == duration('24h')",
]  # fmt: skip


@pytest.mark.parametrize("text", TRUE)
def test_language(text: str) -> None:
    assert value_of(text) is True


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("9223372036854775807 + 1", "integer overflow"),
        ("0u - 1u", "unsigned integer overflow"),
        ("1 / 0", "division by zero"),
        ("1 % 0", "modulus by zero"),
        ("[1][1]", "index out of bounds: 1"),
        ("{'a': 1}['b']", "no such key: b"),
        ("dyn(1) + dyn('a')", "no such overload"),
        ("timestamp(0).getHours('../etc')", "time: invalid location name"),
        ("timestamp(0).getHours('Nope/Zone')", "unknown time zone Nope/Zone"),
        ("timestamp('9999-12-31T23:59:59Z') + duration('1s')", "timestamp overflow"),
        ("int('x' + 'y')", "type conversion error from 'string' to 'int'"),
    ],
)
def test_language_fails(text: str, failure: str) -> None:
    assert failure_of(text) == failure


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("nosuch == 1", "ERROR: <input>:1:1: undeclared reference to 'nosuch' (in container '')"),
        ("1 + 'a'", "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'"),
        ("[1,\n nosuch]", " | .^"),
        ("if == 1", "ERROR: <input>:1:1: reserved identifier: if"),
        ("'é' + 1", " | .．..^"),
        ("duration('x')", "ERROR: <input>:1:10: invalid duration argument"),
        ("'x'.matches('(')", "ERROR: <input>:1:13: invalid matches argument"),
        ("[1].all(., true)", "ERROR: <input>:1:0: argument must be a simple name"),
    ],
)
def test_refusals_name_the_place(text: str, line: str) -> None:
    assert line in refusal_of(text).removeprefix("compilation failed: ").splitlines()


def test_the_type_variables_of_an_error_are_the_same_whoever_asked_before() -> None:
    text = "size([1]) == 1 || [[]][0].first()"
    first = refusal_of(text).splitlines()[0]
    value_of("size([1]) == 1 || [[1]][0].first().hasValue()")
    assert refusal_of(text + " ").splitlines()[0] == first

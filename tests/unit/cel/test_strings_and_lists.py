"""The libraries of strings, regular expressions, lists, sets, optionals, and the macros."""

import pytest
from evaluation import failure_of, matches, refusal_of, value_of

TRUE = [
    '"héllo".charAt(1) == "é" && "a".charAt(1) == ""',
    '"abcabc".indexOf("b", 2) == 4 && "abcabc".lastIndexOf("b", 3) == 1 && "a".indexOf("z") == -1',
    '"ÀbC".lowerAscii() == "Àbc" && "àbC".upperAscii() == "àBC"',
    '"aaa".replace("a", "b", 2) == "bba" && "ab".replace("", "-") == "-a-b-"',
    '"a,b,c".split(",", 2) == ["a", "b,c"] && "ab".split("") == ["a", "b"] && "a".split(",", 0) == []',
    '"hello".substring(1, 3) == "el" && "hello".substring(4) == "o"',
    '"\\t a\\u00a0".trim() == "a"',
    '["a", "b"].join("-") == "a-b" && [].join() == ""',
    'strings.quote("a\\n\\"") == "\\"a\\\\n\\\\\\"\\""',
    '"%s|%d|%x|%X|%o|%b|%.2f|%e|%%".format([[1, "a"], 5, "hi", 255, 8, true, 1234.5, 12345.678]) '
    '== "[1, \\"a\\"]|5|6869|FF|10|1|1,234.50|1.234568\\u202f×\\u202f10⁰⁴|%"',
    '"pci0000:00".find("[0-9]+") == "0000" && "a1b22".findAll("[0-9]+") == ["1", "22"]',
    '"a1b22".findAll("[0-9]+", 1) == ["1"] && "x".findAll("y*") == ["", ""]',
    '"ab".matches("^a") && !"ab".matches("^b")',
    '[1, 2, 2].isSorted() && [1.5, 2.0].sum() == 3.5 && ["b", "a"].min() == "a" && [1u, 3u].max() == 3u',
    "[1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2",
    "[1, 2, 3, 4].slice(1, 3) == [2, 3] && [[1], [2, 3]].flatten(2) == [1, 2, 3]",
    "[3, 1, 2].sort() == [1, 2, 3] && [3, 1, 2].sortBy(x, -x) == [3, 2, 1] && [1, 1].distinct() == [1]",
    "lists.range(3) == [0, 1, 2] && [1, 2].reverse() == [2, 1]",
    "sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])",
    'optional.of(1).value() == 1 && {"a": 1}[?"b"].orValue(7) == 7 && optional.ofNonZeroValue(0) == optional.none()',
    "optional.of(1).optMap(v, v + 1).value() == 2 && !optional.none().optFlatMap(v, optional.of(v)).hasValue()",
    "[1, 2].first().value() == 1 && [1, 2].last().value() == 2 && optional.unwrap([optional.of(1), optional.none()]) == [1]",
    '{?"a": optional.none()}.size() == 0 && [?optional.of(1)] == [1]',
    "[5, 6].all(i, v, v == i + 5) && [5, 6].exists(i, v, i == 1) && [5, 6].existsOne(i, v, v == 6)",
    '[5, 6].transformList(i, v, i > 0, v) == [6] && {"a": 1}.transformMap(k, v, v + 1) == {"a": 2}',
    '{"a": 1}.transformMapEntry(k, v, {v: k}) == {1: "a"}',
]  # fmt: skip


@pytest.mark.parametrize("text", TRUE)
def test_library(text: str) -> None:
    assert value_of(text) is True


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ('"a".charAt(2)', "index out of range: 2"),
        ('"abc".substring(2, 1)', "invalid substring range. start: 2, end: 1"),
        ("[1].slice(0, 2)", "cannot slice(0, 2), list is length 1"),
        ("[1].flatten(-1)", "level must be non-negative"),
        ("[].min()", "min called on empty list"),
        ("optional.none().value()", "optional.none() dereference"),
        ('["a", "b"].transformMapEntry(i, v, {"x": v})', "insert failed: key x already exists"),
        ('"%d".format([dyn("s")])', "error during formatting: decimal clause can only be used on integers, was given string"),
        ("dyn(5).matches('a')", "no such overload"),
        ("[dyn(1), dyn('a')].sort()", "list elements must have the same type"),
    ],
)  # fmt: skip
def test_library_refuses(text: str, failure: str) -> None:
    assert failure_of(text) == failure


def test_literal_lists_are_of_one_type() -> None:
    assert "expected type 'int' but found 'string'" in refusal_of('[1, "a"].sort() == []')


def test_bind_names_a_value_once() -> None:
    assert matches("cel.bind(x, 2, x * x) == 4")


def test_exists_one_has_two_spellings_only_over_two_variables() -> None:
    assert "undeclared reference to 'existsOne'" in refusal_of("[1].existsOne(x, x == 1)")

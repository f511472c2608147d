"""Malformed JSON and YAML, and values inside texts, read as they do in Go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dray.api.schema.go_text import kind_name, show, show_typed, type_name
from dray.api.schema.json_syntax import syntax_error
from dray.api.schema.yaml_text import BadYaml, from_yaml

FAULTS = {
    "": "unexpected end of JSON input",
    "{": "unexpected end of JSON input",
    '{"a":': "unexpected end of JSON input",
    '{"a" 1}': "invalid character '1' after object key",
    "{a:1}": "invalid character 'a' looking for beginning of object key string",
    '{"a":1 "b"}': "invalid character '\"' after object key:value pair",
    '{"a":1,}': "invalid character '}' looking for beginning of object key string",
    "[1 2]": "invalid character '2' after array element",
    "[1,]": "invalid character ']' looking for beginning of value",
    "{} x": "invalid character 'x' after top-level value",
    "tru": "invalid character ' ' in literal true (expecting 'e')",
    "trux": "invalid character 'x' in literal true (expecting 'e')",
    "-a": "invalid character 'a' in numeric literal",
    "1.x": "invalid character 'x' after decimal point in numeric literal",
    "1ex": "invalid character 'x' in exponent of numeric literal",
    '"\\q"': "invalid character 'q' in string escape code",
    '"\\u12G4"': "invalid character 'G' in \\u hexadecimal character escape",
    '"a\nb"': "invalid character '\\n' in string literal",
    "'a'": "invalid character '\\'' looking for beginning of value",
    "apiVersion: v1": "invalid character 'a' looking for beginning of value",
}


@pytest.mark.parametrize("text", FAULTS)
def test_malformed_json_is_described_as_go_does(text: str) -> None:
    assert syntax_error(text.encode()) == FAULTS[text]


def test_json_too_deep_to_read_is_refused_by_name() -> None:
    assert syntax_error(b"[" * 100_000) == "exceeded max depth"


@given(st.binary(max_size=40))
def test_any_bytes_get_some_answer(data: bytes) -> None:
    assert syntax_error(data)


def test_yaml_means_what_it_meant_in_version_1_1() -> None:
    text = b"a: yes\nb: y\nc: off\nd: 0x10\ne: 2026-01-01\nf: ~\n1: x\ntrue: z\ng: '5'\n"

    assert from_yaml(text) == {
        "a": True,
        "b": True,
        "c": False,
        "d": 16,
        "e": "2026-01-01",
        "f": None,
        "1": "x",
        "true": "z",
        "g": "5",
    }


def test_json_is_yaml_and_anchors_are_followed() -> None:
    assert from_yaml(b'{"a": [1, "b", null, true]}') == {"a": [1, "b", None, True]}
    assert from_yaml(b"a: &x {b: 1}\nc: *x\n") == {"a": {"b": 1}, "c": {"b": 1}}


def test_only_the_first_document_counts() -> None:
    assert from_yaml(b"a: 1\n---\nb: 2\n") == {"a": 1}
    assert from_yaml(b"") is None


BAD_YAML = {
    "a: [": "yaml: line 1: did not find expected node content",
    "a: b: c": "yaml: mapping values are not allowed in this context",
    "a:\n\t- b": "yaml: line 2: found character that cannot start any token",
}


@pytest.mark.parametrize("text", BAD_YAML)
def test_malformed_yaml_names_its_line(text: str) -> None:
    with pytest.raises(BadYaml) as refused:
        from_yaml(text.encode())

    assert str(refused.value) == BAD_YAML[text]


def test_duplicate_yaml_keys_are_refused_only_when_asked() -> None:
    assert from_yaml(b"a: 1\na: 2") == {"a": 2}
    with pytest.raises(BadYaml, match='line 2: key "a" already set in map'):
        from_yaml(b"a: 1\na: 2", strict=True)


def test_values_print_as_gos_fmt_prints_them() -> None:
    value = {"image": "q", "ports": [80, True, None], "size": 1.5, "big": 1e30}

    assert show(value) == "map[big:1e+30 image:q ports:[80 true <nil>] size:1.5]"
    numbers = [1234567.5, 1e6, 1e5, 100000.5, 1e-4, 1.234e-5, -1234567.5, 1.5e300, 0.0]
    assert show(numbers) == (
        "[1.2345675e+06 1e+06 100000 100000.5 0.0001 1.234e-05 -1.2345675e+06 1.5e+300 0]"
    )
    assert show_typed({"a": ["b", 1]}) == 'map[string]interface {}{"a":[]interface {}{"b", 1}}'
    assert [type_name(item) for item in (1, 1.5, "x", True, {}, [], None)] == [
        "int64", "float64", "string", "bool", "map[string]interface {}", "[]interface {}", "<nil>",
    ]  # fmt: skip
    assert kind_name({}) == "map"

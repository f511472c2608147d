"""JSON is spelt as Go's encoder spells it."""

import json

import pytest

from dray.kits import go_json


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("<&>", rb'"\u003c\u0026\u003e"'),
        ("\u2028\u2029", rb'"\u2028\u2029"'),
        ("\b\f\n\r\t\x01\x7f", b'"\\b\\f\\n\\r\\t\\u0001\x7f"'),
        ("é😀\\\"'/", '"é😀\\\\\\"\'/"'.encode()),
    ],
)
def test_strings_have_the_escapes_of_go(text: str, spelt: bytes) -> None:
    assert go_json.encode(text) == spelt
    assert json.loads(spelt) == text


def test_keys_are_escaped_as_values_are() -> None:
    assert go_json.encode({"a<b": ["&"]}) == rb'{"a\u003cb":["\u0026"]}'


def test_laid_out_and_sorted_texts_have_the_escapes_too() -> None:
    assert go_json.encode({"b": ">", "a": 1}, is_sorted=True, is_line=True) == b'{"a":1,"b":"\\u003e"}\n'
    assert go_json.encode({"b": ">"}, indented=True) == b'{\n  "b": "\\u003e"\n}'
    assert go_json.encode_text(">") == go_json.escaped_text('">"') == r'"\u003e"'


def test_numbers_for_people_are_spelt_as_go_spells_them() -> None:
    numbers = [1e6, 1e20, 1e21, -1e-6, 1.5e-7, 0.5, 2.0, 7, True]
    assert go_json.sorted_text(numbers) == (
        "[1000000,100000000000000000000,1e+21,-0.000001,1.5e-7,0.5,2,7,true]"
    )
    assert go_json.indented_text({"b": [1.0], "a": " x"}, 4) == (
        '{\n    "a": " x",\n    "b": [\n        1\n    ]\n}'
    )


def test_whole_floats_are_integers_once_they_were_written() -> None:
    assert repr(go_json.read_as_go([1e6, 1.5, 1 << 64])) == "[1000000.0, 1.5, 1.8446744073709552e+19]"
    assert repr(go_json.read_as_go({"a": 1e6, "b": 1e20}, again=True)) == "{'a': 1000000, 'b': 1e+20}"


def test_a_text_without_such_characters_is_not_copied() -> None:
    data = b'{"a":"b"}'
    assert go_json.escaped(data) is data

"""The body of a server-side apply is YAML, of which JSON is a part, but for a few characters."""

from typing import Any

import pytest

from dray.api import errors
from dray.apiserver.http.body import configuration


def data(value: str) -> bytes:
    return b'{"data":{"a":%s}}' % value.encode()


def refusal(body: bytes) -> str:
    with pytest.raises(errors.BadRequest) as refused:
        configuration(body)
    return refused.value.message.removeprefix("error decoding YAML: ")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (r'"\ud83d\ude00"', "found invalid Unicode character escape code"),
        (r'"\ud800"', "found invalid Unicode character escape code"),
        (r'"\/"', "found unknown escape character"),
        ('"\x7f"', "control characters are not allowed"),
    ],
)
def test_what_json_may_say_and_yaml_may_not_is_refused(value: str, why: str) -> None:
    assert refusal(data(value)) == f"error converting YAML to JSON: yaml: {why}"


@pytest.mark.parametrize("value", [r'"a\\ud83d"', r'"\\/"', r'"A\b\n"', '"\U0001f600"'])
def test_what_means_the_same_in_both_is_read(value: str) -> None:
    assert configuration(data(value)).tree == {"data": {"a": eval(value)}}


@pytest.mark.parametrize(
    ("number", "meaning"),
    [
        ("1.0", 1),
        ("1e3", 1000),
        ("-0.0", 0),
        ("1.5", 1.5),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", 2.0**63),
        ("1e20", 1e20),
    ],
)
def test_numbers_are_whole_where_they_can_be(number: str, meaning: Any) -> None:
    for body in (data(number), b"data:\n  a: %s\n" % number.encode()):
        found = configuration(body).tree["data"]["a"]
        assert (found, found.__class__) == (meaning, meaning.__class__)


def test_a_member_given_twice_is_a_complaint_and_the_last_one_counts() -> None:
    body = configuration(b'{"data":{"a":"1","a":"2"}}')
    assert body.tree == {"data": {"a": "2"}}
    assert body.complaints == ('yaml: unmarshal errors:\n  line 1: key "a" already set in map',)


@pytest.mark.parametrize(("body", "type_"), [(b"[]", "array"), (b"5", "number"), (b"x", "string")])
def test_what_is_no_object_is_refused(body: bytes, type_: str) -> None:
    why = f"json: cannot unmarshal {type_} into Go value of type map[string]interface {{}}"
    assert refusal(body) == f"error unmarshaling JSON: while decoding JSON: {why}"


def test_nothing_is_no_object_yet() -> None:
    assert configuration(b"").tree is configuration(b"null").tree is None

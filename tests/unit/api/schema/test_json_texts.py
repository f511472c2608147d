"""Odd bytes and odd numbers in JSON texts, read as kube-apiserver 1.36.2 reads them."""

import contextlib

import orjson
import pytest

from dray.api.schema.json_syntax import syntax_error
from dray.api.schema.json_text import (
    JsonError,
    Number,
    as_untyped,
    first_infinite,
    mend,
    number_of,
    read,
    read_spelled,
    writable,
)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (b'{"a":"q\xff"}', "q\ufffd"),
        (b'{"a":"\xe2\x82"}', "\ufffd\ufffd"),
        (b'{"a":"\xed\xa0\x80"}', "\ufffd\ufffd\ufffd"),
        (rb'{"a":"\ud800"}', "\ufffd"),
        (rb'{"a":"\udc00\ud800"}', "\ufffd\ufffd"),
        (rb'{"a":"\ud800\ud83d\ude00"}', "\ufffd\U0001f600"),
        (rb'{"a":"\\ud800"}', r"\ud800"),
    ],
)
def test_bytes_that_are_no_utf_8_and_halves_of_pairs_become_replacement_characters(
    text: bytes, meaning: str
) -> None:
    assert read(text).value == read_spelled(text).value == {"a": meaning}


def test_what_says_the_value_is_the_mended_text() -> None:
    assert read(b'"\xff"').text == '"\ufffd"'.encode()
    assert mend(rb'"\ud83d\ude00"') == rb'"\ud83d\ude00"'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"\xef\xbb\xbf{}", "invalid character 'ï' looking for beginning of value"),
        ("{}".encode("utf-16-le"), r"invalid character '\x00' looking for beginning of object key string"),
        (b"{}\x00", r"invalid character '\x00' after top-level value"),
        (b'{"a":NaN}', "invalid character 'N' looking for beginning of value"),
        (b"[-Infinity]", "invalid character 'I' in numeric literal"),
        (b"{\x81", r"invalid character '\u0081' looking for beginning of object key string"),
        ("é".encode(), "invalid character 'Ã' looking for beginning of value"),
        (b'"a\xff\n"', r"invalid character '\n' in string literal"),
    ],
)
def test_what_is_no_json_is_refused(text: bytes, fault: str) -> None:
    for reader in (read, read_spelled):
        with pytest.raises(JsonError) as refused:
            reader(text)
        assert str(refused.value) == fault


def test_a_later_encoding_json_shows_a_byte_that_is_no_character() -> None:
    assert (
        syntax_error(b"{\x81", is_newer=True)
        == r"invalid character '\x81' looking for beginning of object key string"
    )
    assert (
        syntax_error(b"{\x7f", is_newer=True)
        == r"invalid character '\x7f' looking for beginning of object key string"
    )


@pytest.mark.parametrize("number", ["1e309", "-1e400", "1e1000000000", "9" * 400, "9" * 5000])
def test_a_number_beyond_all_floats_is_kept_as_it_was_written(number: str) -> None:
    found = read(b'{"a":[0,%s]}' % number.encode())
    assert found.value == {"a": [0, number]}
    assert found.has_numbers
    assert first_infinite(found.value) == number
    with pytest.raises(OverflowError):
        number_of(number)


@pytest.mark.parametrize(
    "number",
    ["-0", "1.0", "1e3", "-0.0", "0.10", "1E+2", "9223372036854775808", "100000000000000000000", "1e400"],
)
def test_the_spelling_of_a_number_is_kept_where_it_is_asked_for(number: str) -> None:
    for blank in (b"", b" ", b"\n"):
        found = read_spelled(b'{"a":' + blank + number.encode() + b"}")
        assert found.has_numbers
        assert found.value["a"].__class__ is Number
        assert found.value == {"a": number}


def test_texts_that_only_look_like_numbers_are_strings() -> None:
    text = b'{"ip":"10.0.0.1","uid":"1e2f-0000","at":"2026-11-30T10:00:00.5Z","n":[1,-7,"-0"]}'
    found = read_spelled(text)
    assert not found.has_numbers
    assert found.value == {
        "ip": "10.0.0.1",
        "uid": "1e2f-0000",
        "at": "2026-11-30T10:00:00.5Z",
        "n": [1, -7, "-0"],
    }


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("1.0", 1.0),
        ("-0", 0),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", 2.0**63),
        ("1e3", 1000.0),
    ],
)
def test_without_a_type_a_number_has_64_bits_and_a_sign_or_is_a_float(number: str, value: float) -> None:
    (untyped,) = as_untyped({"a": [Number(number)]})["a"]
    assert (untyped, untyped.__class__) == (value, value.__class__)


def test_numbers_are_written_as_they_were() -> None:
    assert orjson.dumps(writable({"a": [Number("1.50"), 2]})) == b'{"a":[1.50,2]}'


@pytest.mark.parametrize(
    "text", [b"[" * 900 + b"1.0" + b"]" * 900, b"[" * 5000 + b"]" * 5000, b"[" * 100_000]
)
def test_deep_texts_are_read_or_refused(text: bytes) -> None:
    for reader in (read, read_spelled):
        with contextlib.suppress(JsonError):
            reader(text)

"""Bytes that no YAML may consist of are refused in libyaml's words."""

import pytest

from dray.api.schema.yaml_bytes import fault
from dray.api.schema.yaml_text import BadYaml, from_yaml


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a: q\xff", "invalid leading UTF-8 octet"),
        (b"a: \x80", "invalid leading UTF-8 octet"),
        (b"a: \xc3", "incomplete UTF-8 octet sequence"),
        (b"a: \xe2\x82", "incomplete UTF-8 octet sequence"),
        (b"a: \xe2\x82\n ", "invalid trailing UTF-8 octet"),
        (b"a: \xc0\x80", "invalid length of a UTF-8 sequence"),
        (b"a: \xed\xa0\x80", "invalid Unicode character"),
        (b"a: \xf5\x80\x80\x80", "invalid Unicode character"),
        (b"a: \x00", "control characters are not allowed"),
        (b"a: \x7f", "control characters are not allowed"),
        (b"a: \x00\xff", "control characters are not allowed"),
        (b"a: \xef\xbf\xbe", "control characters are not allowed"),
        (b"a: x", ""),
        ("a: \x85é\U0001f600".encode(), ""),
    ],
)
def test_the_first_bad_bytes_are_named(data: bytes, why: str) -> None:
    assert fault(data) == why
    if why:
        with pytest.raises(BadYaml, match=f"^yaml: {why}$"):
            from_yaml(data)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (r'"\/"', ""),
        ('a: é\nb: "x"\nc: "\\\\\\/"', "line 3: "),
        ('a: "x\n  y\n  \\/"', "line 3: "),
        ('"\\/": 1', ""),
    ],
)
def test_a_slash_has_no_escape(text: str, line: str) -> None:
    with pytest.raises(BadYaml, match=f"^yaml: {line}found unknown escape character$"):
        from_yaml(text.encode())


def test_a_backslash_before_a_slash_is_one_elsewhere() -> None:
    assert from_yaml(rb"""{a: '\/', b: \/, c: "\\/", d: "/"}""") == {
        "a": r"\/",
        "b": r"\/",
        "c": r"\/",
        "d": "/",
    }

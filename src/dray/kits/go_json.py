"""JSON in the spelling of Go's encoder, which escapes what a browser could take for HTML or for the end of a line."""

from typing import Any, Final

import orjson

_ESCAPED: Final = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_TABLE: Final = str.maketrans(_ESCAPED)
_ESCAPED_BYTES: Final = tuple((char.encode(), escape.encode()) for char, escape in _ESCAPED.items())


def encode(value: Any, *, is_sorted: bool = False, is_line: bool = False, indented: bool = False) -> bytes:
    """`is_sorted`: by key; `is_line`: ends with a line break; `indented`: for people, by two spaces."""
    option = (
        (orjson.OPT_SORT_KEYS if is_sorted else 0)
        | (orjson.OPT_APPEND_NEWLINE if is_line else 0)
        | (orjson.OPT_INDENT_2 if indented else 0)
    )
    return escaped(orjson.dumps(value, option=option))


def encode_text(value: Any, *, is_sorted: bool = False) -> str:
    return encode(value, is_sorted=is_sorted).decode()


def escaped(data: bytes) -> bytes:
    """A JSON text with the escapes: nothing but strings has these characters, so they need not be looked for."""
    for char, escape in _ESCAPED_BYTES:
        if char in data:
            data = data.replace(char, escape)
    return data


def escaped_text(text: str) -> str:
    """As `escaped`."""
    return text.translate(_TABLE)

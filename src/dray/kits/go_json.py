"""JSON in the spelling of Go's encoder, which escapes what a browser could take for HTML or for the end of a line."""

import decimal
import re
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
_INDENT: Final = re.compile(r"^ +", re.MULTILINE)
_MARKED: Final = re.compile(r'"\\u0000([^"\\]*)\\u0000"')
_INTEGERS: Final = 2**63
_SMALLEST_PLAIN: Final = 1e-6
_LARGEST_PLAIN: Final = 1e21
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


def indented_text(value: Any, width: int) -> str:
    """For people, sorted by key, each level by `width` blanks (even)."""
    text = encode(_floats_marked(value), is_sorted=True, indented=True).decode()
    return _unmarked(text if width == 2 else _INDENT.sub(lambda match: match[0] * (width // 2), text))


def sorted_text(value: Any) -> str:
    """In one line, by key, its numbers as Go spells them."""
    return _unmarked(encode_text(_floats_marked(value), is_sorted=True))


def number_text(value: float) -> str:
    """Go writes floats without an exponent wherever that is not absurd."""
    size = abs(value)
    if size and not _SMALLEST_PLAIN <= size < _LARGEST_PLAIN:
        return repr(value).replace("e-0", "e-")
    return f"{decimal.Decimal(repr(value)).normalize():f}"


def read_as_go(value: Any, *, again: bool = False) -> Any:
    """The numbers of a JSON text as Go has them: too large an integer is a float.

    `again`: Go has written and read it once more, whereby whole floats have become integers.
    """
    if isinstance(value, dict):
        return {key: read_as_go(each, again=again) for key, each in value.items()}
    if isinstance(value, list):
        return [read_as_go(each, again=again) for each in value]
    if isinstance(value, int) and not -_INTEGERS <= value < _INTEGERS:
        return float(value)
    is_whole = isinstance(value, float) and value.is_integer() and -_INTEGERS <= value < _INTEGERS
    return int(number_text(value)) if again and is_whole else value


def _floats_marked(value: Any) -> Any:
    """Floats as strings that no document has, for the encoder has a spelling of its own."""
    if isinstance(value, dict):
        return {key: _floats_marked(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_floats_marked(each) for each in value]
    return f"\0{number_text(value)}\0" if isinstance(value, float) else value


def _unmarked(text: str) -> str:
    return _MARKED.sub(r"\1", text)


def escaped(data: bytes) -> bytes:
    """A JSON text with the escapes: nothing but strings has these characters, so they need not be looked for."""
    for char, escape in _ESCAPED_BYTES:
        if char in data:
            data = data.replace(char, escape)
    return data


def escaped_text(text: str) -> str:
    """As `escaped`."""
    return text.translate(_TABLE)

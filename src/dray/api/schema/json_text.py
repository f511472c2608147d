"""Reads JSON texts as Go does: what is no UTF-8, and half a surrogate pair, becomes U+FFFD, and no number is too large.

A number that a float would not keep as it is written is a `Number`, for those who look at it as text.
"""

import codecs
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from dray.api.schema.json_syntax import TOO_DEEP, syntax_error

_ESCAPE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_ESCAPES: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair
    rb"|\\(?:u[0-9a-fA-F]{4}|.)",
    re.DOTALL,
)
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}\Z")
_SURELY_SMALL: Final = 19
"""Digits of a number that 64 bits hold, sign included."""
_LARGE: Final = 10 ** (_SURELY_SMALL - 2)
_MINUS_ZEROS: Final = tuple(before + b"-0" for before in (b":", b",", b"[", b" ", b"\t", b"\n", b"\r"))
"""How a zero with a sign stands in a text, of which none is left in a value; it may as well be in a string."""

_Reader = Callable[[str], Any]
"""Of a number, from what is written."""


class JsonError(ValueError):
    """The text is no JSON; `str()` is Go's text."""


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()

    @property
    def is_infinite(self) -> bool:
        """Whether no float holds it."""
        return math.isinf(float(self))


class Text(NamedTuple):
    value: Any
    text: bytes
    """What says the value: as it came, unless it had to be mended."""
    has_numbers: bool = False
    """Whether there is a `Number` in the value."""


def read(data: bytes) -> Text:
    """A number beyond all floats is a `Number`. Raises JsonError."""
    try:
        return Text(orjson.loads(data), data)
    except orjson.JSONDecodeError:
        return _mended(data, _integer, _float)


def read_spelled(data: bytes) -> Text:
    """Each number that would change if it were read and written is a `Number`. Raises JsonError."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    else:
        if not _may_change(value) and not any(zero in data for zero in _MINUS_ZEROS):
            return Text(value, data)
    return _mended(data, _spelled_integer, Number)


def _may_change(value: Any) -> bool:
    """Whether there is a number in `value` that may have been written in another way, but for a zero with a sign."""
    left = [value]
    while left:
        item = left.pop()
        if item.__class__ is dict:
            left += item.values()
        elif item.__class__ is list:
            left += item
        elif item.__class__ is float or (item.__class__ is int and abs(item) >= _LARGE):
            return True
    return False


def _mended(data: bytes, integer: _Reader, real: _Reader) -> Text:
    text = mend(data)
    has_numbers = False

    def noted(read_number: _Reader) -> _Reader:
        def read_noted(digits: str) -> Any:
            nonlocal has_numbers
            number = read_number(digits)
            has_numbers = has_numbers or number.__class__ is Number
            return number

        return read_noted

    try:
        # Of a text, not of bytes: those might be UTF-16 to Python.
        value = json.loads(
            text.decode(), parse_int=noted(integer), parse_float=noted(real), parse_constant=_refuse
        )
    except RecursionError:
        raise JsonError(TOO_DEEP) from None
    except ValueError:
        raise JsonError(syntax_error(data)) from None
    return Text(value, text, has_numbers)


def _refuse(word: str) -> Any:
    raise ValueError(word)


def mend(data: bytes) -> bytes:
    """The text with U+FFFD for each byte that is no UTF-8, and for each half of a surrogate pair."""
    try:
        data.decode()
    except UnicodeDecodeError:
        data = data.decode("utf-8", _ONE_BYTE_A_TIME).encode()
    return _ESCAPES.sub(_whole_escape, data) if _ESCAPE.search(data) else data


def _whole_escape(found: re.Match[bytes]) -> bytes:
    escape = found.group()
    return b"\\ufffd" if len(escape) == 6 and _HALF.match(escape) else escape


def _replace_one_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd", error.start + 1


_ONE_BYTE_A_TIME: Final = "dray.api.schema.json_text"
codecs.register_error(_ONE_BYTE_A_TIME, _replace_one_byte)


def _integer(digits: str) -> Any:
    if len(digits) < _SURELY_SMALL:
        return int(digits)
    number = float(digits)
    if math.isinf(number):
        return Number(digits)
    whole = int(number) if abs(number) > 2.0**65 else int(digits)
    return whole if -(2**63) <= whole < 2**64 else number


def _float(text: str) -> Any:
    number = float(text)
    return Number(text) if math.isinf(number) else number


def _spelled_integer(digits: str) -> Any:
    return int(digits) if len(digits) < _SURELY_SMALL and digits != "-0" else Number(digits)


def first_infinite(value: Any) -> Number | None:
    """The first number in `value` that no float holds."""
    if isinstance(value, Number):
        return value if value.is_infinite else None
    inside: Iterable[Any] = ()
    if isinstance(value, Mapping):
        inside = value.values()
    elif isinstance(value, list):
        inside = value
    return next((found for item in inside if (found := first_infinite(item)) is not None), None)


def as_untyped(value: Any) -> Any:
    """`value`, new, with its Numbers as Go reads them where it knows no type: of 64 bits with a sign, or floats."""
    if isinstance(value, Number):
        number = number_of(value)
        return number if isinstance(number, float) or -(2**63) <= number < 2**63 else float(number)
    if isinstance(value, Mapping):
        return {key: as_untyped(item) for key, item in value.items()}
    return [as_untyped(item) for item in value] if isinstance(value, list) else value


def number_of(text: str) -> int | float:
    """Raises OverflowError for a number beyond all floats."""
    if text.lstrip("-").isdigit():
        found = _integer(text)
    else:
        found = _float(text)
    if isinstance(found, Number):
        raise OverflowError(text)
    return found  # type: ignore[no-any-return]


def writable(value: Any) -> Any:
    """`value` so that orjson writes its Numbers as they were written."""
    if isinstance(value, Number):
        return orjson.Fragment(str(value))
    if isinstance(value, Mapping):
        return {key: writable(item) for key, item in value.items()}
    return [writable(item) for item in value] if isinstance(value, list) else value

"""Reads one scalar as Go's types read it: ranges, quantities, timestamps, int-or-string, base64; and opaque JSON.

A reader takes a JSON value and gives its canonical form. It refuses with `WrongType` where Go says `cannot unmarshal`,
and with `BadScalar` where the type's own parser speaks. Knows nothing of fields or paths.
"""

import base64
import binascii
import datetime as dt
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from dray.api.fields import quote
from dray.api.meta import format_micro_time, format_time
from dray.api.quantity import InvalidQuantity, Quantity, parse_quantity
from dray.api.schema.go_text import json_number


class WrongType(ValueError):
    """The JSON value cannot become this type; `go_type` and `aborts` where they differ from the field's own."""

    def __init__(self, go_type: str = "", *, aborts: bool = False) -> None:
        super().__init__(go_type)
        self.go_type = go_type
        self.aborts = aborts


class BadScalar(ValueError):
    """The right JSON type, but its parser refused; `str()` is the parser's text."""

    def __init__(self, text: str, *, aborts: bool = True) -> None:
        super().__init__(text)
        self.aborts = aborts


Reader = Callable[[Any], Any]

_INT32 = (-(2**31), 2**31 - 1)
_INT64 = (-(2**63), 2**63 - 1)
_RFC3339: Final = "2006-01-02T15:04:05Z07:00"
_RFC3339_MICRO: Final = "2006-01-02T15:04:05.000000Z07:00"
_BASE64 = re.compile(r"[A-Za-z0-9+/]*")


def read_string(value: Any) -> str:
    if value.__class__ is not str:
        raise WrongType
    return value


def read_bool(value: Any) -> bool:
    if value.__class__ is not bool:
        raise WrongType
    return value


def read_int32(value: Any) -> int:
    if value.__class__ is not int or not _INT32[0] <= value <= _INT32[1]:
        raise WrongType
    return value


def read_int64(value: Any) -> int:
    if value.__class__ is not int or not _INT64[0] <= value <= _INT64[1]:
        raise WrongType
    return value


def read_float(value: Any) -> float:
    if value.__class__ is not float and value.__class__ is not int:
        raise WrongType
    return value


def read_bytes(value: Any) -> str:
    """Base64, kept as text. Go ignores line breaks inside."""
    if value.__class__ is not str:
        raise WrongType
    text = value.replace("\n", "").replace("\r", "")
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadScalar(f"illegal base64 data at input byte {_base64_fault(text)}", aborts=False) from None
    return text


def _base64_fault(text: str) -> int:
    matched = _BASE64.match(text)
    end = matched.end() if matched else 0
    return end if end < len(text) else len(text) // 4 * 4


def read_quantity(value: Any) -> str:
    if value.__class__ is str:
        value = value.strip()
    elif isinstance(value, list | dict):
        value = ""
    elif value.__class__ is float:
        value = json_number(value)
    try:
        return str(parse_quantity(value))
    except InvalidQuantity as error:
        raise BadScalar(str(error)) from None


def read_resource(value: Any) -> str:
    """An amount of a resource: what is finer than a thousandth is rounded up."""
    text = read_quantity(value)
    if not text.endswith(("n", "u")) and "e" not in text:
        return text
    exact = parse_quantity(text)
    return (
        str(Quantity(exact.milli_value(), -3, exact.format)) if exact.nanos % _NANOS_OF_A_THOUSANDTH else text
    )


_NANOS_OF_A_THOUSANDTH: Final = 10**6


def read_int_or_string(value: Any) -> int | str:
    if value.__class__ is str:
        return value
    if value.__class__ is not int or not _INT32[0] <= value <= _INT32[1]:
        raise WrongType("int32", aborts=True)
    return value


def read_time(value: Any) -> str | None:
    """Whole seconds in UTC; the zero time reads as null."""
    if value.__class__ is not str:
        raise WrongType("string", aborts=True)
    return _time_text(value) if len(value) <= _LONGEST_KEPT else _read_time_text(value)


_LONGEST_KEPT = 64
"""Characters of a text whose meaning is remembered."""


def _read_time_text(text: str) -> str | None:
    moment = _parse(text, _RFC3339)
    return None if moment is None else format_time(moment)


_time_text = functools.lru_cache(maxsize=8192)(_read_time_text)


def read_micro_time(value: Any) -> str | None:
    """Six fractional digits, neither more nor fewer, in UTC."""
    if value.__class__ is not str:
        raise WrongType("string", aborts=True)
    moment = _parse(value, _RFC3339_MICRO)
    return None if moment is None else format_micro_time(moment)


_STEPS = (
    (re.compile(r"\d{4}"), "2006"),
    (re.compile(r"-"), "-"),
    (re.compile(r"\d{2}"), "01"),
    (re.compile(r"-"), "-"),
    (re.compile(r"\d{2}"), "02"),
    (re.compile(r"T"), "T"),
    (re.compile(r"\d{1,2}"), "15"),
    (re.compile(r":"), ":"),
    (re.compile(r"\d{2}"), "04"),
    (re.compile(r":"), ":"),
    (re.compile(r"\d{2}"), "05"),
)
_ZONE = re.compile(r"Z|([+-])(\d{2}):(\d{2})")
_FRACTION = re.compile(r"[.,]\d+")
_MICROSECONDS = re.compile(r"[.,]\d{6}")


def _parse(text: str, layout: str) -> dt.datetime | None:
    """As Go's time.Parse with that layout; None for the zero time."""
    rest = text
    parts: list[str] = []
    for pattern, element in _STEPS:
        rest = _take(pattern, element, rest, text, layout, parts)
    micros = 0
    if layout == _RFC3339_MICRO:
        rest = _take(_MICROSECONDS, ".000000", rest, text, layout, parts)
        micros = int(parts.pop()[1:])
    elif fraction := _FRACTION.match(rest):
        rest = rest[fraction.end() :]
    rest = _take(_ZONE, "Z07:00", rest, text, layout, parts)
    if rest:
        raise BadScalar(f"parsing time {quote(text)}: extra text: {quote(rest)}")
    zone = parts.pop()
    clock = "".join(parts)
    moment = _check_moment(clock, text, layout)
    if zone != "Z":
        offset = dt.timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
        try:
            moment = moment - offset if zone[0] == "+" else moment + offset
        except OverflowError:
            return None
    moment = moment.replace(microsecond=micros)
    return None if moment == dt.datetime(1, 1, 1, tzinfo=dt.UTC) else moment


def _take(pattern: re.Pattern[str], element: str, rest: str, text: str, layout: str, parts: list[str]) -> str:
    matched = pattern.match(rest)
    if matched is None:
        _check_parts(parts, text)
        raise BadScalar(
            f"parsing time {quote(text)} as {quote(layout)}: cannot parse {quote(rest)} as {quote(element)}"
        )
    parts.append(matched.group())
    return rest[matched.end() :]


def _check_parts(parts: list[str], text: str) -> None:
    """What was read before the text became unreadable is judged first."""
    numbers = [int(part) for part in parts[::2] if part.isdigit()]
    names = ("year", "month", "day", "hour", "minute", "second")
    bounds = ((0, 9999), (1, 12), (1, 31), (0, 23), (0, 59), (0, 59))
    for name, (low, high), number in zip(names, bounds, numbers, strict=False):
        if not low <= number <= high:
            raise BadScalar(f"parsing time {quote(text)}: {name} out of range")


def _check_moment(clock: str, text: str, layout: str) -> dt.datetime:
    year, month, day = int(clock[:4]), int(clock[5:7]), int(clock[8:10])
    hour, minute, second = (int(part) for part in clock[11:].rstrip("Z").split(":"))
    for name, value, top in (("hour", hour, 23), ("minute", minute, 59), ("second", second, 59)):
        if value > top:
            raise BadScalar(f"parsing time {quote(text)}: {name} out of range")
    if not 1 <= month <= 12:
        raise BadScalar(f"parsing time {quote(text)}: month out of range")
    try:
        return dt.datetime(max(year, 1), month, day, hour, minute, second, tzinfo=dt.UTC)
    except ValueError:
        raise BadScalar(f"parsing time {quote(text)}: day out of range") from None


MAX_DEPTH: Final = 200
"""Of opaque JSON. Upstream allows more, but what is deeper could neither be written nor compared here."""


def read_any(value: Any) -> Any:
    """Opaque JSON, as it came."""
    if value.__class__ in (dict, list) and _is_deeper(value, MAX_DEPTH):
        raise BadScalar("exceeded max depth")
    return value


def _is_deeper(value: Any, limit: int) -> bool:
    inner = value.values() if value.__class__ is dict else value
    return limit == 0 or any(
        _is_deeper(item, limit - 1) for item in inner if item and item.__class__ in (dict, list)
    )


READERS: Mapping[str, Reader] = {
    "string": read_string,
    "int32": read_int32,
    "int64": read_int64,
    "bool": read_bool,
    "float64": read_float,
    "bytes": read_bytes,
    "quantity": read_quantity,
    "time": read_time,
    "microTime": read_micro_time,
    "intOrString": read_int_or_string,
    "": read_any,
}

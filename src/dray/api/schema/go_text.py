"""Prints JSON values as Go's fmt does, for the error texts that embed them."""

import decimal
from collections.abc import Mapping
from typing import Any, Final

from dray.api.fields import quote
from dray.api.schema.json_text import Number, number_of
from dray.kits.go_json import number_text


class GoValue:
    """A value of Go that is none of JSON, as it is printed."""

    __slots__ = ("plain", "type", "typed")

    def __init__(self, type: str, typed: str, plain: str = "") -> None:
        self.type = type
        self.typed = typed
        self.plain = plain or typed


def show(value: Any) -> str:
    """`%v`: `map[image:q]`, `[a b]`, `<nil>`."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Number):
        return show(number_of(value))
    if isinstance(value, GoValue):
        return value.plain
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{show(item)}' for key, item in sorted(value.items()))}]"
    if isinstance(value, list):
        return f"[{' '.join(show(item) for item in value)}]"
    return _number(value) if isinstance(value, float) else str(value)


def show_typed(value: Any) -> str:
    """`%#v`: strings quoted, containers with their Go types."""
    if value is None:
        return "interface {}(nil)"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, Mapping):
        members = ", ".join(f"{quote(key)}:{show_typed(item)}" for key, item in sorted(value.items()))
        return f"map[string]interface {{}}{{{members}}}"
    if isinstance(value, list):
        return f"[]interface {{}}{{{', '.join(show_typed(item) for item in value)}}}"
    return value.typed if isinstance(value, GoValue) else show(value)


def type_name(value: Any) -> str:
    """`%T` of a value that came out of JSON."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, Number):
        return type_name(number_of(value))
    if isinstance(value, GoValue):
        return value.type
    if isinstance(value, int):
        return "int64"
    if isinstance(value, float):
        return "float64"
    if isinstance(value, str):
        return "string"
    return "map[string]interface {}" if isinstance(value, Mapping) else "[]interface {}"


def kind_name(value: Any) -> str:
    """The reflect.Kind of such a value: `map`, `slice`, `int64`."""
    name = type_name(value)
    return {"map[string]interface {}": "map", "[]interface {}": "slice"}.get(name, name)


def json_number(value: str | float) -> str:
    """A number as Go's JSON encoder writes it; text as it is."""
    return number_text(value) if isinstance(value, float) else str(value)


def reread(value: float) -> int | float:
    """A float as it is read again after Go wrote it as JSON: a whole number where 64 bits with a sign hold one."""
    if not value.is_integer() or abs(value) > _INT64:
        return value
    whole = int(json_number(value))
    return whole if -_INT64 <= whole < _INT64 else value


_INT64: Final = 2**63

LARGEST_PLAIN: Final = 1e6
SMALLEST_PLAIN: Final = 1e-4


def _number(value: float) -> str:
    if value.is_integer() and abs(value) < LARGEST_PLAIN:
        return f"{value:.0f}"
    if value and not SMALLEST_PLAIN <= abs(value) < LARGEST_PLAIN:
        return _scientific(value)
    return repr(value)


def _scientific(value: float) -> str:
    """As few digits as tell the number from its neighbours, one of them before the point."""
    sign, digits, exponent = decimal.Decimal(repr(value)).normalize().as_tuple()
    mantissa = "".join(map(str, digits))
    point = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
    return f"{'-' * sign}{mantissa[0]}{point}e{int(exponent) + len(mantissa) - 1:+03d}"

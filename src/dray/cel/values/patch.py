"""What a mutating admission policy makes: parts of an object, and operations of a JSON patch.

A part is written `Object.spec.template{...}`: its name is the path of fields that leads to it. Source: kubernetes
apiserver/pkg/cel/mutation, 1.36.
"""

import base64
import decimal
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dray.api.fields import quote
from dray.api.schema.go_text import GoValue
from dray.cel.values.container import BoolKey
from dray.cel.values.named import TypeValue
from dray.cel.values.optional import Optional
from dray.cel.values.time import Duration, Timestamp
from dray.cel.values.uint import Uint

OBJECT: Final = "Object"
JSON_PATCH: Final = "JSONPatch"


def is_of_patches(name: str) -> bool:
    """Whether a type of this name is one that patches are made of."""
    return name in (JSON_PATCH, OBJECT) or name.startswith(f"{OBJECT}.")


class Part:
    """An object or a part of one, of the fields that the expression sets."""

    __slots__ = ("fields", "name")

    def __init__(self, name: str, fields: Mapping[str, Any]) -> None:
        self.name = name
        """`Object`, `Object.spec`, ..."""
        self.fields = fields

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Part):
            return NotImplemented
        return (self.name, self.fields) == (other.name, other.fields)

    __hash__ = None  # type: ignore[assignment]


class PatchOperation(dict[str, Any]):
    """`JSONPatch{op: ..., path: ..., from: ..., value: ...}`, of the members that were given."""

    __slots__ = ()


def misnamed(part: Part) -> list[str]:
    """What is wrong with the names of a part and of those in it: they are to follow the fields."""
    return list(_misnamed(part, part.name))


def _misnamed(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Part):
        if value.name != path:
            yield (
                f"unexpected type name {quote(value.name)}, expected {quote(path)}, "
                "which matches field name path from root Object type"
            )
        for name, item in value.fields.items():
            yield from _misnamed(item, f"{path}.{name}")
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _misnamed(item, path)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for item in value:
            yield from _misnamed(item, path)


class NoJson(Exception):
    """A value has no form in JSON; `str()` says why."""


def configuration_of(value: Any) -> Any:
    """A part as the configuration that is to be applied; values without a form in JSON are GoValues. Raises NoJson."""
    match value:
        case Part():
            return {name: configuration_of(item) for name, item in value.fields.items()}
        case Optional() if value.present:
            return configuration_of(value.value)
        case TypeValue():
            return value.name
        case Uint():
            return GoValue("uint64", f"{int(value):#x}", str(int(value)))
        case float() if not math.isfinite(value):
            return GoValue("float64", {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN"))
        case str() | bool() | int() | float():
            return value
        case list():
            return [configuration_of(item) for item in value]
        case dict():
            return {_text(key): configuration_of(item) for key, item in value.items()}
    return _go_value(value)


def _go_value(value: Any) -> GoValue:
    match value:
        case None:
            return GoValue("structpb.NullValue", "0", "NULL_VALUE")
        case bytes():
            return GoValue("[]uint8", f"[]uint8{{{', '.join(f'{byte:#x}' for byte in value)}}}")
        case Duration():
            return GoValue("time.Duration", str(value.nanos))
        case Timestamp():
            return GoValue("time.Time", str(value))
    return GoValue(type(value).__name__, str(value))


def json_of(value: Any) -> Any:
    """The value of an operation, as protobuf writes it in JSON: whole numbers that no double holds are texts. Raises NoJson."""
    match value:
        case Part():
            return {name: json_of(item) for name, item in value.fields.items()}
        case Optional() if value.present:
            return json_of(value.value)
        case None | bool() | str():
            return value
        case bytes():
            return base64.b64encode(value).decode()
        case Timestamp():
            return str(value)
        case Duration():
            return f"{decimal.Decimal(value.nanos).scaleb(-9).normalize():f}s"
        case int():
            return int(value) if abs(value) <= MAX_EXACT else str(int(value))
        case float() if math.isfinite(value):
            return int(value) if value.is_integer() and abs(value) <= MAX_EXACT else value
        case list():
            return [json_of(item) for item in value]
        case dict():
            return {_text(key): json_of(item) for key, item in value.items()}
        case TypeValue():
            raise NoJson("type conversion not supported for 'type'")
    raise NoJson(f"type conversion error from '{type(value).__name__}' to '*structpb.Value'")


def _text(key: Any) -> str:
    if not isinstance(key, str):
        shown = "bool" if isinstance(key, BoolKey) else type(key).__name__.lower()
        raise NoJson(f"unsupported type conversion from '{shown}' to string")
    return key


MAX_EXACT: Final = 2**53
"""What a double still counts one by one."""

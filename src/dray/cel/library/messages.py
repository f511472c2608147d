"""The protobuf messages an expression may construct by name, such as `google.protobuf.Timestamp{seconds: 1}`.

All of them stand for values of CEL's own types, so constructing one gives such a value.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dray.cel.errors import EvalFailure
from dray.cel.types import (
    ANY,
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    LIST_DYN,
    MAP_STRING_DYN,
    NULL,
    STRING,
    UINT,
    CelType,
)
from dray.cel.values.kind import type_name
from dray.cel.values.number import MAX_INT, MIN_INT
from dray.cel.values.time import SECOND, Duration, Timestamp
from dray.cel.values.uint import Uint

_PREFIX = "google.protobuf."
_INT32 = 2**31
_INSTANT = {"seconds": INT, "nanos": INT}

FIELDS: dict[str, dict[str, CelType]] = {
    f"{_PREFIX}Any": {"type_url": STRING, "value": BYTES},
    f"{_PREFIX}BoolValue": {"value": BOOL},
    f"{_PREFIX}BytesValue": {"value": BYTES},
    f"{_PREFIX}DoubleValue": {"value": DOUBLE},
    f"{_PREFIX}Duration": _INSTANT,
    f"{_PREFIX}FloatValue": {"value": DOUBLE},
    f"{_PREFIX}Int32Value": {"value": INT},
    f"{_PREFIX}Int64Value": {"value": INT},
    f"{_PREFIX}ListValue": {"values": LIST_DYN},
    f"{_PREFIX}StringValue": {"value": STRING},
    f"{_PREFIX}Struct": {"fields": MAP_STRING_DYN},
    f"{_PREFIX}Timestamp": _INSTANT,
    f"{_PREFIX}UInt32Value": {"value": UINT},
    f"{_PREFIX}UInt64Value": {"value": UINT},
    f"{_PREFIX}Value": {
        "null_value": NULL,
        "number_value": DOUBLE,
        "string_value": STRING,
        "bool_value": BOOL,
        "struct_value": MAP_STRING_DYN,
        "list_value": LIST_DYN,
    },
}
"""The fields of the well-known messages."""

_ZERO: dict[str, Any] = {
    "BoolValue": False,
    "BytesValue": b"",
    "DoubleValue": 0.0,
    "FloatValue": 0.0,
    "Int32Value": 0,
    "Int64Value": 0,
    "StringValue": "",
    "UInt32Value": Uint(0),
    "UInt64Value": Uint(0),
}


def construct(name: str, fields: Mapping[str, Any]) -> Any:
    """The value that a message with these fields stands for. Raises EvalFailure for fields of the wrong type."""
    short = name.removeprefix(_PREFIX)
    if name not in FIELDS:
        raise EvalFailure(f"unknown type '{name}'")
    for field, value in fields.items():
        _check(short, field, FIELDS[name][field], value)
    if short in _ZERO:
        return _wrapped(short, fields)
    return _MAKERS[short](fields)


def _check(message: str, field: str, declared: CelType, value: Any) -> None:
    if declared.kind in (DYN.kind, ANY.kind) or value is None or type_name(value) == declared.name:
        return
    why = f"unsupported type conversion from '{type_name(value)}' to {declared.name}"
    raise EvalFailure(f"field type conversion error for {message}.{field} value type: {why}")


def _wrapped(short: str, fields: Mapping[str, Any]) -> Any:
    value = fields.get("value")
    value = _ZERO[short] if value is None else value
    if short == "Int32Value" and not -_INT32 <= value < _INT32:
        raise EvalFailure("field type conversion error for Int32Value.value value type: integer overflow")
    if short == "UInt32Value" and value >= 2 * _INT32:
        raise EvalFailure(
            "field type conversion error for UInt32Value.value value type: unsigned integer overflow"
        )
    return value


def _nanos(message: str, fields: Mapping[str, Any]) -> int:
    nanos = int(fields.get("nanos") or 0)
    if not -_INT32 <= nanos < _INT32:
        raise EvalFailure(f"field type conversion error for {message}.nanos value type: integer overflow")
    return int(fields.get("seconds") or 0) * SECOND + nanos


def _duration(fields: Mapping[str, Any]) -> Duration:
    # Go saturates a duration that does not fit 64 bits.
    return Duration(max(MIN_INT, min(MAX_INT, _nanos("Duration", fields))))


def _value(fields: Mapping[str, Any]) -> Any:
    given = [value for value in fields.values() if value is not None]
    return given[-1] if given else None


def _any(fields: Mapping[str, Any]) -> Any:
    raise EvalFailure("conversion error: got nil, wanted any")


_MAKERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "Any": _any,
    "Duration": _duration,
    "ListValue": lambda fields: fields.get("values") or [],
    "Struct": lambda fields: fields.get("fields") or {},
    "Timestamp": lambda fields: Timestamp(_nanos("Timestamp", fields)),
    "Value": _value,
}

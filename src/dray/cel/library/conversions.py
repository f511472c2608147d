"""Conversions between types: int(), string(), timestamp() and the like, type() and dyn()."""

import re
from collections.abc import Callable
from typing import Any

from dray.cel.declarations import Function, Overload, overload
from dray.cel.errors import EvalFailure
from dray.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    param,
    type_of,
)
from dray.cel.values.kind import type_name
from dray.cel.values.named import TypeValue
from dray.cel.values.number import (
    MAX_INT,
    MAX_UINT,
    MIN_INT,
    checked_int,
    checked_uint,
    int_of_double,
    uint_of_double,
)
from dray.cel.values.number import shortest as shortest_double
from dray.cel.values.time import (
    MAX_UNIX,
    MIN_UNIX,
    SECOND,
    Duration,
    Timestamp,
    parse_duration,
    parse_timestamp,
)
from dray.cel.values.uint import Uint

_SIGNED = re.compile(r"[+-]?[0-9]+")
_UNSIGNED = re.compile(r"[0-9]+")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_HEX_FLOAT = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+")
_SPECIAL_FLOAT = re.compile(r"[+-]?(?:inf|infinity)|nan", re.IGNORECASE)
_BOOLS = {
    "1": True, "t": True, "T": True, "TRUE": True, "true": True, "True": True,
    "0": False, "f": False, "F": False, "FALSE": False, "false": False, "False": False,
}  # fmt: skip
_LONGEST_NUMBER = 400


def _unconvertible(wanted: str) -> EvalFailure:
    return EvalFailure(f"type conversion error from 'string' to '{wanted}'")


def _int_of_string(text: str) -> int:
    if len(text) <= _LONGEST_NUMBER and _SIGNED.fullmatch(text) and MIN_INT <= int(text) <= MAX_INT:
        return int(text)
    raise _unconvertible("int")


def _uint_of_string(text: str) -> Uint:
    if len(text) <= _LONGEST_NUMBER and _UNSIGNED.fullmatch(text) and int(text) <= MAX_UINT:
        return Uint(int(text))
    raise _unconvertible("uint")


def _double_of_string(text: str) -> float:
    if _FLOAT.fullmatch(text):
        value = float(text)
        if value not in (float("inf"), float("-inf")):
            return value
    elif _SPECIAL_FLOAT.fullmatch(text):
        return float(text)
    elif _HEX_FLOAT.fullmatch(text):
        try:
            return float.fromhex(text)
        except OverflowError:
            pass
    raise _unconvertible("double")


def _bool_of_string(text: str) -> bool:
    if text in _BOOLS:
        return _BOOLS[text]
    raise _unconvertible("bool")


def _string_of_bytes(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise EvalFailure("invalid UTF-8 in bytes, cannot convert to string") from error


def _duration_of_string(text: str) -> Duration:
    duration = parse_duration(text)
    if duration is None:
        raise _unconvertible("google.protobuf.Duration")
    return duration


def _duration_of_int(value: int) -> Duration:
    raise EvalFailure("type conversion error from 'int' to 'google.protobuf.Duration'")


def _timestamp_of_string(text: str) -> Timestamp:
    timestamp = parse_timestamp(text)
    if timestamp is None:
        raise _unconvertible("google.protobuf.Timestamp")
    if not MIN_UNIX <= timestamp.unix <= MAX_UNIX:
        raise EvalFailure("timestamp overflow")
    return timestamp


def _timestamp_of_int(seconds: int) -> Timestamp:
    if not MIN_UNIX <= seconds <= MAX_UNIX:
        raise EvalFailure("timestamp overflow")
    return Timestamp(seconds * SECOND)


def _identity(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    return str(value)


def _number_text(value: int) -> str:
    return int.__repr__(value)


def type_value(value: Any) -> TypeValue:
    """What `type(x)` gives."""
    return TypeValue(type_name(value))


def _to(name: str, *sources: tuple[str, Any, Callable[..., Any]]) -> Function:
    results = {
        "bool": BOOL, "bytes": BYTES, "double": DOUBLE, "duration": DURATION, "int": INT,
        "string": STRING, "timestamp": TIMESTAMP, "uint": UINT,
    }  # fmt: skip
    return Function(
        name, *(overload(id, (source,), results[name], convert) for id, source, convert in sources)
    )


_A = param("A")

FUNCTIONS = (
    Function("type", Overload("type", (_A,), type_of(_A), guarded=False), operator=type_value),
    _to("bool", ("bool_to_bool", BOOL, _identity), ("string_to_bool", STRING, _bool_of_string)),
    _to("bytes", ("bytes_to_bytes", BYTES, _identity), ("string_to_bytes", STRING, str.encode)),
    _to(
        "double",
        ("double_to_double", DOUBLE, _identity),
        ("int64_to_double", INT, float),
        ("string_to_double", STRING, _double_of_string),
        ("uint64_to_double", UINT, float),
    ),
    _to(
        "duration",
        ("duration_to_duration", DURATION, _identity),
        ("int64_to_duration", INT, _duration_of_int),
        ("string_to_duration", STRING, _duration_of_string),
    ),
    Function("dyn", Overload("to_dyn", (_A,), DYN, guarded=False), operator=_identity),
    _to(
        "int",
        ("int64_to_int64", INT, _identity),
        ("double_to_int64", DOUBLE, int_of_double),
        ("duration_to_int64", DURATION, lambda duration: duration.nanos),
        ("string_to_int64", STRING, _int_of_string),
        ("timestamp_to_int64", TIMESTAMP, lambda timestamp: timestamp.unix),
        ("uint64_to_int64", UINT, lambda value: checked_int(int(value))),
    ),
    _to(
        "string",
        ("string_to_string", STRING, _identity),
        ("bool_to_string", BOOL, lambda value: "true" if value else "false"),
        ("bytes_to_string", BYTES, _string_of_bytes),
        ("double_to_string", DOUBLE, shortest_double),
        ("duration_to_string", DURATION, _text),
        ("int64_to_string", INT, _number_text),
        ("timestamp_to_string", TIMESTAMP, _text),
        ("uint64_to_string", UINT, _number_text),
    ),
    _to(
        "timestamp",
        ("timestamp_to_timestamp", TIMESTAMP, _identity),
        ("int64_to_timestamp", INT, _timestamp_of_int),
        ("string_to_timestamp", STRING, _timestamp_of_string),
    ),
    _to(
        "uint",
        ("uint64_to_uint64", UINT, _identity),
        ("double_to_uint64", DOUBLE, uint_of_double),
        ("int64_to_uint64", INT, checked_uint),
        ("string_to_uint64", STRING, _uint_of_string),
    ),
)

NAMES = frozenset(function.name for function in FUNCTIONS)
"""Conversions of constants are carried out when the expression is compiled, and their failures reported then."""

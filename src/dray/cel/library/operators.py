"""The operators: arithmetic, comparison, logic, indexing, membership, size.

Each is one implementation for all its overloads, since operands are often of types unknown until run time. An operand
that cannot be on the left at all gives `no such overload: _+_`; one that can, but not with what is on the right,
plain `no such overload`.
"""

import math
from typing import Any

from dray.cel.declarations import Function, Implementation, Overload
from dray.cel.errors import EvalFailure, no_such_overload
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
    CelType,
    list_of,
    map_of,
    optional_of,
    param,
)
from dray.cel.values.comparison import ORDERED, compare, in_list
from dray.cel.values.container import GrowingList, contains
from dray.cel.values.display import show
from dray.cel.values.kind import type_name
from dray.cel.values.limits import check_list, check_string
from dray.cel.values.number import (
    checked_int,
    checked_uint,
    divide_double,
    divide_int,
    divide_uint,
    modulo_int,
)
from dray.cel.values.time import Duration, Timestamp
from dray.cel.values.uint import Uint

_RECEIVERS = (str, Timestamp, Duration)
"""Types whose values answer to any method name, so that refusing is plain `no such overload`."""


def _refuse(value: Any, function: str) -> EvalFailure:
    """The failure of an operator that does not know the type of its first operand."""
    return no_such_overload() if type(value) in _RECEIVERS else EvalFailure(f"no such overload: {function}")


def add(left: Any, right: Any) -> Any:
    kind = type(left)
    if kind is type(right):
        if kind is int:
            return checked_int(left + right)
        if kind is float:
            return left + right
        if kind is str or kind is bytes:
            check_string(len(left) + len(right))
            return left + right
        if kind is Uint:
            return checked_uint(left + right)
        if kind is Duration:
            return Duration(checked_int(left.nanos + right.nanos))
    if isinstance(left, list):
        return _concatenate(left, right)
    if kind is Timestamp and type(right) is Duration:
        return left.plus(right)
    if kind is Duration and type(right) is Timestamp:
        return right.plus(left)
    if kind in (int, Uint, float, str, bytes, Duration, Timestamp):
        raise no_such_overload()
    raise _refuse(left, "_+_")


def _concatenate(left: list[Any], right: Any) -> list[Any]:
    if not isinstance(right, list):
        raise no_such_overload()
    check_list(len(left) + len(right))
    if type(left) is GrowingList:
        left.extend(right)
        return left
    return left + right


def subtract(left: Any, right: Any) -> Any:
    kind = type(left)
    if kind is type(right):
        if kind is int:
            return checked_int(left - right)
        if kind is Uint:
            return checked_uint(left - right)
        if kind is float:
            return left - right
        if kind is Duration:
            return Duration(checked_int(left.nanos - right.nanos))
        if kind is Timestamp:
            return left.minus(right)
    if kind is Timestamp and type(right) is Duration:
        return left.plus(Duration(checked_int(-right.nanos)))
    if kind in (int, Uint, float, Duration, Timestamp):
        raise no_such_overload()
    raise _refuse(left, "_-_")


def multiply(left: Any, right: Any) -> Any:
    kind = type(left)
    if kind is type(right):
        if kind is int:
            return checked_int(left * right)
        if kind is Uint:
            return checked_uint(left * right)
        if kind is float:
            return left * right
    if kind in (int, Uint, float):
        raise no_such_overload()
    raise _refuse(left, "_*_")


def divide(left: Any, right: Any) -> Any:
    kind = type(left)
    if kind is type(right):
        if kind is int:
            return divide_int(left, right)
        if kind is float:
            return divide_double(left, right)
        if kind is Uint:
            return divide_uint(left, right)
    if kind in (int, Uint, float):
        raise no_such_overload()
    raise _refuse(left, "_/_")


def modulo(left: Any, right: Any) -> Any:
    kind = type(left)
    if kind is type(right) and kind in (int, Uint):
        remainder = modulo_int(left, right)
        return Uint(remainder) if kind is Uint else remainder
    if kind in (int, Uint):
        raise no_such_overload()
    raise _refuse(left, "_%_")


def negate(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        return checked_int(-value)
    if kind is float:
        return -value
    if kind is Duration:
        return Duration(checked_int(-value.nanos))
    raise no_such_overload() if kind is bool else _refuse(value, "-_")


def logical_not(value: Any) -> bool:
    if value is True:
        return False
    if value is False:
        return True
    raise no_such_overload()


def _ordering(function: str, wanted: frozenset[int]) -> Implementation:
    def ordering(left: Any, right: Any) -> bool:
        if type(left) not in ORDERED:
            raise _refuse(left, function)
        return compare(left, right) in wanted

    return ordering


less = _ordering("_<_", frozenset((-1,)))
less_equals = _ordering("_<=_", frozenset((-1, 0)))
greater = _ordering("_>_", frozenset((1,)))
greater_equals = _ordering("_>=_", frozenset((0, 1)))


def is_in(value: Any, container: Any) -> bool:
    if isinstance(container, list):
        return in_list(value, container)
    if isinstance(container, dict):
        return contains(container, value)
    raise no_such_overload()


def size(value: Any) -> int:
    if isinstance(value, str | bytes | list | dict):
        return len(value)
    raise _refuse(value, "size")


def not_strictly_false(value: Any) -> bool:
    """True for anything but false: what lets a quantifier go on after a failure."""
    return value is not False


def to_list_index(key: Any) -> int:
    """A value as the index of a list. Raises EvalFailure where it is no whole number."""
    kind = type(key)
    if kind is int:
        return int(key)
    if kind is Uint or kind is float:
        whole = not math.isinf(key) and key == key and int(key) == key and -(2**63) <= key < 2**63
        if whole:
            return int(key)
        raise EvalFailure(f"unsupported index value {show(key)} in list")
    raise EvalFailure(f"unsupported index type '{type_name(key)}' in list")


_A, _B, _K, _V = param("A"), param("B"), param("K"), param("V")
_LIST, _MAP = list_of(_A), map_of(_A, _B)


def _overloads(*signatures: tuple[str, tuple[CelType, ...], CelType]) -> list[Overload]:
    return [Overload(id, params, result, guarded=False) for id, params, result in signatures]


def _comparisons(name: str) -> list[Overload]:
    pairs: tuple[tuple[str, CelType, CelType], ...] = (
        ("bool", BOOL, BOOL),
        ("int64", INT, INT),
        ("int64_double", INT, DOUBLE),
        ("int64_uint64", INT, UINT),
        ("uint64", UINT, UINT),
        ("uint64_double", UINT, DOUBLE),
        ("uint64_int64", UINT, INT),
        ("double", DOUBLE, DOUBLE),
        ("double_int64", DOUBLE, INT),
        ("double_uint64", DOUBLE, UINT),
        ("string", STRING, STRING),
        ("bytes", BYTES, BYTES),
        ("timestamp", TIMESTAMP, TIMESTAMP),
        ("duration", DURATION, DURATION),
    )
    return _overloads(*((f"{name}_{suffix}", (left, right), BOOL) for suffix, left, right in pairs))


def _sizes() -> list[Overload]:
    overloads = []
    for name, sized in (("bytes", BYTES), ("list", _LIST), ("map", _MAP), ("string", STRING)):
        overloads.append(Overload(f"size_{name}", (sized,), INT, guarded=False))
        overloads.append(Overload(f"{name}_size", (sized,), INT, member=True, guarded=False))
    return overloads


FUNCTIONS = (
    Function("_?_:_", *_overloads(("conditional", (BOOL, _A, _A), _A))),
    Function("_&&_", *_overloads(("logical_and", (BOOL, BOOL), BOOL))),
    Function("_||_", *_overloads(("logical_or", (BOOL, BOOL), BOOL))),
    Function("!_", *_overloads(("logical_not", (BOOL,), BOOL)), operator=logical_not),
    Function(
        "@not_strictly_false", *_overloads(("not_strictly_false", (BOOL,), BOOL)), operator=not_strictly_false
    ),
    Function("_==_", *_overloads(("equals", (_A, _A), BOOL))),
    Function("_!=_", *_overloads(("not_equals", (_A, _A), BOOL))),
    Function(
        "_+_",
        *_overloads(
            ("add_bytes", (BYTES, BYTES), BYTES),
            ("add_double", (DOUBLE, DOUBLE), DOUBLE),
            ("add_duration_duration", (DURATION, DURATION), DURATION),
            ("add_duration_timestamp", (DURATION, TIMESTAMP), TIMESTAMP),
            ("add_timestamp_duration", (TIMESTAMP, DURATION), TIMESTAMP),
            ("add_int64", (INT, INT), INT),
            ("add_list", (_LIST, _LIST), _LIST),
            ("add_string", (STRING, STRING), STRING),
            ("add_uint64", (UINT, UINT), UINT),
        ),
        operator=add,
    ),
    Function(
        "_/_",
        *_overloads(
            ("divide_double", (DOUBLE, DOUBLE), DOUBLE),
            ("divide_int64", (INT, INT), INT),
            ("divide_uint64", (UINT, UINT), UINT),
        ),
        operator=divide,
    ),
    Function(
        "_%_",
        *_overloads(("modulo_int64", (INT, INT), INT), ("modulo_uint64", (UINT, UINT), UINT)),
        operator=modulo,
    ),
    Function(
        "_*_",
        *_overloads(
            ("multiply_double", (DOUBLE, DOUBLE), DOUBLE),
            ("multiply_int64", (INT, INT), INT),
            ("multiply_uint64", (UINT, UINT), UINT),
        ),
        operator=multiply,
    ),
    Function(
        "-_",
        *_overloads(("negate_double", (DOUBLE,), DOUBLE), ("negate_int64", (INT,), INT)),
        operator=negate,
    ),
    Function(
        "_-_",
        *_overloads(
            ("subtract_double", (DOUBLE, DOUBLE), DOUBLE),
            ("subtract_duration_duration", (DURATION, DURATION), DURATION),
            ("subtract_int64", (INT, INT), INT),
            ("subtract_timestamp_duration", (TIMESTAMP, DURATION), TIMESTAMP),
            ("subtract_timestamp_timestamp", (TIMESTAMP, TIMESTAMP), DURATION),
            ("subtract_uint64", (UINT, UINT), UINT),
        ),
        operator=subtract,
    ),
    Function("_<_", *_comparisons("less"), operator=less),
    Function("_<=_", *_comparisons("less_equals"), operator=less_equals),
    Function("_>_", *_comparisons("greater"), operator=greater),
    Function("_>=_", *_comparisons("greater_equals"), operator=greater_equals),
    Function("_[_]", *_overloads(("index_list", (_LIST, INT), _A), ("index_map", (_MAP, _A), _B))),
    Function(
        "@in", *_overloads(("in_list", (_A, _LIST), BOOL), ("in_map", (_A, _MAP), BOOL)), operator=is_in
    ),
    Function("size", *_sizes(), operator=size),
)

_OPTIONAL_LIST, _OPTIONAL_MAP = optional_of(list_of(_V)), optional_of(map_of(_K, _V))

OPTIONAL_FUNCTIONS = (
    Function("_?._", *_overloads(("select_optional_field", (DYN, STRING), optional_of(_V)))),
    Function(
        "_[?_]",
        *_overloads(
            ("list_optindex_optional_int", (list_of(_V), INT), optional_of(_V)),
            ("optional_list_optindex_optional_int", (_OPTIONAL_LIST, INT), optional_of(_V)),
            ("map_optindex_optional_value", (map_of(_K, _V), _K), optional_of(_V)),
            ("optional_map_optindex_optional_value", (_OPTIONAL_MAP, _K), optional_of(_V)),
        ),
    ),
    Function(
        "_[_]",
        *_overloads(
            ("optional_list_index_int", (_OPTIONAL_LIST, INT), optional_of(_V)),
            ("optional_map_index_value", (_OPTIONAL_MAP, _K), optional_of(_V)),
        ),
    ),
)

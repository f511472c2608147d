"""Functions of lists: the Kubernetes ones (sum, min, isSorted, ...) and the lists extension, version 3 (sort, ...)."""

import functools
import itertools
from typing import Any

from dray.cel.ast import Expr
from dray.cel.declarations import Function, Implementation, Overload, member, overload
from dray.cel.errors import EvalFailure, no_such_overload
from dray.cel.library import operators
from dray.cel.library.macros import SORTABLE, bind, map_items
from dray.cel.syntax.builder import Builder, Expander, MacroKey, MacroMisuse
from dray.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    INT,
    LIST_DYN,
    STRING,
    TIMESTAMP,
    UINT,
    CelType,
    list_of,
    param,
)
from dray.cel.values.comparison import ORDERED, compare, same
from dray.cel.values.kind import type_name
from dray.cel.values.limits import MAX_LIST, TooLarge, check_list
from dray.cel.values.time import Duration
from dray.cel.values.uint import Uint

_SUMMABLE: tuple[tuple[str, CelType, Any], ...] = (
    ("int", INT, 0),
    ("uint", UINT, Uint(0)),
    ("double", DOUBLE, 0.0),
    ("duration", DURATION, Duration(0)),
)
_COMPARABLE = (
    ("int", INT),
    ("uint", UINT),
    ("double", DOUBLE),
    ("bool", BOOL),
    ("duration", DURATION),
    ("timestamp", TIMESTAMP),
    ("string", STRING),
    ("bytes", BYTES),
)


def _is_sorted(items: list[Any]) -> bool:
    for item in items:
        if type(item) not in ORDERED:
            raise no_such_overload()
    for left, right in itertools.pairwise(items):
        try:
            if compare(left, right) > 0:
                return False
        except EvalFailure:
            continue  # upstream looks for "greater" only, and a failure is not that
    return True


def _sum_from(zero: Any) -> Implementation:
    def total(items: list[Any]) -> Any:
        result = zero
        for item in items:
            result = operators.add(result, item)
        return result

    return total


def _extreme(name: str, preferred: int) -> Implementation:
    """The first item to which no later one is preferred, `preferred` being how it would compare."""

    def extreme(items: list[Any]) -> Any:
        if not items:
            raise EvalFailure(f"{name} called on empty list")
        result, *rest = items
        for item in rest:
            if type(item) not in ORDERED:
                raise no_such_overload()
            try:
                if compare(result, item) == preferred:
                    result = item
            except EvalFailure:
                continue
        if type(result) not in ORDERED:
            raise no_such_overload()
        return result

    return extreme


def _index_of(items: list[Any], wanted: Any) -> int:
    return next((index for index, item in enumerate(items) if same(item, wanted)), -1)


def _last_index_of(items: list[Any], wanted: Any) -> int:
    return next((index for index in reversed(range(len(items))) if same(items[index], wanted)), -1)


_A = param("A")

KUBERNETES = (
    Function(
        "isSorted",
        *(member(f"list_{name}_is_sorted_bool", (list_of(t),), BOOL, _is_sorted) for name, t in _COMPARABLE),
    ),
    Function(
        "sum",
        *(
            member(f"list_{name}_sum_{name}", (list_of(t),), t, _sum_from(zero))
            for name, t, zero in _SUMMABLE
        ),
    ),
    Function(
        "max",
        *(
            member(f"list_{name}_max_{name}", (list_of(t),), t, _extreme("max", -1))
            for name, t in _COMPARABLE
        ),
    ),
    Function(
        "min",
        *(member(f"list_{name}_min_{name}", (list_of(t),), t, _extreme("min", 1)) for name, t in _COMPARABLE),
    ),
    Function("indexOf", member("list_a_index_of_int", (list_of(_A), _A), INT, _index_of)),
    Function("lastIndexOf", member("list_a_last_index_of_int", (list_of(_A), _A), INT, _last_index_of)),
)


def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise EvalFailure(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise EvalFailure(
            f"cannot slice({start}, {end}), start index must be less than or equal to end index"
        )
    if len(items) < end:
        raise EvalFailure(f"cannot slice({start}, {end}), list is length {len(items)}")
    return items[start:end]


def _flatten(items: Any, depth: Any = 1) -> list[Any]:
    if not isinstance(items, list) or type(depth) is not int:
        types = ", ".join(map(type_name, (items, depth)[1:]))
        raise EvalFailure(f"no such overload: {type_name(items)}.flatten({types})")
    if depth < 0:
        raise EvalFailure("level must be non-negative")
    flat: list[Any] = []
    for item in items:
        if isinstance(item, list) and depth:
            flat += _flatten(item, depth - 1)
        else:
            flat.append(item)
        check_list(len(flat))
    return flat


def _sort(items: Any) -> list[Any]:
    if not isinstance(items, list):
        raise EvalFailure("no such overload: sort")
    return _sort_by_keys(items, items)


def _sort_by_keys(items: Any, keys: Any) -> list[Any]:
    if not isinstance(items, list):
        raise EvalFailure("no such overload: @sortByAssociatedKeys")
    if len(items) != len(keys):
        raise EvalFailure(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, "
            f"but got {len(items)} and {len(keys)} elements respectively"
        )
    if not items:
        return items
    if type(keys[0]) not in ORDERED:
        raise EvalFailure("list elements must be comparable")
    if len(keys) > 1 and any(type(key) is not type(keys[0]) for key in keys):
        raise EvalFailure("list elements must have the same type")
    order = functools.cmp_to_key(lambda left, right: _order(keys[left], keys[right]))
    return [items[index] for index in sorted(range(len(items)), key=order)]


def _order(left: Any, right: Any) -> int:
    try:
        return compare(left, right)
    except EvalFailure:
        return 0  # NaN: upstream only asks what is less


def _range(count: int) -> list[int]:
    if count > MAX_LIST:
        raise TooLarge("list", count)
    return list(range(count))


def _distinct(items: list[Any]) -> list[Any]:
    unique: list[Any] = []
    for item in items:
        if not any(same(item, other) for other in unique):
            unique.append(item)
    return unique


def _sort_by(build: Builder, offset: int, target: Expr | None, args: list[Expr]) -> Expr:
    """`list.sortBy(x, key)`: names the list, maps it to its keys, and sorts it by them."""
    assert target is not None
    if not isinstance(target, SORTABLE):
        raise MacroMisuse(
            target.offset,
            "sortBy can only be applied to a list, identifier, comprehension, call or select expression",
        )
    name = "@__sortBy_input__"
    keys = map_items(build, offset, build.ident(offset, name), args)
    ordered = build.call(offset, "@sortByAssociatedKeys", keys, target=build.ident(offset, name))
    return bind(build, offset, name, target, ordered)


_T = param("T")
_LIST = list_of(_T)

_SORTABLE_TYPES = (
    ("int", INT),
    ("uint", UINT),
    ("double", DOUBLE),
    ("bool", BOOL),
    ("google.protobuf.Duration", DURATION),
    ("google.protobuf.Timestamp", TIMESTAMP),
    ("string", STRING),
    ("bytes", BYTES),
)

EXTENSION = (
    Function("slice", member("list_slice", (_LIST, INT, INT), _LIST, _slice)),
    Function(
        "flatten",
        Overload("list_flatten", (list_of(_LIST),), _LIST, _flatten, member=True, guarded=False),
        Overload("list_flatten_int", (LIST_DYN, INT), LIST_DYN, _flatten, member=True, guarded=False),
    ),
    Function(
        "sort",
        *(
            Overload(f"list_{name}_sort", (list_of(t),), list_of(t), member=True, guarded=False)
            for name, t in _SORTABLE_TYPES
        ),
        operator=_sort,
    ),
    Function(
        "@sortByAssociatedKeys",
        *(
            Overload(
                f"list_{name}_sortByAssociatedKeys", (_LIST, list_of(t)), _LIST, member=True, guarded=False
            )
            for name, t in _SORTABLE_TYPES
        ),
        operator=_sort_by_keys,
    ),
    Function("lists.range", overload("lists_range", (INT,), list_of(INT), _range)),
    Function("reverse", member("list_reverse", (_LIST,), _LIST, lambda items: items[::-1])),
    Function("distinct", member("list_distinct", (_LIST,), _LIST, _distinct)),
)
MACROS: dict[MacroKey, Expander] = {("sortBy", 2, True): _sort_by}

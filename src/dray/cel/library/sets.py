"""Lists as sets: `sets.contains`, `sets.equivalent` and `sets.intersects`."""

from typing import Any

from dray.cel.declarations import Function, overload
from dray.cel.types import BOOL, list_of, param
from dray.cel.values.comparison import in_list


def _contains(items: list[Any], subset: list[Any]) -> bool:
    return all(in_list(item, items) for item in subset)


def _equivalent(left: list[Any], right: list[Any]) -> bool:
    return _contains(left, right) and _contains(right, left)


def _intersects(left: list[Any], right: list[Any]) -> bool:
    return any(in_list(item, right) for item in left)


_LIST = list_of(param("T"))

FUNCTIONS = (
    Function("sets.contains", overload("list_sets_contains_list", (_LIST, _LIST), BOOL, _contains)),
    Function("sets.equivalent", overload("list_sets_equivalent_list", (_LIST, _LIST), BOOL, _equivalent)),
    Function("sets.intersects", overload("list_sets_intersects_list", (_LIST, _LIST), BOOL, _intersects)),
)

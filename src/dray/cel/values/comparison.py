"""Equality and order of values.

Equality of unlike types is false; numbers compare by value whatever their type. Two oddities of upstream are kept:
comparing a Kubernetes value with something else fails instead of being false, and inside lists and maps such a
failure counts as equal.
"""

import math
from typing import Any

from dray.api.quantity import Quantity
from dray.api.semver import Semver
from dray.cel.errors import EvalFailure, no_such_overload
from dray.cel.values.named_format import NamedFormat
from dray.cel.values.network import CIDR, IP
from dray.cel.values.number import MAX_INT, MAX_UINT, MIN_INT
from dray.cel.values.optional import Optional
from dray.cel.values.time import Duration, Timestamp
from dray.cel.values.uint import Uint
from dray.cel.values.url import URL

_NUMBERS = (int, Uint, float)
_PICKY = (Quantity, Semver, URL, NamedFormat, IP, CIDR)


def equal(left: Any, right: Any) -> bool:
    """What `left == right` says. Raises EvalFailure where a Kubernetes value meets another type."""
    if left is None or right is None:
        return left is right
    kind = type(left)
    if kind in _NUMBERS:
        return type(right) in _NUMBERS and _compare_numbers(left, right) == 0
    if isinstance(left, list):
        return isinstance(right, list) and _equal_lists(left, right)
    if isinstance(left, dict):
        return isinstance(right, dict) and _equal_maps(left, right)
    if kind is Optional:
        return type(right) is Optional and _equal_optionals(left, right)
    if kind in _PICKY:
        if type(right) is not kind:
            raise no_such_overload()
        return bool(str(left) == str(right)) if kind is URL else bool(left == right)
    return kind is type(right) and bool(left == right)


def same(left: Any, right: Any) -> bool:
    """Equality that never fails: what cannot be compared is not the same."""
    try:
        return equal(left, right)
    except EvalFailure:
        return False


def _equal_lists(left: list[Any], right: list[Any]) -> bool:
    return len(left) == len(right) and all(map(_not_unequal, left, right))


def _equal_maps(left: dict[Any, Any], right: dict[Any, Any]) -> bool:
    if len(left) != len(right):
        return False
    return all(key in right and _not_unequal(value, right[key]) for key, value in left.items())


def _not_unequal(left: Any, right: Any) -> bool:
    try:
        return equal(left, right)
    except EvalFailure:
        return True


def _equal_optionals(left: Optional, right: Optional) -> bool:
    if not left.present or not right.present:
        return left.present == right.present
    return equal(left.value, right.value)


def compare(left: Any, right: Any) -> int:
    """-1, 0 or 1. Raises EvalFailure for values without an order, or of types that do not compare."""
    kind = type(left)
    if kind in _NUMBERS:
        if type(right) not in _NUMBERS:
            raise no_such_overload()
        if (kind is float and math.isnan(left)) or (type(right) is float and math.isnan(right)):
            raise EvalFailure("NaN values cannot be ordered")
        return _compare_numbers(left, right)
    if kind not in ORDERED or kind is not type(right):
        raise no_such_overload()
    return int(left > right) - int(left < right)


ORDERED: frozenset[type] = frozenset((bool, int, Uint, float, str, bytes, Timestamp, Duration))
"""The types of values that have an order."""


def _compare_numbers(left: Any, right: Any) -> int:
    """Numbers of any types; unequal for NaN. An int meets a double as a double, within the range of its type."""
    if isinstance(left, float):
        if isinstance(right, float):
            return 0 if left == right else (-1 if left < right else 1)
        return _compare_double(left, right)
    if isinstance(right, float):
        return -_compare_double(right, left)
    return int(left > right) - int(left < right)


def _compare_double(left: float, right: int) -> int:
    low, high = (0, MAX_UINT) if type(right) is Uint else (MIN_INT, MAX_INT)
    if math.isnan(left):
        return 1
    if left < low:
        return -1
    if left > high:
        return 1
    number = float(right)
    return (left > number) - (left < number)


def in_list(value: Any, items: list[Any]) -> bool:
    """Membership by equality; elements that cannot be compared are passed over."""
    if type(value) is str:
        return value in items
    return any(same(value, item) for item in items)

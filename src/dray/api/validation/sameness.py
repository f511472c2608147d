"""Whether two values of an API object mean the same: absent, null and empty lists or maps are one thing."""

from typing import Any

_EMPTY: tuple[Any, ...] = (None, {}, [])


def same(left: Any, right: Any) -> bool:
    """Semantic equality, as Kubernetes decides whether an update changes an object. O(size)."""
    if isinstance(left, dict) and isinstance(right, dict):
        return all(same(left.get(key), right.get(key)) for key in left.keys() | right.keys())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right or (_is_empty(left) and _is_empty(right))


def same_forms(left: Any, right: Any) -> bool:
    """Semantic equality of two values in internal form, where a struct has all its fields: one is never as none."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_forms(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same_forms, left, right))
    return left == right or (left in _EMPTY and right in _EMPTY)


def _is_empty(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_empty(item) for item in value.values())
    return value is None or value == []

"""The order of a merged list: what the patch names stands in the patch's order, the rest keeps its place among them.

The rest is inserted before the first named element that follows it in the live list; both keep their own sequence.
"""

from typing import Any


def in_order(merged: list[Any], *, order: list[Any], live: list[Any], key: str) -> list[Any]:
    """`merged` rearranged. `key` names the merge key of maps; "" compares whole values."""
    ranks = [_value(item, key) for item in order]
    places = [_value(item, key) for item in live]
    named = sorted(
        (item for item in merged if _value(item, key) in ranks), key=lambda i: ranks.index(_value(i, key))
    )
    others = [item for item in merged if _value(item, key) not in ranks]
    others.sort(key=lambda item: _place(places, _value(item, key)))
    return _interleave(others, named, places, key)


def _interleave(others: list[Any], named: list[Any], places: list[Any], key: str) -> list[Any]:
    out: list[Any] = []
    left, right = 0, 0
    while left < len(others) and right < len(named):
        ours, theirs = _place(places, _value(others[left], key)), _place(places, _value(named[right], key))
        if -1 < ours < theirs:
            out.append(others[left])
            left += 1
        else:
            out.append(named[right])
            right += 1
    return [*out, *others[left:], *named[right:]]


def _place(places: list[Any], value: Any) -> int:
    return places.index(value) if value in places else -1


def _value(item: Any, key: str) -> Any:
    return item.get(key) if key and isinstance(item, dict) else item

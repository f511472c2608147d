"""The order of a merged list: what the patch names stands in the patch's order, the rest keeps its place among them.

The rest is inserted before the first named element that follows it in the live list; both keep their own sequence.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final

import orjson

from dray.api.patch.refusals import PatchError

_BLOCK: Final = 20
"""How many elements Kubernetes' sort takes at a time; of more, the order of those without a place can be another."""


def identity(value: Any) -> Hashable:
    """What is the same for equal JSON values and can be looked up, so that long lists are not searched again and again. Raises PatchError."""
    if value.__class__ is str:
        return str(value)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # nested too deeply to be written
        raise PatchError("exceeded max depth") from None


def in_order(merged: list[Any], *, order: list[Any], live: list[Any], key: str) -> list[Any]:
    """`merged` rearranged. `key` names the merge key of maps; "" compares whole values."""
    ranks = _positions(_value(item, key) for item in order)
    places = _positions(_value(item, key) for item in live)
    known = [(item, identity(_value(item, key))) for item in merged]
    named = sorted((pair for pair in known if pair[1] in ranks), key=lambda pair: ranks[pair[1]])
    others = _sorted([pair for pair in known if pair[1] not in ranks], places)
    return _interleave(others, named, places)


Known = tuple[Any, Hashable]
"""An element, and by what it is known."""


def _sorted(elements: list[Known], places: Mapping[Hashable, int]) -> list[Known]:
    """By their places. An element that has none goes before those that were put in order when its turn came."""
    unknown = [pair for pair in elements if pair[1] not in places]
    if not unknown or len(elements) > _BLOCK:
        known = (pair for pair in elements if pair[1] in places)
        return sorted(known, key=lambda pair: places[pair[1]]) + unknown[::-1]
    out: list[Known] = []
    for pair in elements:
        at = len(out)
        while at and _goes_before(pair, out[at - 1], places):
            at -= 1
        out.insert(at, pair)
    return out


def _goes_before(left: Known, right: Known, places: Mapping[Hashable, int]) -> bool:
    ours, theirs = places.get(left[1]), places.get(right[1])
    return ours is None or theirs is None or ours < theirs


def _interleave(others: list[Known], named: list[Known], places: Mapping[Hashable, int]) -> list[Any]:
    out: list[Any] = []
    left, right = 0, 0
    while left < len(others) and right < len(named):
        ours, theirs = places.get(others[left][1], -1), places.get(named[right][1], -1)
        if -1 < ours < theirs:
            out.append(others[left][0])
            left += 1
        else:
            out.append(named[right][0])
            right += 1
    return [*out, *(item for item, _ in others[left:]), *(item for item, _ in named[right:])]


def _positions(values: Iterable[Any]) -> dict[Hashable, int]:
    """Where each value stands first."""
    found: dict[Hashable, int] = {}
    for position, value in enumerate(values):
        found.setdefault(identity(value), position)
    return found


def _value(item: Any, key: str) -> Any:
    return item.get(key) if key and isinstance(item, dict) else item

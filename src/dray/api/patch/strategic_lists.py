"""Lists in a strategic merge patch: elements merge by the key of their type, or as values of which each stands once.

Decides which elements a merged list has, and whether what a patch says about their order can be. The order itself is
`ordering`'s; how two elements merge is given from outside.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final, NamedTuple

from dray.api.patch.ordering import identity, in_order
from dray.api.patch.refusals import PatchError
from dray.api.patch.structure import Place, bad_type
from dray.api.schema import go_text
from dray.api.schema.model import Field

PATCH: Final = "$patch"
Members = Mapping[str, Any]
MergeMaps = Callable[[Members, dict[str, Any], Place], Members]


class Merged(NamedTuple):
    items: list[Any]
    places: list[Any]
    """The list that says where elements were before: the live one, as Kubernetes' merging in place leaves it."""


def merge_list(
    current: list[Any],
    patch: list[Any],
    field: Field,
    element: Place,
    merge: MergeMaps,
    *,
    deletes: bool = False,
) -> Merged:
    """`current` with the elements of `patch`, or, where it is a list of values that it `deletes`, without them."""
    if not current and not patch:
        return Merged(current, current)
    if element_kind(current, patch) != "map":
        if deletes:
            gone = {identity(item) for item in patch}
            return Merged([item for item in current if identity(item) not in gone], current)
        items = list({identity(item): item for item in [*current, *patch]}.values())
        return Merged(in_order(items, order=patch, live=current, key=""), current)
    key = field.merge_key
    if not key:
        raise PatchError(f"cannot merge lists without merge key for {element.kind}")
    live, additions = _special_elements(current, patch, key)
    items = _merge_elements(live, additions, key, element, merge)
    _check_keys(items, key)
    places = items[: len(current)] if len(live) < len(current) else current
    return Merged(in_order(items, order=additions, live=live, key=key), places)


def element_kind(*lists: list[Any]) -> str:
    """What the elements of all the lists are, as Go calls it. Raises PatchError where they differ, or are lists."""
    kinds = [go_text.kind_name(item) for items in lists for item in items]
    if not kinds:
        raise PatchError("no elements in any of the given slices")
    if kinds[0] == "slice":
        raise PatchError("lists of lists are not supported")
    if any(kind != kinds[0] for kind in kinds):
        raise PatchError(f"list element types are not identical: {go_text.show(list(lists))}")
    return kinds[0]


def unknown_directive(patch: Members) -> PatchError:
    directive = patch[PATCH]
    # Go prints a string here, and says so where it is none.
    return PatchError(f"unknown patch type: {_as_text(directive)} in map: {go_text.show(patch)}")


def _as_text(value: Any) -> str:
    """`%s`."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{' '.join(map(_as_text, value))}]"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{_as_text(item)}' for key, item in sorted(value.items()))}]"
    return "%!s(<nil>)" if value is None else f"%!s({go_text.type_name(value)}={go_text.show(value)})"


def _special_elements(current: list[Any], patch: list[Any], key: str) -> tuple[list[Any], list[Any]]:
    """The live list without the elements that the patch deletes, and the patch without its directives."""
    plain = [item for item in patch if PATCH not in item]
    replaces = False
    deleted = set()
    for item in patch:
        directive = item.get(PATCH)
        if PATCH not in item:
            continue
        if directive == "delete":
            deleted.add(identity(key_value(item, key)))
        elif directive == "replace":
            replaces = True
        elif directive == "merge":
            raise PatchError("merging lists cannot yet be specified in the patch")
        else:
            raise unknown_directive(item)
    if deleted:
        current = [element for element in current if _known_as(element, key) not in deleted]
    return (plain, []) if replaces else (current, plain)


def _known_as(element: Any, key: str) -> Hashable:
    """Nothing that a patch could name where the element has no such key."""
    return identity(element[key]) if key in element else None


def _merge_elements(
    live: list[Any], additions: list[Any], key: str, element: Place, merge: MergeMaps
) -> list[Any]:
    merged = list(live)
    places: dict[Hashable, int] = {}
    for index, item in enumerate(merged if additions else ()):
        places.setdefault(_known_as(item, key), index)
    for item in additions:
        known = identity(key_value(item, key))
        if known in places:
            place = places[known]
            merged[place] = merge(merged[place], item, element)
        else:
            places[known] = len(merged)
            merged.append(item)
    return merged


def _check_keys(items: list[Any], key: str) -> None:
    for item in items:
        key_value(item, key)


def key_value(item: Any, key: str) -> Any:
    if not isinstance(item, Mapping):
        raise bad_type({}, item)
    if key not in item:
        raise PatchError(f"map: {go_text.show(item)} does not contain declared merge key: {key}")
    return item[key]


def check_order(patch: list[Any], order: list[Any], key: str) -> None:
    """Every element of the patch must stand in the order list, in the same sequence; deletions need not."""
    if not patch or not order:
        return
    if key:
        for item in patch:
            if not isinstance(item, Mapping):
                raise bad_type({}, item)
    left = [item for item in patch if not (key and item.get(PATCH) == "delete")]
    at = 0
    for wanted in order:
        while at < len(left) and isinstance(left[at], Mapping) and PATCH in left[at]:
            at += 1
        if at == len(left):
            return
        if _is_same(left[at], wanted, key):
            at += 1
    if at < len(left):
        raise PatchError(
            f"The order in patch list:\n{go_text.show(patch)}\n doesn't match $setElementOrder list:\n"
            f"{go_text.show(order)}\n"
        )


def _is_same(left: Any, right: Any, key: str) -> bool:
    if not key:
        return identity(left) == identity(right)
    for item in (left, right):
        if not isinstance(item, Mapping):
            raise bad_type({}, item)
    return identity(key_value(left, key)) == identity(key_value(right, key))


def check_places(items: list[Any], order: list[Any], live: list[Any], key: str, holds_maps: bool) -> None:
    """What an order list and the live list must be to put these elements in order. Raises PatchError."""
    if key:
        _check_keys(items, key)
    if key and items:
        for index, wanted in enumerate(order):
            if not isinstance(wanted, Mapping):
                raise PatchError(f"value for key {index} is not a map")
    if holds_maps:
        _check_keys([*order, *live], key)

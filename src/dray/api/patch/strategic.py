"""Strategic merge patch: merge patch that knows the schema, so that lists of named things merge by name.

Directives inside a patch: `$patch: replace | delete | merge`, `$retainKeys`, `$setElementOrder/<list>`,
`$deleteFromPrimitiveList/<list>`. Decides what becomes of maps and of their members; lists are `strategic_lists`'s.
"""

from collections.abc import Mapping
from typing import Any, Final

from dray.api.meta import clone
from dray.api.patch.ordering import in_order
from dray.api.patch.refusals import PatchFormatError
from dray.api.patch.strategic_lists import (
    PATCH,
    Members,
    Merged,
    check_order,
    check_places,
    element_kind,
    merge_list,
    unknown_directive,
)
from dray.api.patch.structure import Place, bad_type
from dray.api.schema.model import Schema

_RETAIN: Final = "$retainKeys"
_ORDER: Final = "$setElementOrder"
_DELETE: Final = "$deleteFromPrimitiveList"


def strategic_merge_patch(document: Members, patch: Members, schema: Schema | None) -> dict[str, Any]:
    """`document` with `patch` merged in. Raises PatchError for a patch that contradicts itself or the schema."""
    return use_up(document, clone(patch), schema)


def use_up(document: Members, patch: dict[str, Any], schema: Schema | None) -> dict[str, Any]:
    """As `strategic_merge_patch`; takes out of `patch` what was followed, as Kubernetes does, which shows the rest."""
    return _merge(document, patch, Place(schema))


def _merge(document: Members, patch: dict[str, Any], place: Place) -> dict[str, Any]:
    if PATCH in patch:
        return _whole(patch)
    document = _retained(document, patch)
    merged = dict(document)
    for key in [key for key in patch if key.startswith(_ORDER)]:
        _merge_ordered(merged, patch, key, place)
    for key, value in patch.items():
        if not key.startswith(_DELETE):
            _merge_member(merged, key, value, place)
        else:
            _merge_deletion(merged, key, value, place)
    return merged


def _whole(patch: dict[str, Any]) -> dict[str, Any]:
    """An object that says itself what becomes of it."""
    directive = patch[PATCH]
    if directive == "delete":
        return {}
    if directive == "replace":
        del patch[PATCH]
        return patch
    raise unknown_directive(patch)


def _retained(document: Members, patch: dict[str, Any]) -> Members:
    """The document with nothing but the members that the patch wants kept, where it says which."""
    if _RETAIN not in patch:
        return document
    keys = patch.pop(_RETAIN)
    if not isinstance(keys, list):
        raise PatchFormatError("invalid patch format of retainKeys")
    kept = {key for key in keys if isinstance(key, str)}
    for key, value in patch.items():
        if value is not None and key not in kept and not key.startswith((_ORDER, _DELETE)):
            raise PatchFormatError("invalid patch format of retainKeys")
    return {key: value for key, value in document.items() if key in kept}


def _merge_member(merged: dict[str, Any], key: str, value: Any, place: Place) -> None:
    if value is None:
        merged.pop(key, None)
    elif not _merge_same(merged, key, value, place):
        kept, stripped = _plain(value, keeps_nulls=False)
        if kept:
            merged[key] = stripped
        else:
            merged.pop(key, None)


def _merge_deletion(merged: dict[str, Any], directive: str, value: Any, place: Place) -> None:
    """What a list of values to delete brings. Kubernetes takes it for the member itself where it is no list."""
    key = _named_by(directive, _DELETE, "primitive list")
    if value is None:
        merged.pop(key, None)
    elif key in merged and not _merge_same(merged, key, value, place, deletes=True):
        current = merged[key]
        if current.__class__ is value.__class__:
            merged[key] = value


def _named_by(directive: str, prefix: str, what: str) -> str:
    """The member that a directive is about. Raises PatchFormatError where it names none."""
    head, slash, key = directive.partition("/")
    if not slash or head != prefix:
        raise PatchFormatError(f"invalid patch format of {what}")
    return key if key or prefix == _ORDER else directive


def _merge_same(merged: dict[str, Any], key: str, value: Any, place: Place, *, deletes: bool = False) -> bool:
    """Merge two maps or two lists; False where the two are not such a pair."""
    current = merged.get(key)
    if isinstance(value, dict) and isinstance(current, Mapping):
        field, inner = place.member(key)
        merged[key] = value if "replace" in field.strategies else _merge(current, value, inner)
        return True
    if isinstance(value, list) and isinstance(current, list):
        field, element = place.list_member(key)
        if deletes or "merge" in field.strategies:
            merged[key] = merge_list(current, value, field, element, _merge, deletes=deletes).items
        else:
            merged[key] = value
        return True
    return False


def _merge_ordered(merged: dict[str, Any], patch: dict[str, Any], directive: str, place: Place) -> None:
    """Merge the list that a `$setElementOrder` names, and put it in that order."""
    order = patch.pop(directive)
    if not isinstance(order, list):
        raise bad_type([], order)
    name = _named_by(directive, _ORDER, "setElementOrder list")
    for holder in (merged, patch):
        if name in holder and not isinstance(holder[name], list):
            raise bad_type([], holder[name])
    field, element = place.list_member(name)
    key = field.merge_key
    addition: list[Any] | None = patch.get(name)
    current: list[Any] | None = merged.get(name)
    check_order(addition or [], order, key)
    if addition is None and current is None:
        return
    patch.pop(name, None)
    if current is None:
        found = Merged([item for kept, item in map(_plain, addition or ()) if kept], [])
    elif addition is None:
        found = Merged(current, current)
    elif "merge" in field.strategies:
        found = merge_list(current, addition, field, element, _merge)
    else:
        found = Merged(addition, current)
    holds_maps = element_kind(current or [], addition or []) == "map"
    check_places(found.items, order, found.places, key, holds_maps)
    merged[name] = in_order(found.items, order=order, live=found.places, key=key)


def _plain(value: Any, *, keeps_nulls: bool = True) -> tuple[bool, Any]:
    """Whether a new value stays at all, and the value without what says what becomes of it, and without nulls."""
    if isinstance(value, dict):
        if PATCH in value and (keeps_nulls or value[PATCH] is not None):
            return False, None
        for key, item in list(value.items()):
            kept, stripped = (
                (False, None) if item is None and not keeps_nulls else _plain(item, keeps_nulls=keeps_nulls)
            )
            if kept:
                value[key] = stripped
            else:
                del value[key]
        return True, value
    if isinstance(value, list):
        found = (_plain(item, keeps_nulls=keeps_nulls) for item in value)
        return True, [item for kept, item in found if kept]
    return True, value

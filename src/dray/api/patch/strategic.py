"""Strategic merge patch: merge patch that knows the schema, so that lists of named things merge by name.

A list merges where its field says `merge` (by the field's merge key, or as a set of scalars), else the patch replaces it.
Directives inside a patch: `$patch: replace | delete | merge`, `$retainKeys`, `$setElementOrder/<list>`,
`$deleteFromPrimitiveList/<list>`. Element order itself is decided in `ordering`.
"""

from collections.abc import Hashable, Mapping
from typing import Any

from dray.api.patch.ordering import identity, in_order
from dray.api.patch.refusals import PatchError, PatchFormatError
from dray.api.schema import go_text
from dray.api.schema.model import Field, Schema

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"

Members = Mapping[str, Any]


def strategic_merge_patch(document: Members, patch: Members, schema: Schema | None) -> dict[str, Any]:
    """`document` with `patch` merged in. Raises PatchError for a patch that contradicts itself or the schema."""
    if _PATCH in patch:
        return _whole(patch)
    patch, document = _retained(document, dict(patch))
    merged = dict(document)
    for key in [key for key in patch if key.startswith(_ORDER)]:
        _merge_ordered(merged, patch, key, schema)
    for key, value in patch.items():
        if key.startswith(_DELETE):
            _delete_scalars(merged, key.removeprefix(_DELETE), value)
        else:
            _merge_member(merged, key, value, schema)
    return merged


def _whole(patch: Members) -> dict[str, Any]:
    """An object that says itself what becomes of it."""
    directive = patch[_PATCH]
    if directive == "delete":
        return {}
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _PATCH}
    raise _unknown_directive(patch)


def _unknown_directive(patch: Members) -> PatchError:
    directive = patch[_PATCH]
    # Go prints a string here, and says so where it is none.
    kind = go_text.type_name(directive)
    shown = go_text.show(directive) if kind == "string" else f"%!s({kind}={go_text.show(directive)})"
    shown = "%!s(<nil>)" if directive is None else shown
    return PatchError(f"unknown patch type: {shown} in map: {go_text.show(patch)}")


def _retained(document: Members, patch: dict[str, Any]) -> tuple[dict[str, Any], Members]:
    if _RETAIN not in patch:
        return patch, document
    keys = patch.pop(_RETAIN)
    if not isinstance(keys, list):
        raise PatchFormatError("invalid patch format of retainKeys")
    kept = {key for key in keys if isinstance(key, str)}
    for key in patch:
        if key not in kept and not key.startswith((_ORDER, _DELETE)):
            raise PatchFormatError("invalid patch format of retainKeys")
    return patch, {key: value for key, value in document.items() if key in kept}


def _merge_member(merged: dict[str, Any], key: str, value: Any, schema: Schema | None) -> None:
    if value is None:
        merged.pop(key, None)
        return
    current = merged.get(key)
    if isinstance(value, Mapping) and isinstance(current, Mapping):
        field = _field(schema, key)
        replaces = field is not None and "replace" in field.strategies
        inner = schema.child(key) if schema else None
        merged[key] = value if replaces else strategic_merge_patch(current, value, inner)
    elif isinstance(value, list) and isinstance(current, list):
        merged[key] = _merge_list(current, value, _field(schema, key))
    else:
        kept, stripped = _plain(value)
        if kept:
            merged[key] = stripped


def _field(schema: Schema | None, key: str) -> Field | None:
    return schema.fields.get(key) if schema and schema.shape == "struct" else None


def _merge_list(current: list[Any], patch: list[Any], field: Field | None) -> list[Any]:
    if field is None or "merge" not in field.strategies:
        return patch
    if not current and not patch:
        return current
    if not _holds_maps(current, patch):
        merged = list({identity(item): item for item in [*current, *patch]}.values())
        return in_order(merged, order=patch, live=current, key="")
    if not field.merge_key:
        raise PatchError(f"cannot merge lists without merge key for {field.schema.go_type}")
    live, additions = _special_elements(current, patch, field.merge_key)
    merged = _merge_elements(live, additions, field)
    return in_order(merged, order=additions, live=live, key=field.merge_key)


def _holds_maps(*lists: list[Any]) -> bool:
    """Whether the elements are objects: all must be of one type."""
    kinds = [go_text.type_name(item) for items in lists for item in items]
    if kinds[0] == "[]interface {}":
        raise PatchError("lists of lists are not supported")
    if any(kind != kinds[0] for kind in kinds):
        raise PatchError(f"list element types are not identical: {go_text.show(list(lists))}")
    return kinds[0] == "map[string]interface {}"


def _special_elements(current: list[Any], patch: list[Any], key: str) -> tuple[list[Any], list[Any]]:
    """The live list without the elements that the patch deletes, and the patch without its directives."""
    plain = [item for item in patch if _PATCH not in item]
    replaces = False
    deleted = set()
    for item in patch:
        directive = item.get(_PATCH)
        if _PATCH not in item:
            continue
        if directive == "delete":
            deleted.add(identity(_key_value(item, key)))
        elif directive == "replace":
            replaces = True
        elif directive == "merge":
            raise PatchError("merging lists cannot yet be specified in the patch")
        else:
            raise _unknown_directive(item)
    if deleted:
        current = [element for element in current if identity(_key_value(element, key)) not in deleted]
    return (plain, []) if replaces else (current, plain)


def _merge_elements(live: list[Any], additions: list[Any], field: Field) -> list[Any]:
    merged = list(live)
    places: dict[Hashable, int] = {}
    for index, element in enumerate(merged if additions else ()):
        places.setdefault(identity(_key_value(element, field.merge_key)), index)
    for item in additions:
        known = identity(_key_value(item, field.merge_key))
        if known in places:
            place = places[known]
            merged[place] = strategic_merge_patch(merged[place], item, field.schema.items)
        else:
            places[known] = len(merged)
            merged.append(_plain(item)[1])
    return merged


def _key_value(item: Any, key: str) -> Any:
    if not isinstance(item, Mapping) or key not in item:
        raise PatchError(f"map: {go_text.show(item)} does not contain declared merge key: {key}")
    return item[key]


def _merge_ordered(
    merged: dict[str, Any], patch: dict[str, Any], directive: str, schema: Schema | None
) -> None:
    """Merge the list that a `$setElementOrder` names, and put it in that order."""
    order = patch.pop(directive)
    name = directive.removeprefix(_ORDER)
    if not isinstance(order, list):
        raise PatchError(f"expected a list of elements in {directive}, got {go_text.type_name(order)}")
    field = _field(schema, name)
    key = field.merge_key if field else ""
    addition = patch.pop(name, None)
    current = merged.get(name)
    if not isinstance(addition, list | None) or not isinstance(current, list | None):
        raise PatchError("invalid patch format of setElementOrder list")
    _check_order(addition or [], order, key)
    if addition is None and current is None:
        return
    if current is None:
        merged[name] = _plain(addition)[1]
    elif addition is not None:
        merged[name] = _merge_list(current, addition, field)
    merged[name] = in_order(merged[name], order=order, live=current or [], key=key)


def _check_order(patch: list[Any], order: list[Any], key: str) -> None:
    """Every element of the patch must stand in the order list, in the same sequence."""
    rest = iter(order)
    for item in patch:
        if isinstance(item, Mapping) and item.get(_PATCH) == "delete":
            continue
        wanted = _key_value(item, key) if key else item
        if not any((_key_value(element, key) if key else element) == wanted for element in rest):
            raise PatchError(
                f"The order in patch list:\n{go_text.show(patch)}\n doesn't match $setElementOrder list:\n"
                f"{go_text.show(order)}\n"
            )


def _delete_scalars(merged: dict[str, Any], name: str, values: Any) -> None:
    if isinstance(values, list) and isinstance(merged.get(name), list):
        deleted = {identity(value) for value in values}
        merged[name] = [item for item in merged[name] if identity(item) not in deleted]


def _plain(value: Any) -> tuple[bool, Any]:
    """Whether a new value stays at all, and the value without directives and nulls."""
    if isinstance(value, Mapping):
        if value.get(_PATCH) == "delete":
            return False, {}
        members = (
            (key, _plain(item)) for key, item in value.items() if item is not None and not _directive(key)
        )
        return True, {key: item for key, (kept, item) in members if kept}
    if isinstance(value, list):
        return True, [item for kept, item in map(_plain, value) if kept]
    return True, value


def _directive(key: str) -> bool:
    return key in (_PATCH, _RETAIN) or key.startswith((_ORDER, _DELETE))

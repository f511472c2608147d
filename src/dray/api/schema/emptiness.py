"""Empty lists and maps: what a client sent, what is stored, and what is the same.

Go tells `[]` and `{}` from nothing, and so do rules and the answers to dry runs. Storage does not: an empty list or map is
left out there, or comes back as null where the field is always written. Structs are another matter: one that is there
and says nothing stays. So objects are read and stored without empty lists and maps (`decoding`), and a write in which
some were sent has them for as long as it is judged.
"""

import re
from typing import Any, Final

from dray.api.meta import Object
from dray.api.schema.model import Field, Schema

_EMPTY: Final = re.compile(rb"\[\s*\]|\{\s*\}")


def may_be_empty(text: bytes) -> bool:
    """Whether a JSON text may hold an empty list or map; False is certain. O(size), but fast."""
    return _EMPTY.search(text) is not None


def with_empties(obj: Object, sent: Any, schema: Schema) -> Object:
    """`obj` with the empty lists and maps that `sent`, a document of the same shape, has where `obj` has nothing.

    `obj` itself where there are none; it is not changed.
    """
    grafted: Object = _grafted(obj, sent, schema)
    return grafted


def without_empties(obj: Object, schema: Schema, *, stored: bool = True) -> Object:
    """`obj` as it is stored; not `stored`: as JSON shows it before, when a list that is always written may be empty.

    `obj` itself where nothing is to be left out; it is not changed.
    """
    cleared: Object = _cleared(obj, schema, stored)
    return cleared


def same_by(schema: Schema, left: Any, right: Any) -> bool:
    """Semantic equality of two values of a type: empty lists and maps are as none, empty structs are not."""
    return bool(left == right or _cleared(left, schema, stored=True) == _cleared(right, schema, stored=True))


def _grafted(value: Any, sent: Any, schema: Schema) -> Any:
    if value.__class__ is dict and sent.__class__ is dict:
        return _grafted_members(value, sent, schema)
    if value.__class__ is list and sent.__class__ is list and len(value) == len(sent) and schema.items:
        items = [_grafted(item, other, schema.items) for item, other in zip(value, sent, strict=True)]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def _grafted_members(value: Object, sent: Object, schema: Schema) -> Object:
    added: Object = {}
    for key, other in sent.items():
        if other.__class__ is not dict and other.__class__ is not list:
            continue
        inner = schema.child(key)
        if inner is None:
            continue
        mine = value.get(key)
        if mine is None:
            if not other and _is_collection(inner, other):
                added[key] = other
        elif other and (new := _grafted(mine, other, inner)) is not mine:
            added[key] = new
    return {**value, **added} if added else value


def _is_collection(schema: Schema, value: Any) -> bool:
    return schema.shape == ("list" if value.__class__ is list else "map")


def _cleared(value: Any, schema: Schema, stored: bool) -> Any:
    if value.__class__ is dict:
        return _cleared_members(value, schema, stored)
    if value.__class__ is list and schema.items:
        item_schema = schema.items
        items = [_cleared(item, item_schema, stored) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def _cleared_members(value: Object, schema: Schema, stored: bool) -> Object:
    changed: Object = {}
    left_out: list[str] = []
    for key, item in value.items():
        if item.__class__ is not dict and item.__class__ is not list:
            continue
        inner = schema.child(key)
        if inner is None:
            continue
        if item or not _is_collection(inner, item):
            if (new := _cleared(item, inner, stored)) is not item:
                changed[key] = new
        elif (field := schema.fields.get(key)) is not None:
            _empty(field, key, changed, left_out, stored)
    if left_out:
        return {key: changed.get(key, item) for key, item in value.items() if key not in left_out}
    return {**value, **changed} if changed else value


def _empty(field: Field, key: str, changed: Object, left_out: list[str], stored: bool) -> None:
    if not field.always:
        left_out.append(key)
    elif stored:
        changed[key] = None

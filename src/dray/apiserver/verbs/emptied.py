"""Lists and maps that a client sent empty: never stored, but shown where a message shows the refused object."""

from typing import Any

from dray.api.meta import Object
from dray.api.schema import Schema


def with_empties(obj: Object, sent: Any, schema: Schema | None) -> Object | None:
    """A copy of `obj` with the empty values that `sent`, a document of the same shape, has where it has nothing.

    None where there are no such values.
    """
    if schema is None:
        return None
    found = _grafted(obj, sent, schema)
    return None if found is obj else found


def _grafted(value: Any, sent: Any, schema: Schema) -> Any:
    """`value` itself where nothing is to be added."""
    if isinstance(value, dict) and isinstance(sent, dict):
        return _grafted_members(value, sent, schema)
    if isinstance(value, list) and isinstance(sent, list) and len(value) == len(sent) and schema.items:
        items = [_grafted(item, other, schema.items) for item, other in zip(value, sent, strict=True)]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def _grafted_members(value: Object, sent: Object, schema: Schema) -> Object:
    added: Object = {}
    for key, other in sent.items():
        inner = schema.child(key)
        if inner is None:
            continue
        if key not in value:
            if (inner.shape, other) in (("list", []), ("map", {})):
                added[key] = other
        elif (new := _grafted(value[key], other, inner)) is not value[key]:
            added[key] = new
    return {**value, **added} if added else value

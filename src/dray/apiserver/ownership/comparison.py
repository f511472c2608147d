"""What changed between two forms of an object, as field sets. On the path of every write: equal parts are skipped
by identity or by one C-speed comparison, and only what differs is walked.

A field that appears is changed together with all the containers that appear with it; one that vanishes likewise is
removed. An atomic value changes as a whole; elements of associative lists are matched by their keys.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dray.api.schema.model import Schema
from dray.apiserver.ownership import elements
from dray.apiserver.ownership.fieldset import EMPTY, LEAF, FieldSet

_ABSENT: Any = object()


class Comparison(NamedTuple):
    removed: FieldSet
    changed: FieldSet
    """Added or modified."""

    @property
    def is_same(self) -> bool:
        return not self.removed and not self.changed


SAME = Comparison(EMPTY, EMPTY)


def compare(old: Mapping[str, Any], new: Mapping[str, Any], schema: Schema) -> Comparison:
    """Every difference between two objects of one schema, metadata that nobody owns included."""
    if old is new or old == new:
        return SAME
    removed: dict[str, Any] = {}
    changed: dict[str, Any] = {}
    _members(old, new, schema, removed, changed)
    return Comparison(removed, changed)


def _members(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    schema: Schema | None,
    removed: dict[str, Any],
    changed: dict[str, Any],
) -> None:
    for key, value in new.items():
        before = old.get(key, _ABSENT)
        if before is value or (before is not _ABSENT and before == value):
            continue
        inner = schema.child(key) if schema else None
        if before is _ABSENT:
            changed[f"f:{key}"] = whole(value, inner)
        else:
            _pair(f"f:{key}", before, value, inner, removed, changed)
    for key, value in old.items():
        if key not in new:
            removed[f"f:{key}"] = whole(value, schema.child(key) if schema else None)


def _pair(
    step: str, old: Any, new: Any, schema: Schema | None, removed: dict[str, Any], changed: dict[str, Any]
) -> None:
    """Two different values of one field or element."""
    inner_removed: dict[str, Any] = {}
    inner_changed: dict[str, Any] = {}
    if _is_leaf(old, schema) or _is_leaf(new, schema) or not (old or new):
        changed[step] = LEAF
        return
    if schema is not None and schema.shape == "list":
        _items(old or [], new or [], schema, inner_removed, inner_changed)
    else:
        _members(old or {}, new or {}, schema, inner_removed, inner_changed)
    if inner_removed:
        removed[step] = inner_removed
    if inner_changed:
        changed[step] = inner_changed


def _is_leaf(value: Any, schema: Schema | None) -> bool:
    if schema is None or schema.shape == "any":
        return not isinstance(value, dict) and value is not None
    return schema.shape == "scalar" or schema.is_atomic


def _items(
    old: list[Any], new: list[Any], schema: Schema, removed: dict[str, Any], changed: dict[str, Any]
) -> None:
    before, after = _indexed(old, schema), _indexed(new, schema)
    for found, values in after.items():
        earlier = before.get(found)
        if earlier == values:
            continue
        step = elements.element(found, schema)
        if earlier is None:
            changed[step] = whole(values[0], schema.items)
        elif len(earlier) == 1 and len(values) == 1:
            _pair(step, earlier[0], values[0], schema.items, removed, changed)
        else:  # several elements with one key cannot be told apart
            changed[step] = whole(values[0], schema.items)
    for found, values in before.items():
        if found not in after:
            removed[elements.element(found, schema)] = whole(values[0], schema.items)


def _indexed(items: list[Any], schema: Schema) -> dict[Any, list[Any]]:
    index: dict[Any, list[Any]] = {}
    for item in items:
        index.setdefault(elements.identity(item, schema), []).append(item)
    return index


def whole(value: Any, schema: Schema | None) -> FieldSet:
    """The node of a value that appeared or vanished as a whole: itself and everything in it."""
    if _is_leaf(value, schema) or not value:
        return LEAF
    out: dict[str, Any] = {".": LEAF}
    if schema is not None and schema.shape == "list":
        for found, values in _indexed(value, schema).items():
            out[elements.element(found, schema)] = whole(values[0], schema.items)
    else:
        for key, item in value.items():
            out[f"f:{key}"] = whole(item, schema.child(key) if schema else None)
    return out

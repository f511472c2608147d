"""Merges an applied configuration into the live object, and takes fields out again, by list and map type.

Where both say something the configuration wins; what it does not mention stays. Lists keep the configuration's order
for shared elements, with the others in their places between them.
"""

from collections.abc import Mapping
from typing import Any

from dray.api.schema.model import Schema
from dray.apiserver.ownership import elements
from dray.apiserver.ownership.fieldset import FieldSet, is_member


def merge(live: Any, config: Any, schema: Schema | None) -> Any:
    """`config` (never absent) over `live` (None when there is nothing)."""
    if schema is not None and schema.shape == "list":
        if schema.is_atomic or not (live or config) or not isinstance(config, list | None):
            return config
        return _merge_lists(live or [], config or [], schema) or None
    granular = isinstance(config, dict | None) if schema is None else schema.shape in ("struct", "map", "any")
    if not granular or (schema is not None and schema.is_atomic) or not (live or config):
        return config
    if not isinstance(live, dict | None) or not isinstance(config, dict | None):
        return config
    return _merge_maps(live or {}, config or {}, schema)


def _merge_maps(live: Mapping[str, Any], config: Mapping[str, Any], schema: Schema | None) -> dict[str, Any]:
    merged = dict(live)
    for key, value in config.items():
        inner = schema.child(key) if schema else None
        merged[key] = merge(live.get(key), value, inner)
    return merged


def _merge_lists(live: list[Any], config: list[Any], schema: Schema) -> list[Any]:
    ours = [(elements.identity(item, schema), item) for item in live]
    theirs = [(elements.identity(item, schema), item) for item in config]
    live_by, config_by = dict(reversed(ours)), dict(theirs)
    shared = [found for found, _ in theirs if found in live_by]
    taken: set[Any] = set()
    out: list[Any] = []

    def take(found: Any) -> None:
        out.append(merge(live_by.get(found), config_by[found], schema.items))
        taken.add(found)
        if shared and shared[0] == found:
            shared.pop(0)

    left, right = 0, 0
    while left < len(ours) or right < len(theirs):
        if left < len(ours):
            found, item = ours[left]
            if found not in config_by:
                out.append(item)
                left += 1
                continue
            left += 1
            if shared and shared[0] != found and right < len(theirs):
                continue  # it moves to the configuration's place for it
            if found not in taken and found != theirs[right][0]:
                left -= 1  # its turn comes once the configuration's new elements before it are in
        if right < len(theirs):
            take(theirs[right][0])
            right += 1
    return out


def remove(value: Any, fields: FieldSet, schema: Schema | None) -> Any:
    """`value` without the members of `fields`; None when nothing is left. Atomic values hold no fields to remove."""
    if schema is not None and schema.shape == "list":
        if schema.is_atomic or not isinstance(value, list):
            return None
        return _remove_items(value, fields, schema) or None
    if not isinstance(value, dict) or (schema is not None and schema.is_atomic):
        return None
    left: dict[str, Any] = {}
    for key, item in value.items():
        node = fields.get(elements.field(key))
        if node is None:
            left[key] = item
        elif not is_member(node):
            left[key] = remove(item, node, schema.child(key) if schema else None)
    return left or None


def _remove_items(value: list[Any], fields: FieldSet, schema: Schema) -> list[Any]:
    left = []
    for item in value:
        node = fields.get(elements.element(elements.identity(item, schema), schema))
        if node is None:
            left.append(item)
        elif not is_member(node):
            left.append(remove(item, node, schema.items))
    return left

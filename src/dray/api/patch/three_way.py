"""What `kubectl apply` sends: the strategic merge patch that makes a live object as its manifest has it.

Three trees decide: the manifest as it was applied last, as it is now, and the live object. What the manifest names is set;
what it named before and names no more is deleted; everything else belongs to others and stays.
"""

from collections.abc import Mapping
from typing import Any

from dray.api.schema.model import Field, Schema

Members = Mapping[str, Any]


def three_way_patch(before: Members, wanted: Members, live: Members, schema: Schema | None) -> dict[str, Any]:
    """Empty when there is nothing to do. Without a schema, lists are replaced whole."""
    patch: dict[str, Any] = {}
    for key, value in wanted.items():
        if value is None:
            continue
        if key not in live:
            patch[key] = value
        elif (
            change := _change(before.get(key), value, live[key], _field(schema, key), _child(schema, key))
        ) is not None:
            patch[key] = change
    for key in before:
        if key in live and wanted.get(key) is None:
            patch[key] = None
    return patch


def _change(before: Any, wanted: Any, live: Any, field: Field | None, schema: Schema | None) -> Any:
    """The patch of one member; None when it is as wanted."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        patch = three_way_patch(before if isinstance(before, Mapping) else {}, wanted, live, schema)
        if patch and field is not None and "retainKeys" in field.strategies:
            patch["$retainKeys"] = sorted(wanted)
        return patch or None
    if isinstance(wanted, list) and isinstance(live, list) and field and "merge" in field.strategies:
        return _list_change(before if isinstance(before, list) else [], wanted, live, field) or None
    return None if wanted == live else wanted


def _list_change(before: list[Any], wanted: list[Any], live: list[Any], field: Field) -> list[Any]:
    key = field.merge_key
    if not key or not all(isinstance(item, Mapping) and key in item for item in (*wanted, *live)):
        return [item for item in wanted if item not in live]
    element = field.schema.items
    earlier = {item[key]: item for item in before if isinstance(item, Mapping) and key in item}
    present = {item[key]: item for item in live}
    patch: list[Any] = []
    for item in wanted:
        name = item[key]
        if name not in present:
            patch.append(item)
        elif change := three_way_patch(earlier.get(name, {}), item, present[name], element):
            patch.append({**change, key: name})
    kept = {item[key] for item in wanted}
    return patch + [
        {"$patch": "delete", key: name} for name in earlier if name in present and name not in kept
    ]


def _field(schema: Schema | None, key: str) -> Field | None:
    return schema.fields.get(key) if schema and schema.shape == "struct" else None


def _child(schema: Schema | None, key: str) -> Schema | None:
    return schema.child(key) if schema else None

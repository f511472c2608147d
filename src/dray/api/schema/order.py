"""Puts the fields of an object in the order in which the API server writes them, whoever set them when.

Fields of structs stand as in their schema, keys of maps are sorted, opaque JSON stays as it came.
"""

import functools
from collections.abc import Callable
from typing import Any, Final

from dray.api.schema.model import Schema

Sorter = Callable[[Any], Any]

_UNKNOWN: Final = (1 << 30, None)
"""Rank and sorter of what the schema does not have: last."""


def in_order(value: Any, schema: Schema) -> Any:
    """`value` itself where all of it is in order; else a copy, which shares the parts that are. Changes nothing."""
    sort = _sorter(schema)
    return value if sort is None else sort(value)


@functools.cache
def _sorter(schema: Schema) -> Sorter | None:
    """None where there is nothing to sort."""
    if schema.shape == "struct":
        return _struct_sorter(schema)
    if schema.shape == "map" and schema.values is not None:
        return _map_sorter(_sorter(schema.values))
    if schema.shape == "list" and schema.items is not None and (sort_item := _sorter(schema.items)):
        return _list_sorter(sort_item)
    return None


def _struct_sorter(schema: Schema) -> Sorter:
    ranked: dict[str, tuple[int, Sorter | None]] = {}

    def rank(name: str) -> int:
        return ranked.get(name, _UNKNOWN)[0]

    def sort(value: Any) -> Any:
        if value.__class__ is not dict:
            return value
        if not ranked:
            # Only at the first value: types may contain themselves.
            fields = enumerate(schema.fields.items())
            ranked.update({name: (position, _sorter(field.schema)) for position, (name, field) in fields})
        changed: dict[str, Any] = {}
        last, is_sorted = -1, True
        for name, item in value.items():
            position, sort_item = ranked.get(name, _UNKNOWN)
            if position < last:
                is_sorted = False
            last = position
            if sort_item is not None and item:
                sorted_item = sort_item(item)
                if sorted_item is not item:
                    changed[name] = sorted_item
        if changed:
            value = {**value, **changed}
        return value if is_sorted else {name: value[name] for name in sorted(value, key=rank)}

    return sort


def _map_sorter(sort_value: Sorter | None) -> Sorter:
    def sort(value: Any) -> Any:
        if value.__class__ is not dict:
            return value
        if sort_value is not None:
            changed = {key: found for key, item in value.items() if (found := sort_value(item)) is not item}
            if changed:
                value = {**value, **changed}
        keys = list(value)
        in_turn = sorted(keys)
        return value if in_turn == keys else {key: value[key] for key in in_turn}

    return sort


def _list_sorter(sort_item: Sorter) -> Sorter:
    def sort(value: Any) -> Any:
        if value.__class__ is not list:
            return value
        items = [sort_item(item) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return items

    return sort

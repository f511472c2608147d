"""Puts the fields of an object in the order in which the API server writes them, whoever set them when.

Fields of structs stand as in their schema, keys of maps are sorted, opaque JSON stays as it came.
"""

import functools
import operator
from collections.abc import Callable
from typing import Any, Final

from dray.api.schema.model import Schema

Sorter = Callable[[Any], Any]

_LAST: Final = 1 << 30
"""Rank of what the schema does not have."""

_SHAPES_MAX: Final = 1000
"""Sets of fields that are remembered for each struct: as many as are met, but for those who try all."""


def in_order(value: Any, schema: Schema | None) -> Any:
    """`value` itself where all of it is in order; else a copy, which shares the parts that are. Changes nothing.

    `schema` None: of a kind without one, about which nothing is known.
    """
    sort = _sorter(schema) if schema is not None else None
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


Shape = tuple[tuple[str, ...] | None, tuple[tuple[str, Sorter], ...]]
"""What is to be done with a struct that has certain fields: their order where it is another one, what is sorted inside."""


def _struct_sorter(schema: Schema) -> Sorter:
    shapes: dict[tuple[str, ...], Shape] = {}

    def sort(value: Any) -> Any:
        if value.__class__ is not dict:
            return value
        names = tuple(value)
        shape = shapes.get(names)
        if shape is None:
            shape = _shape(schema, names)
            if len(shapes) < _SHAPES_MAX:
                shapes[names] = shape
        order, inner = shape
        changed: dict[str, Any] | None = None
        for name, sort_item in inner:
            item = value[name]
            if item:
                sorted_item = sort_item(item)
                if sorted_item is not item:
                    if changed is None:
                        changed = {}
                    changed[name] = sorted_item
        if changed is not None:
            value = {**value, **changed}
        return value if order is None else {name: value[name] for name in order}

    return sort


def _shape(schema: Schema, names: tuple[str, ...]) -> Shape:
    ranks = {name: rank for rank, name in enumerate(schema.fields)}
    order = tuple(sorted(names, key=lambda name: ranks.get(name, _LAST)))
    sorters = ((name, _sorter(schema.fields[name].schema)) for name in names if name in ranks)
    inner = tuple((name, sort) for name, sort in sorters if sort is not None)
    return (None if order == names else order), inner


def _map_sorter(sort_value: Sorter | None) -> Sorter:
    def sort(value: Any) -> Any:
        if value.__class__ is not dict:
            return value
        if sort_value is not None:
            changed = {key: found for key, item in value.items() if (found := sort_value(item)) is not item}
            if changed:
                value = {**value, **changed}
        if len(value) < 2:
            return value
        keys = list(value)
        in_turn = sorted(keys)
        return value if in_turn == keys else {key: value[key] for key in in_turn}

    return sort


def _list_sorter(sort_item: Sorter) -> Sorter:
    def sort(value: Any) -> Any:
        if value.__class__ is not list:
            return value
        items = list(map(sort_item, value))
        return value if all(map(operator.is_, items, value)) else items

    return sort

"""Holds an applied configuration to its schema, and says which fields it names.

Decides what may stand in an applied configuration (declared fields, right types, no two elements with one key).
Opaque JSON has the structure that its values show: maps are granular, lists atomic.
"""

from collections.abc import Mapping
from typing import Any

from dray.api.schema import go_text
from dray.api.schema.model import Schema
from dray.apiserver.ownership import elements
from dray.apiserver.ownership.fieldset import LEAF, FieldSet

_EXPECTED: Mapping[str, str] = {
    "string": "string",
    "bytes": "string",
    "bool": "boolean",
    "int32": "numeric (int or float)",
    "int64": "numeric (int or float)",
    "float64": "numeric (int or float)",
}


class TypingError(ValueError):
    """The configuration does not fit its schema; `str()` lists where, in upstream's words."""


def check(value: Any, schema: Schema) -> None:
    """Raises TypingError with everything that is wrong."""
    faults = _faults(value, schema)
    if faults:
        texts = [f"{path}: {why}" if path else why for path, why in faults]
        raise TypingError(
            texts[0] if len(texts) == 1 else "\n".join(["errors:", *(f"  {text}" for text in texts)])
        )


Fault = tuple[str, str]


def _faults(value: Any, schema: Schema) -> list[Fault]:
    if value is None or schema.shape == "any":
        return (
            []
            if value is None or isinstance(value, dict)
            else [("", f"expected map, got &{{{go_text.show(value)}}}")]
        )
    if schema.shape == "scalar":
        return _scalar_faults(value, schema)
    if schema.shape == "list":
        return _list_faults(value, schema)
    if not isinstance(value, dict):
        return [("", f"expected map, got &{{{go_text.show(value)}}}")]
    faults: list[Fault] = []
    for key, item in value.items():
        inner = schema.child(key)
        if inner is None:
            return [*faults, (f".{key}", "field not declared in schema")]
        faults += _under(f".{key}", _faults(item, inner))
    return faults


def _under(prefix: str, faults: list[Fault]) -> list[Fault]:
    return [(prefix + path, why) for path, why in faults]


def _scalar_faults(value: Any, schema: Schema) -> list[Fault]:
    expected = _EXPECTED.get(schema.scalar)
    if schema.scalar == "intOrString":
        return []
    if expected is None:  # quantities, times: any scalar
        return (
            [("", f"expected any scalar, got {_held(value)}")]
            if not isinstance(value, str | int | float)
            else []
        )
    if expected == "string":
        return [] if isinstance(value, str) else [("", f"expected string, got {_pointed(value)}")]
    if expected == "boolean":
        return [] if isinstance(value, bool) else [("", f"expected boolean, got &{{{go_text.show(value)}}}")]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return [] if is_number else [("", f"expected {expected}, got {go_text.type_name(value)}")]


def _held(value: Any) -> str:
    shown = go_text.show(value)
    return f"&{{{shown}}}" if isinstance(value, dict | list) else shown


def _pointed(value: Any) -> str:
    return f"&value.valueUnstructured{{Value:{go_text.show_typed(value)}}}"


def _list_faults(value: Any, schema: Schema) -> list[Fault]:
    if not isinstance(value, list):
        return [("", f"expected list, got &{{{go_text.show(value)}}}")]
    assert schema.items is not None
    faults: list[Fault] = []
    seen = set()
    for index, item in enumerate(value):
        step = f"i:{index}"
        if schema.list_type != "atomic":
            try:
                found = elements.identity(item, schema)
            except elements.BadElement as error:
                return [*faults, ("", f"element {index}: {error}")]
            step = elements.element(found, schema)
            if step in seen:
                faults.append(("", f"duplicate entries for key {elements.element_text(step)}"))
            seen.add(step)
        faults += _under(elements.element_text(step), _faults(item, schema.items))
    return faults


def field_set(value: Mapping[str, Any], schema: Schema) -> FieldSet:
    """The fields that a value names: leaves, atomic values, empty maps, and every element of an associative list."""
    return _named(value, schema) or {}


def _named(value: Any, schema: Schema | None) -> FieldSet | None:
    """The node of a value: LEAF for a leaf, None for a container that names nothing."""
    if schema is not None and schema.shape == "list":
        return LEAF if schema.is_atomic else _named_elements(value, schema)
    if schema is None or schema.shape == "any":
        if not isinstance(value, dict):
            return LEAF
    elif schema.shape == "scalar" or schema.is_atomic:
        return LEAF
    if not value:
        return LEAF
    children = {}
    for key, item in value.items():
        sub = _named(item, schema.child(key) if schema else None)
        if sub is not None:
            children[elements.field(key)] = sub
    return children or None


def _named_elements(value: Any, schema: Schema) -> FieldSet | None:
    if value is None:
        return LEAF
    children = {}
    for item in value:
        try:
            step = elements.element(elements.identity(item, schema), schema)
        except elements.BadElement:
            continue
        sub = _named(item, schema.items)
        children[step] = {".": LEAF, **sub} if sub else LEAF
    return children or None

"""The shape in which Kubernetes shows a bad value that is a struct: the server's internal type, as JSON.

Internal types have no JSON names, so messages show Go's field names, every field, and `null` for what is unset.
A `Shape` table says how a type looks inside; the tables themselves stand beside the rules that need them
(`resource/internal.py`, `core/internal.py`).

A table is text: a line per type name ending in `:`, then a line per field `GoName jsonName type`, where type is

    string int bool      a value; its zero when absent
    any                  shown as it stands, null when absent (pointers, quantities, times, metav1 types)
    meta                 a metav1 type behind a pointer: JSON names, and nothing that is empty; null when absent
    T                    another type of the tables, all of its fields even when absent
    *T []T map[T]        null when absent
    []any map[any]       the same for values shown as they stand
    inline               (jsonName names a dict) its content, but for what is empty, stands among the fields, as
                         embedded metav1 types do
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from dray.api.meta import Object

Show: TypeAlias = Callable[[Any], Any]

_ZEROS: Mapping[str, Any] = {"string": "", "int": 0, "bool": False, "any": None}


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    go_name: str
    json_name: str
    type: str


class InternalForms:
    """The internal types of one family of kinds."""

    def __init__(self, tables: str) -> None:
        self._types = _parse(tables)

    def show(self, type_name: str, value: Any) -> Any:
        """`value`, decoded JSON of an object's part, in the form of the internal type `type_name` (table syntax)."""
        if type_name == "meta":
            return None if value is None else _without_empty(value)
        if type_name in _ZEROS:
            return _ZEROS[type_name] if value is None else value
        if type_name.startswith("*"):
            return None if value is None else self.show(type_name[1:], value)
        if type_name.startswith("[]"):
            return None if value is None else [self.show(type_name[2:], item) for item in value]
        if type_name.startswith("map["):
            inner = type_name[4:-1]
            return None if value is None else {key: self.show(inner, value[key]) for key in sorted(value)}
        return self._struct(type_name, value or {})

    def _struct(self, type_name: str, value: Object) -> Object:
        shown: Object = {}
        for field in self._types[type_name]:
            part = value.get(field.json_name)
            if field.type == "inline":
                shown.update({key: item for key, item in _without_empty(part or {}).items() if item != ""})
            elif field.json_name == ".":
                shown.update(self._struct(field.type, value))
            else:
                shown[field.go_name] = self.show(field.type, part)
        return shown


def _without_empty(value: Any) -> Any:
    """What Go leaves out of JSON, at any depth, where lists and maps are `omitempty`; items of lists stay."""
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _without_empty(item) for key, item in value.items() if item not in (None, [], {})}


def _parse(tables: str) -> dict[str, tuple[_Field, ...]]:
    types: dict[str, list[_Field]] = {}
    fields: list[_Field] = []
    for line in filter(None, map(str.strip, tables.splitlines())):
        if line.endswith(":"):
            fields = types.setdefault(line[:-1], [])
        else:
            fields.append(_Field(*line.split()))
    return {name: tuple(found) for name, found in types.items()}

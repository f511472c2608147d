"""The types of the kinds, for expressions about their objects. Source: kubernetes apiserver/pkg/cel/common/schemas.go, 1.36.

Where JSON says less than a type could be asked for (numbers or strings, opaque values), anything goes.
"""

from typing import Final

from dray.api.schema import Schema
from dray.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    CelType,
    list_of,
    map_of,
    struct,
)

_SCALARS: Final = {
    "string": STRING,
    "quantity": STRING,
    "int32": INT,
    "int64": INT,
    "bool": BOOL,
    "float64": DOUBLE,
    "bytes": BYTES,
    "time": TIMESTAMP,
    "microTime": TIMESTAMP,
}


def type_of_schema(schema: Schema, structs: dict[str, dict[str, CelType]]) -> CelType:
    """The type of a value of this schema; the types with fields that it leads to are added to `structs`."""
    if schema.shape == "list" and schema.items is not None:
        return list_of(type_of_schema(schema.items, structs))
    if schema.shape == "map" and schema.values is not None:
        return map_of(STRING, type_of_schema(schema.values, structs))
    if schema.shape == "struct" and schema.fields:
        name = schema.definition or schema.go_type
        if name not in structs:
            fields = structs[name] = {}  # known by name before it is filled: some types contain themselves
            for key, field in schema.fields.items():
                fields[key] = type_of_schema(field.schema, structs)
        return struct(name)
    return _SCALARS.get(schema.scalar, DYN) if schema.shape == "scalar" else DYN

"""Reads an object out of values already parsed, as Go's unstructured converter does: same result, other texts.

Server-side apply and strategic merge patch go this way, so their type errors read differently from `decode`'s.
"""

from collections.abc import Mapping
from typing import Any

from dray.api.schema.decoding import Decoded, Surprise, reader
from dray.api.schema.go_text import kind_name, type_name
from dray.api.schema.inspection import Walk, finished
from dray.api.schema.model import Schema
from dray.api.schema.scalars import BadScalar, WrongType


def restore(data: Mapping[str, Any], schema: Schema, *, gates: frozenset[str] = frozenset()) -> Decoded:
    """As `decode` for a dict. Raises DecodeError, in the converter's words."""
    try:
        return Decoded(reader(schema)(data))
    except (Surprise, WrongType, BadScalar):
        pass
    found = finished(_ConverterWalk(gates), _with_whole_numbers(data), schema)
    return Decoded(reader(schema, full=True)(found.clean), found.messages)


def _with_whole_numbers(value: Any) -> Any:
    """The converter takes a float for an integer where nothing is lost."""
    if isinstance(value, Mapping):
        return {key: _with_whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class _ConverterWalk(Walk):
    def wrong_text(self, tree: Any, go_type: str, shape: str, scalar: str, numeric: bool) -> str:
        kind = kind_name(tree)
        if shape == "struct":
            return f"cannot restore struct from: {kind}"
        if shape in ("map", "list"):
            return f"cannot restore {'slice' if shape == 'list' else 'map'} from {kind}"
        if kind in ("map", "slice", "bool") or scalar == "bool" or (kind == "string" and scalar != "string"):
            return f"unrecognized type: {_go_kind(scalar)}"
        return f"cannot convert {type_name(tree)} to {go_type}"


def _go_kind(scalar: str) -> str:
    return {"bytes": "slice", "quantity": "struct", "time": "struct", "intOrString": "struct"}.get(
        scalar, scalar
    )

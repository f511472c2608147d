"""Reads an object out of values already parsed, as Go's unstructured converter does: same result, other texts.

Server-side apply and strategic merge patch go this way, so their type errors read differently from `decode`'s.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dray.api.schema import go_text
from dray.api.schema.decoding import Decoded, Surprise, reader
from dray.api.schema.inspection import Walk, described, finished
from dray.api.schema.model import Schema
from dray.api.schema.scalars import BadScalar, WrongType


def restore(data: Mapping[str, Any], schema: Schema, *, gates: frozenset[str] = frozenset()) -> Decoded:
    """As `decode` for a dict. Raises DecodeError, in the converter's words."""
    try:
        return Decoded(reader(schema)(data))
    except (Surprise, WrongType, BadScalar):
        pass
    found = finished(_ConverterWalk(gates), data, schema)
    return Decoded(reader(schema, full=True)(found.clean), tuple(sorted(found.messages)))


_BITS: Final = {"int32": 32, "int64": 64}


class _ConverterWalk(Walk):
    """Goes through the fields as they stand in the type, and ends at the first value that does not fit."""

    most_messages = None

    def struct_(self, pairs: Iterable[tuple[str, Any]], schema: Schema) -> dict[str, Any]:
        given = dict(pairs)
        known = [(name, given[name]) for name in schema.fields if name in given]
        return super().struct_(
            [*known, *(pair for pair in given.items() if pair[0] not in schema.fields)], schema
        )

    def scalar(self, tree: Any, schema: Schema) -> Any:
        if schema.scalar == "intOrString" and isinstance(tree, float):
            tree = go_text.reread(tree)
        bits = _BITS.get(schema.scalar)
        if bits and _is_whole(tree):
            return _wrapped(tree, bits)
        return super().scalar(tree, schema)

    def wrong(
        self, tree: Any, go_type: str, schema: Schema, *, numeric: bool = False, aborts: bool = False
    ) -> None:
        super().wrong(tree, go_type, schema, numeric=numeric, aborts=True)

    def wrong_text(self, tree: Any, go_type: str, shape: str, scalar: str, numeric: bool) -> str:
        if (tried := _OF_THEIR_OWN.get(scalar)) is not None:
            return f"json: cannot unmarshal {described(tree, tried == 'int32')} into Go value of type {tried}"
        kind = go_text.kind_name(tree)
        if shape == "struct":
            return f"cannot restore struct from: {kind}"
        if shape in ("map", "list"):
            return f"cannot restore {'slice' if shape == 'list' else 'map'} from {kind}"
        is_number = kind in ("int64", "float64")
        if is_number and (scalar in _BITS or (scalar == "string" and kind == "int64")):
            return f"cannot convert {kind} to {go_type}"
        if scalar == "bytes":
            return f"cannot restore slice from {kind}"
        return f"unrecognized type: {'struct' if scalar == 'quantity' else scalar}"


_OF_THEIR_OWN: Final = {"time": "string", "microTime": "string", "intOrString": "int32"}
"""Types that read JSON themselves, and what they try first or last."""


def _is_whole(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def _wrapped(value: int | float, bits: int) -> int:
    """As Go's conversion leaves what does not fit: the lower bits of it, or of the least number if it is no int64."""
    whole = int(value)
    if not -(2**63) <= whole < 2**63:
        whole = -(2**63)
    half = 1 << (bits - 1)
    return (whole + half) % (2 * half) - half

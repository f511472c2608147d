"""Reads JSON into an object as the API server's Go types do, and writes back what they would write.

Decides: which fields exist, which values fit them, what an empty value becomes (vanishes, stays, turns null), the
canonical form of quantities and times, the order of fields. Refuses to know defaults and validation.

Two passes: a fast reader compiled per schema, for input without surprises; and, when it meets one, the slow
`inspection` that finds every unknown and duplicate field and the exact text of the first error.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from dray.api.meta import Object
from dray.api.schema import inspection
from dray.api.schema.inspection import DecodeError
from dray.api.schema.json_syntax import TOO_DEEP
from dray.api.schema.model import ABSENT, ZEROS, Schema, zero_struct
from dray.api.schema.scalars import READERS, BadScalar, Reader, WrongType, read_resource, read_string


@dataclasses.dataclass(frozen=True, slots=True)
class Decoded:
    object: Object
    """New dicts and lists throughout, safe to change; only opaque JSON may be shared with the input."""
    strict_errors: tuple[str, ...] = ()
    """`unknown field "spec.foo"`, `duplicate field "metadata.name"`, in the order of the document."""


def decode(
    data: bytes | Mapping[str, Any],
    schema: Schema,
    *,
    strict: bool = True,
    gates: frozenset[str] = frozenset(),
    careful: bool = False,
) -> Decoded:
    """The object that `data` (a JSON text, mended where `json_text` had to, or a dict already parsed) says.

    Unknown fields are dropped and reported in `strict_errors`. Duplicate keys (the last one wins) are looked for
    only when `strict`, since that costs. `gates`: those that are on, of fields behind one. `careful`: numbers may be
    `json_text.Number`s, which the fast reader does not know. Raises DecodeError with Go's text for malformed JSON and
    for wrong types.
    """
    if careful:
        tree, is_odd = None, True
    elif isinstance(data, bytes | bytearray | memoryview):
        tree, is_odd = _parse(bytes(data), strict)
    else:
        tree, is_odd = data, False
    if not is_odd:
        try:
            return Decoded(reader(schema)(tree))
        except (Surprise, WrongType, BadScalar):
            pass
    found = inspection.inspect(data, schema, gates)
    return Decoded(reader(schema, full=True)(found.clean), found.messages if strict else found.unknown)


def _parse(data: bytes, strict: bool) -> tuple[Any, bool]:
    try:
        if not strict:
            return orjson.loads(data), False
        tree = json.loads(data, object_pairs_hook=_unique, parse_int=_integer, parse_float=_float)
        return tree, False
    except _ForInspection:
        return None, True
    except RecursionError:
        raise DecodeError(TOO_DEEP) from None
    except ValueError:
        raise DecodeError(inspection.syntax_error(data)) from None


def _integer(digits: str) -> int | float:
    """As every other reader here has it: of 64 bits, or a float."""
    if len(digits) < _SURELY_SMALL:
        return int(digits)
    number = _float(digits)
    whole = int(number) if abs(number) > 2.0**65 else int(digits)
    return whole if -(2**63) <= whole < 2**64 else number


_SURELY_SMALL = 19
"""Digits."""


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _ForInspection
    return number


class _ForInspection(Exception):
    """The text gives a member twice, or has a number that no float holds."""


class Surprise(Exception):
    """The fast reader met something it leaves to the inspection."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _ForInspection
    return members


_RESOURCES = "v1.ResourceList"
"""Amounts of resources: finer than a thousandth they are not kept."""

_READERS: dict[tuple[Schema, bool], Reader] = {}


def reader(schema: Schema, *, full: bool = False) -> Reader:
    """The compiled fast reader of a schema: JSON value -> written form. Raises on any surprise.

    A field behind a gate is one, unless `full`: whether it may be there is for the inspection to say.
    """
    known = _READERS.get((schema, full))
    if known is None:
        known = _READERS[schema, full] = _COMPILERS[schema.shape](schema, full)
    return known


def _compile_struct(schema: Schema, full: bool) -> Reader:
    rules: dict[str, _Rule] = {}
    zeros: list[tuple[str, Callable[[], Any]]] = []

    def compile_fields() -> None:
        # Only at the first value, so that an unused part of a kind costs nothing. Two threads may come here at once,
        # and neither may see the rules half made by the other.
        made: dict[str, _Rule] = {}
        for rank, (name, field) in enumerate(schema.fields.items()):
            if (field.gate or field.until) and not full:
                continue
            made[name] = (reader(field.schema, full=full), _drops_empty(field), rank)
            if field.zero() is not ABSENT:
                zeros.append((name, field.zero))
        rules.update(made)

    def read(value: Any) -> Any:
        if value.__class__ is not dict:
            raise Surprise
        if not rules:
            compile_fields()
        out = {}
        last, is_sorted = -1, True
        for name, item in value.items():
            if name not in rules:
                raise Surprise
            if item is None:
                continue
            read_item, drops_empty, rank = rules[name]
            if item.__class__ is not str or read_item is not read_string:  # most are, and need no call
                item = read_item(item)
            if item or not drops_empty:
                out[name] = item
                is_sorted = is_sorted and rank > last
                last = rank
        for name, zero in zeros:
            if name not in out:
                out[name] = zero()
                is_sorted = False
        return (
            out if is_sorted else {name: out[name] for name in sorted(out, key=lambda name: rules[name][2])}
        )

    return read


_Rule = tuple[Reader, bool, int]
"""Reader, whether an empty value is left out, and the field's place."""


def _drops_empty(field: Any) -> bool:
    """One that is always written is written as if nothing had been said; see `emptiness`."""
    if field.pointer or field.distinct:
        return False
    shape, scalar = field.schema.shape, field.schema.scalar
    if shape in ("list", "map") or field.zeroless:
        return True
    return not field.always and scalar in ("string", "int32", "int64", "bool", "float64", "bytes")


def _compile_list(schema: Schema, full: bool) -> Reader:
    assert schema.items is not None
    read_item, items = reader(schema.items, full=full), schema.items

    def read(value: Any) -> Any:
        if value.__class__ is not list:
            raise Surprise
        return [_zero(items) if item is None else read_item(item) for item in value]

    return read


def _compile_map(schema: Schema, full: bool) -> Reader:
    assert schema.values is not None
    read_value, values = reader(schema.values, full=full), schema.values
    if schema.go_type == _RESOURCES:
        read_value = _exactly(read_resource, full)

    def read(value: Any) -> Any:
        if value.__class__ is not dict:
            raise Surprise
        # Go writes the keys of maps sorted.
        return {
            key: _zero(values) if (item := value[key]) is None else read_value(item) for key in sorted(value)
        }

    return read


def _exactly(read: Reader, full: bool, is_amount: bool = True) -> Reader:
    """A reader of amounts that leaves a number to the inspection, which has it as it was written."""
    if full or not is_amount:
        return read

    def read_exactly(value: Any) -> Any:
        if value.__class__ is float:
            raise Surprise
        return read(value)

    return read_exactly


def _zero(schema: Schema) -> Any:
    """What null becomes as an element of a list or map."""
    if schema.shape == "struct":
        return zero_struct(schema)
    return "" if schema.scalar == "bytes" else ZEROS.get(schema.scalar)


_COMPILERS: Mapping[str, Callable[[Schema, bool], Reader]] = {
    "struct": _compile_struct,
    "list": _compile_list,
    "map": _compile_map,
    "scalar": lambda schema, full: _exactly(READERS[schema.scalar], full, schema.scalar == "quantity"),
    "any": lambda schema, _: READERS[schema.scalar],
}

"""Path elements: how one step into a value is written in `fieldsV1` (`f:name`, `k:{"name":"a"}`, `v:"x"`) and in texts.

Decides what identifies an element of an associative list. A list element identifies itself by its key fields, an
absent one counting as its default where the schema has one; an element of a set identifies itself by its value.
"""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from dray.api.fields import quote
from dray.api.schema.go_text import GoValue
from dray.api.schema.model import ABSENT, ZEROS, Field, Schema
from dray.kits import go_json


class BadElement(ValueError):
    """The element cannot identify itself; `str()` is upstream's text."""


def field(name: str) -> str:
    return f"f:{name}"


def identity(item: Any, schema: Schema) -> Any:
    """What identifies `item` in an associative list, hashable; unlike `element` it need not be printable.

    Raises BadElement.
    """
    if schema.list_type == "set":
        return _set_value(item)
    if item is None:
        raise BadElement("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise BadElement("associative list with keys may not have non-map elements")
    values = tuple(item.get(key, default) for key, default in key_defaults(schema))
    if any(isinstance(value, GoValue) for value in values):
        raise BadElement("associative list with keys has an element whose key has no form in JSON")
    if all(value is ABSENT for value in values):
        names = " ".join(quote(key) for key in schema.list_keys)
        raise BadElement(
            f"associative list with keys has an element that omits all key fields [{names}] "
            "(and doesn't have default values for any key fields)"
        )
    return values


def _set_value(item: Any) -> Any:
    if isinstance(item, dict):
        raise BadElement("associative list without keys has an element that's a map type")
    if isinstance(item, list):
        raise BadElement("not supported: associative list with lists as elements")
    if isinstance(item, GoValue):
        raise BadElement("associative list without keys has an element without a form in JSON")
    if item is None:
        raise BadElement("associative list without keys has an element that's an explicit null")
    return item


@functools.cache
def key_defaults(schema: Schema) -> tuple[tuple[str, Any], ...]:
    """The key fields of an associative list and what each counts as when absent (ABSENT: it stays out of the key)."""
    known: Mapping[str, Field] = schema.items.fields if schema.items else {}
    return tuple((key, _default(known.get(key))) for key in schema.list_keys)


def _default(key: Field | None) -> Any:
    if key is None or key.default is not ABSENT:
        return ABSENT if key is None else key.default
    # Upstream's published schema gives required plain fields their zero value as default.
    counts_as_zero = key.required and key.always and not key.pointer and key.schema.shape == "scalar"
    return ZEROS[key.schema.scalar] if counts_as_zero else ABSENT


def element(found: Any, schema: Schema) -> str:
    """The path element of an identity: `k:{"name":"a"}` or `v:"x"`."""
    if schema.list_type == "set":
        return f"v:{_json(found)}"
    pairs = sorted(
        (key, value) for key, value in zip(schema.list_keys, found, strict=True) if value is not ABSENT
    )
    return "k:{" + ",".join(f"{_json(key)}:{_json(value)}" for key, value in pairs) + "}"


def _json(value: Any) -> str:
    return go_json.encode_text(value)


def path_text(path: Iterable[str]) -> str:
    """A path as conflicts and typing errors print it: `.spec.containers[name="c"].image`."""
    return "".join(map(element_text, path))


def element_text(step: str) -> str:
    kind, _, rest = step.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "k":
        shown = ",".join(f"{key}={_shown(value)}" for key, value in orjson.loads(rest).items())
        return f"[{shown}]"
    return f"[={_shown(orjson.loads(rest))}]" if kind == "v" else f"[{rest}]"


def _shown(value: Any) -> str:
    return quote(value) if isinstance(value, str) else orjson.dumps(value).decode()

"""Writes with empty lists and maps: there while the object is judged, and not in what is stored (`schema.emptiness`)."""

from typing import Any

from dray.api.meta import Object
from dray.api.schema.emptiness import with_empties, without_empties
from dray.api.schema.model import Schema
from dray.apiserver.core import Call
from dray.apiserver.type_name import TypeName


def as_sent(call: Call, obj: Object, sent: Any) -> Object:
    """`obj`, in hub form, with what was empty in the document it was read from; itself where that had nothing empty."""
    schema = _schema(call) if sent is not None else None
    return obj if schema is None else with_empties(obj, sent, schema)


def as_stored(call: Call, obj: Object) -> Object:
    """Without anything empty."""
    schema = _schema(call)
    return obj if schema is None else without_empties(obj, schema)


def as_told(call: Call, obj: Object) -> Object:
    """As the answer has it: that of a dry run is not what comes back from storage."""
    schema = _schema(call)
    return obj if schema is None else without_empties(obj, schema, stored=not call.dry_run)


def _schema(call: Call) -> Schema | None:
    stored = call.stored
    return TypeName(stored.api_version, stored.kind, call.kind.gates).schema

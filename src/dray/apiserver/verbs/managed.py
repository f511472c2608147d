"""When field ownership is recorded (metadata.managedFields); how is `dray.apiserver.ownership`'s business.

Ownership is told in the version the writer speaks, so objects are looked at in that version, and converted for owners
who spoke another.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from dray.api.meta import Object, clone
from dray.apiserver.core import Call
from dray.apiserver.ownership import (
    Converter,
    apply,
    entries,
    keep_times_when_unchanged,
    record_update,
    reset_fields,
)
from dray.apiserver.structure import from_hub
from dray.apiserver.type_name import type_name


def record(call: Call, new: Object, old: Object | None) -> None:
    """Write into `new` who owns what after it replaces `old` (None: is created); both in stored form.

    Fields of a kind without a schema have no owners.
    """
    kind = call.kind
    if not call.subresource:
        kind.complete(call, new)
    if type_name(kind, call.version).schema is None:
        return
    shown = from_hub(kind, new, call.version)
    before = from_hub(kind, old, call.version) if old is not None else None
    owned = record_update(
        before,
        shown,
        manager=call.options.field_manager,
        api_version=call.resource.api_version,
        subresource=call.subresource,
        now=call.now,
        reset_fields=reset_fields(kind.resource.kind, call.subresource),
        convert=_converter(call),
        later=kind.gates,
    )
    _take(new, owned)


def record_scale(call: Call, new: Object, old: Object) -> None:
    """The same of a change of `spec.replicas` through /scale.

    Owners are told from each other in the Scale, which shows those of the replicas alone: where there are none, nobody's
    ownership is tracked, and what is brought back from there has no time.
    """
    record(call, new, old)
    before = old["metadata"].get("managedFields") or []
    if any("f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {}) for entry in before):
        timeless = [
            {key: value for key, value in entry.items() if key != "time"}
            if entry.get("subresource") == call.subresource
            else entry
            for entry in new["metadata"].get("managedFields") or ()
        ]
        _take(new, {"metadata": {"managedFields": entries.write(entries.read_or_none(timeless))}})
    else:
        _take(new, old)


def applied(call: Call, live: Object | None, config: Mapping[str, Any]) -> Object:
    """The object (client's version, new where it differs) that applying `config` to `live` gives.

    `live` is in the client's version, too. Raises Conflict, BadRequest, or a 500 for a bad configuration.
    """
    return apply(
        live,
        config,
        manager=call.options.field_manager,
        force=call.options.force,
        api_version=call.resource.api_version,
        now=call.now,
        subresource=call.subresource,
        reset_fields=reset_fields(call.kind.resource.kind, call.subresource),
        convert=_converter(call),
        later=call.kind.gates,
    )


def disown(new: Object, sent: Any) -> None:
    """Let nobody own anything any more where the document `sent` says so: by an empty list, which is not as none here."""
    meta = sent.get("metadata") if isinstance(sent, Mapping) else None
    if isinstance(meta, Mapping) and meta.get("managedFields") == []:
        new["metadata"].pop("managedFields", None)


def settle(new: Object, old: Object) -> None:
    """At the end of a write that changed nothing after all, nobody's time of ownership changes either."""
    _take(new, keep_times_when_unchanged(old, new))


def _take(obj: Object, owned: Object) -> None:
    found = owned["metadata"].get("managedFields")
    if found:
        obj["metadata"]["managedFields"] = [_shared(entry) for entry in found]
    else:
        obj["metadata"].pop("managedFields", None)


_MOST_SHARED: Final = 4096
_LONGEST_SHARED: Final = 2048
"""Bytes: what is larger is hardly another's, too, and would be held for nobody."""

_SHARED: dict[bytes, Object] = {}
"""Field sets by their encoding. Objects of one writer mostly own the same fields: kept once, they take half the memory."""


def _shared(entry: Object) -> Object:
    fields = entry.get("fieldsV1")
    if fields is None:
        return entry
    key = orjson.dumps(fields)
    if len(key) > _LONGEST_SHARED:
        return entry
    known = _SHARED.get(key)
    if known is None:
        if len(_SHARED) >= _MOST_SHARED:
            _SHARED.clear()
        _SHARED[key] = known = fields
    return entry if known is fields else {**entry, "fieldsV1": known}


def _converter(call: Call) -> Converter:
    kind, group = call.kind, call.kind.resource.group

    def convert(obj: Mapping[str, Any], api_version: str) -> Mapping[str, Any] | None:
        wanted_group, _, version = api_version.rpartition("/")
        if wanted_group != group or version not in kind.versions:
            return None
        given_version = obj["apiVersion"].rpartition("/")[2]
        return from_hub(kind, kind.to_hub(clone(obj), given_version), version)

    return convert

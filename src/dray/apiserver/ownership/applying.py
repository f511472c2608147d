"""Server-side apply: the configuration becomes the applier's share of the object.

Decides what the merged object is, which fields the applier owns afterwards, and when that is refused. What it applied
before and left out now goes, unless others own it too. Defaults and validation are the caller's.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

from dray.api import errors
from dray.api.meta import Object, format_time
from dray.api.schema import Schema
from dray.api.schema.conversion import restore
from dray.api.schema.inspection import DecodeError
from dray.api.schema.json_syntax import TOO_DEEP
from dray.api.schema.model import zero_struct
from dray.apiserver.ownership import conflicts, entries, last_applied, typed
from dray.apiserver.ownership.elements import BadElement
from dray.apiserver.ownership.entries import Holding, Holdings, Owner
from dray.apiserver.ownership.fieldset import (
    EMPTY,
    FieldSet,
    difference,
    in_order,
    intersection,
    without_subtrees,
)
from dray.apiserver.ownership.merging import merge
from dray.apiserver.ownership.pruning import Pruning
from dray.apiserver.ownership.updates import UNOWNED, dropped, take_over, with_entries
from dray.apiserver.ownership.versions import Converter, Versions, schema_of

BEFORE_FIRST_APPLY = "before-first-apply"
"""Who owns the fields of an object that had no owners when it was first applied to."""


class _Conflicting(Exception):
    def __init__(self, contested: dict[Owner, FieldSet]) -> None:
        super().__init__()
        self.contested = contested


class _Request(NamedTuple):
    config: Mapping[str, Any]
    key: Owner
    api_version: str
    schema: Schema
    reset: FieldSet
    convert: Converter | None
    time: str
    later: frozenset[str]


def apply(
    live: Mapping[str, Any] | None,
    config: Mapping[str, Any],
    *,
    manager: str,
    force: bool = False,
    api_version: str,
    now: dt.datetime,
    subresource: str = "",
    reset_fields: FieldSet = EMPTY,
    convert: Converter | None = None,
    later: frozenset[str] = frozenset(),
) -> Object:
    """The object that results from applying `config` to `live` (None when absent), both in `api_version`.

    The result is canonical, carries its managedFields and is new where it differs; it is `live` itself (but for
    managedFields) when the configuration changes nothing. Raises errors.Conflict when others own fields that
    differ, unless `force`; BadRequest for managedFields in `config`; StatusError 500, as upstream, for a
    configuration that does not fit its schema.
    """
    if _owns(config):
        raise errors.BadRequest("metadata.managedFields must be nil")
    schema = schema_of(api_version, config["kind"], later)
    try:
        typed.check(config, schema)
    except typed.TypingError as error:
        raise errors.StatusError(f"failed to create typed patch object ({_name(config)}): {error}") from None
    key = entries.owner(manager, entries.APPLY, api_version, subresource)
    request = _Request(config, key, api_version, schema, reset_fields, convert, format_time(now), later)
    base = zero_struct(schema) if live is None else live
    holdings = _holdings(base, request)
    try:
        applied = _applied_or_upgraded(base, holdings, request, force)
    except BadElement as error:
        raise errors.StatusError(f"failed to create typed live object ({_name(base)}): {error}") from None
    return last_applied.refreshed(applied, live, config, manager)


def _owns(config: Mapping[str, Any]) -> bool:
    """Whether it brings managedFields; what cannot be such is left to the schema."""
    metadata = config.get("metadata")
    given = metadata.get("managedFields") if isinstance(metadata, Mapping) else None
    return isinstance(given, list) and all(isinstance(entry, Mapping) for entry in given)


def _name(obj: Mapping[str, Any]) -> str:
    given = obj.get("metadata")
    metadata = given if isinstance(given, Mapping) else {}
    group, _, version = obj.get("apiVersion", "").rpartition("/")
    namespace, name = (
        value if isinstance(value := metadata.get(key), str) else "" for key in ("namespace", "name")
    )
    return f"{namespace}/{name}; {group}/{version}, Kind={obj.get('kind', '')}"


def _holdings(live: Mapping[str, Any], request: _Request) -> Holdings:
    try:
        holdings = entries.read(live["metadata"].get("managedFields"))
    except entries.BadEntry as error:
        raise errors.StatusError(f"failed to decode managed fields: {error}") from None
    if holdings:
        return holdings
    versions = Versions(
        zero_struct(request.schema),
        live,
        request.api_version,
        request.config["kind"],
        reset=request.reset,
        later=request.later,
    )
    before = entries.owner(BEFORE_FIRST_APPLY, entries.UPDATE, request.api_version, request.key.subresource)
    return take_over({}, versions, before, request.api_version, request.time)


def _applied_or_upgraded(
    live: Mapping[str, Any], holdings: Holdings, request: _Request, force: bool
) -> Object:
    """kubectl may take over what its own client-side apply wrote; every other conflict is the client's to resolve."""
    try:
        return _applied(live, holdings, request, force)
    except _Conflicting as refused:
        contested = refused.contested
    if request.key.manager == last_applied.MANAGER:
        allowed = last_applied.takeable(live, request.api_version, request.schema)
        contested = {key: rest for key, fields in contested.items() if (rest := difference(fields, allowed))}
        if not contested:
            return _applied(live, holdings, request, True)
    raise conflicts.apply_conflict(conflicts.conflicts_of(contested))


def _applied(live: Mapping[str, Any], holdings: Holdings, request: _Request, force: bool) -> Object:
    merged = merge(live, request.config, request.schema)
    fields = without_subtrees(typed.field_set(request.config, request.schema), request.reset)
    last = holdings.get(request.key)
    after = {**holdings, request.key: Holding(fields, request.api_version, last.time if last else None)}
    if last is not None:
        pruning = Pruning(request.api_version, request.config["kind"], request.convert, request.later)
        merged = pruning.prune(merged, last, after)
    versions = Versions(
        live,
        merged,
        request.api_version,
        request.config["kind"],
        reset=request.reset,
        convert=request.convert,
        later=request.later,
    )
    if not force:
        _refuse_conflicts(after, versions, request.key)
    after = dropped(after, versions, keep=request.key)
    return _finished(live, merged, after, request)


def _refuse_conflicts(holdings: Holdings, versions: Versions, key: Owner) -> None:
    contested: dict[Owner, FieldSet] = {}
    for other, holding in holdings.items():
        found = versions.comparison(holding.api_version) if other != key else None
        fields = intersection(holding.fields, found.changed) if found else EMPTY
        if fields:
            contested[other] = fields
    if contested:
        raise _Conflicting(contested)


def _finished(
    live: Mapping[str, Any], merged: Mapping[str, Any], after: Holdings, request: _Request
) -> Object:
    own = after.pop(request.key)
    is_same = merged == live
    fields = in_order(difference(own.fields, UNOWNED))
    if fields:
        after[request.key] = Holding(fields, request.api_version, own.time if is_same else request.time)
    managed = entries.write(entries.capped(after))
    if is_same:
        return with_entries(dict(live), managed)
    try:
        obj = restore(merged, request.schema).object
    except DecodeError as error:
        if str(error).endswith(TOO_DEEP):  # a limit of this server, of which Kubernetes has no word
            raise errors.BadRequest(str(error)) from None
        name = _name(request.config)
        raise errors.StatusError(
            f"failed to convert new object ({name}) to proper version: unable to convert unstructured object to "
            f"{name.partition('; ')[2]}: {_from_json(str(error))}"
        ) from None
    return with_entries(obj, managed)


def _from_json(text: str) -> str:
    """Bytes are read by JSON's own reader, which says so."""
    return f"error decoding from json: {text}" if text.startswith("illegal base64 data") else text

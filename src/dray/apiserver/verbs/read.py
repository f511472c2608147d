"""GET: one object, or a list of them, now or as of a revision."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Final

from dray.api import errors
from dray.api.fields import quote
from dray.api.meta import Object, labels_of, name_of, namespace_of
from dray.api.selectors import FieldSelector
from dray.apiserver.core import Call, path_of, prefix_of
from dray.apiserver.options import ListOptions
from dray.apiserver.registry.kind import GENERIC_UNKNOWN_FIELD
from dray.apiserver.verbs.continue_token import decode_continue, encode_continue
from dray.apiserver.verbs.writing import not_found
from dray.store.errors import Compacted
from dray.store.record import Record
from dray.store.table import Page

FRESHNESS_SECONDS: Final = 3
"""How long a read waits for a revision that is not there yet."""

TOO_OLD: Final = "The resourceVersion for the provided list is too old."
TOKEN_TOO_OLD: Final = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter."
)

Matcher = Callable[[Object], bool]


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    records: list[Record]
    revision: int | None
    """None: of what is told and not stored."""
    continue_token: str = ""
    remaining: int | None = None


async def get(call: Call, resource_version: str = "") -> Record:
    """Raises NotFound, or Timeout for a resourceVersion from the future."""
    if resource_version not in ("", "0"):
        await reach(call, parse_version(resource_version))
    record = call.record()
    if record is None:
        raise not_found(call)
    return record


async def list_objects(call: Call, options: ListOptions) -> Listing:
    """Raises BadRequest, Expired, or Timeout for a resourceVersion from the future."""
    matches = matcher(call, options)
    resource = call.kind.resource
    prefix = prefix_of(resource, call.namespace)
    revision, after = await _start(call, options, prefix)
    name = options.fields.required("metadata.name")
    if name is not None and revision is None and (call.namespace or not resource.namespaced):
        return _single(call, name, matches)
    try:
        return _page(call, prefix, revision, after, options, matches)
    except Compacted:
        text = TOKEN_TOO_OLD if options.continue_token else TOO_OLD
        raise errors.Expired(text) from None


def _single(call: Call, name: str, matches: Matcher | None) -> Listing:
    store = call.core.store
    record = store.get(call.stored.qualified, path_of(call.kind.resource, call.namespace, name))
    found = record is not None and (matches is None or matches(record.obj))
    return Listing([record] if record is not None and found else [], store.revision)


async def _start(call: Call, options: ListOptions, prefix: str) -> tuple[int | None, str]:
    """At which revision to read (None: now), and after which path."""
    if options.continue_token:
        revision, after = decode_continue(options.continue_token)
        if options.resource_version not in ("", "0"):
            raise errors.BadRequest("specifying resource version is not allowed when using continue")
        await reach(call, revision or 0)
        return revision, prefix + after
    if options.resource_version in ("", "0"):
        return None, ""
    try:
        asked = parse_version(options.resource_version)
    except errors.StatusError as error:
        raise errors.BadRequest(f"invalid resource version: {error.message}") from None
    await reach(call, asked)
    is_exact = options.resource_version_match == "Exact" or (
        options.limit > 0 and not options.resource_version_match
    )
    return (asked if is_exact else None), ""


def _page(
    call: Call, prefix: str, revision: int | None, after: str, options: ListOptions, matches: Matcher | None
) -> Listing:
    store, resource = call.core.store, call.stored.qualified
    # Where any version will do, Kubernetes answers from its cache, which it does not cut into pages.
    is_cached = options.resource_version == "0" and not options.continue_token
    limit = 0 if is_cached else max(0, options.limit)
    # Only an unselected page can be cut by the store; a selection must look at each object.
    page = store.page(resource, prefix, after=after, limit=0 if matches else limit, revision=revision)
    if matches is None:
        return _listing(page, page.records, prefix, page.remaining, page.remaining or None)
    chosen: list[Record] = []
    unread = len(page.records)
    for record in page.records:
        unread -= 1
        if matches(record.obj):
            chosen.append(record)
            if len(chosen) == limit:
                break
    return _listing(page, chosen, prefix, unread, None)


def _listing(page: Page, records: list[Record], prefix: str, more: int, remaining: int | None) -> Listing:
    token = encode_continue(page.revision, records[-1].path.removeprefix(prefix)) if more and records else ""
    return Listing(records, page.revision, token, remaining)


def matcher(call: Call, options: ListOptions) -> Matcher | None:
    """Whether an object is selected; None when every object is. Raises BadRequest for an unknown field."""
    fields, labels = options.fields, options.labels
    for term in fields.terms:
        _check_field(call, term.field)
    if not fields.terms:
        if labels.is_everything:
            return None
        return lambda obj: labels.matches(labels_of(obj))
    if labels.is_everything:
        return lambda obj: fields_match(call, fields, obj)
    return lambda obj: labels.matches(labels_of(obj)) and fields_match(call, fields, obj)


def fields_match(call: Call, fields: FieldSelector, obj: Object) -> bool:
    return fields.matches(lambda field: _field_value(call, field, obj))


def _check_field(call: Call, field: str) -> None:
    kind = call.kind
    # Kinds with selectable fields of their own name each; only the generic ones take a namespace without having one.
    has_namespace = kind.resource.namespaced or kind.unknown_field_text == GENERIC_UNKNOWN_FIELD
    is_known = field == "metadata.name" or (field == "metadata.namespace" and has_namespace)
    if not is_known and field not in kind.field_labels:
        api_version = call.resource.api_version
        raise errors.BadRequest(kind.unknown_field_text.format(field=field, version=api_version))


def _field_value(call: Call, field: str, obj: Object) -> str:
    if field == "metadata.name":
        return name_of(obj)
    if field == "metadata.namespace":
        return namespace_of(obj)
    return call.kind.field_labels[field](obj)


# --- revisions


def parse_version(text: str) -> int:
    """A resourceVersion as the store counts. Raises a 500, as Kubernetes does where nothing caught it."""
    if is_version(text):
        return int(text)
    why = "value out of range" if text.isascii() and text.isdigit() else "invalid syntax"
    raise errors.StatusError(
        f"resourceVersion: Invalid value: {quote(text)}: strconv.ParseUint: parsing {quote(text)}: {why}"
    )


def is_version(text: str) -> bool:
    """Whether it is a number that a store could have counted to."""
    return text.isascii() and text.isdigit() and len(text) < _TOO_MANY_DIGITS


_TOO_MANY_DIGITS: Final = 20


async def reach(call: Call, revision: int) -> None:
    """Wait until the store is at `revision`. Raises Timeout."""
    store = call.core.store
    if revision <= store.revision:
        return
    try:
        async with asyncio.timeout(FRESHNESS_SECONDS):
            await store.wait_for(revision)
    except TimeoutError:
        raise errors.Timeout(
            f"Timeout: Too large resource version: {revision}, current: {store.revision}",
            details={
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
            },
            retry_after_seconds=1,
        ) from None

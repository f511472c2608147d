"""What the query string of a request says, checked as Kubernetes checks it.

Decides the meaning of list, watch, write and delete options and the texts for bad ones. Knows nothing of HTTP: a query
is a mapping from name to the values given, in order.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from dray.api import errors, fields
from dray.api.fields import FieldError, Path
from dray.api.meta import Object
from dray.api.selectors import (
    EVERYTHING,
    FieldSelector,
    LabelSelector,
    SelectorError,
    parse_field_selector,
    parse_label_selector,
)
from dray.api.validation.core.go_numbers import duration_problem
from dray.apiserver.core import FieldValidation, WriteOptions
from dray.apiserver.ownership import manager_of

Query = Mapping[str, Sequence[str]]

_MATCH = Path("resourceVersionMatch")
NO_FIELDS = FieldSelector()
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_LONGEST_DIGITS = 19
"""Of a number of 64 bits."""


@dataclasses.dataclass(frozen=True, slots=True)
class ListOptions:
    """Of a list, watch or deletecollection."""

    labels: LabelSelector = EVERYTHING
    fields: FieldSelector = NO_FIELDS
    resource_version: str = ""
    resource_version_match: str = ""
    limit: int = 0
    continue_token: str = ""
    watch: bool = False
    allow_bookmarks: bool = False
    send_initial_events: bool | None = None
    timeout_seconds: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteOptions:
    grace_period_seconds: int | None = None
    propagation_policy: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False
    orphan_dependents: bool | None = None
    """As it was given; `propagation_policy` says what comes of it."""


def check_timeout(query: Query) -> None:
    """Raises BadRequest for a time that is none; how long an answer takes is not up to the client here."""
    timeout = first(query, "timeout")
    if timeout and (why := duration_problem(timeout)):
        raise errors.BadRequest(f"invalid timeout specified in the request URL - {why}")


def check_no_export(query: Query) -> None:
    """Raises BadRequest for what objects could be asked to be stripped of, once."""
    if _flag(query, "export"):
        why = "the export parameter, deprecated since v1.14, is no longer supported"
        raise errors.BadRequest(why)


def first(query: Query, name: str) -> str:
    values = query.get(name)
    return values[0] if values else ""


def list_options(query: Query) -> ListOptions:
    """Raises BadRequest or Invalid."""
    if not query:
        return ListOptions()
    try:
        labels = parse_label_selector(first(query, "labelSelector"))
        selected_fields = parse_field_selector(first(query, "fieldSelector"))
    except SelectorError as error:
        raise errors.BadRequest(str(error)) from None
    options = ListOptions(
        labels=labels,
        fields=selected_fields,
        resource_version=first(query, "resourceVersion"),
        resource_version_match=first(query, "resourceVersionMatch"),
        limit=_integer(query, "limit") or 0,
        continue_token=first(query, "continue"),
        watch=_flag(query, "watch"),
        allow_bookmarks=_flag(query, "allowWatchBookmarks"),
        send_initial_events=_flag(query, "sendInitialEvents") if "sendInitialEvents" in query else None,
        timeout_seconds=_integer(query, "timeoutSeconds"),
    )
    found = _watch_errors(options) if options.watch else _list_errors(options)
    if found:
        raise _invalid("ListOptions", found)
    return options


def _watch_errors(options: ListOptions) -> list[FieldError]:
    match, found = options.resource_version_match, []
    if options.send_initial_events is None:
        if match:
            detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            found.append(fields.forbidden(_MATCH, detail))
            if match != "NotOlderThan":
                found.append(_unsupported(_MATCH, match, "NotOlderThan"))
        return found
    if match != "NotOlderThan":
        detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        found.append(fields.forbidden(_MATCH, detail))
        if match:
            found.append(_unsupported(_MATCH, match, "NotOlderThan"))
    return found


def _list_errors(options: ListOptions) -> list[FieldError]:
    found = _match_errors(options) if options.resource_version_match else []
    if options.send_initial_events is not None:
        detail = "sendInitialEvents is forbidden for list"
        found.append(fields.forbidden(Path("sendInitialEvents"), detail))
    return found


def _match_errors(options: ListOptions) -> list[FieldError]:
    """Of a list."""
    match, found = options.resource_version_match, []
    if not options.resource_version:
        detail = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        found.append(fields.forbidden(_MATCH, detail))
    if options.continue_token:
        found.append(fields.forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided"))
    if match not in ("Exact", "NotOlderThan"):
        found.append(_unsupported(_MATCH, match, "Exact", "NotOlderThan", ""))
    if match == "Exact" and options.resource_version == "0":
        detail = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        found.append(fields.forbidden(_MATCH, detail))
    return found


def write_options(query: Query, kind: str, user_agent: str = "") -> WriteOptions:
    """`kind`: CreateOptions or UpdateOptions, as the error texts name it. Raises Invalid."""
    return _write_options(query, kind, user_agent, [])


def patch_options(query: Query, is_apply: bool, user_agent: str = "") -> WriteOptions:
    """Raises Invalid."""
    found = []
    if is_apply and not first(query, "fieldManager"):
        found.append(fields.required(Path("fieldManager"), "is required for apply patch"))
    if not is_apply and "force" in query:
        found.append(fields.forbidden(Path("force"), "may not be specified for non-apply patch"))
    return _write_options(query, "PatchOptions", user_agent, found)


def _write_options(query: Query, kind: str, user_agent: str, found: list[FieldError]) -> WriteOptions:
    validation, manager = first(query, "fieldValidation"), first(query, "fieldManager")
    found += _manager_errors(manager)
    found += _dry_run_errors(query.get("dryRun") or ())
    if validation not in ("", "Ignore", "Strict", "Warn"):
        supported = ("", "Ignore", "Strict", "Warn")
        found.append(_unsupported(Path("fieldValidation"), validation, *supported))
    if found:
        raise _invalid(kind, found)
    return WriteOptions(
        dry_run=bool(query.get("dryRun")),
        field_manager=manager_of(manager, user_agent),
        field_validation=cast(FieldValidation, validation or "Warn"),
        force=_flag(query, "force"),
    )


def delete_options(query: Query, body: Object | None) -> DeleteOptions:
    """From the body if there is one, else from the query. Raises Invalid."""
    if body is not None:
        given: Mapping[str, Any] = body
        dry_run: Sequence[str] = body.get("dryRun") or ()
    else:
        given = {
            "gracePeriodSeconds": _integer(query, "gracePeriodSeconds"),
            "propagationPolicy": first(query, "propagationPolicy") if "propagationPolicy" in query else None,
            "orphanDependents": _flag(query, "orphanDependents") if "orphanDependents" in query else None,
            "preconditions": {
                field: first(query, field) for field in ("uid", "resourceVersion") if field in query
            },
        }
        dry_run = query.get("dryRun") or ()
    found = _propagation_errors(given) + _dry_run_errors(dry_run)
    if found:
        raise _invalid("DeleteOptions", found)
    preconditions = given.get("preconditions") or {}
    return DeleteOptions(
        grace_period_seconds=given.get("gracePeriodSeconds"),
        propagation_policy=_policy(given),
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        dry_run=bool(dry_run),
        orphan_dependents=given.get("orphanDependents"),
    )


def _policy(given: Mapping[str, Any]) -> str | None:
    orphan = given.get("orphanDependents")
    if orphan is not None:
        return "Orphan" if orphan else "Background"
    policy: str | None = given.get("propagationPolicy")
    return policy


def _propagation_errors(given: Mapping[str, Any]) -> list[FieldError]:
    policy, found = given.get("propagationPolicy"), []
    if policy is not None and given.get("orphanDependents") is not None:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        found.append(fields.invalid(Path("propagationPolicy"), policy, detail))
    if policy not in (None, "Foreground", "Background", "Orphan"):
        supported = ("Foreground", "Background", "Orphan", "nil")
        found.append(_unsupported(Path("propagationPolicy"), policy, *supported))
    return found


def _dry_run_errors(values: Sequence[str]) -> list[FieldError]:
    if all(value == "All" for value in values):
        return []
    return [_unsupported(Path("dryRun"), list(values), "All")]


def _manager_errors(manager: str) -> list[FieldError]:
    if len(manager.encode()) > 128:
        return [fields.too_long(Path("fieldManager"), 128)]
    found = []
    for index, char in enumerate(manager):
        if not char.isprintable():
            place = len(manager[:index].encode())
            detail = f"invalid character U+{ord(char):04X} (at position {place})"
            found.append(fields.invalid(Path("fieldManager"), manager, detail))
    return found


def _unsupported(path: Path, value: Any, *supported: str) -> FieldError:
    """Like `fields.not_supported`, with the choices in the order given: that is how upstream lists these."""
    choices = ", ".join(fields.quote(choice) for choice in supported)
    return FieldError(fields.ErrorType.NOT_SUPPORTED, str(path), value, f"supported values: {choices}")


def _invalid(kind: str, found: Sequence[FieldError]) -> errors.Invalid:
    return errors.invalid("meta.k8s.io", kind, "", found)


def _flag(query: Query, name: str) -> bool:
    """A parameter that is there counts as true unless it says otherwise."""
    values = query.get(name) or ("false",)
    return values[0].lower() not in ("false", "0")


def _integer(query: Query, name: str) -> int | None:
    if name not in query:
        return None
    text = first(query, name)
    if not _INTEGER.fullmatch(text):
        raise errors.BadRequest(f"strconv.ParseInt: parsing {fields.quote(text)}: invalid syntax")
    digits = text.lstrip("+-").lstrip("0") or "0"
    value = int(digits) if len(digits) <= _LONGEST_DIGITS else 2**64
    value = -value if text[0] == "-" else value
    if not -(2**63) <= value < 2**63:
        raise errors.BadRequest(f"strconv.ParseInt: parsing {fields.quote(text)}: value out of range")
    return value

"""Event: something that happened to an object. The core group and events.k8s.io show the same stored events."""

import datetime as dt
from collections.abc import Callable

from dray.api.duration import age
from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.names import path_segment
from dray.api.resources import EVENTS, EVENTS_V1
from dray.api.validation.core.event import validate_event, validate_new_event, validate_new_event_update
from dray.apiserver.registry.columns import NAME_WIDE, at, find, wide
from dray.apiserver.registry.kind import Column, Kind, WriteContext
from dray.apiserver.registry.selection import FIELD_LABEL_TEXT
from dray.apiserver.registry.writes import old_of

_TO_CORE = {
    "note": "message",
    "regarding": "involvedObject",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_FROM_CORE = {core: new for new, core in _TO_CORE.items()}


def _to_core(obj: Object, version: str) -> Object:
    return {_TO_CORE.get(key, key): value for key, value in obj.items()} | {"apiVersion": "v1"}


def _from_core(obj: Object, version: str) -> Object:
    renamed = {_FROM_CORE.get(key, key): value for key, value in obj.items()}
    return renamed | {"apiVersion": EVENTS_V1.api_version}


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_event(obj, controller="reportingComponent")


def _validate_new(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_event(obj) + validate_new_event(obj)


def _validate_new_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_event(obj) + validate_new_event_update(obj, old_of(context))


def _first_seen(event: Object, now: dt.datetime) -> str:
    return age(event.get("firstTimestamp") or event.get("eventTime"), now)


def _last_seen(event: Object, now: dt.datetime) -> str:
    if series := event.get("series"):
        return age(series.get("lastObservedTime"), now)
    if last := event.get("lastTimestamp"):
        return age(last, now)
    return _first_seen(event, now)


def _count(event: Object, now: dt.datetime) -> int:
    if series := event.get("series"):
        return int(series.get("count") or 0)
    return int(event.get("count") or 1)


def _about(event: Object, now: dt.datetime) -> str:
    target = event.get("involvedObject") or {}
    kind = (target.get("kind") or "").lower()
    return f"{kind}/{target['name']}" if target.get("name") else kind


def _source(event: Object, now: dt.datetime) -> str:
    source = event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    instance = source.get("host") or event.get("reportingInstance") or ""
    return f"{component}, {instance}" if instance else component


_COLUMNS = (
    Column("Last Seen", _last_seen, description="Time since it happened last."),
    Column("Type", at("type"), description="Normal or Warning."),
    Column("Reason", at("reason"), description="Why, in one word."),
    Column("Object", _about, description="What it happened to."),
    wide("Subobject", at("involvedObject", "fieldPath"), "Which part of the object."),
    wide("Source", _source, "Who reports it."),
    Column(
        "Message",
        lambda event, now: (event.get("message") or "").strip(),
        description="What happened.",
    ),
    wide("First Seen", _first_seen, "Time since it happened first."),
    wide("Count", _count, "How often it happened."),
    NAME_WIDE,
)


def _text(*path: str) -> Callable[[Object], str]:
    return lambda obj: str(find(obj, *path, default=""))


def _reporter(obj: Object) -> str:
    return find(obj, "source", "component") or obj.get("reportingComponent") or ""


_REFERENCE_FIELDS = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")

EVENT = Kind(
    EVENTS,
    singular="event",
    short_names=("ev",),
    columns=_COLUMNS,
    validate_create=_validate,
    validate_update=_validate,
    name_rule=path_segment,
    reads_finalizers=False,
    metadata_checks=(),
    create_on_update=True,
    field_labels={
        **{f"involvedObject.{field}": _text("involvedObject", field) for field in _REFERENCE_FIELDS},
        "reason": _text("reason"),
        "reportingComponent": _text("reportingComponent"),
        "source": _reporter,
        "type": _text("type"),
    },
    unknown_field_text=FIELD_LABEL_TEXT,
)

EVENT_V1 = Kind(
    EVENTS_V1,
    singular="event",
    short_names=("ev",),
    columns=_COLUMNS,
    to_hub=_to_core,
    from_hub=_from_core,
    stored_as=EVENTS,
    validate_create=_validate_new,
    validate_update=_validate_new_update,
    create_on_update=True,
    field_labels={
        **{f"regarding.{field}": _text("involvedObject", field) for field in _REFERENCE_FIELDS},
        "reason": _text("reason"),
        "reportingController": _text("reportingComponent"),
        "type": _text("type"),
    },
    unknown_field_text=FIELD_LABEL_TEXT,
)

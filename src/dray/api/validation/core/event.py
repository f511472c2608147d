"""Events, of either API group: they must be where their object is, and new-style ones must be complete."""

from typing import Any, Final

from dray.api import names
from dray.api.fields import FieldError, Path, invalid, required
from dray.api.meta import Object, parse_time
from dray.api.validation.core.internal import FORMS
from dray.api.validation.meta import IMMUTABLE
from dray.api.validation.sameness import same

TEXT_MAX: Final = 128
NOTE_MAX: Final = 1024

_ELSEWHERE: Final = "does not match event.namespace"
_UNSET: Final = "needs to be unset"
_FIXED: Final = (
    "involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "reason", "type",
    "eventTime", "action", "related", "reportingComponent", "reportingInstance",
)  # fmt: skip
_TIMES: Final = ("eventTime", "firstTimestamp", "lastTimestamp")
_NEW_NAMES: Final = {"reportingComponent": "reportingController"}


def validate_event(event: Object, *, controller: str = "reportingController") -> list[FieldError]:
    """What both groups ask. An event with an eventTime is of the new style; `controller` names who reports it."""
    namespace = event["metadata"].get("namespace") or ""
    about = (event.get("involvedObject") or {}).get("namespace") or ""
    at = Path("involvedObject.namespace")
    errors: list[FieldError] = []
    if event.get("eventTime"):
        if not about and namespace not in ("default", "kube-system"):
            errors.append(invalid(at, about, _ELSEWHERE))
        errors += _validate_new_style(event, Path(controller))
    elif about != namespace and (about or namespace not in ("", "default")):
        errors.append(invalid(at, about, _ELSEWHERE))
    return errors


def _validate_new_style(event: Object, controller: Path) -> list[FieldError]:
    reporter = event.get("reportingComponent") or ""
    errors = [] if reporter else [required(controller)]
    errors += [invalid(controller, reporter, text) for text in names.qualified_name(reporter)]
    for field in ("reportingInstance", "action", "reason"):
        text = event.get(field) or ""
        if not text:
            errors.append(required(Path(field)))
        elif names.byte_length(text) > TEXT_MAX:
            errors.append(invalid(Path(field), "", f"can have at most {TEXT_MAX} characters"))
    if names.byte_length(event.get("message") or "") > NOTE_MAX:
        errors.append(invalid(Path("message"), "", f"can have at most {NOTE_MAX} characters"))
    return errors


def validate_new_event(event: Object) -> list[FieldError]:
    """What events.k8s.io asks beyond that: a time, a type, and nothing of what events had before."""
    errors = _validate_series(event.get("series"))
    kind, source = event.get("type") or "", event.get("source") or {}
    if not event.get("eventTime"):
        errors.append(required(Path("eventTime")))
    if kind not in ("Normal", "Warning"):
        errors.append(invalid(Path("type"), "", f"has invalid value: {kind}"))
    for field, value in (
        ("firstTimestamp", event.get("firstTimestamp")),
        ("lastTimestamp", event.get("lastTimestamp")),
        ("count", event.get("count")),
        ("source", source.get("component") or source.get("host")),
    ):
        if value:
            errors.append(invalid(Path(field), "", _UNSET))
    return errors


def validate_new_event_update(new: Object, old: Object) -> list[FieldError]:
    """Only its series goes on."""
    errors = [] if same(new.get("series"), old.get("series")) else _validate_series(new.get("series"))
    for field in _FIXED:
        value, before = _shown(field, new.get(field)), _shown(field, old.get(field))
        is_same = value == before
        if field == "eventTime" and value and before:
            is_same = parse_time(value) == parse_time(before)
        if not is_same:
            errors.append(invalid(Path(_NEW_NAMES.get(field, field)), value, IMMUTABLE))
    return errors


def _shown(field: str, value: Any) -> Any:
    """Kubernetes shows its own types."""
    if field == "source":
        return FORMS.show("EventSource", value)
    if field in ("involvedObject", "related"):
        return FORMS.show("*ObjectReference" if field == "related" else "ObjectReference", value)
    if field in _TIMES:
        return value or None
    return value or (0 if field == "count" else "")


def _validate_series(series: Object | None) -> list[FieldError]:
    if series is None:
        return []
    errors: list[FieldError] = []
    if (series.get("count") or 0) < 2:
        errors.append(invalid(Path("series.count"), "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        errors.append(required(Path("series.lastObservedTime")))
    return errors

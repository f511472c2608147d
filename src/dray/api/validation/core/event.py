"""Events, of either API group: they must be where their object is, and new-style ones must be complete."""

from dray.api import names
from dray.api.fields import FieldError, Path, invalid, required
from dray.api.meta import Object

TEXT_MAX = 128
NOTE_MAX = 1024

_ELSEWHERE = "does not match event.namespace"


def validate_event(event: Object) -> list[FieldError]:
    """An event with an eventTime is of the new style."""
    namespace = event["metadata"].get("namespace") or ""
    about = (event.get("involvedObject") or {}).get("namespace") or ""
    at = Path("involvedObject.namespace")
    if event.get("eventTime"):
        errors: list[FieldError] = []
        if not about and namespace not in ("default", "kube-system"):
            errors.append(invalid(at, about, _ELSEWHERE))
        return errors + _validate_new_style(event)
    if about != namespace and (about or namespace not in ("", "default")):
        return [invalid(at, about, _ELSEWHERE)]
    return []


def _validate_new_style(event: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    reporter, at = event.get("reportingComponent") or "", Path("reportingController")
    if reporter:
        errors += [invalid(at, reporter, text) for text in names.qualified_name(reporter)]
    else:
        errors.append(required(at))
    for field in ("reportingInstance", "action", "reason"):
        text = event.get(field) or ""
        if not text:
            errors.append(required(Path(field)))
        elif names.byte_length(text) > TEXT_MAX:
            errors.append(invalid(Path(field), "", f"can have at most {TEXT_MAX} characters"))
    if names.byte_length(event.get("message") or "") > NOTE_MAX:
        errors.append(invalid(Path("message"), "", f"can have at most {NOTE_MAX} characters"))
    return errors

"""metav1.Condition lists: what a status condition must carry. Knows no kind's condition types."""

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, invalid, not_supported, required, too_long, too_many
from dray.api.meta import Object
from dray.api.validation.lists import items_of

MAX_REASON_BYTES = 1024
MAX_MESSAGE_BYTES = 32768
STATUSES = ("True", "False", "Unknown")


def validate_conditions(
    conditions: list[Object] | None, path: Path, *, most: int | None = None
) -> list[FieldError]:
    """Findings on a list of conditions: every one complete, each type once; too long a list is reported besides."""
    items = items_of(conditions)
    errors = [too_many(path, len(items), most)] if most is not None and len(items) > most else []
    seen: set[str] = set()
    for index, condition in enumerate(items):
        at = path.index(index)
        kind = condition.get("type") or ""
        if kind in seen:
            errors.append(duplicate(at.child("type"), kind))
        seen.add(kind)
        errors += validate_condition(condition, at)
    return errors


def validate_condition(condition: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    kind = condition.get("type") or ""
    errors += [invalid(path.child("type"), kind, text) for text in names.qualified_name(kind)]
    status = condition.get("status") or ""
    if status not in STATUSES:
        errors.append(not_supported(path.child("status"), status, STATUSES))
    if (condition.get("observedGeneration") or 0) < 0:
        at = path.child("observedGeneration")
        text = "must be greater than or equal to zero"
        errors.append(invalid(at, condition["observedGeneration"], text))
    if not condition.get("lastTransitionTime"):
        errors.append(required(path.child("lastTransitionTime")))
    errors += _validate_reason(condition.get("reason") or "", path.child("reason"))
    if names.byte_length(condition.get("message") or "") > MAX_MESSAGE_BYTES:
        errors.append(too_long(path.child("message"), MAX_MESSAGE_BYTES))
    return errors


def _validate_reason(reason: str, path: Path) -> list[FieldError]:
    if not reason:
        return [required(path)]
    errors = [invalid(path, reason, text) for text in names.condition_reason(reason)]
    if names.byte_length(reason) > MAX_REASON_BYTES:
        errors.append(too_long(path, MAX_REASON_BYTES))
    return errors

"""Label selectors as objects carry them (matchLabels, matchExpressions)."""

from dray.api import names
from dray.api.fields import Choice, FieldError, Path, forbidden, invalid, required
from dray.api.meta import Object
from dray.api.validation.lists import items_of
from dray.api.validation.meta import validate_labels


def validate_label_selector(selector: Object | None, path: Path) -> list[FieldError]:
    if not selector:
        return []
    errors = validate_labels(selector.get("matchLabels") or {}, path.child("matchLabels"))
    for index, requirement in enumerate(items_of(selector.get("matchExpressions"))):
        errors += _validate_requirement(requirement, path.child("matchExpressions").index(index))
    return errors


def _validate_requirement(requirement: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    operator, values = requirement.get("operator") or "", requirement.get("values") or []
    at = path.child("values")
    if operator in ("In", "NotIn"):
        if not values:
            errors.append(required(at, "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            errors.append(forbidden(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    else:
        errors.append(invalid(path.child("operator"), Choice(operator), "not a valid selector operator"))
    key = requirement.get("key") or ""
    errors += [invalid(path.child("key"), key, text) for text in names.qualified_name(key)]
    for index, value in enumerate(values):
        errors += [invalid(at.index(index), value, text) for text in names.label_value(value)]
    return errors


def is_empty(selector: Object | None) -> bool:
    return not (selector or {}).get("matchLabels") and not (selector or {}).get("matchExpressions")

"""Binding conditions of a device, and of the allocation result that copies them."""

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, invalid
from dray.api.meta import Object
from dray.api.validation.lists import each, repeated
from dray.api.validation.resource.naming import check_name

CONDITIONS_MAX = 4


def validate_binding_conditions(holder: Object, path: Path) -> list[FieldError]:
    """`holder` has bindingConditions and bindingFailureConditions: both or neither, no type in both."""
    good, bad = holder.get("bindingConditions") or [], holder.get("bindingFailureConditions") or []
    good_path, bad_path = path.child("bindingConditions"), path.child("bindingFailureConditions")
    errors = each(good, good_path, _validate_type, most=CONDITIONS_MAX)
    errors += each(bad, bad_path, _validate_type, most=CONDITIONS_MAX)
    errors += [duplicate(good_path.index(index), good[index]) for index in repeated(good)]
    again = set(repeated(bad))
    for index, kind in enumerate(bad):
        if index in again:
            errors.append(duplicate(bad_path.index(index), kind))
        if kind in good:
            text = "bindingFailureConditions must not overlap with bindingConditions"
            errors.append(invalid(bad_path.index(index), kind, text))
    if good and not bad:
        text = "bindingFailureConditions are required to use bindingConditions"
        errors.append(invalid(bad_path, holder.get("bindingFailureConditions"), text))
    elif bad and not good:
        text = "bindingConditions are required to use bindingFailureConditions"
        errors.append(invalid(good_path, holder.get("bindingConditions"), text))
    return errors


def _validate_type(kind: str, path: Path) -> list[FieldError]:
    return check_name(kind, path, names.qualified_name)

"""ControllerRevision: a template that a workload had, by number."""

from typing import Final

from dray.api.fields import FieldError, Path, invalid, required
from dray.api.meta import Object
from dray.api.validation.core.workload_parts import not_negative
from dray.api.validation.meta import IMMUTABLE
from dray.api.validation.sameness import same

_DATA: Final = Path("data")


def validate_controller_revision(obj: Object) -> list[FieldError]:
    errors = _validate_number(obj)
    data = obj.get("data")
    if data is None:
        errors.append(required(_DATA, "data is mandatory"))
    elif not isinstance(data, dict):
        errors.append(required(_DATA, "data must be a valid JSON object"))
    return errors


def validate_controller_revision_update(new: Object, old: Object) -> list[FieldError]:
    """What a revision holds stays."""
    errors = _validate_number(new)
    if same(new.get("data"), old.get("data")):
        return errors
    return [*errors, invalid(_DATA, new.get("data"), IMMUTABLE)]


def _validate_number(obj: Object) -> list[FieldError]:
    return not_negative(obj, ("revision",), Path(""))

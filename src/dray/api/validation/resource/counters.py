"""Shared counters: what partitions of one physical device draw from."""

from dray.api import names
from dray.api.fields import FieldError, Path, required, too_many
from dray.api.meta import Object
from dray.api.validation.resource.later import validate_compatibility_groups
from dray.api.validation.resource.naming import check_name

COUNTERS_MAX = 32


def validate_counter_set(counter_set: Object, path: Path) -> list[FieldError]:
    """A set that a slice publishes."""
    errors = _validate_set_name(counter_set.get("name") or "", path.child("name"))
    return errors + _validate_counters(counter_set.get("counters") or {}, path.child("counters"))


def validate_counter_consumption(consumption: Object, path: Path) -> list[FieldError]:
    """What one device takes from a set; whether the set exists is not known here, it may be in another slice."""
    errors = _validate_set_name(consumption.get("counterSet") or "", path.child("counterSet"))
    errors += _validate_counters(consumption.get("counters") or {}, path.child("counters"))
    return errors + validate_compatibility_groups(
        consumption.get("compatibilityGroups"), path.child("compatibilityGroups")
    )


def _validate_set_name(name: str, path: Path) -> list[FieldError]:
    return check_name(name, path, names.dns_label) if name else [required(path)]


def _validate_counters(counters: Object, path: Path) -> list[FieldError]:
    if not counters:
        return [required(path)]
    if len(counters) > COUNTERS_MAX:
        return [too_many(path, len(counters), COUNTERS_MAX)]
    return [error for name in counters for error in check_name(name, path, names.dns_label)]

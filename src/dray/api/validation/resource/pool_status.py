"""ResourcePoolStatusRequest: a question about pools, answered once.

Nearly all of its rules are declared with the types, so their findings come in the order of the fields, after those of
the conditions, which are checked twice.
"""

from collections.abc import Hashable

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, invalid, required, too_long, too_many
from dray.api.meta import Object
from dray.api.validation.conditions import validate_conditions
from dray.api.validation.lists import each, items_of, repeated
from dray.api.validation.meta import IMMUTABLE
from dray.api.validation.resource.formats import declared_attribute, declared_pool
from dray.api.validation.resource.internal import FORMS
from dray.api.validation.resource.naming import check_name
from dray.api.validation.sameness import same

LIMIT_MIN, LIMIT_MAX = 1, 1000
POOLS_MAX = 1000
CONDITIONS_MAX = 10
VALIDATION_ERROR_MAX = 256
SUMMARY_MAX = 32
"""Types of partitions, or shared capacities, of a pool."""
SPEC, STATUS = Path("spec"), Path("status")

_COUNTS = ("totalDevices", "allocatedDevices", "availableDevices", "unavailableDevices")


def validate_pool_request_spec(spec: Object) -> list[FieldError]:
    errors = _validate_driver(spec.get("driver") or "", SPEC.child("driver"))
    if (pool := spec.get("poolName")) is not None:
        errors += declared_pool(pool, SPEC.child("poolName"))
    if (limit := spec.get("limit")) is not None:
        errors += _validate_bounds(limit, SPEC.child("limit"), low=LIMIT_MIN, high=LIMIT_MAX)
    if (attribute := spec.get("defaultPartitionTypeAttribute")) is not None:
        errors += declared_attribute(attribute, SPEC.child("defaultPartitionTypeAttribute"))
    return errors


def validate_pool_request_update(new: Object, old: Object) -> list[FieldError]:
    return [] if same(new, old) else [invalid(SPEC, None, IMMUTABLE)]


def validate_pool_request_status(
    new: Object | None, old: Object | None, *, summaries: bool = False
) -> list[FieldError]:
    """A status may be written once; `None` is no status. `summaries`: whether pools have them, as since 1.37."""
    if old is not None and not same(new, old):
        form = "SummedStatus" if summaries else "ResourcePoolStatusRequestStatus"
        return [invalid(STATUS, FORMS.show(f"*{form}", new), IMMUTABLE)]
    if new is None:
        return []
    conditions = items_of(new.get("conditions"))
    return [
        *validate_conditions(conditions, STATUS.child("conditions")),
        *_validate_count(new.get("poolCount"), STATUS.child("poolCount")),
        *each(items_of(new.get("pools")), STATUS.child("pools"), _validate_pool, most=POOLS_MAX),
        *_validate_unique(conditions, STATUS.child("conditions"), "type", most=CONDITIONS_MAX),
    ]


def _validate_pool(pool: Object, path: Path) -> list[FieldError]:
    errors = _validate_driver(pool.get("driver") or "", path.child("driver"))
    name, at = pool.get("poolName") or "", path.child("poolName")
    errors += declared_pool(name, at) if name else [required(at)]
    generation, at = pool.get("generation") or 0, path.child("generation")
    errors += _validate_bounds(generation, at, low=0) if generation else [required(at)]
    if (slices := pool.get("resourceSliceCount")) is not None:
        errors += _validate_bounds(slices, path.child("resourceSliceCount"), low=1)
    for field in _COUNTS:
        if (count := pool.get(field)) is not None:
            errors += _validate_bounds(count, path.child(field), low=0)
    if (node := pool.get("nodeName")) is not None:
        errors += check_name(node, path.child("nodeName"), names.long_name)
    if names.byte_length(pool.get("validationError") or "") > VALIDATION_ERROR_MAX:
        errors.append(too_long(path.child("validationError"), VALIDATION_ERROR_MAX))
    partitions, at = items_of(pool.get("partitionSummary")), path.child("partitionSummary")
    errors += _validate_unique(partitions, at, "attribute", "type", most=SUMMARY_MAX)
    if len(partitions) <= SUMMARY_MAX:
        errors += each(partitions, at, _validate_partition_type)
    if (shareable := pool.get("shareableSummary")) is not None:
        errors += _validate_shareable(shareable, path.child("shareableSummary"))
    return errors


def _validate_partition_type(summary: Object, path: Path) -> list[FieldError]:
    errors = [required(path.child(field)) for field in ("attribute", "type") if not summary.get(field)]
    for field in ("total", "allocatable"):
        errors += _validate_count(summary.get(field), path.child(field))
    return errors


def _validate_shareable(summary: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("fullyAvailableDevices", "partiallyAvailableDevices"):
        errors += _validate_count(summary.get(field), path.child(field))
    capacities = items_of(summary.get("capacity"))
    return errors + each(capacities, path.child("capacity"), _validate_capacity, most=SUMMARY_MAX)


def _validate_capacity(capacity: Object, path: Path) -> list[FieldError]:
    missing = [] if capacity.get("name") else ["name"]
    missing += [field for field in ("total", "consumed", "available") if capacity.get(field) is None]
    return [required(path.child(field)) for field in missing]


def _validate_unique(items: list[Object], path: Path, *keys: str, most: int) -> list[FieldError]:
    """Too many items, or those whose keys came before, each shown whole."""
    if len(items) > most:
        return [too_many(path, len(items), most)]
    identities: list[Hashable] = [tuple(item.get(key) or "" for key in keys) for item in items]
    return [duplicate(path.index(index), items[index]) for index in repeated(identities)]


def _validate_driver(driver: str, path: Path) -> list[FieldError]:
    return check_name(driver, path, names.long_name_any_case) if driver else [required(path)]


def _validate_count(value: int | None, path: Path) -> list[FieldError]:
    return [required(path)] if value is None else _validate_bounds(value, path, low=0)


def _validate_bounds(value: int, path: Path, *, low: int, high: int | None = None) -> list[FieldError]:
    if value < low:
        return [invalid(path, value, f"must be greater than or equal to {low}")]
    if high is not None and value > high:
        return [invalid(path, value, f"must be less than or equal to {high}")]
    return []

"""ResourcePoolStatusRequest: a question about pools, answered once."""

from dray.api import names
from dray.api.fields import FieldError, Path, invalid, required, too_long
from dray.api.meta import Object
from dray.api.validation.conditions import validate_conditions
from dray.api.validation.lists import each, items_of
from dray.api.validation.meta import IMMUTABLE
from dray.api.validation.resource.internal import FORMS
from dray.api.validation.resource.naming import POOL_MAX, check_name
from dray.api.validation.sameness import same

LIMIT_MIN, LIMIT_MAX = 1, 1000
POOLS_MAX = 1000
CONDITIONS_MAX = 10
VALIDATION_ERROR_MAX = 256
SPEC, STATUS = Path("spec"), Path("status")

_COUNTS = ("totalDevices", "allocatedDevices", "availableDevices", "unavailableDevices")


def validate_pool_request_spec(spec: Object) -> list[FieldError]:
    errors = _validate_driver(spec.get("driver") or "", SPEC.child("driver"))
    if (pool := spec.get("poolName")) is not None:
        errors += _validate_pool_name(pool, SPEC.child("poolName"))
    if (limit := spec.get("limit")) is not None:
        errors += _validate_bounds(limit, SPEC.child("limit"), low=LIMIT_MIN, high=LIMIT_MAX)
    return errors


def validate_pool_request_update(new: Object, old: Object) -> list[FieldError]:
    return [] if same(new, old) else [invalid(SPEC, None, IMMUTABLE)]


def validate_pool_request_status(new: Object | None, old: Object | None) -> list[FieldError]:
    """A status may be written once; `None` is no status."""
    if old is not None and not same(new, old):
        shown = FORMS.show("*ResourcePoolStatusRequestStatus", new)
        return [invalid(STATUS, shown, IMMUTABLE)]
    if new is None:
        return []
    errors: list[FieldError] = []
    count, at = new.get("poolCount"), STATUS.child("poolCount")
    errors += [required(at)] if count is None else _validate_bounds(count, at, low=0)
    errors += each(items_of(new.get("pools")), STATUS.child("pools"), _validate_pool, most=POOLS_MAX)
    return errors + validate_conditions(
        new.get("conditions"), STATUS.child("conditions"), most=CONDITIONS_MAX
    )


def _validate_pool(pool: Object, path: Path) -> list[FieldError]:
    errors = _validate_driver(pool.get("driver") or "", path.child("driver"))
    name, at = pool.get("poolName") or "", path.child("poolName")
    errors += _validate_pool_name(name, at) if name else [required(at)]
    errors += _validate_bounds(pool.get("generation") or 0, path.child("generation"), low=0)
    if (slices := pool.get("resourceSliceCount")) is not None:
        errors += _validate_bounds(slices, path.child("resourceSliceCount"), low=1)
    for field in _COUNTS:
        if (count := pool.get(field)) is not None:
            errors += _validate_bounds(count, path.child(field), low=0)
    if (node := pool.get("nodeName")) is not None:
        errors += check_name(node, path.child("nodeName"), names.long_name)
    if names.byte_length(pool.get("validationError") or "") > VALIDATION_ERROR_MAX:
        errors.append(too_long(path.child("validationError"), VALIDATION_ERROR_MAX))
    return errors


def _validate_driver(driver: str, path: Path) -> list[FieldError]:
    return check_name(driver, path, names.long_name_any_case) if driver else [required(path)]


def _validate_pool_name(pool: str, path: Path) -> list[FieldError]:
    """The declarative rule, which numbers the parts between slashes."""
    errors = [too_long(path, POOL_MAX)] if names.byte_length(pool) > POOL_MAX else []
    for index, part in enumerate(pool.split("/")):
        texts = names.long_name(part) if part else ["must not be empty"]
        errors += [invalid(path, part, f"segment {index}: {text}") for text in texts]
    return errors


def _validate_bounds(value: int, path: Path, *, low: int, high: int | None = None) -> list[FieldError]:
    if value < low:
        return [invalid(path, value, f"must be greater than or equal to {low}")]
    if high is not None and value > high:
        return [invalid(path, value, f"must be less than or equal to {high}")]
    return []

"""DeviceTaintRule: which devices, and the taint they get."""

from dray.api import names
from dray.api.fields import FieldError, Path, too_many
from dray.api.meta import Object
from dray.api.validation.conditions import validate_conditions
from dray.api.validation.resource.naming import check_name, validate_driver, validate_pool
from dray.api.validation.resource.taints import validate_taint

CONDITIONS_MAX = 8
SPEC = Path("spec")


def validate_taint_rule_spec(spec: Object, old: Object | None) -> list[FieldError]:
    """`old` is the stored spec on update."""
    errors: list[FieldError] = []
    selector = spec.get("deviceSelector") or {}
    at = SPEC.child("deviceSelector")
    if (driver := selector.get("driver")) is not None:
        errors += validate_driver(driver, at.child("driver"))
    if (pool := selector.get("pool")) is not None:
        errors += validate_pool(pool, at.child("pool"))
    if (device := selector.get("device")) is not None:
        errors += check_name(device, at.child("device"), names.dns_label)
    before = None if old is None else old.get("taint") or {}
    return errors + validate_taint(spec.get("taint") or {}, before, SPEC.child("taint"))


def validate_taint_rule_status(status: Object) -> list[FieldError]:
    """What is wrong with a condition is told before that there are too many."""
    conditions, at = status.get("conditions") or [], Path("status.conditions")
    errors = validate_conditions(conditions, at)
    if len(conditions) > CONDITIONS_MAX:
        errors.append(too_many(at, len(conditions), CONDITIONS_MAX))
    return errors

"""Device taints: of a device in a slice, and of a DeviceTaintRule."""

from dray.api import names
from dray.api.fields import FieldError, Path, not_supported, required
from dray.api.meta import Object
from dray.api.validation.resource.naming import check_name

EFFECTS = ("NoExecute", "NoSchedule", "None")


def validate_taint(taint: Object, old: Object | None, path: Path) -> list[FieldError]:
    """`old` is the stored taint on update: an effect it had already is accepted even if unknown."""
    errors = check_name(taint.get("key") or "", path.child("key"), names.qualified_name)
    if value := taint.get("value") or "":
        errors += check_name(value, path.child("value"), names.label_value)
    effect = taint.get("effect") or ""
    if not effect:
        errors.append(required(path.child("effect")))
    elif effect not in EFFECTS and (old is None or effect != old.get("effect")):
        errors.append(not_supported(path.child("effect"), effect, EFFECTS))
    return errors

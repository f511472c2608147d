"""PriorityClass: what a pod's priority class name stands for."""

from dray.api.fields import FieldError, Path, forbidden, invalid
from dray.api.meta import Object
from dray.api.resources import PRIORITY_CLASSES
from dray.api.validation.pod.spec import validate_preemption_policy
from dray.apiserver.registry.columns import AGE, NAME, at
from dray.apiserver.registry.kind import Column, Kind, WriteContext
from dray.apiserver.registry.writes import old_of

HIGHEST_USER_PRIORITY = 1_000_000_000
SYSTEM_PREFIX = "system-"
SYSTEM_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_CHANGED = "may not be changed in an update."


def _default(obj: Object, version: str) -> None:
    if not obj.get("preemptionPolicy"):
        obj["preemptionPolicy"] = "PreemptLowerPriority"


def _validate_create(context: WriteContext, obj: Object) -> list[FieldError]:
    name, value = obj["metadata"].get("name") or "", obj.get("value") or 0
    errors: list[FieldError] = []
    if name.startswith(SYSTEM_PREFIX):
        if problem := _system_problem(name, value, bool(obj.get("globalDefault"))):
            text = (
                f"priority class names with '{SYSTEM_PREFIX}' prefix are reserved for system use only. "
                f"error: {problem}"
            )
            errors.append(forbidden(Path("metadata.name"), text))
    elif value > HIGHEST_USER_PRIORITY:
        text = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        errors.append(forbidden(Path("value"), text))
    return errors + validate_preemption_policy(obj.get("preemptionPolicy"), Path("preemptionPolicy"))


def _system_problem(name: str, value: int, is_default: bool) -> str:
    """Why `name` is not one of the classes that the system itself makes; "" if it is."""
    if name not in SYSTEM_CLASSES:
        return f"{name} is not a known system priority class"
    if value != SYSTEM_CLASSES[name]:
        return f"value of {name} PriorityClass must be {SYSTEM_CLASSES[name]}"
    return f"globalDefault of {name} PriorityClass must be false" if is_default else ""


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    old = old_of(context)
    errors: list[FieldError] = []
    if (obj.get("value") or 0) != (old.get("value") or 0):
        errors.append(forbidden(Path("value"), _CHANGED))
    if obj.get("preemptionPolicy") != old.get("preemptionPolicy"):
        errors.append(invalid(Path("preemptionPolicy"), obj.get("preemptionPolicy"), "field is immutable"))
    return errors


PRIORITY_CLASS = Kind(
    PRIORITY_CLASSES,
    singular="priorityclass",
    short_names=("pc",),
    columns=(
        NAME,
        Column("Value", at("value", default=0), type="integer", description="The higher, the sooner."),
        Column(
            "Global-Default",
            at("globalDefault", default=False),
            type="boolean",
            description="Whether pods without a class get this one.",
        ),
        AGE,
        Column(
            "PreemptionPolicy",
            at("preemptionPolicy"),
            description="Whether its pods may push others from a node.",
        ),
    ),
    default=_default,
    validate_create=_validate_create,
    validate_update=_validate_update,
    has_generation=True,
    generation_of=lambda obj: obj.get("value"),
)

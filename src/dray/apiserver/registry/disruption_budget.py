"""PodDisruptionBudget: how many pods must stay when others are moved away on purpose."""

from dray.api.fields import FieldError, Path, invalid, not_supported
from dray.api.meta import Object
from dray.api.names import path_segment
from dray.api.resources import POD_DISRUPTION_BUDGETS
from dray.api.validation.core.workload_forms import FORMS
from dray.api.validation.core.workload_parts import validate_portion
from dray.api.validation.label_selector import validate_label_selector
from dray.apiserver.registry.columns import AGE, NAME, Cell, at, find
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status

_SPEC = Path("spec")
_POLICIES = ("AlwaysAllow", "IfHealthyBudget")


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors: list[FieldError] = []
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        text = "minAvailable and maxUnavailable cannot be both set"
        errors.append(invalid(_SPEC, FORMS.show("PodDisruptionBudgetSpec", spec), text))
    for field in ("minAvailable", "maxUnavailable"):
        if spec.get(field) is not None:
            errors += validate_portion(spec[field], _SPEC.child(field))
    errors += validate_label_selector(spec.get("selector"), _SPEC.child("selector"))
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _POLICIES:
        errors.append(not_supported(_SPEC.child("unhealthyPodEvictionPolicy"), policy, _POLICIES))
    return errors


def _portion(field: str) -> Cell:
    return lambda obj, now: str(find(obj, "spec", field, default="N/A"))


POD_DISRUPTION_BUDGET = Kind(
    POD_DISRUPTION_BUDGETS,
    singular="poddisruptionbudget",
    short_names=("pdb",),
    columns=(
        NAME,
        Column("Min Available", _portion("minAvailable"), description="Pods that must stay."),
        Column("Max Unavailable", _portion("maxUnavailable"), description="Pods that may go."),
        Column(
            "Allowed Disruptions",
            at("status", "disruptionsAllowed", default=0),
            type="integer",
            description="Pods that may go now.",
        ),
        AGE,
    ),
    prepare_create=clear_status,
    prepare_update=keep_status,
    validate_create=_validate,
    validate_update=_validate,
    status=StatusStrategy(keep_spec),
    name_rule=path_segment,
    reads_finalizers=False,
    metadata_checks=(),
    has_generation=True,
    unconditional_update=False,
)

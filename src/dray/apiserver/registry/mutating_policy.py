"""MutatingAdmissionPolicy and its binding: changes in CEL to what is written. Kept here; admission makes them."""

from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.resources import MUTATING_ADMISSION_POLICIES, MUTATING_ADMISSION_POLICY_BINDINGS
from dray.api.validation.admission.mutating_policy import (
    validate_mutating_binding,
    validate_mutating_policy,
)
from dray.apiserver.registry.admission_policy import (
    BINDING_COLUMNS,
    PARAMETER_KIND,
    checked_binding,
    checked_policy,
    default_binding,
    default_policy,
    policy_check,
)
from dray.apiserver.registry.columns import AGE, NAME, find
from dray.apiserver.registry.kind import Column, Kind, WriteContext

_GATE = "MutatingAdmissionPolicy"
_SINCE = {"v1": "1.36"}


def _validate_policy(context: WriteContext, obj: Object) -> list[FieldError]:
    return checked_policy(context, obj, validate_mutating_policy(obj, policy_check(obj), context.old))


def _validate_binding(context: WriteContext, obj: Object) -> list[FieldError]:
    return checked_binding(context, obj, MUTATING_ADMISSION_POLICIES, validate_mutating_binding(obj))


MUTATING_ADMISSION_POLICY = Kind(
    MUTATING_ADMISSION_POLICIES,
    singular="mutatingadmissionpolicy",
    brought_by=_SINCE,
    served_with=_GATE,
    categories=("api-extensions",),
    columns=(
        NAME,
        Column(
            "Mutations",
            lambda obj, now: len(find(obj, "spec", "mutations", default=())),
            type="integer",
            description="How many changes it makes.",
        ),
        PARAMETER_KIND,
        AGE,
    ),
    default=default_policy,
    validate_create=_validate_policy,
    validate_update=_validate_policy,
    reads_finalizers=False,
    metadata_checks=("whole",),
    has_generation=True,
    unconditional_update=False,
)

MUTATING_ADMISSION_POLICY_BINDING = Kind(
    MUTATING_ADMISSION_POLICY_BINDINGS,
    singular="mutatingadmissionpolicybinding",
    brought_by=_SINCE,
    served_with=_GATE,
    categories=("api-extensions",),
    columns=BINDING_COLUMNS,
    default=default_binding,
    validate_create=_validate_binding,
    validate_update=_validate_binding,
    reads_finalizers=False,
    metadata_checks=("whole",),
    has_generation=True,
    unconditional_update=False,
)

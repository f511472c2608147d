"""MutatingAdmissionPolicy and MutatingAdmissionPolicyBinding.

Source: kubernetes pkg/apis/admissionregistration/validation/validation.go, 1.36.
"""

from typing import Final

from dray.api.fields import FieldError, Path, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.admission.expressions import (
    ExpressionCheck,
    Role,
    expressions_of,
    validate_match_conditions,
)
from dray.api.validation.admission.matching import (
    FAILURE_POLICIES,
    validate_choice,
    validate_match_resources,
)
from dray.api.validation.admission.policy import (
    may_affect_conditions,
    validate_bound_policy,
    validate_param_kind,
    validate_variable,
)
from dray.api.validation.lists import items_of

OPERATIONS: Final = ("*", "CONNECT", "CREATE", "UPDATE")
"""What is deleted cannot be changed."""
REINVOCATION_POLICIES: Final = ("IfNeeded", "Never")
_ROLES: Final[dict[str, tuple[str, Role]]] = {
    "ApplyConfiguration": ("applyConfiguration", "configuration"),
    "JSONPatch": ("jsonPatch", "operations"),
}
"""By patchType: the field that holds the expression, and what it is."""

_SPEC: Final = Path("spec")


def validate_mutating_policy(
    obj: Object, check: ExpressionCheck, old: Object | None = None
) -> list[FieldError]:
    spec, before = obj.get("spec") or {}, (old or {}).get("spec") or {}
    errors = validate_choice(spec.get("failurePolicy"), _SPEC.child("failurePolicy"), FAILURE_POLICIES)
    if spec.get("paramKind") is not None:
        errors += validate_param_kind(spec["paramKind"], _SPEC.child("paramKind"))
    errors += _validate_constraints(spec.get("matchConstraints"), _SPEC.child("matchConstraints"))
    if old is None or may_affect_conditions(spec, before):
        conditions, known = items_of(spec.get("matchConditions")), items_of(before.get("matchConditions"))
        path = _SPEC.child("matchConditions")
        errors += validate_match_conditions(conditions, path, check, expressions_of(known))
    known_variables = expressions_of(items_of(before.get("variables")))
    for index, variable in enumerate(items_of(spec.get("variables"))):
        errors += validate_variable(variable, _SPEC.child("variables").index(index), check, known_variables)
    mutations, path = items_of(spec.get("mutations")), _SPEC.child("mutations")
    if not mutations:
        errors.append(required(path, "mutations must contain at least one item"))
    known_mutations = {_expression(each) for each in items_of(before.get("mutations"))}
    for index, mutation in enumerate(mutations):
        errors += _validate_mutation(mutation, path.index(index), check, known_mutations)
    return errors + _validate_reinvocation(spec.get("reinvocationPolicy") or "")


def _validate_constraints(match: Object | None, path: Path) -> list[FieldError]:
    if match is None:
        return [required(path)]
    errors = validate_match_resources(match, path)
    if not match.get("resourceRules"):
        errors.append(required(path.child("resourceRules")))
    return errors + _validate_operations(match, path)


def _validate_operations(match: Object, path: Path) -> list[FieldError]:
    at = path.child("resourceRules", "operations")
    return [
        not_supported(at, operation, OPERATIONS)
        for rule in items_of(match.get("resourceRules"))
        for operation in rule.get("operations") or ()
        if operation == "DELETE"  # what is no operation at all was found before
    ]


def _validate_mutation(
    mutation: Object, path: Path, check: ExpressionCheck, known: set[str]
) -> list[FieldError]:
    kind = mutation.get("patchType") or ""
    if not kind:
        return [required(path.child("patchType"))]
    if kind not in _ROLES:
        return [not_supported(path.child("patchType"), kind, tuple(_ROLES))]
    errors: list[FieldError] = []
    field, role = _ROLES[kind]
    if mutation.get(field) is None:
        errors.append(required(path.child(field), f"must be specified when patchType is {kind}"))
    else:
        text, at = mutation[field].get("expression") or "", path.child(field, "expression")
        if not text.strip():
            errors.append(required(at))
        else:
            errors += check.check(role, text, at, stored=text.strip() in known)
    for other, _ in _ROLES.values():
        if other != field and mutation.get(other) is not None:
            why = f"must not be specified when patchType is {kind}"
            errors.append(invalid(path.child(other), f"{{{other}}}", why))
    return errors


def _expression(mutation: Object) -> str:
    held = (mutation.get(field) or {} for field, _ in _ROLES.values())
    return next((text.strip() for each in held if (text := each.get("expression"))), "")


def _validate_reinvocation(policy: str) -> list[FieldError]:
    path = _SPEC.child("reinvocationPolicy")
    if not policy:
        return [required(path)]
    return [] if policy in REINVOCATION_POLICIES else [not_supported(path, policy, REINVOCATION_POLICIES)]


def validate_mutating_binding(obj: Object) -> list[FieldError]:
    match = (obj.get("spec") or {}).get("matchResources") or {}
    return validate_bound_policy(obj) + _validate_operations(match, _SPEC.child("matchResources"))

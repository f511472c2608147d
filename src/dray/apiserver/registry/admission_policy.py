"""ValidatingAdmissionPolicy and its binding: rules in CEL about what may be written. Kept here; admission applies them."""

import datetime as dt

from dray.api.fields import FieldError, Path, not_supported, required
from dray.api.meta import Object
from dray.api.resources import VALIDATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICY_BINDINGS
from dray.api.validation.lists import items_of
from dray.apiserver.registry.columns import AGE, NAME, UNKNOWN, at, find
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status

UNSET = "<unset>"
ACTIONS = ("Audit", "Deny", "Warn")


def _default_match(match: Object | None) -> None:
    if match is None:
        return
    if not match.get("matchPolicy"):
        match["matchPolicy"] = "Equivalent"
    for field in ("namespaceSelector", "objectSelector"):
        if match.get(field) is None:
            match[field] = {}
    for rules in ("resourceRules", "excludeResourceRules"):
        for rule in items_of(match.get(rules)):
            if not rule.get("scope"):
                rule["scope"] = "*"


def _default_policy(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    if not spec.get("failurePolicy"):
        spec["failurePolicy"] = "Fail"
    _default_match(spec.get("matchConstraints"))


def _default_binding(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    _default_match(spec.get("matchResources"))


def _validate_policy(context: WriteContext, obj: Object) -> list[FieldError]:
    spec, path = obj.get("spec") or {}, Path("spec")
    errors: list[FieldError] = []
    if not find(spec, "matchConstraints"):
        errors.append(required(path.child("matchConstraints")))
    elif not find(spec, "matchConstraints", "resourceRules"):
        errors.append(required(path.child("matchConstraints", "resourceRules")))
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        text = "validations or auditAnnotations must contain at least one item"
        errors.append(required(path.child("validations"), text))
    for index, validation in enumerate(items_of(spec.get("validations"))):
        if not (validation.get("expression") or "").strip():
            text = "expression is not specified"
            errors.append(required(path.child("validations").index(index).child("expression"), text))
    return errors


def _validate_binding(context: WriteContext, obj: Object) -> list[FieldError]:
    spec, path = obj.get("spec") or {}, Path("spec")
    errors = [] if spec.get("policyName") else [required(path.child("policyName"))]
    actions = spec.get("validationActions") or []
    if not actions:
        errors.append(required(path.child("validationActions"), "at least one validation action is required"))
    for index, action in enumerate(actions):
        if action not in ACTIONS:
            place = path.child("validationActions").index(index)
            errors.append(not_supported(place, action, ACTIONS))
    return errors


def _parameter_kind(obj: Object, now: dt.datetime) -> str:
    kind = find(obj, "spec", "paramKind")
    return f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else UNSET


def _parameter(obj: Object, now: dt.datetime) -> str:
    reference = find(obj, "spec", "paramRef")
    if not reference:
        return UNSET
    if reference.get("name"):
        namespace = reference.get("namespace") or "*"
        return f"{namespace}/{reference['name']}"
    return "<selector>" if reference.get("selector") is not None else UNKNOWN


VALIDATING_ADMISSION_POLICY = Kind(
    VALIDATING_ADMISSION_POLICIES,
    singular="validatingadmissionpolicy",
    categories=("api-extensions",),
    columns=(
        NAME,
        Column(
            "Validations",
            lambda obj, now: len(find(obj, "spec", "validations", default=())),
            type="integer",
            description="How many rules it has.",
        ),
        Column("ParamKind", _parameter_kind, description="Kind of its parameters."),
        AGE,
    ),
    default=_default_policy,
    prepare_create=clear_status,
    prepare_update=keep_status,
    validate_create=_validate_policy,
    validate_update=_validate_policy,
    status=StatusStrategy(keep_spec),
    has_generation=True,
    unconditional_update=False,
)

VALIDATING_ADMISSION_POLICY_BINDING = Kind(
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    singular="validatingadmissionpolicybinding",
    categories=("api-extensions",),
    columns=(
        NAME,
        Column("PolicyName", at("spec", "policyName"), description="The policy."),
        Column("ParamRef", _parameter, description="Its parameters."),
        AGE,
    ),
    default=_default_binding,
    validate_create=_validate_binding,
    validate_update=_validate_binding,
    has_generation=True,
    unconditional_update=False,
)

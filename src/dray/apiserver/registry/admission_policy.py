"""ValidatingAdmissionPolicy and its binding: rules in CEL about what may be written. Kept here; admission applies them."""

import datetime as dt

from dray.api.fields import FieldError, Path, forbidden
from dray.api.meta import Object
from dray.api.resources import (
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    Resource,
)
from dray.api.validation.admission.policy import (
    validate_binding,
    validate_policy,
    validate_policy_status,
)
from dray.api.validation.lists import items_of
from dray.apiserver.registry.admission_expressions import AdmissionExpressions
from dray.apiserver.registry.admission_params import may_read_params, show_user
from dray.apiserver.registry.columns import AGE, NAME, UNKNOWN, at, find
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status

UNSET = "<unset>"


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


def default_policy(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("failurePolicy") is None:
        spec["failurePolicy"] = "Fail"
    _default_match(spec.get("matchConstraints"))


def default_binding(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    _default_match(spec.get("matchResources"))


def policy_check(obj: Object) -> AdmissionExpressions:
    spec = obj.get("spec") or {}
    return AdmissionExpressions(
        has_params=spec.get("paramKind") is not None, has_variables=bool(spec.get("variables"))
    )


def _validate_policy(context: WriteContext, obj: Object) -> list[FieldError]:
    return checked_policy(context, obj, validate_policy(obj, policy_check(obj), context.old))


def checked_policy(context: WriteContext, obj: Object, found: list[FieldError]) -> list[FieldError]:
    """`found`, or what is to be said against the user: who lets a policy read parameters must be allowed to read them."""
    kind, before = find(obj, "spec", "paramKind"), find(context.old or {}, "spec", "paramKind")
    if found or not kind or kind == before:
        return found
    if may_read_params(context, kind, "*", "*"):
        return []
    shown = f"(kind={kind['kind']}, apiVersion={kind['apiVersion']})"
    why = f'must have "get" permission on all objects of the referenced paramKind {shown}'
    return [forbidden(Path("spec.paramKind"), f"user {show_user(context.user)} {why}")]


def _validate_binding(context: WriteContext, obj: Object) -> list[FieldError]:
    return checked_binding(context, obj, VALIDATING_ADMISSION_POLICIES, validate_binding(obj))


def checked_binding(
    context: WriteContext, obj: Object, policies: Resource, found: list[FieldError]
) -> list[FieldError]:
    """The same for the parameters that a binding names; `policies` are those that it may be of."""
    spec, before = obj.get("spec") or {}, (context.old or {}).get("spec") or {}
    reference = spec.get("paramRef")
    unchanged = all(spec.get(field) == before.get(field) for field in ("paramRef", "policyName"))
    if found or not reference or unchanged:
        return found
    policy = context.find(policies, spec.get("policyName") or "")
    kind = find(policy or {}, "spec", "paramKind")
    if may_read_params(context, kind, reference.get("name") or "", reference.get("namespace") or ""):
        return []
    why = 'does not have "get" permission on the object referenced by paramRef'
    return [forbidden(Path("spec.paramRef"), f"user {show_user(context.user)} {why}")]


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


PARAMETER_KIND = Column("ParamKind", _parameter_kind, description="Kind of its parameters.")
BINDING_COLUMNS = (
    NAME,
    Column("PolicyName", at("spec", "policyName"), description="The policy."),
    Column("ParamRef", _parameter, description="Its parameters."),
    AGE,
)

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
        PARAMETER_KIND,
        AGE,
    ),
    default=default_policy,
    prepare_create=clear_status,
    prepare_update=keep_status,
    validate_create=_validate_policy,
    validate_update=_validate_policy,
    status=StatusStrategy(keep_spec, lambda context, obj: validate_policy_status(obj)),
    reads_finalizers=False,
    metadata_checks=("whole",),
    has_generation=True,
    unconditional_update=False,
)

VALIDATING_ADMISSION_POLICY_BINDING = Kind(
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    singular="validatingadmissionpolicybinding",
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

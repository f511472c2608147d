"""ValidatingAdmissionPolicy and ValidatingAdmissionPolicyBinding.

Source: kubernetes pkg/apis/admissionregistration/validation/validation.go, 1.36.
"""

import re
from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.admission.expressions import (
    ExpressionCheck,
    expressions_of,
    validate_match_conditions,
)
from dray.api.validation.admission.matching import (
    FAILURE_POLICIES,
    validate_choice,
    validate_match_resources,
)
from dray.api.validation.conditions import validate_conditions
from dray.api.validation.label_selector import validate_label_selector
from dray.api.validation.lists import items_of

MAX_ANNOTATIONS: Final = 20
MAX_ANNOTATION_BYTES: Final = 5 * 1024
REASONS: Final = ("Forbidden", "Invalid", "RequestEntityTooLarge")
ACTIONS: Final = ("Audit", "Deny", "Warn")
NOT_FOUND_ACTIONS: Final = ("Deny", "Allow")

_SPEC: Final = Path("spec")
_IDENTIFIER: Final = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_RESERVED: Final = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_ONE_NEEDED: Final = "validations or auditAnnotations must contain at least one item"
_TWO_ACTIONS: Final = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API response and "
    "headers serves no purpose)"
)


def validate_policy(obj: Object, check: ExpressionCheck, old: Object | None = None) -> list[FieldError]:
    spec, before = obj.get("spec") or {}, (old or {}).get("spec") or {}
    errors = validate_choice(spec.get("failurePolicy"), _SPEC.child("failurePolicy"), FAILURE_POLICIES)
    if spec.get("paramKind") is not None:
        errors += validate_param_kind(spec["paramKind"], _SPEC.child("paramKind"))
    match = spec.get("matchConstraints")
    if match is None:
        errors.append(required(_SPEC.child("matchConstraints")))
    else:
        errors += validate_match_resources(match, _SPEC.child("matchConstraints"))
        if not match.get("resourceRules"):
            errors.append(required(_SPEC.child("matchConstraints", "resourceRules")))
    if old is None or may_affect_conditions(spec, before):
        known = expressions_of(items_of(before.get("matchConditions")))
        conditions = items_of(spec.get("matchConditions"))
        errors += validate_match_conditions(conditions, _SPEC.child("matchConditions"), check, known)
    known = _expressions(before)
    for index, variable in enumerate(items_of(spec.get("variables"))):
        errors += validate_variable(variable, _SPEC.child("variables").index(index), check, known)
    return errors + _validate_rules(obj, spec, check, known)


def may_affect_conditions(spec: Object, before: Object) -> bool:
    return any(spec.get(field) != before.get(field) for field in ("paramKind", "matchConditions"))


def _expressions(spec: Object) -> set[str]:
    """All that the stored policy has: they may use what was there when they were accepted."""
    found = {
        (each.get(field) or "").strip()
        for where in ("variables", "validations", "auditAnnotations")
        for each in items_of(spec.get(where))
        for field in ("expression", "messageExpression", "valueExpression")
    }
    return found - {""}


def _validate_rules(obj: Object, spec: Object, check: ExpressionCheck, known: set[str]) -> list[FieldError]:
    rules, annotations = items_of(spec.get("validations")), items_of(spec.get("auditAnnotations"))
    at = _SPEC.child("auditAnnotations")
    if not rules and not annotations:
        return [required(_SPEC.child("validations"), _ONE_NEEDED), required(at, _ONE_NEEDED)]
    errors: list[FieldError] = []
    for index, rule in enumerate(rules):
        errors += _validate_rule(rule, _SPEC.child("validations").index(index), check, known)
    if len(annotations) > MAX_ANNOTATIONS:
        errors.append(invalid(at, annotations, f"must not have more than {MAX_ANNOTATIONS} auditAnnotations"))
    keys: set[str] = set()
    for index, annotation in enumerate(annotations):
        errors += _validate_annotation(obj, annotation, at.index(index), check, known)
        key = annotation.get("key") or ""
        if key in keys:
            errors.append(duplicate(at.index(index).child("key"), key))
        keys.add(key)
    return errors


def validate_param_kind(kind: Object, path: Path) -> list[FieldError]:
    api_version, name = kind.get("apiVersion") or "", kind.get("kind") or ""
    errors = _validate_group_version(api_version, path.child("apiVersion"))
    if not name:
        errors.append(required(path.child("kind")))
    elif found := names.dns_1035_label(name.lower()):
        text = "may have mixed case, but should otherwise match: " + ",".join(found)
        errors.append(invalid(path.child("kind"), name, text))
    return errors


def _validate_group_version(api_version: str, path: Path) -> list[FieldError]:
    if not api_version:
        return [required(path)]
    if api_version.count("/") > 1:
        return [invalid(path, api_version, f"unexpected GroupVersion string: {api_version}")]
    errors: list[FieldError] = []
    group, _, version = api_version.rpartition("/")
    if group and (found := names.dns_subdomain(group)):
        errors.append(invalid(path, group, ",".join(found)))
    if not version:
        errors.append(invalid(path, api_version, "version must be specified"))
    elif found := names.dns_1035_label(version):
        errors.append(invalid(path, version, ",".join(found)))
    return errors


def validate_variable(
    variable: Object, path: Path, check: ExpressionCheck, known: set[str]
) -> list[FieldError]:
    name, text = variable.get("name") or "", variable.get("expression") or ""
    errors: list[FieldError] = []
    if not name.strip():
        errors.append(required(path.child("name"), "name is not specified"))
    elif not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
        errors.append(invalid(path.child("name"), name, "must be a valid CEL identifier"))
    if not text.strip():
        return [*errors, required(path.child("expression"), "expression is not specified")]
    stored = text.strip() in known
    return errors + check.variable(name, text, path.child("expression"), stored=stored)


def _validate_rule(rule: Object, path: Path, check: ExpressionCheck, known: set[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    text, message = rule.get("expression") or "", rule.get("message") or ""
    if not text.strip():
        errors.append(required(path.child("expression"), "expression is not specified"))
    else:
        errors += check.check("rule", text, path.child("expression"), stored=text.strip() in known)
    made = rule.get("messageExpression") or ""
    if made and not made.strip():
        errors.append(invalid(path.child("messageExpression"), made, "must be non-empty if specified"))
    elif made:
        stored = made.strip() in known
        errors += check.check("message", made, path.child("messageExpression"), stored=stored)
    if message and not message.strip():
        errors.append(invalid(path.child("message"), message, "message must be non-empty if specified"))
    elif re.search(r"[\n\r]", message.strip()):
        errors.append(invalid(path.child("message"), message, "message must not contain line breaks"))
    reason = rule.get("reason")
    if reason is not None and reason not in REASONS:
        errors.append(not_supported(path.child("reason"), reason, REASONS))
    return errors


def _validate_annotation(
    obj: Object, annotation: Object, path: Path, check: ExpressionCheck, known: set[str]
) -> list[FieldError]:
    name, key = obj["metadata"].get("name") or "", annotation.get("key") or ""
    at = path.child("key")
    if name:
        errors = [invalid(at, f"{name}/{key}", text) for text in names.qualified_name(f"{name}/{key}")]
    else:
        errors = [invalid(at, key, "requires metadata.name be non-empty")]
    text, at = (annotation.get("valueExpression") or "").strip(), path.child("valueExpression")
    if not text:
        return [*errors, required(at, "valueExpression is not specified")]
    if names.byte_length(text) > MAX_ANNOTATION_BYTES:
        return [*errors, required(at, f"must not exceed {MAX_ANNOTATION_BYTES} bytes in length")]
    return errors + check.check("annotation", text, at, stored=text in known)


def validate_policy_status(obj: Object) -> list[FieldError]:
    status, path = obj.get("status") or {}, Path("status")
    errors: list[FieldError] = []
    at = path.child("typeChecking", "expressionWarnings")
    warnings = items_of((status.get("typeChecking") or {}).get("expressionWarnings"))
    for index, warning in enumerate(warnings):
        if not warning.get("warning"):
            errors.append(required(at.index(index).child("warning")))
        if not (warning.get("fieldRef") or "").strip():
            errors.append(required(at.index(index).child("fieldRef")))
    return errors + validate_conditions(status.get("conditions"), path.child("conditions"))


def validate_binding(obj: Object) -> list[FieldError]:
    actions = (obj.get("spec") or {}).get("validationActions") or []
    return validate_bound_policy(obj) + _validate_actions(actions, _SPEC.child("validationActions"))


def validate_bound_policy(obj: Object) -> list[FieldError]:
    """What the bindings of all kinds of policies share."""
    spec = obj.get("spec") or {}
    policy = spec.get("policyName") or ""
    errors = [] if policy else [required(_SPEC.child("policyName"))]
    if policy:
        errors += [invalid(_SPEC.child("policyName"), policy, text) for text in names.dns_subdomain(policy)]
    if spec.get("paramRef") is not None:
        errors += _validate_param_ref(spec["paramRef"], _SPEC.child("paramRef"))
    return errors + validate_match_resources(spec.get("matchResources"), _SPEC.child("matchResources"))


def _validate_param_ref(reference: Object, path: Path) -> list[FieldError]:
    name, selector = reference.get("name") or "", reference.get("selector")
    errors = [invalid(path.child("name"), name, text) for text in names.path_segment(name)] if name else []
    exclusive = "name and selector are mutually exclusive"
    if name and selector is not None:
        errors.append(forbidden(path.child("name"), exclusive))
    if selector is not None:
        errors += validate_label_selector(selector, path.child("selector"))
        if name:
            errors.append(forbidden(path.child("selector"), exclusive))
    if not name and selector is None:
        errors.append(required(path, "one of name or selector must be specified"))
    action = reference.get("parameterNotFoundAction")
    at = path.child("parameterNotFoundAction")
    if not action:
        errors.append(required(at))
    elif action not in NOT_FOUND_ACTIONS:
        errors.append(not_supported(at, action, NOT_FOUND_ACTIONS, in_order=True))
    return errors


def _validate_actions(actions: list[str], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, action in enumerate(actions):
        if action not in ACTIONS:
            errors.append(not_supported(path.index(index), action, ACTIONS))
        if action in seen:
            errors.append(duplicate(path.index(index), action))
        seen.add(action)
    if {"Deny", "Warn"} <= seen:
        errors.append(invalid(path, actions, _TWO_ACTIONS))
    if not actions:
        errors.append(required(path, "at least one validation action is required"))
    return errors

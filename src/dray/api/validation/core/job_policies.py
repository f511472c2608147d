"""By which rules a job's pods count as failed, and by which a job has succeeded before all of them are done."""

from typing import Final

from dray.api import names
from dray.api.fields import (
    OMIT,
    FieldError,
    Path,
    duplicate,
    invalid,
    not_supported,
    quote,
    required,
    too_long,
    too_many,
)
from dray.api.meta import Object
from dray.api.validation.core.job_indexes import UnreadableIndexes, count_indexes
from dray.api.validation.core.workload_forms import FORMS
from dray.api.validation.lists import items_of, repeated

_RULES_MAX: Final = 20
_PATTERNS_MAX: Final = 20
_CODES_MAX: Final = 255
_INDEXES_BYTES_MAX: Final = 64 * 1024
_ACTIONS: Final = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS: Final = ("In", "NotIn")
_STATUSES: Final = ("False", "True", "Unknown")


def validate_failure_policy(spec: Object, path: Path) -> list[FieldError]:
    rules, at = items_of(spec["podFailurePolicy"].get("rules")), path.child("rules")
    errors = [too_many(at, len(rules), _RULES_MAX)] if len(rules) > _RULES_MAX else []
    pod = (spec.get("template") or {}).get("spec") or {}
    containers = {
        one.get("name") or ""
        for field in ("containers", "initContainers")
        for one in items_of(pod.get(field))
    }
    for index, rule in enumerate(rules):
        errors += _validate_action(rule.get("action") or "", spec, at.index(index).child("action"))
        errors += _validate_cause(rule, containers, at.index(index))
    return errors


def _validate_action(action: str, spec: Object, path: Path) -> list[FieldError]:
    if not action:
        return [required(path, f"valid values: {_listing(_ACTIONS)}")]
    if action not in _ACTIONS:
        return [not_supported(path, action, _ACTIONS)]
    if action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        return [invalid(path, action, "requires the backoffLimitPerIndex to be set")]
    return []


def _validate_cause(rule: Object, containers: set[str], path: Path) -> list[FieldError]:
    """Exit codes or conditions of the pod: one of the two."""
    codes, conditions = rule.get("onExitCodes"), items_of(rule.get("onPodConditions"))
    errors: list[FieldError] = []
    if codes is not None:
        errors += _validate_exit_codes(codes, containers, path.child("onExitCodes"))
    at = path.child("onPodConditions")
    if len(conditions) > _PATTERNS_MAX:
        errors.append(too_many(at, len(conditions), _PATTERNS_MAX))
    for index, pattern in enumerate(conditions):
        errors += _validate_pattern(pattern, at.index(index))
    if codes is not None and conditions:
        errors.append(invalid(path, OMIT, "specifying both OnExitCodes and OnPodConditions is not supported"))
    if codes is None and not conditions:
        errors.append(invalid(path, OMIT, "specifying one of OnExitCodes and OnPodConditions is required"))
    return errors


def _validate_pattern(pattern: Object, path: Path) -> list[FieldError]:
    kind, status, at = pattern.get("type") or "", pattern.get("status") or "", path.child("status")
    errors = [invalid(path.child("type"), kind, text) for text in names.qualified_name(kind)]
    if not status:
        errors.append(required(at, f"valid values: {_listing(_STATUSES)}"))
    elif status not in _STATUSES:
        errors.append(not_supported(at, status, _STATUSES))
    return errors


def _validate_exit_codes(codes: Object, containers: set[str], path: Path) -> list[FieldError]:
    operator, name, values = (
        codes.get("operator") or "",
        codes.get("containerName"),
        codes.get("values") or [],
    )
    errors: list[FieldError] = []
    if not operator:
        errors.append(required(path.child("operator"), f"valid values: {_listing(_OPERATORS)}"))
    elif operator not in _OPERATORS:
        errors.append(not_supported(path.child("operator"), operator, _OPERATORS))
    if name is not None and name not in containers:
        text = "must be one of the container or initContainer names in the pod template"
        errors.append(invalid(path.child("containerName"), name, text))
    at, known = path.child("values"), [value or 0 for value in values]
    if not known:
        errors.append(invalid(at, codes.get("values"), "at least one value is required"))
    elif len(known) > _CODES_MAX:
        errors.append(too_many(at, len(known), _CODES_MAX))
    again = set(repeated(known))
    for index, value in enumerate(known):
        if operator == "In" and value == 0:
            errors.append(invalid(at.index(index), value, "must not be 0 for the In operator"))
        if index in again:
            errors.append(duplicate(at.index(index), value))
    return errors if known == sorted(known) else [*errors, invalid(at, known, "must be ordered")]


def validate_success_policy(spec: Object, path: Path) -> list[FieldError]:
    policy = spec["successPolicy"]
    if spec.get("completionMode") != "Indexed":
        shown = FORMS.show("SuccessPolicy", policy)
        return [invalid(path, shown, "requires indexed completion mode")]
    rules, at = items_of(policy.get("rules")), path.child("rules")
    errors: list[FieldError] = []
    if not rules:
        text = "at least one rules must be specified when the successPolicy is specified"
        errors.append(required(at, text))
    if len(rules) > _RULES_MAX:
        errors.append(too_many(at, len(rules), _RULES_MAX))
    for index, rule in enumerate(rules):
        errors += _validate_success(rule, spec.get("completions") or 0, at.index(index))
    return errors


def _validate_success(rule: Object, completions: int, path: Path) -> list[FieldError]:
    count, indexes, at = (
        rule.get("succeededCount"),
        rule.get("succeededIndexes"),
        path.child("succeededCount"),
    )
    errors: list[FieldError] = []
    if count is None and indexes is None:
        text = "at least one of succeededCount or succeededIndexes must be specified"
        errors.append(required(path, text))
    total = 0
    if indexes is not None:
        where = path.child("succeededIndexes")
        if names.byte_length(indexes) > _INDEXES_BYTES_MAX:
            errors.append(too_long(where, _INDEXES_BYTES_MAX))
        try:
            total = count_indexes(indexes, completions)
        except UnreadableIndexes as error:
            errors.append(invalid(where, indexes, f"error parsing succeededIndexes: {error}"))
    if count is None:
        return errors
    if count < 0:
        errors.append(invalid(at, count, "must be greater than or equal to 0"))
    if count > completions:
        text = f"must be less than or equal to {completions} (the number of specified completions)"
        errors.append(invalid(at, count, text))
    if indexes is not None and count > total:
        text = f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        errors.append(invalid(at, count, text))
    return errors


def _listing(choices: tuple[str, ...]) -> str:
    """As Go prints a list of texts."""
    return "[" + " ".join(map(quote, choices)) + "]"

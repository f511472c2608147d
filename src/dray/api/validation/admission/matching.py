"""What may be said about the writes that are meant: rules on resources, and selectors.

Source: kubernetes pkg/apis/admissionregistration/validation/validation.go, 1.36.
"""

from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.label_selector import validate_label_selector
from dray.api.validation.lists import items_of, repeated

FAILURE_POLICIES: Final = ("Fail", "Ignore")
MATCH_POLICIES: Final = ("Equivalent", "Exact")
OPERATIONS: Final = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
SCOPES: Final = ("*", "Cluster", "Namespaced")


def validate_match_resources(match: Object | None, path: Path) -> list[FieldError]:
    """Of a policy or a binding; the selectors have defaults and must be there."""
    if match is None:
        return []
    errors = validate_choice(match.get("matchPolicy"), path.child("matchPolicy"), MATCH_POLICIES)
    for field in ("namespaceSelector", "objectSelector"):
        if match.get(field) is None:
            errors.append(required(path.child(field)))
        else:
            errors += validate_label_selector(match[field], path.child(field))
    for field in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(items_of(match.get(field))):
            errors += _validate_named_rule(rule, path.child(field).index(index))
    return errors


def validate_choice(value: str | None, path: Path, choices: tuple[str, ...]) -> list[FieldError]:
    if value is None:
        return [required(path)]
    return [] if value in choices else [not_supported(path, value, choices)]


def _validate_named_rule(rule: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    resource_names = rule.get("resourceNames") or []
    again = set(repeated(resource_names))
    for index, name in enumerate(resource_names):
        at = path.child("resourceNames").index(index)
        errors += [invalid(at, name, text) for text in names.path_segment(name)]
        if index in again:
            errors.append(duplicate(at, name))
    return errors + validate_rule(rule, path)


def validate_rule(rule: Object, path: Path) -> list[FieldError]:
    """A rule with its operations."""
    errors: list[FieldError] = []
    operations = rule.get("operations") or []
    errors += _validate_wildcard(operations, path.child("operations"), "operations")
    for index, operation in enumerate(operations):
        if operation not in OPERATIONS:
            errors.append(not_supported(path.child("operations").index(index), operation, OPERATIONS))
    errors += _validate_wildcard(rule.get("apiGroups") or [], path.child("apiGroups"), "API groups")
    versions = rule.get("apiVersions") or []
    errors += _validate_wildcard(versions, path.child("apiVersions"), "API versions")
    errors += [
        required(path.child("apiVersions").index(index))
        for index, version in enumerate(versions)
        if not version
    ]
    errors += _validate_resources(rule.get("resources") or [], path.child("resources"))
    scope = rule.get("scope")
    if scope is not None and scope not in SCOPES:
        errors.append(not_supported(path.child("scope"), scope, SCOPES))
    return errors


def _validate_wildcard(choices: list[str], path: Path, what: str) -> list[FieldError]:
    """At least one, and nothing beside "*"."""
    if not choices:
        return [required(path)]
    if len(choices) > 1 and "*" in choices:
        return [invalid(path, choices, f"if '*' is present, must not specify other {what}")]
    return []


def _validate_resources(resources: list[str], path: Path) -> list[FieldError]:
    errors = [] if resources else [required(path)]
    whole: set[str] = set()
    parts: set[str] = set()
    has_plain = False
    for index, entry in enumerate(resources):
        at = path.index(index)
        resource, slash, part = entry.partition("/")
        if not entry:
            errors.append(required(at))
        if not slash:
            # Upstream lets the last such entry decide.
            has_plain = entry != "*" if entry else has_plain
            continue
        if resource in whole:
            errors.append(invalid(at, entry, f"if '{resource}/*' is present, must not specify {entry}"))
        if part in parts:
            errors.append(invalid(at, entry, f"if '*/{part}' is present, must not specify {entry}"))
        if part == "*":
            whole.add(resource)
        if resource == "*":
            parts.add(part)
    if len(resources) > 1 and "*/*" in resources:
        errors.append(invalid(path, resources, "if '*/*' is present, must not specify other resources"))
    if "*" in resources and has_plain:
        text = "if '*' is present, must not specify other resources without subresources"
        errors.append(invalid(path, resources, text))
    return errors

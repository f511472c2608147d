"""ValidatingWebhookConfiguration and MutatingWebhookConfiguration.

Source: kubernetes pkg/apis/admissionregistration/validation/validation.go and apiserver/pkg/util/webhook/validation.go,
1.36.
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.admission.expressions import (
    ExpressionCheck,
    expressions_of,
    validate_match_conditions,
)
from dray.api.validation.admission.matching import FAILURE_POLICIES, MATCH_POLICIES, validate_rule
from dray.api.validation.label_selector import validate_label_selector
from dray.api.validation.lists import items_of

REVIEW_VERSIONS: Final = ("v1", "v1beta1")
SIDE_EFFECTS: Final = ("None", "NoneOnDryRun", "Some", "Unknown")
NO_SIDE_EFFECTS: Final = ("None", "NoneOnDryRun")
REINVOCATION_POLICIES: Final = ("IfNeeded", "Never")
LONGEST_SECONDS: Final = 30

_WEBHOOKS: Final = Path("webhooks")
_FORM: Final = "; desired format: https://host[/path]"


def validate_configuration(
    obj: Object, check: Callable[[], ExpressionCheck], old: Object | None = None
) -> list[FieldError]:
    """`check` gives a compiler for one webhook. What the stored configuration got wrong may stay so."""
    hooks, before = items_of(obj.get("webhooks")), items_of((old or {}).get("webhooks"))
    known = {text for hook in before for text in expressions_of(items_of(hook.get("matchConditions")))}
    same_conditions = old is not None and _conditions(hooks) == _conditions(before)
    side_effects: tuple[str, ...] = NO_SIDE_EFFECTS
    if not all(hook.get("sideEffects") in NO_SIDE_EFFECTS for hook in before):
        side_effects = SIDE_EFFECTS
    needs_version = all(_speaks(hook) for hook in before if hook.get("admissionReviewVersions"))
    before_names = [hook.get("name") for hook in before]
    needs_unique = len(set(before_names)) == len(before_names)
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, hook in enumerate(hooks):
        path = _WEBHOOKS.index(index)
        errors += _validate_hook(hook, path, side_effects)
        if not same_conditions:
            conditions = items_of(hook.get("matchConditions"))
            errors += validate_match_conditions(conditions, path.child("matchConditions"), check(), known)
        errors += _validate_versions(hook, path.child("admissionReviewVersions"), needs_version)
        name = hook.get("name") or ""
        if needs_unique and name and name in seen:
            errors.append(duplicate(path.child("name"), name))
        seen.add(name)
    return errors


def _conditions(hooks: list[Object]) -> list[list[Object]]:
    return [items_of(hook.get("matchConditions")) for hook in hooks]


def _speaks(hook: Object) -> bool:
    return any(version in REVIEW_VERSIONS for version in hook["admissionReviewVersions"])


def _validate_hook(hook: Object, path: Path, side_effects: tuple[str, ...]) -> list[FieldError]:
    errors = _validate_name(hook.get("name") or "", path.child("name"))
    for index, rule in enumerate(items_of(hook.get("rules"))):
        errors += validate_rule(rule, path.child("rules").index(index))
    for field, choices in (("failurePolicy", FAILURE_POLICIES), ("matchPolicy", MATCH_POLICIES)):
        if hook.get(field) is not None and hook[field] not in choices:
            errors.append(not_supported(path.child(field), hook[field], choices))
    effects, at = hook.get("sideEffects"), path.child("sideEffects")
    if effects is None:
        errors.append(required(at, f"must specify one of {', '.join(side_effects)}"))
    elif effects not in side_effects:
        errors.append(not_supported(at, effects, side_effects))
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= LONGEST_SECONDS:
        text = f"the timeout value must be between 1 and {LONGEST_SECONDS} seconds"
        errors.append(invalid(path.child("timeoutSeconds"), seconds, text))
    for field in ("namespaceSelector", "objectSelector"):
        errors += validate_label_selector(hook.get(field), path.child(field))
    again = hook.get("reinvocationPolicy")
    if again is not None and again not in REINVOCATION_POLICIES:
        errors.append(not_supported(path.child("reinvocationPolicy"), again, REINVOCATION_POLICIES))
    return errors + _validate_client(hook.get("clientConfig") or {}, path.child("clientConfig"))


def _validate_name(name: str, path: Path) -> list[FieldError]:
    if not name:
        return [required(path)]
    errors = [invalid(path, name, text) for text in names.dns_subdomain(name)]
    if not errors and name.count(".") < 2:
        errors.append(
            invalid(path, name, "should be a domain with at least three segments separated by dots")
        )
    return errors


def _validate_versions(hook: Object, path: Path, needs_known: bool) -> list[FieldError]:
    versions, choices = hook.get("admissionReviewVersions") or [], ", ".join(REVIEW_VERSIONS)
    if not versions:
        return [required(path, f"must specify one of {choices}")]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, version in enumerate(versions):
        if version in seen:
            errors.append(invalid(path.index(index), version, "duplicate version"))
            continue
        seen.add(version)
        errors += [invalid(path.index(index), version, text) for text in names.dns_1035_label(version)]
    if needs_known and not _speaks(hook):
        errors.append(invalid(path, versions, f"must include at least one of {choices}"))
    return errors


def _validate_client(client: Object, path: Path) -> list[FieldError]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [required(path, "exactly one of url or service is required")]
    if url is not None:
        return _validate_url(url, path.child("url"))
    return _validate_service(service or {}, path.child("service"))


def _validate_url(url: str, path: Path) -> list[FieldError]:
    try:
        parts: SplitResult = urlsplit(url)
    except ValueError as error:
        return [required(path, f"url must be a valid URL: {error}{_FORM}")]
    errors: list[FieldError] = []
    if parts.scheme != "https":
        errors.append(invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{_FORM}"))
    user, at, host = parts.netloc.rpartition("@")
    if not host:
        errors.append(invalid(path, host, f"host must be specified{_FORM}"))
    if at:
        errors.append(invalid(path, user, "user information is not permitted in the URL"))
    if parts.fragment:
        errors.append(invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        errors.append(invalid(path, parts.query, "query parameters are not permitted in the URL"))
    return errors


def _validate_service(service: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("name", "namespace"):
        if not service.get(field):
            errors.append(required(path.child(field), f"service {field} is required"))
    port = int(service.get("port") or 0)
    if found := names.port_number(port):
        errors.append(invalid(path.child("port"), port, f"port is not valid: {','.join(found)}"))
    return errors + _validate_path(service.get("path") or "", path.child("path"))


def _validate_path(text: str, path: Path) -> list[FieldError]:
    if text in ("", "/"):
        return []
    if text == "//":
        return [invalid(path, text, "segment[0] may not be empty")]
    errors = [] if text.startswith("/") else [invalid(path, text, "must start with a '/'")]
    for index, segment in enumerate(text[1:].removesuffix("/").split("/")):
        if not segment:
            errors.append(invalid(path, text, f"segment[{index}] may not be empty"))
            continue
        found = names.dns_subdomain(segment)
        errors += [invalid(path, text, f"segment[{index}]: {why}") for why in found]
    return errors

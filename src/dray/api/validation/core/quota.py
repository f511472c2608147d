"""ResourceQuotas: the names that quotas know, amounts that can be counted, and scopes that go with them and each other."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dray.api.fields import FieldError, Path, invalid, required
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.quota_scopes import (
    ATTRIBUTES_CLASS,
    BEST_EFFORT,
    CROSS_NAMESPACE,
    NOT_BEST_EFFORT,
    NOT_TERMINATING,
    PRIORITY_CLASS,
    SCOPES,
    TERMINATING,
)
from dray.api.validation.core.resource_names import (
    OF_PODS,
    OF_VOLUME_CLAIMS,
    is_standard_for_quota,
    validate_resource_name,
)
from dray.api.validation.lists import items_of
from dray.api.validation.pod.resources import is_whole

SPEC: Final = Path("spec")

_SIMPLE: Final = (BEST_EFFORT, NOT_BEST_EFFORT, TERMINATING, NOT_TERMINATING, CROSS_NAMESPACE)
_EXCLUSIVE: Final = ((BEST_EFFORT, NOT_BEST_EFFORT), (TERMINATING, NOT_TERMINATING))
_COUNTABLE: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(
        (TERMINATING, NOT_TERMINATING, NOT_BEST_EFFORT, PRIORITY_CLASS, CROSS_NAMESPACE), OF_PODS
    ),
    BEST_EFFORT: frozenset({"pods"}),
    ATTRIBUTES_CLASS: OF_VOLUME_CLAIMS,
}
"""By scope, the standard names that can be counted within it."""


def validate_quota(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = validate_quota_amounts(spec.get("hard") or {}, SPEC.child("hard"))
    errors += _validate_scopes(spec)
    if spec.get("scopeSelector") is not None:
        errors += _validate_selectors(spec)
    return errors


def validate_quota_update(new: Object, old: Object) -> list[FieldError]:
    errors = validate_quota(new)
    scopes, before = ((each.get("spec") or {}).get("scopes") or [] for each in (new, old))
    if set(scopes) != set(before):
        errors.append(invalid(SPEC.child("scopes"), scopes, "field is immutable"))
    return errors


def validate_quota_amounts(amounts: Mapping[str, Any], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, text in amounts.items():
        place, amount = path.key(name), parse_quantity(text)
        errors += _validate_name(name, place)
        if amount.sign() < 0:
            errors.append(invalid(place, str(amount), "must be greater than or equal to 0"))
        if is_whole(name) and not amount.has_whole_thousands():
            errors.append(invalid(place, str(amount), "must be an integer"))
    return errors


def _validate_name(name: str, path: Path) -> list[FieldError]:
    errors = validate_resource_name(name, path)
    if "/" not in name and not is_standard_for_quota(name):
        errors.append(invalid(path, name, "must be a standard resource for quota"))
    return errors


def _validate_scopes(spec: Mapping[str, Any]) -> list[FieldError]:
    path, scopes = SPEC.child("scopes"), spec.get("scopes") or []
    errors: list[FieldError] = []
    for scope in scopes:
        if scope not in SCOPES:
            errors.append(invalid(path, scopes, "unsupported scope"))
        errors += _misapplied(scope, spec, path, scopes)
    return errors + _conflicts(scopes, path, scopes)


def _misapplied(scope: str, spec: Mapping[str, Any], path: Path, shown: Any) -> list[FieldError]:
    """One finding for each counted name that has nothing to do with the scope."""
    fitting = _COUNTABLE.get(scope)
    if fitting is None:
        return []
    wrong = [name for name in spec.get("hard") or {} if is_standard_for_quota(name) and name not in fitting]
    return [invalid(path, shown, "unsupported scope applied to resource") for _ in wrong]


def _conflicts(scopes: Iterable[str], path: Path, shown: Any) -> list[FieldError]:
    present = set(scopes)
    return [invalid(path, shown, "conflicting scopes") for pair in _EXCLUSIVE if present.issuperset(pair)]


def _validate_selectors(spec: Mapping[str, Any]) -> list[FieldError]:
    path = SPEC.child("scopeSelector", "matchExpressions")
    selectors = items_of(spec["scopeSelector"].get("matchExpressions"))
    errors: list[FieldError] = []
    shown = _internal(selectors)
    for selector in selectors:
        scope = selector.get("scopeName") or ""
        if scope not in SCOPES:
            errors.append(invalid(path.child("scopeName"), scope, "unsupported scope"))
        errors += _misapplied(scope, spec, path, shown)
        errors += _validate_operator(selector, path)
    # The plain scopes are what is shown, so Kubernetes does.
    found = (selector.get("scopeName") or "" for selector in selectors)
    return errors + _conflicts(found, path, spec.get("scopes"))


def _validate_operator(selector: Mapping[str, Any], path: Path) -> list[FieldError]:
    operator, values = selector.get("operator") or "", selector.get("values") or []
    errors: list[FieldError] = []
    if selector.get("scopeName") in _SIMPLE and operator != "Exists":
        text = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
        errors.append(invalid(path.child("operator"), operator, text))
    if operator in ("In", "NotIn"):
        if not values:
            text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            errors.append(required(path.child("values"), text))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            errors.append(invalid(path.child("values"), values, text))
    else:
        errors.append(invalid(path.child("operator"), operator, "not a valid selector operator"))
    return errors


def _internal(selectors: list[Object]) -> Object:
    """As Kubernetes shows them: with the names of its own structures."""
    shown = [
        {
            "ScopeName": selector.get("scopeName") or "",
            "Operator": selector.get("operator") or "",
            "Values": selector.get("values"),
        }
        for selector in selectors
    ]
    return {"MatchExpressions": shown}


def quota_warnings(obj: Object) -> list[str]:
    """Of requests that may be more than the limits."""
    hard = (obj.get("spec") or {}).get("hard") or {}
    texts = []
    for name in ("cpu", "memory", "storage", "ephemeral-storage"):
        request, limit = f"requests.{name}", f"limits.{name}"
        if request not in hard and name in ("cpu", "memory"):
            request = name
        if request in hard and limit in hard:
            asked, most = parse_quantity(hard[request]), parse_quantity(hard[limit])
            if asked > most:
                texts.append(f"ResourceQuota {request} ({asked}) should be less than {limit} ({most})")
    return texts

"""Scopes of a ResourceQuota: which pods, or volume claims, it is about.

All scopes of a quota must hold. Objects of any other kind have none of the properties that scopes speak of, so a quota
with scopes is never about them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dray.api.meta import Object
from dray.api.qos import qos_class
from dray.api.resources import PERSISTENT_VOLUME_CLAIMS, PODS, Resource
from dray.api.volumes import attributes_classes

TERMINATING: Final = "Terminating"
NOT_TERMINATING: Final = "NotTerminating"
BEST_EFFORT: Final = "BestEffort"
NOT_BEST_EFFORT: Final = "NotBestEffort"
PRIORITY_CLASS: Final = "PriorityClass"
CROSS_NAMESPACE: Final = "CrossNamespacePodAffinity"
ATTRIBUTES_CLASS: Final = "VolumeAttributesClass"
SCOPES: Final = frozenset(
    {
        TERMINATING,
        NOT_TERMINATING,
        BEST_EFFORT,
        NOT_BEST_EFFORT,
        PRIORITY_CLASS,
        CROSS_NAMESPACE,
        ATTRIBUTES_CLASS,
    }
)


def is_about(quota: Object, resource: Resource, obj: Object) -> bool:
    """Whether the scopes of a quota admit the object; a quota without scopes is about everything."""
    return all(_holds(scope, resource, obj) for scope in scopes_of(quota))


def has_scopes(quota: Object) -> bool:
    return any(True for _ in scopes_of(quota))


def scopes_of(quota: Object) -> Iterator[Mapping[str, Any]]:
    """Plain scopes in the form of selectors, then the selectors."""
    spec = quota.get("spec") or {}
    for name in spec.get("scopes") or ():
        yield {"scopeName": name, "operator": "Exists"}
    yield from (spec.get("scopeSelector") or {}).get("matchExpressions") or ()


def is_terminating(pod: Object) -> bool:
    """Whether the pod is one that ends by itself: it has a deadline."""
    deadline = (pod.get("spec") or {}).get("activeDeadlineSeconds")
    return deadline is not None and deadline >= 0


def _holds(scope: Mapping[str, Any], resource: Resource, obj: Object) -> bool:
    if resource == PODS:
        return _holds_for_pod(scope, obj)
    if resource == PERSISTENT_VOLUME_CLAIMS and scope.get("scopeName") == ATTRIBUTES_CLASS:
        return _selects(scope, attributes_classes(obj))
    return False


def _holds_for_pod(scope: Mapping[str, Any], pod: Object) -> bool:
    spec = pod.get("spec") or {}
    match scope.get("scopeName"):
        case "Terminating":
            return is_terminating(pod)
        case "NotTerminating":
            return not is_terminating(pod)
        case "BestEffort":
            return qos_class(spec) == BEST_EFFORT
        case "NotBestEffort":
            return qos_class(spec) != BEST_EFFORT
        case "PriorityClass":
            return _selects(scope, [spec["priorityClassName"]] if spec.get("priorityClassName") else [])
        case "CrossNamespacePodAffinity":
            return _looks_elsewhere(spec.get("affinity") or {})
    return False


def _selects(scope: Mapping[str, Any], names: Iterable[str]) -> bool:
    """Whether one of the names is selected; no name at all is something a selector may ask for as well."""
    present, values = list(names), scope.get("values") or ()
    match scope.get("operator"):
        case "Exists":
            return bool(present)
        case "DoesNotExist":
            return not present
        case "In":
            return any(name in values for name in present)
        case "NotIn":
            return not present or any(name not in values for name in present)
    return False


def _looks_elsewhere(affinity: Mapping[str, Any]) -> bool:
    return any(
        term.get("namespaces") or term.get("namespaceSelector") is not None
        for kind in ("podAffinity", "podAntiAffinity")
        for term in _terms(affinity.get(kind) or {})
    )


def _terms(affinity: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    for weighted in affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
        yield weighted.get("podAffinityTerm") or {}

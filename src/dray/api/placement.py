"""Whether a pod may be on a node: node selector terms, taints and tolerations. Pure rules, shared by all who place pods.

Semantics of k8s.io/component-helpers: terms are ORed, the requirements in a term ANDed; a term with neither expressions
nor fields matches nothing; `Gt` and `Lt` compare integers and never match otherwise.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dray.api.meta import labels_of, name_of

Requirement = Mapping[str, Any]
Taint = Mapping[str, Any]
Toleration = Mapping[str, Any]

HARD_EFFECTS = ("NoSchedule", "NoExecute")


def matches_node_selector(selector: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """core/v1 NodeSelector: any term matches."""
    return any(matches_node_term(term, node) for term in selector.get("nodeSelectorTerms") or ())


def matches_node_term(term: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    expressions: Sequence[Requirement] = term.get("matchExpressions") or ()
    fields: Sequence[Requirement] = term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    labels = labels_of(node)
    if not all(matches_requirement(requirement, labels) for requirement in expressions):
        return False
    return all(matches_requirement(requirement, {"metadata.name": name_of(node)}) for requirement in fields)


def matches_requirement(requirement: Requirement, values: Mapping[str, str]) -> bool:
    """One NodeSelectorRequirement against labels (or the selectable fields)."""
    key, operator = requirement["key"], requirement["operator"]
    wanted: Sequence[str] = requirement.get("values") or ()
    match operator:
        case "In":
            return key in values and values[key] in wanted
        case "NotIn":
            return key not in values or values[key] not in wanted
        case "Exists":
            return key in values
        case "DoesNotExist":
            return key not in values
        case "Gt" | "Lt":
            return _compares(operator, values.get(key), wanted)
        case _:
            return False


def _compares(operator: str, value: str | None, wanted: Sequence[str]) -> bool:
    if value is None or len(wanted) != 1:
        return False
    try:
        left, right = int(value), int(wanted[0])
    except ValueError:
        return False
    return left > right if operator == "Gt" else left < right


def matches_pod_node_rules(pod_spec: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """nodeSelector and required node affinity of a pod spec."""
    labels = labels_of(node)
    if any(labels.get(key) != value for key, value in (pod_spec.get("nodeSelector") or {}).items()):
        return False
    affinity = ((pod_spec.get("affinity") or {}).get("nodeAffinity")) or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or matches_node_selector(required, node)


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether one core/v1 toleration covers one taint."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    if not toleration.get("key"):
        return False
    return (toleration.get("value") or "") == (taint.get("value") or "")


def find_untolerated_taint(
    taints: Iterable[Taint], tolerations: Sequence[Toleration], effects: Sequence[str] = HARD_EFFECTS
) -> Taint | None:
    """The first taint with one of `effects` that no toleration covers."""
    for taint in taints:
        if taint.get("effect") in effects and not any(tolerates(each, taint) for each in tolerations):
            return taint
    return None

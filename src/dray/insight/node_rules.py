"""Required node affinity in words: what each term asks of a node and what the node has instead."""

from collections.abc import Mapping, Sequence
from typing import Any

from dray.api.meta import Object, labels_of, name_of
from dray.api.placement import matches_node_term, matches_requirement

_TERMS_SHOWN = 2


def node_affinity_against(pod_spec: Mapping[str, Any], node: Object) -> str:
    """Why the pod's required node affinity refuses the node; "" where it does not, or where there is none."""
    affinity = (pod_spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms")
    if terms is None or any(matches_node_term(term, node) for term in terms):
        return ""
    return f"required node affinity: {node_terms_against(terms, node)}"


def node_terms_against(terms: Sequence[Mapping[str, Any]], node: Object) -> str:
    """What terms that all refuse a node ask for. One of them would do."""
    shown = [_term(term, node) for term in terms[:_TERMS_SHOWN]]
    if len(terms) > _TERMS_SHOWN:
        shown.append(f"{len(terms) - _TERMS_SHOWN} more terms")
    return "; or ".join(shown) or "it has no term, so it matches no node"


def _term(term: Mapping[str, Any], node: Object) -> str:
    """The requirements of a term that the node does not meet."""
    labels, fields = labels_of(node), {"metadata.name": name_of(node)}
    unmet = [
        _requirement(each, values)
        for part, values in (("matchExpressions", labels), ("matchFields", fields))
        for each in term.get(part) or ()
        if not matches_requirement(each, values)
    ]
    return " and ".join(unmet) or "an empty term matches no node"


def _requirement(each: Mapping[str, Any], values: Mapping[str, str]) -> str:
    key, operator = each["key"], each["operator"]
    wanted = ", ".join(each.get("values") or ())
    asked = f"{key} {operator} [{wanted}]" if wanted else f"{key} {operator}"
    if key == "metadata.name":
        return asked
    return (
        f"{asked}, and the node has {key}={values[key]}"
        if key in values
        else f"{asked}, and the node has none"
    )

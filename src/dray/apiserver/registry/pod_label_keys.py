"""Labels that the placement of a new pod takes from the pod are written into its selectors, where schedulers read them.

Source: kubernetes pkg/registry/core/pod/strategy.go, 1.36.
"""

from collections.abc import Iterable, Mapping

from dray.api.features import FeatureGates
from dray.api.meta import Object, labels_of
from dray.api.validation.lists import items_of
from dray.api.validation.pod.rules import merges_spread_keys


def merge_label_keys(features: FeatureGates, pod: Object) -> None:
    """Changes the pod, which must be new and the caller's own, at any depth."""
    spec, labels = pod["spec"], labels_of(pod)
    for term in _terms(spec.get("affinity") or {}):
        _merge(term, labels)
    if merges_spread_keys(features):
        for constraint in items_of(spec.get("topologySpreadConstraints")):
            _merge(constraint, labels)


def _terms(affinity: Object) -> Iterable[Object]:
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        for choice in items_of(rules.get("preferredDuringSchedulingIgnoredDuringExecution")):
            yield choice.get("podAffinityTerm") or {}
        yield from items_of(rules.get("requiredDuringSchedulingIgnoredDuringExecution"))


def _merge(term: Object, labels: Mapping[str, str]) -> None:
    """Without a selector the term means no pod at all, and goes on doing so."""
    selector = term.get("labelSelector")
    if selector is None:
        return
    added = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in term.get(field) or ()
        if key in labels
    ]
    if added:
        selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), *added]

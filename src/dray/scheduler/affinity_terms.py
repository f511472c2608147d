"""Affinity terms between pods, parsed once per pod: which other pods are meant, and over which topology."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from dray.api.meta import Object, labels_of, namespace_of
from dray.api.selectors import LabelSelector, label_selector_of

NamespaceLabels = Callable[[str], Mapping[str, str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Term:
    topology_key: str
    selector: LabelSelector | None
    namespaces: frozenset[str]
    namespace_selector: LabelSelector | None
    weight: int = 0
    """Of a preferred term; negative for anti-affinity."""

    def selects(self, pod: Object, labels_of_namespace: NamespaceLabels) -> bool:
        if self.selector is None or not self.selector.matches(labels_of(pod)):
            return False
        namespace = namespace_of(pod)
        return namespace in self.namespaces or (
            self.namespace_selector is not None
            and self.namespace_selector.matches(labels_of_namespace(namespace))
        )


def required_terms(pod: Object, kind: str) -> tuple[Term, ...]:
    """The required terms of `kind` (podAffinity or podAntiAffinity). Raises SelectorError."""
    raw = _rules(pod, kind).get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    return tuple(_parse(pod, term, 0) for term in raw)


def preferred_terms(pod: Object) -> tuple[Term, ...]:
    """The preferred terms of both kinds, those of anti-affinity with negative weight. Raises SelectorError."""
    terms = []
    for kind, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
        raw = _rules(pod, kind).get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [_parse(pod, each["podAffinityTerm"], sign * int(each["weight"])) for each in raw]
    return tuple(terms)


def _rules(pod: Object, kind: str) -> Mapping[str, Any]:
    rules: Mapping[str, Any] = (pod["spec"].get("affinity") or {}).get(kind) or {}
    return rules


def _parse(owner: Object, term: Mapping[str, Any], weight: int) -> Term:
    # The API server wrote what matchLabelKeys and mismatchLabelKeys say into the selector when the pod was new.
    selector = label_selector_of(term.get("labelSelector"))
    namespaces = frozenset(term.get("namespaces") or ())
    if not namespaces and term.get("namespaceSelector") is None:
        namespaces = frozenset({namespace_of(owner)})
    others = label_selector_of(term.get("namespaceSelector"))
    return Term(term["topologyKey"], selector, namespaces, others, weight)

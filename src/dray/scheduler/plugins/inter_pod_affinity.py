"""InterPodAffinity: required affinity and anti-affinity to the pods that already run.

Supported: required terms in both directions (the pod's own, and the anti-affinity of running pods towards it), with
label selectors, namespaces and namespace selectors. Of matchLabelKeys and mismatchLabelKeys counts what the API server
wrote into the selectors. Preferred terms are scored in `preferences`.
"""

import dataclasses
from collections.abc import Callable, Sequence

from dray.scheduler.affinity_terms import NamespaceLabels, Term
from dray.scheduler.happenings import INTER_POD_AFFINITY
from dray.scheduler.pod_view import PodView
from dray.scheduler.snapshot import Nodes, NodeView
from dray.scheduler.verdict import Rejection

NO_FRIENDS = Rejection(INTER_POD_AFFINITY, ("node(s) didn't match pod affinity rules",), resolvable=False)
OWN_ENEMIES = Rejection(INTER_POD_AFFINITY, ("node(s) didn't match pod anti-affinity rules",))
THEIR_ENEMY = Rejection(INTER_POD_AFFINITY, ("node(s) didn't satisfy existing pods anti-affinity rules",))

Domain = tuple[str, str]
"""A topology key and its value."""


def prepare(
    pod: PodView, nodes: Nodes, labels_of_namespace: NamespaceLabels
) -> Callable[[NodeView], Rejection | None] | None:
    hostile = _hostile_domains(pod, nodes, labels_of_namespace)
    friends = _Affinity.of(pod, nodes, labels_of_namespace)
    avoided = _domains_of_matches(pod.required_anti_affinity, nodes, labels_of_namespace)
    if not hostile and friends is None and not avoided:
        return None

    def verdict(node: NodeView) -> Rejection | None:
        if friends is not None and not friends.accepts(node):
            return NO_FRIENDS
        if any(node.labels.get(key) == value for key, value in avoided):
            return OWN_ENEMIES
        if any(node.labels.get(key) == value for key, value in hostile):
            return THEIR_ENEMY
        return None

    return verdict


def _hostile_domains(pod: PodView, nodes: Nodes, labels_of_namespace: NamespaceLabels) -> set[Domain]:
    """Where running pods that do not want this one are."""
    domains = set()
    for node in nodes.hostile():
        for other in node.anti_affinity_pods.values():
            for term in other.required_anti_affinity:
                value = node.labels.get(term.topology_key)
                if value is not None and term.selects(pod.pod, labels_of_namespace):
                    domains.add((term.topology_key, value))
    return domains


def _domains_of_matches(
    terms: Sequence[Term], nodes: Nodes, labels_of_namespace: NamespaceLabels
) -> set[Domain]:
    domains = set()
    for node in nodes if terms else ():
        for term in terms:
            value = node.labels.get(term.topology_key)
            if value is not None and any(
                term.selects(other.pod, labels_of_namespace) for other in node.pods.values()
            ):
                domains.add((term.topology_key, value))
    return domains


@dataclasses.dataclass(frozen=True, slots=True)
class _Affinity:
    """The pod wants to be where a pod is that matches all its terms."""

    keys: tuple[str, ...]
    domains: frozenset[Domain]
    may_be_first: bool
    """No pod matches anywhere and the pod itself does: the first of a group has to start somewhere."""

    @classmethod
    def of(cls, pod: PodView, nodes: Nodes, labels_of_namespace: NamespaceLabels) -> "_Affinity | None":
        terms = pod.required_affinity
        if not terms:
            return None
        domains: set[Domain] = set()
        for node in nodes:
            if any(
                all(term.selects(other.pod, labels_of_namespace) for term in terms)
                for other in node.pods.values()
            ):
                domains |= {
                    (term.topology_key, node.labels[term.topology_key])
                    for term in terms
                    if term.topology_key in node.labels
                }
        first = not domains and all(term.selects(pod.pod, labels_of_namespace) for term in terms)
        return cls(tuple(term.topology_key for term in terms), frozenset(domains), first)

    def accepts(self, node: NodeView) -> bool:
        if any(key not in node.labels for key in self.keys):
            return False
        return self.may_be_first or all((key, node.labels[key]) in self.domains for key in self.keys)

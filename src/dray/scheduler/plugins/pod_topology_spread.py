"""PodTopologySpread: pods alike are spread over domains of nodes, no domain more than `maxSkew` ahead of the emptiest.

Supported: `DoNotSchedule` constraints with selectors, matchLabelKeys, minDomains, nodeAffinityPolicy and
nodeTaintsPolicy. `ScheduleAnyway` constraints are scored in `preferences`. Not supported: the cluster-wide default
constraints that upstream applies to pods of services and replica sets.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dray.api.meta import is_deleting
from dray.api.placement import find_untolerated_taint, matches_pod_node_rules
from dray.api.selectors import LabelSelector, Operator, Requirement, label_selector_of
from dray.scheduler.happenings import POD_TOPOLOGY_SPREAD
from dray.scheduler.pod_view import PodView
from dray.scheduler.snapshot import Nodes, NodeView
from dray.scheduler.verdict import Rejection

SKEWED = Rejection(POD_TOPOLOGY_SPREAD, ("node(s) didn't match pod topology spread constraints",))
NO_DOMAIN = Rejection(
    POD_TOPOLOGY_SPREAD,
    ("node(s) didn't match pod topology spread constraints (missing required label)",),
    resolvable=False,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Constraint:
    topology_key: str
    max_skew: int
    min_domains: int
    selector: LabelSelector | None
    honour_affinity: bool
    honour_taints: bool

    def selects(self, pod: PodView, namespace: str) -> bool:
        return (
            self.selector is not None
            and pod.key.namespace == namespace
            and not is_deleting(pod.pod)
            and self.selector.matches(pod.labels)
        )

    def admits(self, pod: PodView, node: NodeView) -> bool:
        """Whether the node's domain counts at all."""
        if self.honour_affinity and node.node is not None and not matches_pod_node_rules(pod.spec, node.node):
            return False
        return not (self.honour_taints and find_untolerated_taint(node.taints, pod.tolerations) is not None)


def parse_constraint(pod: PodView, constraint: Mapping[str, Any]) -> Constraint:
    selector = label_selector_of(constraint.get("labelSelector"))
    keys = [key for key in constraint.get("matchLabelKeys") or () if key in pod.labels]
    if selector is not None and keys:
        alike = tuple(Requirement(key, Operator.IN, frozenset({pod.labels[key]})) for key in keys)
        selector = LabelSelector(selector.requirements + alike)
    return Constraint(
        constraint["topologyKey"],
        int(constraint.get("maxSkew") or 1),
        int(constraint.get("minDomains") or 1),
        selector,
        (constraint.get("nodeAffinityPolicy") or "Honor") == "Honor",
        constraint.get("nodeTaintsPolicy") == "Honor",
    )


def count_domains(pod: PodView, constraint: Constraint, nodes: Iterable[NodeView]) -> dict[str, int]:
    """Pods that `constraint` selects, by domain; domains without any are there with zero."""
    counts: dict[str, int] = {}
    for node in nodes:
        domain = node.labels.get(constraint.topology_key)
        if domain is None or not constraint.admits(pod, node):
            continue
        alike = sum(1 for other in node.pods.values() if constraint.selects(other, pod.namespace))
        counts[domain] = counts.get(domain, 0) + alike
    return counts


def prepare(pod: PodView, nodes: Nodes) -> Callable[[NodeView], Rejection | None] | None:
    required = pod.spread_constraints("DoNotSchedule")
    if not required:
        return None
    constraints = [parse_constraint(pod, each) for each in required]
    keys = [each.topology_key for each in constraints]
    eligible = [node for node in nodes if all(key in node.labels for key in keys)]
    rules = [_Rule(pod, each, count_domains(pod, each, eligible)) for each in constraints]

    def verdict(node: NodeView) -> Rejection | None:
        for rule in rules:
            rejection = rule.check(node)
            if rejection is not None:
                return rejection
        return None

    return verdict


class _Rule:
    """One constraint with the counts of the moment."""

    def __init__(self, pod: PodView, constraint: Constraint, counts: dict[str, int]) -> None:
        self._key = constraint.topology_key
        self._counts = counts
        itself = 1 if constraint.selector is not None and constraint.selector.matches(pod.labels) else 0
        fewest = min(counts.values(), default=0) if len(counts) >= constraint.min_domains else 0
        self._most = constraint.max_skew + fewest - itself

    def check(self, node: NodeView) -> Rejection | None:
        domain = node.labels.get(self._key)
        if domain is None:
            return NO_DOMAIN
        return SKEWED if self._counts.get(domain, 0) > self._most else None

"""What a pod would like, beyond what it must have: the scores of upstream's default plugins, with their weights.

TaintToleration (3, avoid PreferNoSchedule taints), NodeAffinity (2, preferred terms), InterPodAffinity (2, preferred
terms of the pod; those of running pods towards it are not counted), PodTopologySpread (2, ScheduleAnyway). Each is brought
to 0..100 over the nodes that are compared, as upstream does. Not scored: ImageLocality.
"""

from collections.abc import Mapping, Sequence

from dray.api.placement import matches_node_term, tolerates
from dray.scheduler.affinity_terms import NamespaceLabels
from dray.scheduler.plugins.pod_topology_spread import count_domains, parse_constraint
from dray.scheduler.pod_view import PodView
from dray.scheduler.snapshot import Nodes, NodeView

MAX_SCORE = 100
TAINT_WEIGHT = 3
AFFINITY_WEIGHT = 2
POD_AFFINITY_WEIGHT = 2
SPREAD_WEIGHT = 2

Scores = dict[str, int]
"""By node name."""


def has_any(pod: PodView) -> bool:
    """Whether nodes differ for the pod in more than how full and how tainted they are."""
    return bool(_preferred_nodes(pod) or pod.preferred_affinity or pod.spread_constraints("ScheduleAnyway"))


def score(
    pod: PodView, candidates: Sequence[NodeView], nodes: Nodes, labels_of_namespace: NamespaceLabels
) -> Scores:
    """The weighted sum for each candidate; nothing at all where the pod and the nodes have no preferences."""
    total: Scores = {}
    if any(node.soft_taints for node in candidates):
        taints = {node.name: _intolerable(pod, node) for node in candidates}
        _add(total, _fewer_is_better(taints), TAINT_WEIGHT)
    if preferred := _preferred_nodes(pod):
        _add(total, _more_is_better(_node_affinity(preferred, candidates)), AFFINITY_WEIGHT)
    if pod.preferred_affinity:
        pods = _pod_affinity(pod, candidates, nodes, labels_of_namespace)
        _add(total, _spread_out(pods), POD_AFFINITY_WEIGHT)
    if pod.spread_constraints("ScheduleAnyway"):
        _add(total, _fewer_is_better(_domain_sizes(pod, candidates, nodes)), SPREAD_WEIGHT)
    return total


def _add(total: Scores, scores: Mapping[str, int], weight: int) -> None:
    for name, value in scores.items():
        total[name] = total.get(name, 0) + weight * value


def _more_is_better(raw: Scores) -> Scores:
    most = max(raw.values(), default=0)
    return {name: value * MAX_SCORE // most for name, value in raw.items()} if most else raw


def _fewer_is_better(raw: Scores) -> Scores:
    most = max(raw.values(), default=0)
    if not most:
        return dict.fromkeys(raw, MAX_SCORE)
    return {name: MAX_SCORE - value * MAX_SCORE // most for name, value in raw.items()}


def _spread_out(raw: Scores) -> Scores:
    low, high = min(raw.values(), default=0), max(raw.values(), default=0)
    if high == low:
        return dict.fromkeys(raw, 0)
    return {name: (value - low) * MAX_SCORE // (high - low) for name, value in raw.items()}


def _intolerable(pod: PodView, node: NodeView) -> int:
    # As upstream: only tolerations of no effect or of this very effect are looked at.
    relevant = [each for each in pod.tolerations if each.get("effect") in (None, "", "PreferNoSchedule")]
    return sum(1 for taint in node.soft_taints if not any(tolerates(each, taint) for each in relevant))


def _preferred_nodes(pod: PodView) -> Sequence[Mapping[str, object]]:
    affinity = (pod.spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms: Sequence[Mapping[str, object]] = (
        affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    )
    return terms


def _node_affinity(preferred: Sequence[Mapping[str, object]], candidates: Sequence[NodeView]) -> Scores:
    raw: Scores = {}
    for view in candidates:
        node = view.node
        assert node is not None
        raw[view.name] = sum(
            int(str(each["weight"]))
            for each in preferred
            if isinstance(each["preference"], Mapping) and matches_node_term(each["preference"], node)
        )
    return raw


def _pod_affinity(
    pod: PodView, candidates: Sequence[NodeView], nodes: Nodes, labels_of_namespace: NamespaceLabels
) -> Scores:
    pull: dict[tuple[str, str], int] = {}
    for node in nodes:
        for term in pod.preferred_affinity:
            value = node.labels.get(term.topology_key)
            if value is not None:
                matches = sum(
                    1 for other in node.pods.values() if term.selects(other.pod, labels_of_namespace)
                )
                domain = (term.topology_key, value)
                pull[domain] = pull.get(domain, 0) + term.weight * matches
    return {
        node.name: sum(weight for (key, value), weight in pull.items() if node.labels.get(key) == value)
        for node in candidates
    }


def _domain_sizes(pod: PodView, candidates: Sequence[NodeView], nodes: Nodes) -> Scores:
    sizes: Scores = dict.fromkeys((node.name for node in candidates), 0)
    for raw in pod.spread_constraints("ScheduleAnyway"):
        constraint = parse_constraint(pod, raw)
        counts = count_domains(pod, constraint, nodes)
        # A node outside the topology is the worst place.
        worst = max(counts.values(), default=0) + 1
        for node in candidates:
            sizes[node.name] += counts.get(node.labels.get(constraint.topology_key, ""), worst)
    return sizes

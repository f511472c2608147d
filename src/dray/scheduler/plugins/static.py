"""Filters whose answer depends on the node object alone: NodeUnschedulable, NodeName, TaintToleration, NodeAffinity.

`StaticFit` remembers their verdicts: pods of one template are the same question, and a node is asked again only after
its name, labels, taints or schedulability changed.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from dray.api.placement import find_untolerated_taint, matches_pod_node_rules, tolerates
from dray.scheduler.happenings import NODE_AFFINITY, NODE_NAME, NODE_UNSCHEDULABLE, TAINT_TOLERATION
from dray.scheduler.pod_view import PodView
from dray.scheduler.snapshot import NodeView
from dray.scheduler.verdict import Rejection

UNSCHEDULABLE_TAINT: Mapping[str, Any] = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}

UNSCHEDULABLE = Rejection(NODE_UNSCHEDULABLE, ("node(s) were unschedulable",), resolvable=False)
OTHER_NAME = Rejection(NODE_NAME, ("node(s) didn't match the requested node name",), resolvable=False)
TAINTED = Rejection(TAINT_TOLERATION, ("node(s) had untolerated taint(s)",), resolvable=False)
NO_AFFINITY = Rejection(
    NODE_AFFINITY, ("node(s) didn't match Pod's node affinity/selector",), resolvable=False
)
NOT_NAMED = Rejection(NODE_AFFINITY, ("node(s) didn't satisfy plugin(s) [NodeAffinity]",), resolvable=False)
"""Of every node that the pod's affinity excludes by name."""

SIGNATURE_LIMIT = 64
_UNKNOWN = object()


def check(pod: PodView, node: NodeView) -> Rejection | None:
    """The first static refusal, if any."""
    if node.unschedulable and not any(tolerates(each, UNSCHEDULABLE_TAINT) for each in pod.tolerations):
        return UNSCHEDULABLE
    if pod.node_name and pod.node_name != node.name:
        return OTHER_NAME
    if find_untolerated_taint(node.taints, pod.tolerations) is not None:
        return TAINTED
    assert node.node is not None
    if not matches_pod_node_rules(pod.spec, node.node):
        return NO_AFFINITY
    return None


def named_nodes(pod: PodView) -> frozenset[str] | None:
    """The only nodes that required affinity allows, where every term names its nodes (as DaemonSets do)."""
    affinity = (pod.spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms")
    if not terms:
        return None
    names: set[str] = set()
    for term in terms:
        allowed = [_names_in(requirement) for requirement in term.get("matchFields") or ()]
        known = [each for each in allowed if each is not None]
        if not known:
            return None
        names |= frozenset.intersection(*known)
    return frozenset(names)


def _names_in(requirement: Mapping[str, Any]) -> frozenset[str] | None:
    if requirement.get("key") == "metadata.name" and requirement.get("operator") == "In":
        return frozenset(requirement.get("values") or ())
    return None


class StaticFit:
    """Verdicts of the static filters, by kind of pod and state of node."""

    def __init__(self) -> None:
        self._memos: OrderedDict[bytes, dict[int, Rejection | None]] = OrderedDict()

    def prepare(self, pod: PodView, node_count: int) -> Callable[[NodeView], Rejection | None]:
        """The question to ask of each node. `node_count` bounds what is remembered."""
        memo = self._memo(pod.static_signature, node_count)

        def verdict(node: NodeView) -> Rejection | None:
            known: Any = memo.get(node.static, _UNKNOWN)
            if known is _UNKNOWN:
                known = memo[node.static] = check(pod, node)
            answer: Rejection | None = known
            return answer

        return verdict

    def _memo(self, signature: bytes, node_count: int) -> dict[int, Rejection | None]:
        memo = self._memos.get(signature)
        if memo is None or len(memo) > 2 * node_count + 100:
            # States that nodes have left behind are never asked for again; start over when they are the majority.
            memo = self._memos[signature] = {}
        self._memos.move_to_end(signature)
        if len(self._memos) > SIGNATURE_LIMIT:
            self._memos.popitem(last=False)
        return memo

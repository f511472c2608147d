"""Which nodes the pods that already run rule out: affinity, anti-affinity in both directions, and topology spread.

The verdicts are those of the scheduler's own plugins, asked for one rule of the pod at a time, so that every rule that
is against a node is named and not only the first. Only the words are made here.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dray.api.meta import Object, labels_of, name_of
from dray.api.pods import is_terminal
from dray.api.resources import NAMESPACES
from dray.api.selectors import LabelSelector, Operator, Requirement, label_selector_of
from dray.insight.against import Against
from dray.insight.snapshot import Snapshot
from dray.scheduler.affinity_terms import Term
from dray.scheduler.plugins import inter_pod_affinity, pod_topology_spread
from dray.scheduler.pod_view import PodView
from dray.scheduler.snapshot import NodeView
from dray.scheduler.snapshot import Snapshot as Placed
from dray.scheduler.verdict import Rejection

Verdict = Callable[[NodeView], Rejection | None]


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    """One rule with the scheduler's verdict and the words for a node that it refuses."""

    verdict: Verdict
    words: Callable[[NodeView, Rejection], Against]


class Neighbourhood:
    """The pods that run, as they bear on one that does not."""

    def __init__(self, snapshot: Snapshot, pod: Object, placed: Placed | None = None) -> None:
        """`placed`: who is where, if that is not what the snapshot says."""
        self._view = PodView(pod)
        self._labels_of_namespace = {name_of(each): labels_of(each) for each in snapshot.of(NAMESPACES)}
        self._placed = placed_pods(snapshot) if placed is None else placed
        self._rules = list(self._affinity()) + list(self._spread())

    def against(self, node: Object) -> Iterator[Against]:
        """`node`: one of the snapshot's."""
        view = self._placed.find(name_of(node)) if self._rules else None
        for rule in self._rules if view is not None else ():
            assert view is not None
            rejection = rule.verdict(view)
            if rejection is not None:
                yield rule.words(view, rejection)

    def _namespace(self, name: str) -> Mapping[str, str]:
        return self._labels_of_namespace.get(name, {})

    def _affinity(self) -> Iterator[_Rule]:
        rules = self._view.spec.get("affinity") or {}
        for kind, words in (("podAffinity", self._no_friends), ("podAntiAffinity", self._own_enemies)):
            if (rules.get(kind) or {}).get("requiredDuringSchedulingIgnoredDuringExecution"):
                yield from self._asked({"affinity": {kind: rules[kind]}}, words)
        yield from self._asked({}, self._their_enemy)

    def _asked(
        self, spec: Mapping[str, Any], words: Callable[[NodeView, Rejection], Against]
    ) -> Iterator[_Rule]:
        """The pod with no other rule than the one in `spec`. How running pods see it is told by itself."""
        view = PodView({**self._view.pod, "spec": spec})
        verdict = inter_pod_affinity.prepare(view, self._placed, self._namespace)
        if verdict is not None:
            theirs = inter_pod_affinity.THEIR_ENEMY
            yield _Rule(
                verdict if not spec else lambda node: None if verdict(node) is theirs else verdict(node),
                words,
            )

    def _spread(self) -> Iterator[_Rule]:
        for constraint in self._view.spread_constraints("DoNotSchedule"):
            # Which nodes count as domains depends on the pod's own rules for nodes, so these stay.
            spec = {**self._view.spec, "topologySpreadConstraints": [constraint]}
            view = PodView({**self._view.pod, "spec": spec})
            verdict = pod_topology_spread.prepare(view, self._placed)
            if verdict is not None:
                yield _Rule(verdict, _Skew(view, constraint, self._placed).words)

    # --- words ---

    def _no_friends(self, node: NodeView, rejection: Rejection) -> Against:
        terms = self._view.required_affinity
        wanted = " and ".join(_selector(term) for term in terms)
        key = next((t.topology_key for t in terms if t.topology_key not in node.labels), "")
        if key:
            return Against(
                f"pod affinity goes by label {key}, which the node does not have",
                f"kubectl label node NODE {key}=VALUE, or another topologyKey in the pod's affinity",
            )
        places = self._places(terms, all)
        if not places:
            return Against(
                f"pod affinity wants to be with pods {wanted}, and none runs anywhere",
                f"start a pod {wanted}, or drop the pod's affinity",
            )
        return Against(
            f"pod affinity wants to be with pods {wanted}; they run in {_some(places)} only",
            f"run a pod {wanted} there too, or drop the pod's affinity",
        )

    def _own_enemies(self, node: NodeView, rejection: Rejection) -> Against:
        terms = [term for term in self._view.required_anti_affinity if term.topology_key in node.labels]
        found = {term: self._selected(term, node) for term in terms}
        hit = {term: pods for term, pods in found.items() if pods}
        wanted = "; ".join(dict.fromkeys(map(_selector, hit)))
        where = next(iter(hit)).topology_key
        pods = list(dict.fromkeys(str(pod.key) for each in hit.values() for pod in each))
        return Against(
            f"pod anti-affinity keeps away from pods {wanted}, which run {_there(where)}",
            "move the pods that are named away, or make the pod's anti-affinity preferred",
            f"{_some(pods)} in {_domain(where, node.labels[where])}",
        )

    def _selected(self, term: Term, node: NodeView) -> list[PodView]:
        """The pods that a term means in the domain of a node."""
        key = term.topology_key
        return [
            pod
            for other in self._placed
            if other.labels.get(key) == node.labels[key]
            for pod in other.pods.values()
            if term.selects(pod.pod, self._namespace)
        ]

    def _their_enemy(self, node: NodeView, rejection: Rejection) -> Against:
        hostile = [
            (pod, term)
            for other in self._placed.hostile()
            for pod in other.anti_affinity_pods.values()
            for term in pod.required_anti_affinity
            if term.topology_key in node.labels
            and other.labels.get(term.topology_key) == node.labels[term.topology_key]
            and term.selects(self._view.pod, self._namespace)
        ]
        _, term = hostile[0]
        pods = list(dict.fromkeys(str(pod.key) for pod, _ in hostile))
        return Against(
            f"pods {_there(term.topology_key)} keep away from pods {_selector(term)} like this one",
            "move the pods that are named away, or make their anti-affinity preferred",
            f"{_some(pods)} in {_domain(term.topology_key, node.labels[term.topology_key])}",
        )

    def _places(self, terms: Sequence[Term], how: Callable[[Iterator[bool]], bool]) -> list[str]:
        """The domains with a pod that all terms select."""
        found: dict[str, None] = {}
        for node in self._placed:
            for other in node.pods.values():
                if how(term.selects(other.pod, self._namespace) for term in terms):
                    found.update(
                        (_domain(t.topology_key, node.labels[t.topology_key]), None)
                        for t in terms
                        if t.topology_key in node.labels
                    )
        return list(found)


class _Skew:
    """One spread constraint with the counts of the moment, in words."""

    def __init__(self, pod: PodView, raw: Mapping[str, Any], nodes: Placed) -> None:
        self._constraint = pod_topology_spread.parse_constraint(pod, raw)
        self._labels = pod.labels
        self._what = _words(label_selector_of(raw.get("labelSelector")))
        key = self._constraint.topology_key
        eligible = [node for node in nodes if key in node.labels]
        self._counts = pod_topology_spread.count_domains(pod, self._constraint, eligible)

    def words(self, node: NodeView, rejection: Rejection) -> Against:
        constraint = self._constraint
        key = constraint.topology_key
        if rejection is pod_topology_spread.NO_DOMAIN:
            return Against(
                f"topology spread goes by label {key}, which the node does not have",
                f"kubectl label node NODE {key}=VALUE, or another topologyKey in the pod",
            )
        here = _domain(key, node.labels.get(key))
        mine = self._counts.get(node.labels[key], 0)
        if len(self._counts) < constraint.min_domains:
            return Against(
                f"topology spread wants {constraint.min_domains} domains of {key} and there are {len(self._counts)}",
                f"add nodes with other values of {key}, or lower minDomains",
                f"{here} has {mine} pods {self._what}",
            )
        itself = int(constraint.selector is not None and constraint.selector.matches(self._labels))
        fewest = min(self._counts, key=lambda domain: self._counts[domain])
        return Against(
            f"topology spread over {key}: one more of pods {self._what} would exceed maxSkew {constraint.max_skew}",
            f"raise maxSkew to {mine + itself - self._counts[fewest]}, set whenUnsatisfiable to ScheduleAnyway, or make room where there are fewer",
            f"{here} has {mine}, {_domain(key, fewest)} has {self._counts[fewest]}",
        )


def placed_pods(snapshot: Snapshot) -> Placed:
    """Nodes and what runs on them, as the scheduler keeps them."""
    placed = Placed()
    for node in snapshot.nodes:
        placed.put_node(node)
    for pod in snapshot.pods:
        if pod["spec"].get("nodeName") and not is_terminal(pod):
            placed.put_pod(PodView(pod))
    return placed


def _selector(term: Term) -> str:
    return _words(term.selector)


def _words(selector: LabelSelector | None) -> str:
    """As people write it for `-l`."""
    if selector is None:
        return "(no pods)"
    return ", ".join(map(_requirement, selector.requirements)) or "of any kind"


def _requirement(each: Requirement) -> str:
    values = ", ".join(sorted(each.values))
    match each.operator:
        case Operator.EXISTS:
            return each.key
        case Operator.DOES_NOT_EXIST:
            return f"!{each.key}"
        case Operator.IN | Operator.EQUALS if len(each.values) == 1:
            return f"{each.key}={values}"
        case _:
            return f"{each.key} {each.operator.value} ({values})"


def _domain(key: str, value: str | None) -> str:
    """`node n1` rather than the label that hosts have."""
    return f"node {value}" if key == "kubernetes.io/hostname" else f"{key}={value}"


def _there(key: str) -> str:
    """Where a node's domain is meant: the node itself, or all that share a label with it."""
    return "on the node" if key == "kubernetes.io/hostname" else f"in the same {key}"


def _some(places: Sequence[str]) -> str:
    return ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")

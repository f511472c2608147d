"""The nodes and what runs on them, kept up to date pod by pod and never rebuilt.

Decides what each node has left. Refuses to know what fits: plugins ask. The scheduling task alone changes it, between
two attempts, so an attempt sees one unmoving picture however often it yields.

`assume` places a pod that is still being bound; the watch's own word about the pod replaces it later.
"""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

from dray.api.meta import Object, labels_of, name_of
from dray.api.pod_requests import Amounts, parse_amounts
from dray.scheduler.pod_view import PODS, HostPort, PodView

_tokens = itertools.count(1)


class NodeView:
    """One node: what it offers and who is on it. Read-only for plugins."""

    __slots__ = (
        "allocatable",
        "anti_affinity_pods",
        "labels",
        "name",
        "node",
        "pod_limit",
        "pods",
        "ports",
        "requested",
        "score_memo",
        "scored_cpu",
        "scored_memory",
        "soft_taints",
        "static",
        "taints",
        "unschedulable",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.node: Object | None = None
        self.labels: Mapping[str, str] = {}
        self.taints: Sequence[Mapping[str, Any]] = ()
        self.soft_taints: Sequence[Mapping[str, Any]] = ()
        """Those of effect PreferNoSchedule."""
        self.unschedulable = False
        self.allocatable: Amounts = {}
        self.pod_limit = 0
        self.static = 0
        """Changes, to a number no node had before, whenever name, labels, taints or schedulability do."""
        self.pods: dict[str, PodView] = {}
        self.anti_affinity_pods: dict[str, PodView] = {}
        self.ports: dict[HostPort, int] = {}
        self.requested: Amounts = {}
        self.scored_cpu = 0
        self.scored_memory = 0
        self.score_memo: dict[tuple[int, int], int] = {}
        """Scores by what the pod requests; emptied whenever the node or its pods change."""

    def describe(self, node: Object) -> None:
        """Take over what the node object says."""
        spec = node.get("spec") or {}
        taints = spec.get("taints") or ()
        unschedulable = bool(spec.get("unschedulable"))
        labels = labels_of(node)
        if (labels, taints, unschedulable) != (
            self.labels,
            self.taints,
            self.unschedulable,
        ) or not self.static:
            self.static = next(_tokens)
            self.soft_taints = tuple(each for each in taints if each.get("effect") == "PreferNoSchedule")
        self.node, self.labels, self.taints, self.unschedulable = node, labels, taints, unschedulable
        self.allocatable = parse_amounts((node.get("status") or {}).get("allocatable"))
        self.pod_limit = self.allocatable.get(PODS, 0)
        self.score_memo.clear()

    def add(self, view: PodView) -> None:
        self.pods[view.uid] = view
        self._account(view, 1)
        if view.required_anti_affinity:
            self.anti_affinity_pods[view.uid] = view

    def remove(self, uid: str) -> None:
        view = self.pods.pop(uid)
        self._account(view, -1)
        self.anti_affinity_pods.pop(uid, None)

    def _account(self, view: PodView, sign: int) -> None:
        requested = self.requested
        for name, amount in view.requests.items():
            requested[name] = requested.get(name, 0) + sign * amount
        cpu, memory = view.scored_requests
        self.scored_cpu += sign * cpu
        self.scored_memory += sign * memory
        for port in view.host_ports:
            self.ports[port] = self.ports.get(port, 0) + sign
            if not self.ports[port]:
                del self.ports[port]
        self.score_memo.clear()

    def copy(self) -> "NodeView":
        """An independent view to try changes on."""
        twin = NodeView(self.name)
        twin.node, twin.labels, twin.taints = self.node, self.labels, self.taints
        twin.soft_taints, twin.unschedulable = self.soft_taints, self.unschedulable
        twin.static = self.static
        twin.allocatable, twin.pod_limit = self.allocatable, self.pod_limit
        twin.pods, twin.ports = dict(self.pods), dict(self.ports)
        twin.anti_affinity_pods, twin.requested = dict(self.anti_affinity_pods), dict(self.requested)
        twin.scored_cpu, twin.scored_memory = self.scored_cpu, self.scored_memory
        return twin


class Nodes(Protocol):
    """A set of nodes that filters look at as a whole."""

    def __iter__(self) -> Iterator[NodeView]: ...

    def __len__(self) -> int: ...

    def hostile(self) -> Collection[NodeView]:
        """Those with pods that have required anti-affinity."""
        ...


class WithReplacement:
    """`nodes` with one of them replaced: the cluster as it would be."""

    def __init__(self, nodes: Nodes, replacement: NodeView) -> None:
        self._nodes = nodes
        self._replacement = replacement

    def __iter__(self) -> Iterator[NodeView]:
        name = self._replacement.name
        return (self._replacement if node.name == name else node for node in self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def hostile(self) -> Collection[NodeView]:
        return [node for node in self if node.anti_affinity_pods]


class Snapshot:
    """All nodes by name, in a stable order that attempts walk round-robin."""

    def __init__(self) -> None:
        self._views: dict[str, NodeView] = {}
        self._order: list[NodeView] = []
        self._places: dict[str, str] = {}
        self._assumed: set[str] = set()
        self._hostile: dict[str, NodeView] = {}
        self.lowest_priority = 2**31
        """No pod that ever ran was less important than this."""
        self.next_start = 0
        """Where the next attempt begins to walk."""
        self.version = 0
        """Moves when nodes come, go, or change in name, labels, taints or schedulability."""
        self._positions: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[NodeView]:
        return iter(self._order)

    def find(self, name: str) -> NodeView | None:
        view = self._views.get(name)
        return view if view is not None and view.node is not None else None

    def hostile(self) -> Collection[NodeView]:
        return [view for view in self._hostile.values() if view.node is not None]

    def rotation(self) -> list[NodeView]:
        """All nodes, beginning where the last attempt stopped."""
        return self._order[self.next_start :] + self._order[: self.next_start]

    def stop_at(self, node: NodeView) -> None:
        """The walk ended with `node`; the next one begins behind it."""
        if not self._positions:
            self._positions = {view.name: position for position, view in enumerate(self._order)}
        self.next_start = (self._positions[node.name] + 1) % len(self._order)

    def put_node(self, node: Object) -> None:
        view = self._view(name_of(node))
        if view.node is None:
            self._order.append(view)
            self._positions.clear()
        static = view.static
        view.describe(node)
        if view.static != static:
            self.version += 1

    def remove_node(self, name: str) -> None:
        view = self._views.get(name)
        if view is None or view.node is None:
            return
        self._order.remove(view)
        self._positions.clear()
        self.next_start = self.next_start % len(self._order) if self._order else 0
        self.version += 1
        view.node, view.static = None, 0
        if not view.pods:
            del self._views[name]

    def put_pod(self, view: PodView) -> PodView | None:
        """Account for a pod that is on a node, in place of whatever was known about it, which is returned."""
        return self._place(view, view.node_name)

    def assume(self, view: PodView, node_name: str) -> None:
        """Account for a pod that is about to be bound to a node."""
        self._place(view, node_name)
        self._assumed.add(view.uid)

    def _place(self, view: PodView, node_name: str) -> PodView | None:
        known = self.remove_pod(view.uid)
        node = self._view(node_name)
        node.add(view)
        self._places[view.uid] = node_name
        self.lowest_priority = min(self.lowest_priority, view.priority)
        if node.anti_affinity_pods:
            self._hostile[node_name] = node
        return known

    def is_assumed(self, uid: str) -> bool:
        return uid in self._assumed

    def place_of(self, uid: str) -> str | None:
        """The node the pod is accounted on."""
        return self._places.get(uid)

    def remove_pod(self, uid: str) -> PodView | None:
        """Forget the pod; returns what was known about it."""
        self._assumed.discard(uid)
        name = self._places.pop(uid, None)
        if name is None:
            return None
        view = self._views[name]
        pod = view.pods[uid]
        view.remove(uid)
        if not view.anti_affinity_pods:
            self._hostile.pop(name, None)
        if view.node is None and not view.pods:
            del self._views[name]
        return pod

    def _view(self, name: str) -> NodeView:
        view = self._views.get(name)
        if view is None:
            view = self._views[name] = NodeView(name)
        return view

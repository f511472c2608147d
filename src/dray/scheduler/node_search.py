"""The node for one pod: which nodes are asked what, in which order, and which of those that fit is taken.

Upstream asks every plugin about every node until enough nodes fit, then scores those. Here cheap questions come first:
nodes that pass them are compared, and the costly one, whether the devices fit, is asked in order of preference until
one says yes. The node is the one upstream would take among the same nodes, for a fraction of the searches.

Two things need more than the first yes. Where alternatives of a request differ in value, all compared nodes are searched
before choosing. And claims of a new kind are tried on as many nodes as upstream would try, since an error in a selector,
even on a node that is not needed, fails the whole attempt there (and tells the author about it early).

At most `nodes_to_compare` fitting nodes are compared, from where the last attempt stopped, so that the cost of a pod does
not grow with the cluster. Source of the order of questions: default plugins of Kubernetes 1.36.2.
"""

import asyncio
import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from dray.allocation import SearchAborted
from dray.api.meta import name_of
from dray.api.selectors import SelectorError
from dray.scheduler.breath import Breath
from dray.scheduler.cluster_view import ClusterView
from dray.scheduler.happenings import DYNAMIC_RESOURCES
from dray.scheduler.plugins import (
    inter_pod_affinity,
    node_ports,
    node_resources_fit,
    pod_topology_spread,
    preferences,
)
from dray.scheduler.plugins.dynamic_resources.plan import CANNOT_ALLOCATE, DevicePlan
from dray.scheduler.plugins.static import NOT_NAMED, StaticFit, named_nodes
from dray.scheduler.pod_view import PodView
from dray.scheduler.snapshot import Nodes, NodeView
from dray.scheduler.verdict import Diagnosis, Rejection, SchedulingError

NODES_TO_COMPARE = 100
QUICK_STEPS = 3000
"""Devices that a search may try while the event loop waits: some milliseconds."""
DEVICE_WEIGHT = 2
NODES_PER_LOOK = 32
"""Cheap questions cost less than a look at the clock."""
EXPLAINED_NODES = 16
"""On how many nodes a failed search is gone into: working out why costs as much as the search did."""

Filter = Callable[[NodeView], Rejection | None]


@dataclasses.dataclass(slots=True)
class Found:
    node: NodeView
    compared: int
    """How many nodes fitted."""


def running_pods_filters(
    pod: PodView, view: ClusterView, nodes: Nodes, plan: DevicePlan | None
) -> list[Filter]:
    """The dynamic filters that the pod cares about, in upstream's order."""
    delegated = plan.delegates if plan is not None and plan.delegable else None
    try:
        filters = (
            node_ports.prepare(pod),
            node_resources_fit.prepare(pod, delegated),
            pod_topology_spread.prepare(pod, nodes),
            inter_pod_affinity.prepare(pod, nodes, view.labels_of_namespace),
        )
    except SelectorError as error:
        raise SchedulingError(f"pod {pod.key} has a selector that cannot be read: {error}") from error
    return [each for each in filters if each is not None]


class NodeSearch:
    def __init__(
        self,
        pod: PodView,
        view: ClusterView,
        plan: DevicePlan | None,
        static: StaticFit,
        *,
        breath: Breath,
        is_new_kind: bool = False,
        nodes_to_compare: int = NODES_TO_COMPARE,
    ) -> None:
        """`is_new_kind`: claims like these have not been tried on these devices yet."""
        self.pod = pod
        self.view = view
        self.plan = plan
        self.diagnosis = Diagnosis(len(view.nodes))
        self._static = static.prepare(pod, len(view.nodes))
        self._filters = running_pods_filters(pod, view, view.nodes, plan)
        self._breath = breath
        self._limit = max(1, nodes_to_compare)
        self._compare_all = plan is not None and (is_new_kind or plan.has_alternatives)
        self._scores: dict[str, int] = {}

    async def find(self) -> Found | None:
        """The best node. None: nothing fits, and `diagnosis` says why. Raises SchedulingError."""
        nominated = self.view.nodes.find(self.pod.nominated_node)
        if nominated is not None and await self._fits(nominated):
            return Found(nominated, 1)
        nodes = iter(self._walk())
        while candidates := await self._next_candidates(nodes):
            found = await self._best(candidates)
            if found is not None:
                self.view.nodes.stop_at(candidates[-1])
                return found
        await self._complete_diagnosis()
        return None

    async def _fits(self, node: NodeView) -> bool:
        return self._cheaply(node) is None and await self._devices(node) is None

    async def _next_candidates(self, nodes: Iterator[NodeView]) -> list[NodeView]:
        """The next nodes, as many as are compared, that pass everything but the devices."""
        candidates: list[NodeView] = []
        for number, node in enumerate(nodes):
            if (rejection := self._cheaply(node)) is not None:
                self.diagnosis.rejections[node.name] = rejection
            else:
                candidates.append(node)
                if len(candidates) == self._limit:
                    break
            if number % NODES_PER_LOOK == 0 and self._breath.is_due:
                await self._breath.take()
        return candidates

    def _walk(self) -> Iterable[NodeView]:
        """The nodes that have a chance, from where the last attempt stopped."""
        nodes = self.view.nodes
        names = named_nodes(self.pod)
        if names is not None:
            self.diagnosis.absent = NOT_NAMED
            found = (nodes.find(name) for name in sorted(names))
            return [node for node in found if node is not None]
        promising = (
            self.plan.candidates(self.view.node_order, nodes.next_start) if self.plan is not None else None
        )
        if promising is None:
            return nodes.rotation()
        return (node for raw in promising if (node := nodes.find(name_of(raw))) is not None)

    async def _complete_diagnosis(self) -> None:
        """Why the nodes that were not even tried are of no use: something else, or hopelessly short of devices."""
        if self.diagnosis.absent is not None:
            return
        rejections = self.diagnosis.rejections
        for node in self.view.nodes:
            if node.name in rejections:
                continue
            rejection = self._cheaply(node)
            if rejection is None and self.plan is not None:
                # Asking a few is enough to say why.
                told = len(self.plan.unsatisfiable) >= EXPLAINED_NODES
                rejection = CANNOT_ALLOCATE if told else await self._devices(node)
            rejections[node.name] = rejection or CANNOT_ALLOCATE
            if self._breath.is_due:
                await self._breath.take()

    def _cheaply(self, node: NodeView) -> Rejection | None:
        rejection = self._static(node)
        if rejection is not None:
            return rejection
        expected = self.view.nominated.get(node.name)
        if expected is not None and (rejection := self._with_expected(node, expected.values())) is not None:
            return rejection
        for check in self._filters:
            rejection = check(node)
            if rejection is not None:
                return rejection
        return None

    def _with_expected(self, node: NodeView, expected: Iterable[PodView]) -> Rejection | None:
        """The refusal if pods as important as this one, which are expected on the node, were there already."""
        others = [
            other
            for other in expected
            if other.uid != self.pod.uid
            and other.priority >= self.pod.priority
            and other.uid not in node.pods
        ]
        if not others:
            return None
        fuller = node.copy()
        for other in others:
            fuller.add(other)
        return next((no for check in self._filters if (no := check(fuller)) is not None), None)

    async def _best(self, candidates: list[NodeView]) -> Found | None:
        """The best candidate that has the devices too."""
        ranked = self._ranked(candidates)
        if self.plan is None:
            return Found(ranked[0], len(ranked))
        fitting = []
        for node in ranked:
            rejection = await self._devices(node)
            if rejection is not None:
                self.diagnosis.rejections[node.name] = rejection
            elif not self._compare_all:
                return Found(node, len(ranked))
            else:
                fitting.append(node)
            if self._breath.is_due:
                await self._breath.take()
        if not fitting:
            return None
        return Found(self._with_best_devices(fitting), len(fitting))

    def _ranked(self, candidates: list[NodeView]) -> list[NodeView]:
        """Best first; nodes that are equal stay in the order in which they were met."""
        if len(candidates) == 1:
            return candidates
        self._scores = self._score(candidates)
        return sorted(candidates, key=lambda node: -self._scores[node.name])

    def _score(self, candidates: Sequence[NodeView]) -> dict[str, int]:
        pod = self.pod
        total = {node.name: node_resources_fit.score(pod, node) for node in candidates}
        if preferences.has_any(pod) or any(node.soft_taints for node in candidates):
            liked = preferences.score(pod, candidates, self.view.nodes, self.view.labels_of_namespace)
            total = {name: score + liked.get(name, 0) for name, score in total.items()}
        return total

    def _with_best_devices(self, fitting: Sequence[NodeView]) -> NodeView:
        plan = self.plan
        assert plan is not None
        if len(fitting) == 1 or not plan.has_alternatives:
            return fitting[0]
        values = {node.name: plan.score(node.name) for node in fitting}
        most = max(values.values()) or 1
        return max(
            fitting,
            key=lambda node: self._scores[node.name] + DEVICE_WEIGHT * (values[node.name] * 100 // most),
        )

    async def _devices(self, node: NodeView) -> Rejection | None:
        """Whether the devices fit: at once where that is quick, else in a thread."""
        if self.plan is None:
            return None
        try:
            return self.plan.check(node, max_steps=QUICK_STEPS)
        except SearchAborted:
            return await self._search_at_length(self.plan, node)

    async def _search_at_length(self, plan: DevicePlan, node: NodeView) -> Rejection | None:
        """Nothing of what the search reads changes meanwhile: only this task changes it, and it waits here."""
        settings = self.view.settings
        stop = threading.Event()
        timer: asyncio.TimerHandle | None = None
        if settings.filter_timeout_seconds and settings.gates.enabled("DRASchedulerFilterTimeout"):
            loop = asyncio.get_running_loop()
            timer = loop.call_later(settings.filter_timeout_seconds, stop.set)
        try:
            return await asyncio.to_thread(plan.check, node, should_stop=stop.is_set)
        except SearchAborted as error:
            raise SchedulingError(
                f'running "{DYNAMIC_RESOURCES}" filter plugin: '
                f"node {node.name}: timed out trying to allocate devices"
            ) from error
        finally:
            stop.set()
            if timer is not None:
                timer.cancel()
            self._breath.begin()

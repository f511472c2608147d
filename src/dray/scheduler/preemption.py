"""DefaultPreemption: make room for a pod by evicting less important ones.

Decides on which node the least would be lost, and whom it costs. Devices are never freed this way: pods refused by
DynamicResources are refused for good (KEP-5690 is not implemented upstream either), so those nodes are not helpful.

Who goes is decided as upstream does: all less important pods are thought away; if the pod then fits they are put back
one by one, the most important first (those that a disruption budget protects before the others), and who does not fit
any more is a victim. Among nodes: fewest violated budgets, least important top victim, smallest sum of priorities,
fewest victims, latest start of the most important victim.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dray.allocation import SearchAborted
from dray.api import errors
from dray.api.meta import Object, format_time, is_deleting, key_of, labels_of, namespace_of, uid_of
from dray.api.resources import POD_DISRUPTION_BUDGETS, PODS
from dray.api.selectors import SelectorError, selects
from dray.client.protocol import Client, PatchType, Unreachable
from dray.kits.clock import Clock
from dray.scheduler.breath import Breath
from dray.scheduler.cluster_view import ClusterView
from dray.scheduler.event_log import EventLog
from dray.scheduler.node_search import QUICK_STEPS, running_pods_filters
from dray.scheduler.plugins.dynamic_resources.plan import DevicePlan
from dray.scheduler.pod_view import PodView
from dray.scheduler.snapshot import NodeView, WithReplacement
from dray.scheduler.verdict import Diagnosis, Rejection, counted, unavailable

log = logging.getLogger("dray.scheduler")

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
NEVER = "not eligible due to preemptionPolicy=Never."
UNDER_WAY = "not eligible due to a terminating pod on the nominated node."
LEAST_CANDIDATES = 100
CANDIDATE_SHARE = 10
"""Nodes that are tried: a tenth of all, but at least a hundred."""
PRIORITY_OFFSET = 2**31
"""Makes sums of priorities grow with the number of victims even where priorities are negative."""


@dataclasses.dataclass(slots=True)
class Outcome:
    message: str
    """For the pod's status where nothing was done; "" where victims are being evicted."""
    node: str | None = None
    """As `Unschedulable.nominated_node`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    node: NodeView
    victims: tuple[PodView, ...]
    """Most important first."""
    violations: int

    def cost(self) -> tuple[Any, ...]:
        top = self.victims[0]
        latest = max(_started(pod) for pod in self.victims if pod.priority == top.priority)
        return (
            self.violations,
            top.priority,
            sum(pod.priority + PRIORITY_OFFSET for pod in self.victims),
            len(self.victims),
            _Reversed(latest),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Reversed:
    """Sorts text backwards."""

    text: str

    def __lt__(self, other: "_Reversed") -> bool:
        return self.text > other.text


class Preemption:
    def __init__(self, view: ClusterView, client: Client, clock: Clock, events: EventLog) -> None:
        self._view = view
        self._client = client
        self._clock = clock
        self._events = events
        self.on_victims: Callable[[int], object] = lambda count: None
        """Told how many pods were evicted for one."""

    async def preempt(
        self, pod: PodView, diagnosis: Diagnosis, plan: DevicePlan | None, breath: Breath
    ) -> Outcome:
        """Evict for `pod` where that helps."""
        if reason := self._ineligible(pod, diagnosis):
            return Outcome(reason)
        helpful = [node for node in self._view.nodes if _may_help(diagnosis.rejection_of(node.name))]
        limit = max(len(self._view.nodes) // CANDIDATE_SHARE, LEAST_CANDIDATES)
        budgets = await self._budgets() if any(_victims_on(node, pod) for node in helpful) else []
        candidates: list[Candidate] = []
        refusals: dict[str, int] = {}
        unhelpful = len(self._view.nodes) - len(helpful)
        if unhelpful:
            refusals[NOT_HELPFUL] = unhelpful
        for node in helpful:
            found = self._try(pod, node, plan, budgets)
            if isinstance(found, Candidate):
                candidates.append(found)
                if len(candidates) >= limit:
                    break
            else:
                for reason in found.reasons:
                    refusals[reason] = refusals.get(reason, 0) + 1
            if breath.is_due:
                await breath.take()
        if not candidates:
            return Outcome(unavailable(len(self._view.nodes), counted(refusals)), "")
        best = min(candidates, key=Candidate.cost)
        await self._evict(pod, best)
        return Outcome("", best.node.name)

    def _ineligible(self, pod: PodView, diagnosis: Diagnosis) -> str:
        if pod.spec.get("preemptionPolicy") == "Never":
            return NEVER
        nominated = self._view.nodes.find(pod.nominated_node)
        if nominated is None or not _may_help(diagnosis.rejection_of(nominated.name)):
            return ""
        leaving = any(is_deleting(other.pod) for other in _victims_on(nominated, pod))
        return UNDER_WAY if leaving else ""

    async def _budgets(self) -> list[Object]:
        try:
            return (await self._client.list(POD_DISRUPTION_BUDGETS)).items
        except errors.NotFound:
            return []
        except (errors.StatusError, Unreachable) as error:
            log.warning("Disruption budgets could not be read, preempting without them: %s", error)
            return []

    def _try(
        self, pod: PodView, node: NodeView, plan: DevicePlan | None, budgets: Sequence[Object]
    ) -> Candidate | Rejection:
        potential = _victims_on(node, pod)
        if not potential:
            return Rejection("", (NO_VICTIMS,))
        twin = node.copy()
        for victim in potential:
            twin.remove(victim.uid)
        refusal = self._refusal(pod, twin, plan)
        if refusal is not None:
            return refusal
        protected, others = _split_by_budgets(sorted(potential, key=_importance), budgets)
        # Evicting frees no devices: who comes back can only take room that devices need.
        of_devices = plan if plan is not None and plan.depends_on_room else None
        kept_out, violations = [], 0
        for group in (protected, others):
            for other in group:
                twin.add(other)
                if self._refusal(pod, twin, of_devices) is not None:
                    twin.remove(other.uid)
                    kept_out.append(other)
                    violations += group is protected
        if not kept_out:
            return Rejection("", (NO_VICTIMS,))
        return Candidate(node, tuple(sorted(kept_out, key=_importance)), violations)

    def _refusal(self, pod: PodView, node: NodeView, plan: DevicePlan | None) -> Rejection | None:
        nodes = WithReplacement(self._view.nodes, node)
        for check in running_pods_filters(pod, self._view, nodes, plan):
            if (refusal := check(node)) is not None:
                return refusal
        if plan is None:
            return None
        try:
            return plan.check(node, max_steps=QUICK_STEPS)
        except SearchAborted:
            # Worth a try: the next attempt searches for as long as it takes.
            return None

    async def _evict(self, pod: PodView, chosen: Candidate) -> None:
        self.on_victims(len(chosen.victims))
        for victim in chosen.victims:
            await self._evict_one(pod, victim, chosen.node.name)
        for other in list(self._view.nominated.get(chosen.node.name, {}).values()):
            if other.priority < pod.priority:
                self._view.end_nomination(other.uid)

    async def _evict_one(self, pod: PodView, victim: PodView, node: str) -> None:
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": f"{pod.spec.get('schedulerName', 'default-scheduler')}: preempting to accommodate a higher priority pod",
            "lastTransitionTime": format_time(self._clock.now()),
        }
        if generation := victim.pod["metadata"].get("generation"):
            condition["observedGeneration"] = generation
        patch = {"metadata": {"uid": victim.uid}, "status": {"conditions": [condition]}}
        name, namespace = victim.key.name, victim.key.namespace
        try:
            await self._client.patch(
                PODS, name, patch, namespace, patch_type=PatchType.STRATEGIC, subresource="status"
            )
            await self._client.delete(PODS, name, namespace, uid=victim.uid)
        except errors.NotFound:
            return
        except (errors.StatusError, Unreachable) as error:
            log.warning("Pod %s was not evicted for %s: %s", victim.key, pod.key, error)
            return
        note = f"Preempted by pod {pod.uid} on node {node}"
        self._events.record(victim.pod, "Normal", "Preempted", "Preempting", note, related=pod.pod)


def _may_help(rejection: Rejection | None) -> bool:
    return rejection is not None and rejection.resolvable


def _victims_on(node: NodeView, pod: PodView) -> list[PodView]:
    return [other for other in node.pods.values() if other.priority < pod.priority]


def _started(pod: PodView) -> str:
    status = pod.pod.get("status") or {}
    # RFC 3339 in UTC sorts as text; a pod that has not started counts as starting last.
    return str(status.get("startTime") or "9999")


def _importance(pod: PodView) -> tuple[int, str]:
    """Sorts the most important first: higher priority, then running longer."""
    return -pod.priority, _started(pod)


def _split_by_budgets(
    pods: Iterable[PodView], budgets: Sequence[Object]
) -> tuple[list[PodView], list[PodView]]:
    """Pods whose eviction would violate a budget, and the others; order kept."""
    allowed = {
        uid_of(budget): int((budget.get("status") or {}).get("disruptionsAllowed") or 0) for budget in budgets
    }
    protected: list[PodView] = []
    others: list[PodView] = []
    for pod in pods:
        violates = False
        for budget in budgets:
            if _protects(budget, pod):
                allowed[uid_of(budget)] -= 1
                violates = violates or allowed[uid_of(budget)] < 0
        (protected if violates else others).append(pod)
    return protected, others


def _protects(budget: Object, pod: PodView) -> bool:
    if namespace_of(budget) != pod.key.namespace:
        return False
    if pod.key.name in ((budget.get("status") or {}).get("disruptedPods") or {}):
        return False
    try:
        return bool(pod.labels) and selects(budget["spec"].get("selector"), labels_of(pod.pod))
    except SelectorError as error:
        log.warning("Disruption budget %s has a selector that cannot be read: %s", key_of(budget), error)
        return False

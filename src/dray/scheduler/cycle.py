"""One pod, top to bottom: what it needs, which node has it, and what to do when none has.

    plan devices (PreFilter) -> search a node (Filter, Score) -> [nothing fits: PostFilter] -> reserve

`place` reads the cluster view and changes only rotation and reservation, so it may pause between nodes. It ends with a
`Placement`, or raises what the caller reports: `Unschedulable` for reasons, `SchedulingError` when it broke off.
"""

import dataclasses
from collections import OrderedDict

import orjson

from dray.api.meta import Object, uid_of
from dray.client.protocol import Client
from dray.kits.clock import Clock
from dray.scheduler.breath import Breath
from dray.scheduler.cluster_view import ClusterView
from dray.scheduler.futility import Futility
from dray.scheduler.happenings import DEFAULT_PREEMPTION, NODE_NAME
from dray.scheduler.node_search import EXPLAINED_NODES, NODES_TO_COMPARE, Found, NodeSearch
from dray.scheduler.plugins.dynamic_resources.commit import Reservation
from dray.scheduler.plugins.dynamic_resources.node_allocatable import as_placed
from dray.scheduler.plugins.dynamic_resources.plan import NOTHING_TO_CHOOSE, Choice, DevicePlan, NotPlannable
from dray.scheduler.plugins.dynamic_resources.release import release_idle
from dray.scheduler.plugins.dynamic_resources.sharing import Team
from dray.scheduler.plugins.static import StaticFit
from dray.scheduler.pod_view import PodView
from dray.scheduler.preemption import Preemption
from dray.scheduler.verdict import Diagnosis, Unschedulable, explain

KINDS_LIMIT = 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Placement:
    reservation: Reservation
    compared: int


class Cycle:
    def __init__(
        self,
        view: ClusterView,
        client: Client,
        clock: Clock,
        preemption: Preemption,
        *,
        nodes_to_compare: int = NODES_TO_COMPARE,
    ) -> None:
        self._view = view
        self._client = client
        self._clock = clock
        self._preemption = preemption
        self._nodes_to_compare = nodes_to_compare
        self._static = StaticFit()
        self._tried_kinds = _TriedKinds()
        self._breath = Breath(clock)
        self.futility = Futility()

    async def place(self, pod: PodView, team: Team | None = None) -> Placement:
        """Find a node and reserve it. Raises Unschedulable, SchedulingError.

        `team`: the pods of its group that are placed in the same attempt.
        """
        self._breath.begin()
        if not len(self._view.nodes):
            raise Unschedulable("no nodes available to schedule pods", frozenset({NODE_NAME}))
        try:
            plan = self._view.plan_devices(pod, self._clock.now(), team)
        except NotPlannable as refusal:
            diagnosis = Diagnosis(len(self._view.nodes))
            diagnosis.reject_all(refusal.rejection)
            raise await self._give_up(pod, diagnosis, None, team) from refusal
        question = self.futility.question(pod, plan, self._view)
        self.futility.check(question, plan)
        search = NodeSearch(
            pod,
            self._view,
            plan,
            self._static,
            breath=self._breath,
            is_new_kind=plan is not None and self._tried_kinds.is_new(plan, self._view.devices_version),
            nodes_to_compare=self._nodes_to_compare,
        )
        found = await search.find()
        if found is None:
            failure = await self._give_up(pod, search.diagnosis, plan, team)
            self.futility.learn(question, plan, failure)
            raise failure
        return self._reserve(pod, plan, found, team)

    def _reserve(self, pod: PodView, plan: DevicePlan | None, found: Found, team: Team | None) -> Placement:
        choice = (
            plan.choices.get(found.node.name, NOTHING_TO_CHOOSE) if plan is not None else NOTHING_TO_CHOOSE
        )
        shared: list[Object] = []
        if plan is not None:
            adopted = {uid_of(claim) for claim, _ in plan.adopted}
            choice = dataclasses.replace(choice, allocations=[*choice.allocations, *plan.adopted])
            shared = [each.claim for each in plan.allocated if uid_of(each.claim) not in adopted]
        reservation = Reservation(pod, found.node.name, choice, shared, team)
        if team is not None and plan is not None:
            reservation.of_group = plan.of_group
            team.chosen.update((uid_of(claim), allocation) for claim, allocation in choice.allocations)
        self._view.nodes.assume(_placed(pod, found.node.name, choice), found.node.name)
        self._view.end_nomination(pod.uid)
        self._view.hold(reservation.held)
        return Placement(reservation, found.compared)

    def withdraw(self, placement: Placement) -> None:
        """The pod is not to go there after all; nothing has been written."""
        reservation = placement.reservation
        self._view.withdraw(reservation.pod, reservation.held)
        self.futility.forget()

    async def _give_up(
        self, pod: PodView, diagnosis: Diagnosis, plan: DevicePlan | None, team: Team | None
    ) -> Unschedulable:
        """PostFilter: release an idle allocation, evict less important pods, or just say why."""
        explanation = self._explain(plan)
        released = await release_idle(self._client, plan, self._view.claims, team)
        outcome = await self._preemption.preempt(pod, diagnosis, plan, self._breath)
        plugins = diagnosis.plugins
        if outcome.node:
            return Unschedulable(
                diagnosis.text(), plugins | {DEFAULT_PREEMPTION}, explanation, nominated_node=outcome.node
            )
        text = diagnosis.text(f"{released}, preemption: {outcome.message}")
        return Unschedulable(text, plugins, explanation, nominated_node=outcome.node)

    def _explain(self, plan: DevicePlan | None) -> str:
        if plan is None:
            return ""
        return explain(refusal.summary() for refusal in plan.unsatisfiable[:EXPLAINED_NODES])


def _placed(pod: PodView, node: str, choice: Choice) -> PodView:
    """The pod as its node will account for it."""
    if not choice.taken:
        return pod
    return PodView(as_placed(pod.pod, node, choice.taken))


class _TriedKinds:
    """Kinds of claims that were tried on enough nodes to meet the errors in their selectors."""

    def __init__(self) -> None:
        self._kinds: OrderedDict[tuple[bytes, ...], int] = OrderedDict()

    def is_new(self, plan: DevicePlan, devices_version: int) -> bool:
        """Whether claims like these were not tried yet on the devices there are now; they count as tried from here."""
        kind = (
            *(orjson.dumps(claim["spec"]) for claim in plan.pending),
            *map(str.encode, sorted(plan.delegable)),
        )
        if not kind:
            return False
        before = self._kinds.get(kind)
        self._kinds[kind] = devices_version
        self._kinds.move_to_end(kind)
        if len(self._kinds) > KINDS_LIMIT:
            self._kinds.popitem(last=False)
        return before != devices_version

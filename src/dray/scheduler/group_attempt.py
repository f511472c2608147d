"""One attempt for all waiting pods of a PodGroup, against one unmoving picture of the cluster.

The pods are placed one after the other, each as if those before it were on their nodes already. They go there if enough
of them found one, as the group's policy counts; else all that was assumed is taken back and they wait together.
Source: kubernetes pkg/scheduler/schedule_one_podgroup.go, 1.36.
"""

import dataclasses
import logging
from collections.abc import Callable
from typing import Final

from dray.api.meta import Object, ObjectKey
from dray.api.pod_groups import priority_of
from dray.scheduler.cluster_view import ClusterView
from dray.scheduler.cycle import Cycle, Placement
from dray.scheduler.happenings import DEFAULT_PREEMPTION, GANG_SCHEDULING
from dray.scheduler.plugins.dynamic_resources.sharing import Team
from dray.scheduler.plugins.gang_scheduling import TOO_FEW_PLACES, is_quorate
from dray.scheduler.pod_view import PodView
from dray.scheduler.queue import QueuedPod
from dray.scheduler.verdict import SchedulingError, Unschedulable

log = logging.getLogger("dray.scheduler")

NOT_SCHEDULABLE: Final = "pod group is unschedulable"
ASKED_TO_WAIT: Final = "one or more plugins asked to wait and no plugin rejected pod"
OTHER_PRIORITY: Final = "all pods in a single pod group should match the priority of the pod group"
"""From 1.37 on; the text is of KEP 5710."""
MAKING_ROOM: Final = f"{NOT_SCHEDULABLE}, pod group is waiting for preemption to complete"


@dataclasses.dataclass(slots=True)
class Outcome:
    """What became of each pod, and of the group."""

    placed: list[tuple[QueuedPod, Placement]] = dataclasses.field(default_factory=list)
    refused: list[tuple[QueuedPod, Unschedulable]] = dataclasses.field(default_factory=list)
    broken: list[tuple[QueuedPod, str]] = dataclasses.field(default_factory=list)
    """Pods whose attempt was void, and why."""
    result: str = "scheduled"
    """Of the group: scheduled, unschedulable, waiting_on_preemption or error."""
    message: str = ""


class GroupAttempt:
    """`is_gang`: whether the policies of groups are heeded. `one_priority`: pods must be as urgent as their group."""

    def __init__(self, view: ClusterView, cycle: Cycle, *, is_gang: bool, one_priority: bool = False) -> None:
        self._view = view
        self._cycle = cycle
        self._is_gang = is_gang
        self._one_priority = one_priority

    async def place(self, key: ObjectKey, items: list[QueuedPod]) -> Outcome:
        """Try all of them; what cannot lead anywhere is taken back before this returns."""
        group = self._view.groups.find(key)
        if group is None and self._is_gang:
            missing = f'failed to get podGroup {key}: podgroup.scheduling.k8s.io "{key.name}" not found'
            return _void(items, f'running Permit plugin "{GANG_SCHEDULING}": {missing}')
        if group is not None and self._one_priority and (words := _priority_problem(group, items)):
            return _void(items, words)
        run = _Run(self._cycle, Team(group, self._view.placed_in(key)), self._quorum(group), self._promise)
        for item in _in_order(items):
            if not await run.take(item):
                break
        return run.outcome(items)

    def _quorum(self, group: Object | None) -> Callable[[int], bool]:
        if group is None or not self._is_gang:
            return lambda placed: True
        return lambda placed: is_quorate(group, placed)

    def _promise(self, pod: PodView, node: str) -> None:
        self._view.nominate(pod, node)


class _Run:
    """An attempt while it goes on."""

    def __init__(
        self,
        cycle: Cycle,
        team: Team,
        has_quorum: Callable[[int], bool],
        promise: Callable[[PodView, str], object],
    ) -> None:
        self._cycle = cycle
        self._team = team
        self._has_quorum = has_quorum
        self._promise = promise
        self._placements: dict[str, Placement] = {}
        self._failures: dict[str, Unschedulable] = {}
        self._making_room: set[str] = set()
        self._error: tuple[str, str] | None = None
        self._is_feasible = False

    async def take(self, item: QueuedPod) -> bool:
        """Place one more pod; returns whether the attempt goes on."""
        pod = PodView(item.pod)
        try:
            self._placements[item.uid] = await self._cycle.place(pod, self._team)
        except Unschedulable as failure:
            self._failures[item.uid] = failure
            if not failure.nominated_node:
                return True
            # The others see it where it will be once there is room.
            self._promise(pod, failure.nominated_node)
            self._making_room.add(item.uid)
        except SchedulingError as error:
            self._error = item.uid, str(error)
            return False
        except Exception as error:
            log.exception("Scheduling pod %s failed in an unexpected way", pod.key)
            self._error = item.uid, f"{type(error).__name__}: {error}"
            return False
        count = self._team.scheduled + len(self._placements) + len(self._making_room)
        self._is_feasible = self._is_feasible or self._has_quorum(count)
        return True

    def outcome(self, items: list[QueuedPod]) -> Outcome:
        if self._error is not None:
            self._withdraw_all()
            culprit, words = self._error
            rest = f"failed to schedule other pod from a pod group: {words}"
            return _void(items, rest, {culprit: words})
        if self._is_feasible and not self._making_room:
            found = [(item, self._placements[item.uid]) for item in items if item.uid in self._placements]
            return Outcome(found, self._refusals(items))
        self._withdraw_all()
        if self._is_feasible:
            return Outcome([], self._refusals(items, waits=True), [], "waiting_on_preemption", MAKING_ROOM)
        return Outcome([], self._refusals(items, waits=False), [], "unschedulable", NOT_SCHEDULABLE)

    def _withdraw_all(self) -> None:
        for placement in reversed(self._placements.values()):
            self._cycle.withdraw(placement)

    def _refusals(
        self, items: list[QueuedPod], *, waits: bool | None = None
    ) -> list[tuple[QueuedPod, Unschedulable]]:
        """Each refused pod with its reasons. `waits`: whether those that have a place wait for preemption; None: they go."""
        refused = []
        for item in items:
            failure = self._failures.get(item.uid)
            if failure is None and waits is None:
                continue
            if failure is None or (item.uid in self._making_room and not waits):
                failure = self._held_back(item, waits=bool(waits))
            refused.append((item, failure))
        return refused

    def _held_back(self, item: QueuedPod, *, waits: bool) -> Unschedulable:
        """A pod that has a place, but others of its group have none, or not yet."""
        placement = self._placements.get(item.uid)
        if waits and placement is not None:
            node = placement.reservation.node
            return Unschedulable(MAKING_ROOM, frozenset({DEFAULT_PREEMPTION}), nominated_node=node)
        others = frozenset[str]().union(*(failure.plugins for failure in self._failures.values()))
        words = f"{NOT_SCHEDULABLE}, {TOO_FEW_PLACES}, {ASKED_TO_WAIT}"
        return Unschedulable(words, others | {GANG_SCHEDULING}, nominated_node="")


def _priority_problem(group: Object, items: list[QueuedPod]) -> str:
    wanted = priority_of(group)
    other = next((item.priority for item in items if item.priority != wanted), None)
    if wanted is None or other is None:
        return ""
    return f"{OTHER_PRIORITY}, got: {other} and {wanted}"


def _in_order(items: list[QueuedPod]) -> list[QueuedPod]:
    """The most important first; among equals the one that waits longest."""
    return sorted(items, key=lambda item: (-item.priority, item.first_seen))


def _void(items: list[QueuedPod], words: str, own: dict[str, str] | None = None) -> Outcome:
    """Nobody is placed; `own`: words for single pods, by UID."""
    broken = [(item, (own or {}).get(item.uid, words)) for item in items]
    return Outcome([], [], broken, "error", words)

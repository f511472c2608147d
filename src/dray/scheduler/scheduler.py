"""The scheduler: pods without a node get one, and with it the devices that their claims ask for.

One task takes pods from the queue and decides, one at a time (`cycle`); what it decided is written by many bindings at
once (`binding`). In between nothing changes under a decision: watches and bindings post what happened (`intake`), and
the scheduling task absorbs it before the next pod.

Everything is level-triggered: whoever stops the scheduler anywhere loses at most time. Runs against any API server that
its client reaches; with `elect_leader` several copies may run, and one works.
"""

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Iterable

from dray.api.features import FeatureGates
from dray.api.meta import Object, ObjectKey, is_deleting, key_of
from dray.api.pod_groups import group_key
from dray.client.leader import LeaderElector, LeaseTiming, new_identity
from dray.client.protocol import Client
from dray.kits.clock import Clock
from dray.kits.metrics import Registry
from dray.kits.tasks import TaskSet
from dray.scheduler.binding import Binder, Binding
from dray.scheduler.breath import Breath
from dray.scheduler.cluster_view import ClusterView
from dray.scheduler.cycle import Cycle, Placement
from dray.scheduler.event_log import EventLog
from dray.scheduler.group_attempt import GroupAttempt
from dray.scheduler.group_status import GroupStatusWriter
from dray.scheduler.happenings import DYNAMIC_RESOURCES, GANG_SCHEDULING, SCHEDULING_GATES, Happening, Kind
from dray.scheduler.intake import Intake, PodIntake, Watches
from dray.scheduler.metrics import QUEUES, SchedulerMetrics
from dray.scheduler.node_search import NODES_TO_COMPARE
from dray.scheduler.plugins.dynamic_resources.plan import Settings
from dray.scheduler.plugins.dynamic_resources.references import ClaimProblem, find_claims, known_claim_keys
from dray.scheduler.plugins.gang_scheduling import why_not_queued
from dray.scheduler.pod_status import SCHEDULER_ERROR, UNSCHEDULABLE, PodStatusWriter
from dray.scheduler.pod_view import PodView
from dray.scheduler.preemption import Preemption
from dray.scheduler.queue import Gate, Place, QueuedPod, SchedulingQueue
from dray.scheduler.verdict import SchedulingError, Unschedulable

log = logging.getLogger("dray.scheduler")

DEFAULT_NAME = "default-scheduler"
LEASE_NAME = "kube-scheduler"
WAKE_SLACK_SECONDS = 0.001


class Scheduler:
    """`await run()` works until cancelled; `ready` is set once it schedules.

    `name`: pods whose `spec.schedulerName` is this are scheduled. `elect_leader`: stand by until the lease
    `kube-system/kube-scheduler` is free; `run` then raises LeadershipLost when it is lost. `registry`: where the
    metrics go. `nodes_to_compare`: among how many fitting nodes the best is taken.
    """

    def __init__(
        self,
        client: Client,
        *,
        clock: Clock,
        features: FeatureGates | None = None,
        name: str = DEFAULT_NAME,
        host: str = "",
        registry: Registry | None = None,
        elect_leader: bool = False,
        lease_timing: LeaseTiming | None = None,
        filter_timeout_seconds: float = 10.0,
        binding_timeout_seconds: float = 600.0,
        nodes_to_compare: int = NODES_TO_COMPARE,
    ) -> None:
        gates = features or FeatureGates()
        self.ready = asyncio.Event()
        self.name = name
        self._client = client
        self._clock = clock
        self._host = host or socket.gethostname()
        self._elect_leader = elect_leader
        self._lease_timing = lease_timing
        self._settings = Settings(gates, filter_timeout_seconds, binding_timeout_seconds)
        self.metrics = SchedulerMetrics(registry or Registry(), name)
        self._intake = Intake()
        self._breath = Breath(clock)
        self._news: dict[Happening, None] = {}
        self.view = ClusterView(self._settings, self._note)
        self.queue = SchedulingQueue(
            clock, gate=self._gate, claims_of=known_claim_keys, on_enter=self._count_entry
        )
        self._events = EventLog(client, name, clock, self._host)
        self._statuses = PodStatusWriter(client, clock)
        preemption = Preemption(self.view, client, clock, self._events)
        preemption.on_victims = self._count_victims
        self._cycle = Cycle(self.view, client, clock, preemption, nodes_to_compare=nodes_to_compare)
        self._groups = gates.enabled("GenericWorkload")
        self._gangs = gates.enabled("GangScheduling")
        self._group_attempt = GroupAttempt(
            self.view, self._cycle, is_gang=self._gangs, one_priority=gates.reaches("1.37")
        )
        self._group_statuses = GroupStatusWriter(client, clock, self.view.groups.find, gates)
        self._binder = self._make_binder()
        self._bindings = TaskSet("scheduler-bindings")
        self.metrics.watch_queue(self._pending, self._refused, self._sizes)

    def _make_binder(self) -> Binder:
        post = self._intake.post
        return Binder(
            self._client,
            self._clock,
            self._settings,
            self._events,
            self.metrics,
            find_claim=lambda claim: self.view.claims.find(key_of(claim)),
            on_committed=lambda binding: post(self._committed, binding),
            on_bound=lambda binding: post(self._bound, binding),
            on_failed=lambda binding, words: post(self._binding_failed, binding, words),
        )

    async def run(self) -> None:
        """Schedule until cancelled. Raises LeadershipLost where a leader is elected."""
        if not self._elect_leader:
            await self._work()
            return
        identity = new_identity(self._host)
        elector = LeaderElector(self._client, LEASE_NAME, identity, self._clock, timing=self._lease_timing)
        await elector.run(self._work)

    async def _work(self) -> None:
        tasks = TaskSet("scheduler")
        pods = PodIntake(self.view, self.queue, self._is_ours, self._binder.pod_is_gone)
        watches = Watches(self._client, self._intake, self.view, pods, self._binder)
        try:
            informers = await watches.informers(self._settings.gates)
            for informer in informers:
                tasks.start(informer.run(), f"informer/{informer.resource.plural}")
            tasks.start(self._events.run(), "events")
            tasks.start(self._statuses.run(), "pod-status")
            tasks.start(self._group_statuses.run(), "group-status")
            for informer in informers:
                await informer.wait_synced()
            await self._absorb()
            self.ready.set()
            await self._schedule_all()
        finally:
            self.ready.clear()
            await self._bindings.stop()
            await tasks.stop()

    async def _schedule_all(self) -> None:
        while True:
            await self._absorb()
            item = self.queue.pop()
            if item is not None:
                group = group_key(item.pod) if self._groups else None
                if group is None:
                    await self._schedule(item)
                else:
                    await self._schedule_group(group, [item, *self.queue.take_group(group)])
                await self._breath.take()
            else:
                await self._intake.wait(self._seconds_to_deadline())
                self._breath.begin()

    def _seconds_to_deadline(self) -> float | None:
        deadline = self.queue.next_deadline()
        if deadline is None:
            return None
        return max(deadline - self._clock.monotonic(), 0.0) + WAKE_SLACK_SECONDS

    async def _absorb(self) -> None:
        """Take in what happened, then wake whom it may help."""
        await self._intake.absorb(self._breath)
        while self._news:
            news, self._news = self._news, {}
            for happening in news:
                if happening.key is None:
                    self._cycle.futility.happened(happening.kind)
                self.queue.notice(happening)

    def _note(self, happening: Happening) -> None:
        self._news[happening] = None

    async def _schedule(self, item: QueuedPod) -> None:
        """One attempt."""
        pod = PodView(item.pod)
        if self._is_leaving(item):
            return
        started = self._clock.monotonic()
        try:
            placement = await self._cycle.place(pod)
        except Unschedulable as failure:
            self._unschedulable(item, pod, failure)
            result = "unschedulable"
        except SchedulingError as error:
            self._broke_off(item, str(error))
            result = "error"
        except Exception as error:
            log.exception("Scheduling pod %s failed in an unexpected way", pod.key)
            self._broke_off(item, f"{type(error).__name__}: {error}")
            result = "error"
        else:
            self._start_binding(item, placement)
            result = "scheduled"
        seconds = self._clock.monotonic() - started
        self.metrics.algorithm_seconds.observe(seconds)
        if result != "scheduled":
            self.metrics.attempt_ended(result, seconds)

    async def _schedule_group(self, key: ObjectKey, items: list[QueuedPod]) -> None:
        """One attempt for all waiting pods of a PodGroup."""
        items = [item for item in items if not self._is_leaving(item)]
        if not items:
            return
        started = self._clock.monotonic()
        outcome = await self._group_attempt.place(key, items)
        self.metrics.group_algorithm_seconds.observe(self._clock.monotonic() - started)
        for item, placement in outcome.placed:
            self._start_binding(item, placement)
        for item, failure in outcome.refused:
            self._unschedulable(item, PodView(item.pod), failure)
        for item, words in outcome.broken:
            self._broke_off(item, words)
        self._group_statuses.attempted(key, outcome.result, outcome.message)
        seconds = self._clock.monotonic() - started
        self.metrics.group_attempt_ended(outcome.result, seconds)
        for result, count in (("unschedulable", len(outcome.refused)), ("error", len(outcome.broken))):
            for _ in range(count):
                self.metrics.attempt_ended(result, seconds)

    def _is_leaving(self, item: QueuedPod) -> bool:
        """Whether the pod is being deleted; then it is taken out of the queue."""
        if not is_deleting(item.pod):
            return False
        note = f"skip schedule deleting pod: {item.key}"
        self._events.record(item.pod, "Warning", "FailedScheduling", "Scheduling", note)
        self.queue.remove(item.uid)
        return True

    def _start_binding(self, item: QueuedPod, placement: Placement) -> None:
        self.queue.done(item)
        self._statuses.forget(item.uid)
        self._bindings.start(self._binder.bind(item, placement.reservation), f"{item.key}")

    def _unschedulable(self, item: QueuedPod, pod: PodView, failure: Unschedulable) -> None:
        log.info("Pod %s cannot be scheduled: %s", pod.key, failure.message)
        if failure.nominated_node is not None:
            self.view.nominate(pod, failure.nominated_node)
        self.queue.unschedulable(item, failure.plugins)
        note = f"{failure.message} {failure.explanation}" if failure.explanation else failure.message
        self._events.record(item.pod, "Warning", "FailedScheduling", "Scheduling", note)
        self._statuses.not_scheduled(item.pod, UNSCHEDULABLE, failure.message, failure.nominated_node)

    def _broke_off(self, item: QueuedPod, message: str, *, is_promised: bool = False) -> None:
        log.warning("Scheduling pod %s broke off: %s", item.key, message)
        self.queue.failed(item)
        self._events.record(item.pod, "Warning", "FailedScheduling", "Scheduling", message)
        self._statuses.not_scheduled(item.pod, SCHEDULER_ERROR, message, "", is_promised=is_promised)

    def _committed(self, binding: Binding) -> None:
        for claim in binding.reservation.written.values():
            self.view.claim_written(claim)
        self.view.settle(binding.reservation.held, given_up=False)

    def _bound(self, binding: Binding) -> None:
        reservation, item = binding.reservation, binding.item
        if not binding.committed:
            self.view.settle(reservation.held, given_up=False)
        note = f"Successfully assigned {item.key} to {reservation.node}"
        self._events.record(item.pod, "Normal", "Scheduled", "Binding", note)
        waited = self._clock.monotonic() - item.first_seen
        self.metrics.attempt_ended("scheduled", self._clock.monotonic() - item.since)
        self.metrics.pod_attempts.observe(item.attempts)
        self.metrics.sli_seconds.observe(waited, attempts=str(min(item.attempts, 15)))

    def _binding_failed(self, binding: Binding, words: str) -> None:
        """Forget what was assumed. No words: the pod is gone, and there is nobody to tell."""
        reservation, item = binding.reservation, binding.item
        for claim in reservation.written.values():
            self.view.claim_written(claim)
        if not binding.committed:
            self.view.settle(reservation.held, given_up=True)
        if self.view.nodes.is_assumed(item.uid):
            self.view.pod_left(item.uid)
        self.metrics.attempt_ended("error", self._clock.monotonic() - item.since)
        if words and self.queue.find(item.uid) is item:
            self._broke_off(item, words, is_promised=reservation.needs_writing)

    def _gate(self, pod: Object) -> Gate | None:
        """PreEnqueue: pods that cannot be scheduled yet whatever the nodes are."""
        gates = pod["spec"].get("schedulingGates")
        if gates:
            names = " ".join(str(gate["name"]) for gate in gates)
            return Gate(SCHEDULING_GATES, f"waiting for scheduling gates: [{names}]")
        if pod["spec"].get("resourceClaims"):
            try:
                find_claims(pod, self.view.claims.find, with_groups=self._settings.group_claims)
            except ClaimProblem as problem:
                return Gate(DYNAMIC_RESOURCES, str(problem))
        group = group_key(pod) if self._gangs else None
        words = why_not_queued(group, self.view.groups) if group is not None else ""
        return Gate(GANG_SCHEDULING, words) if words else None

    def _is_ours(self, pod: Object) -> bool:
        return (pod["spec"].get("schedulerName") or DEFAULT_NAME) == self.name

    def _count_entry(self, place: Place, kind: Kind) -> None:
        self.metrics.incoming_pods.inc(queue=place, event=kind.value)

    def _count_victims(self, count: int) -> None:
        self.metrics.preemption_attempts.inc()
        self.metrics.preemption_victims.observe(count)

    def _pending(self) -> dict[str, int]:
        return {place: self.queue.count(place) for place in QUEUES}

    def _refused(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for item in self.queue.pods():
            plugins: Iterable[str] = item.plugins if item.place == "unschedulable" else ()
            counts.update([item.gate.plugin] if item.gate is not None else plugins)
        return dict(counts)

    def _sizes(self) -> dict[str, int]:
        nodes = self.view.nodes
        return {
            "nodes": len(nodes),
            "pods": sum(len(node.pods) for node in nodes),
            "assumed_pods": len(self._binder),
        }

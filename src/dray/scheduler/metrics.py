"""The scheduler's metrics, named and bucketed as kube-scheduler 1.36's, so that its dashboards work.

Left out: metrics of mechanisms that do not exist here (goroutines, batching, asynchronous API calls, permit waits).
"""

from collections.abc import Callable, Mapping

from dray.kits.metrics import LabelValues, Registry, exponential_buckets
from dray.scheduler.queue import Place

QUEUES: tuple[Place, ...] = ("active", "backoff", "unschedulable", "gated")


class SchedulerMetrics:
    def __init__(self, registry: Registry, profile: str) -> None:
        self.registry = registry
        self.profile = profile
        self._attempts()
        self._groups()
        self._queue()
        self._devices()

    def _attempts(self) -> None:
        registry = self.registry
        self.attempts = registry.counter(
            "scheduler_schedule_attempts_total",
            "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, "
            "'error' means an internal scheduler problem.",
            ["result", "profile"],
        )
        self.attempt_seconds = registry.histogram(
            "scheduler_scheduling_attempt_duration_seconds",
            "Scheduling attempt latency in seconds (scheduling algorithm and binding).",
            ["result", "profile"],
            buckets=exponential_buckets(0.001, 2, 15),
        )
        self.algorithm_seconds = registry.histogram(
            "scheduler_scheduling_algorithm_duration_seconds",
            "Time spent looking for a node, in seconds.",
            buckets=exponential_buckets(0.001, 2, 15),
        )
        self.extension_point_seconds = registry.histogram(
            "scheduler_framework_extension_point_duration_seconds",
            "Latency of running all plugins of an extension point.",
            ["extension_point", "status", "profile"],
            buckets=exponential_buckets(0.0001, 2, 12),
        )
        self.pod_attempts = registry.histogram(
            "scheduler_pod_scheduling_attempts",
            "Number of attempts it took to schedule a pod.",
            buckets=exponential_buckets(1, 2, 5),
        )
        self.sli_seconds = registry.histogram(
            "scheduler_pod_scheduling_sli_duration_seconds",
            "Latency of a pod from entering the queue until it is bound, without the time it was gated.",
            ["attempts"],
            buckets=exponential_buckets(0.01, 2, 20),
        )
        self.preemption_attempts = registry.counter(
            "scheduler_preemption_attempts_total", "Number of attempts to make room by preemption."
        )
        self.preemption_victims = registry.histogram(
            "scheduler_preemption_victims",
            "Number of pods evicted for one pod.",
            buckets=exponential_buckets(1, 2, 7),
        )

    def _groups(self) -> None:
        registry = self.registry
        self.group_attempts = registry.counter(
            "scheduler_podgroup_schedule_attempts_total",
            "Number of attempts to schedule PodGroups, by the result. 'unschedulable' means that a group could not be "
            "scheduled, 'waiting_on_preemption' that room is being made for it, 'error' an internal scheduler problem.",
            ["result", "profile"],
        )
        self.group_attempt_seconds = registry.histogram(
            "scheduler_podgroup_scheduling_attempt_duration_seconds",
            "Latency of one attempt for all waiting pods of a PodGroup, in seconds.",
            ["result", "profile"],
            buckets=exponential_buckets(0.001, 2, 15),
        )
        self.group_algorithm_seconds = registry.histogram(
            "scheduler_podgroup_scheduling_algorithm_duration_seconds",
            "Time spent looking for nodes for all waiting pods of a PodGroup, in seconds.",
            buckets=exponential_buckets(0.001, 2, 15),
        )

    def group_attempt_ended(self, result: str, seconds: float) -> None:
        """`result`: scheduled, unschedulable, waiting_on_preemption or error."""
        self.group_attempts.inc(result=result, profile=self.profile)
        self.group_attempt_seconds.observe(seconds, result=result, profile=self.profile)

    def _queue(self) -> None:
        registry = self.registry
        self.pending_pods = registry.gauge(
            "scheduler_pending_pods", "Number of pending pods, by the queue they are in.", ["queue"]
        )
        self.incoming_pods = registry.counter(
            "scheduler_queue_incoming_pods_total",
            "Number of pods that entered a queue, by the event that moved them.",
            ["queue", "event"],
        )
        self.unschedulable_pods = registry.gauge(
            "scheduler_unschedulable_pods",
            "Number of unschedulable pods, by the plugin that refused them.",
            ["plugin", "profile"],
        )
        self.cache_size = registry.gauge(
            "scheduler_cache_size", "Number of nodes, pods and assumed pods in the cache.", ["type"]
        )

    def _devices(self) -> None:
        registry = self.registry
        self.claim_creates = registry.counter(
            "scheduler_resourceclaim_creates_total",
            "Number of ResourceClaims created for extended resources, by status.",
            ["status"],
        )
        self.binding_conditions = registry.counter(
            "scheduler_dra_bindingconditions_allocations_total",
            "Number of devices with binding conditions that were waited for, by the outcome.",
            ["profile", "driver", "status"],
        )
        self.binding_conditions_seconds = registry.histogram(
            "scheduler_dra_bindingconditions_wait_duration_seconds",
            "Time spent waiting for binding conditions of a device.",
            ["profile", "driver", "status"],
            buckets=exponential_buckets(0.1, 2, 14),
        )

    def watch_queue(
        self,
        pending: Callable[[], Mapping[str, int]],
        refused: Callable[[], Mapping[str, int]],
        sizes: Callable[[], Mapping[str, int]],
    ) -> None:
        """Read these whenever the metrics are printed: pods by queue, pods by refusing plugin, cache sizes."""
        self.pending_pods.collect = lambda: _by_label(pending())
        self.unschedulable_pods.collect = lambda: {
            (plugin, self.profile): float(count) for plugin, count in refused().items()
        }
        self.cache_size.collect = lambda: _by_label(sizes())

    def attempt_ended(self, result: str, seconds: float) -> None:
        """`result`: scheduled, unschedulable or error."""
        self.attempts.inc(result=result, profile=self.profile)
        self.attempt_seconds.observe(seconds, result=result, profile=self.profile)

    def ran(self, extension_point: str, seconds: float, status: str = "Success") -> None:
        self.extension_point_seconds.observe(
            seconds, extension_point=extension_point, status=status, profile=self.profile
        )

    def waited(self, drivers: list[str], status: str, seconds: float) -> None:
        """The wait for devices with binding conditions ended; one driver per device."""
        for driver in drivers:
            self.binding_conditions.inc(profile=self.profile, driver=driver, status=status)
            self.binding_conditions_seconds.observe(
                seconds, profile=self.profile, driver=driver, status=status
            )


def _by_label(counts: Mapping[str, int]) -> dict[LabelValues, float]:
    return {(name,): float(count) for name, count in counts.items()}

"""The node's metrics, under the kubelet's names."""

from collections.abc import Callable, Mapping
from typing import Final

import grpc

from dray.kits.metrics import Registry, exponential_buckets

_SECONDS: Final = tuple(round(0.1 * (40 / 0.1) ** (step / 14), 6) for step in range(15))
"""15 buckets from 0.1 to 40 s, each the same factor above the one before."""


class NodeMetrics:
    def __init__(self, registry: Registry | None = None) -> None:
        self.registry = registry or Registry()
        self.plugin_sockets: dict[str, bool] = {}
        """Socket path -> registered."""
        self.claims_in_use: Callable[[], Mapping[str, int]] = dict
        """Driver -> claims prepared; "<any>" -> all."""
        self._operations = self.registry.histogram(
            "dra_operations_duration_seconds",
            "Latency histogram in seconds for the duration of handling all ResourceClaims referenced by a pod",
            ("operation_name", "is_error"),
            buckets=_SECONDS,
        )
        self._grpc = self.registry.histogram(
            "dra_grpc_operations_duration_seconds",
            "Duration in seconds of the DRA gRPC operations",
            ("driver_name", "method_name", "grpc_status_code"),
            buckets=_SECONDS,
        )
        self.registry.gauge(
            "dra_resource_claims_in_use",
            "The number of ResourceClaims that are currently in use on the node, by driver name and across all drivers",
            ("driver_name",),
            collect=lambda: {(driver,): count for driver, count in self.claims_in_use().items()},
        )
        self.registry.gauge(
            "plugin_manager_total_plugins",
            "Number of plugins in Plugin Manager",
            ("socket_path", "state"),
            collect=self._plugins,
        )
        self.running_pods_now: Callable[[], int] = int
        self.registry.gauge(
            "kubelet_running_pods",
            "Number of pods that have a running pod sandbox",
            collect=lambda: {(): self.running_pods_now()},
        )
        self.pod_start = self.registry.histogram(
            "kubelet_pod_start_duration_seconds",
            "Duration in seconds from kubelet seeing a pod for the first time to the pod starting to run",
            buckets=exponential_buckets(0.5, 2, 12),
        )

    def _plugins(self) -> Mapping[tuple[str, ...], float]:
        values: dict[tuple[str, ...], float] = {}
        for path, registered in self.plugin_sockets.items():
            values[path, "desired_state_of_world"] = 1
            if registered:
                values[path, "actual_state_of_world"] = 1
        return values

    def operation(self, name: str, seconds: float, *, failed: bool) -> None:
        """`PrepareResources` or `UnprepareResources` of one pod."""
        self._operations.observe(seconds, operation_name=name, is_error="true" if failed else "false")

    def grpc_call(self, driver: str, method: str, code: grpc.StatusCode, seconds: float) -> None:
        name = "".join(part.capitalize() for part in code.name.split("_")) if code.value[0] else "OK"
        self._grpc.observe(seconds, driver_name=driver, method_name=method, grpc_status_code=name)

    def render(self) -> str:
        return self.registry.render()

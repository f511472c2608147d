"""Mock NUMA nodes whose CPUs are shared by capacity and counted against the node's own."""

from collections.abc import Sequence
from typing import Any

from dray.drivers.example.profiles.profile import Profile, variable_part
from dray.sdk.claims import AllocatedDevice
from dray.sdk.devices import Device, NodeResource
from dray.sdk.errors import ConfigError


class CpuProfile(Profile):
    name = "cpu"

    def __init__(self, driver_name: str, numa_nodes: int, cpus_per_node: int) -> None:
        self._capacity = f"{driver_name}/cpu"
        self._numa_nodes = numa_nodes
        self._cpus_per_node = cpus_per_node

    def devices(self) -> list[Device]:
        return [
            Device(
                f"numa-{index}",
                {"numaNodeID": index},
                {self._capacity: str(self._cpus_per_node)},
                allow_multiple_allocations=True,
                # Alpha: clusters without the feature gate DRANodeAllocatableResources drop it.
                node_resources={"cpu": NodeResource(capacity=self._capacity)},
            )
            for index in range(self._numa_nodes)
        ]

    def default_config(self) -> None:
        return None

    def decode_config(self, parameters: Any) -> None:
        raise ConfigError("configuration not allowed")

    def variables(self, device: AllocatedDevice, config: Any) -> Sequence[str]:
        prefix = f"CPU_DEVICE_{variable_part(device.device.removeprefix('numa-'))}"
        lines = [f"{prefix}={device.device}"]
        if self._capacity in device.consumed_capacity:
            lines.append(f"{prefix}_CONSUMED_CPU={device.consumed_capacity[self._capacity]}")
        return lines

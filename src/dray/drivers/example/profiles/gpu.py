"""Mock GPUs, whole or cut into partitions, exclusive or shared by capacity.

Names, attributes, capacities and environment variables are those of the Kubernetes example driver. Its `GpuConfig`
(gpu.resource.example.com/v1alpha1) has its defaults and its error texts.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dray.api.quantity import Format, Quantity, parse_quantity
from dray.drivers.example.gorandom import device_uuids
from dray.drivers.example.profiles.profile import Profile, variable_part
from dray.drivers.example.release import NEWEST, Release
from dray.sdk.claims import AllocatedDevice
from dray.sdk.config import ConfigDecoder
from dray.sdk.devices import AttributeValue, Capacity, Device, Version

API_VERSION: Final = "gpu.resource.example.com/v1alpha1"
MEMORY: Final = "80Gi"
COMPUTE: Final = 100
TIME_SLICING: Final = "TimeSlicing"
SPACE_PARTITIONING: Final = "SpacePartitioning"
_INTERVALS: Final = ("Default", "Short", "Medium", "Long")


@dataclasses.dataclass(frozen=True)
class TimeSlicingConfig:
    interval: str = "Default"


@dataclasses.dataclass(frozen=True)
class SpacePartitioningConfig:
    partition_count: int = 1


@dataclasses.dataclass(frozen=True)
class Sharing:
    strategy: str = ""
    time_slicing_config: TimeSlicingConfig | None = None
    space_partitioning_config: SpacePartitioningConfig | None = None


@dataclasses.dataclass(frozen=True)
class GpuConfig:
    """How the containers of a claim share a GPU; nothing said means time slices of default length."""

    sharing: Sharing | None = None

    def validate(self) -> None:
        """Raises ValueError with the texts of the example driver."""
        sharing = self.sharing
        if sharing is None:
            return
        if not sharing.strategy:
            raise ValueError("no sharing strategy set")
        if sharing.strategy == TIME_SLICING:
            interval = (sharing.time_slicing_config or TimeSlicingConfig()).interval
            if sharing.space_partitioning_config is not None:
                raise ValueError(_wrong_settings("SpacePartitioningConfig", TIME_SLICING))
            if interval not in _INTERVALS:
                raise ValueError(f"unknown time-slice interval: {interval}")
        elif sharing.strategy == SPACE_PARTITIONING:
            count = (sharing.space_partitioning_config or SpacePartitioningConfig()).partition_count
            if sharing.time_slicing_config is not None:
                raise ValueError(_wrong_settings("TimeSlicingConfig", SPACE_PARTITIONING))
            if count < 0:
                raise ValueError(f"invalid partition count: {count}")
        else:
            raise ValueError(f"unknown GPU sharing strategy: {sharing.strategy}")


def _wrong_settings(settings: str, strategy: str) -> str:
    return f"cannot use {settings} with the '{strategy}' strategy"


DECODER: Final = ConfigDecoder({(API_VERSION, "GpuConfig"): GpuConfig})


@dataclasses.dataclass(frozen=True, slots=True)
class GpuSettings:
    count: int
    partitions: int = 0
    """Per GPU; 0 offers GPUs only whole."""
    allow_multiple_allocations: bool = False
    binding_conditions: bool = False
    device_status: bool = False


class GpuProfile(Profile):
    name = "gpu"

    def __init__(self, node_name: str, settings: GpuSettings, release: Release = NEWEST) -> None:
        self._settings = settings
        self._release = release
        self._uuids = device_uuids(node_name, settings.count)

    def devices(self) -> list[Device]:
        return [
            device
            for index in range(self._settings.count)
            for device in (self._cut(index) if self._settings.partitions else [self._whole(index)])
        ]

    def counter_sets(self) -> Mapping[str, Mapping[str, str]]:
        if not self._settings.partitions:
            return {}
        counters = {"compute": str(COMPUTE), "memory": MEMORY}
        return {_counter_set(index): counters for index in range(self._settings.count)}

    def _whole(self, index: int) -> Device:
        return self._device(f"gpu-{index}", self._attributes(index), MEMORY, COMPUTE)

    def _cut(self, index: int) -> Iterator[Device]:
        parts = self._settings.partitions
        memory = str(Quantity.of(parse_quantity(MEMORY).value() // parts, Format.BINARY_SI))
        compute = COMPUTE // parts
        attributes = {**self._attributes(index), "partitionable": True}
        for part in range(parts):
            name = f"gpu-{index}-partition-{part}"
            device = self._device(name, {**attributes, "partition": part}, memory, compute)
            yield dataclasses.replace(device, consumes=_consumption(index, memory, compute))
        whole = self._device(f"gpu-{index}-full", {**attributes, "full": True}, MEMORY, COMPUTE)
        yield dataclasses.replace(whole, consumes=_consumption(index, MEMORY, COMPUTE))

    def _attributes(self, index: int) -> dict[str, AttributeValue]:
        return {
            "index": index,
            "uuid": f"gpu-{self._uuids[index]}",
            "model": "LATEST-GPU-MODEL",
            "driverVersion": Version("1.0.0"),
        }

    def _device(
        self, name: str, attributes: Mapping[str, AttributeValue], memory: str, compute: int
    ) -> Device:
        shared = self._settings.allow_multiple_allocations
        conditions = self._settings.binding_conditions
        capacity = {
            "memory": _capacity(memory, "1Gi", shared),
            "compute": _capacity(str(compute), "1", shared),
        }
        if not self._release.has_compute and not self._settings.partitions:
            del capacity["compute"]
        return Device(
            name,
            attributes,
            capacity,
            allow_multiple_allocations=shared if self._release.has_compute else shared or None,
            binding_conditions=("BindingConditions",) if conditions else (),
            binding_failure_conditions=("BindingFailureConditions",) if conditions else (),
        )

    def default_config(self) -> GpuConfig:
        return GpuConfig()

    def decode_config(self, parameters: Any) -> GpuConfig:
        config: GpuConfig = DECODER.decode(parameters)
        return config

    def variables(self, device: AllocatedDevice, config: Any) -> Sequence[str]:
        prefix = f"GPU_DEVICE_{variable_part(device.device.removeprefix('gpu-'))}"
        sharing = config.sharing or Sharing(TIME_SLICING)
        lines = [f"{prefix}={device.device}", f"{prefix}_SHARING_STRATEGY={sharing.strategy}"]
        if sharing.strategy == TIME_SLICING:
            slicing = sharing.time_slicing_config or TimeSlicingConfig()
            lines.append(f"{prefix}_TIMESLICE_INTERVAL={slicing.interval}")
        else:
            partitioning = sharing.space_partitioning_config or SpacePartitioningConfig()
            lines.append(f"{prefix}_PARTITION_COUNT={partitioning.partition_count}")
        for capacity in ("memory", "compute"):
            if capacity in device.consumed_capacity:
                lines.append(f"{prefix}_{capacity.upper()}={device.consumed_capacity[capacity]}")
        return lines

    def status_data(self, device: Device) -> Mapping[str, Any] | None:
        if not self._settings.device_status:
            return None
        attributes = device.to_api()["attributes"]
        return {key: attributes[key] for key in ("driverVersion", "model", "uuid")}


def _capacity(value: str, step: str, shared: bool) -> Capacity:
    if not shared:
        return Capacity(value)
    return Capacity(value, default=value, minimum=step, step=step, maximum=value)


def _counter_set(index: int) -> str:
    return f"gpu-{index}-counters"


def _consumption(index: int, memory: str, compute: int) -> dict[str, dict[str, str]]:
    return {_counter_set(index): {"compute": str(compute), "memory": memory}}

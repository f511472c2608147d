"""What a profile tells the example driver: its devices, its configuration, and what containers get to see."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from dray.sdk.claims import AllocatedDevice
from dray.sdk.devices import Device


class Profile(ABC):
    name: str

    @abstractmethod
    def devices(self) -> list[Device]: ...

    def counter_sets(self) -> Mapping[str, Mapping[str, str]]:
        return {}

    @abstractmethod
    def default_config(self) -> Any:
        """The configuration of a device for which the claim has none."""

    @abstractmethod
    def decode_config(self, parameters: Any) -> Any:
        """Raises ConfigError."""

    @abstractmethod
    def variables(self, device: AllocatedDevice, config: Any) -> Sequence[str]:
        """Environment variables ("KEY=VALUE") for one device, in order."""

    def status_data(self, device: Device) -> Mapping[str, Any] | None:
        """What to say of a device in the status of its claim; None for nothing."""
        return None


def variable_part(text: str) -> str:
    """`gpu-0-partition-1` -> `GPU_0_PARTITION_1`."""
    return re.sub(r"[^A-Z0-9]+", "_", text.upper())

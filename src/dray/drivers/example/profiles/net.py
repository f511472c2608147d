"""Mock network cards whose bandwidth and virtual functions are shared by capacity."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

from dray.api.quantity import parse_quantity
from dray.drivers.example.gorandom import device_uuids
from dray.drivers.example.profiles.profile import Profile, variable_part
from dray.sdk.claims import AllocatedDevice
from dray.sdk.config import ConfigDecoder
from dray.sdk.devices import Capacity, Device, Version

API_VERSION: Final = "net.resource.example.com/v1alpha1"
_MAX_BURST_BYTES: Final = (1 << 32) - 1


@dataclasses.dataclass(frozen=True)
class Burst:
    """In bits."""

    ingress_burst: int = 0
    egress_burst: int = 0


@dataclasses.dataclass(frozen=True)
class NetConfig:
    bw_burst: Burst | None = None

    def validate(self) -> None:
        for bits in dataclasses.astuple(self.bw_burst or Burst()):
            if bits < 0:
                raise ValueError(f"burst cannot be negative: {bits}")
            if bits // 8 >= _MAX_BURST_BYTES:
                raise ValueError("burst cannot be more than 4GB")


DECODER: Final = ConfigDecoder({(API_VERSION, "NetConfig"): NetConfig})
_BANDWIDTH: Final = Capacity("100G", default="1G", minimum="100M", step="1M", maximum="100G")


class NetProfile(Profile):
    name = "net"

    def __init__(self, node_name: str, count: int) -> None:
        self._uuids = device_uuids(node_name, count)

    def devices(self) -> list[Device]:
        return [
            Device(
                f"nic-{index}",
                {
                    "index": index,
                    "uuid": f"net-{uuid}",
                    "model": "LATEST-NET-MODEL",
                    "driverVersion": Version("1.0.0"),
                },
                {
                    "vfs": Capacity("100", default="1", valid_values=("1",)),
                    "ingressBandwidth": _BANDWIDTH,
                    "egressBandwidth": _BANDWIDTH,
                },
                allow_multiple_allocations=True,
            )
            for index, uuid in enumerate(self._uuids)
        ]

    def default_config(self) -> NetConfig:
        return NetConfig()

    def decode_config(self, parameters: Any) -> NetConfig:
        config: NetConfig = DECODER.decode(parameters)
        return config

    def variables(self, device: AllocatedDevice, config: Any) -> Sequence[str]:
        prefix = f"NET_DEVICE_{variable_part(device.device.removeprefix('nic-'))}"
        burst = config.bw_burst or Burst()
        lines = []
        for direction in ("ingress", "egress"):
            bits = getattr(burst, f"{direction}_burst")
            if bits:
                lines.append(f"{prefix}_{direction.upper()}_BURST={bits}")
        for direction in ("ingress", "egress"):
            consumed = device.consumed_capacity.get(f"{direction}Bandwidth")
            if consumed is not None:
                lines.append(f"{prefix}_{direction.upper()}_RATE={parse_quantity(consumed).value()}")
        return lines

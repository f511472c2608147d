"""One piece of hardware as the machine describes it, before anybody has chosen it."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Final

from dray.sdk.devices import MAX_ATTRIBUTE_STRING, Capacity

Value = bool | int | str
MAX_NAME: Final = 63


@dataclasses.dataclass(frozen=True, slots=True)
class Hardware:
    kind: str
    """cpu, network, block, usb, serial or gpu."""
    id: str
    """The machine's own name for it: eth0, nvme0n1, 1-4.2, ttyUSB0, ..."""
    attributes: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    capacity: Mapping[str, Capacity] = dataclasses.field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    """Device nodes a container needs to use it; the first is the one programs are told of."""
    virtual: bool = False
    """Made by software, as bridges and loop devices are; only chosen by those who ask for such."""
    in_use: bool = False
    """The machine itself works with it, as with the disk it runs from; only chosen by those who ask for such."""
    divisible: bool = False
    """Its capacity is shared among claims by nature, as the CPUs of a NUMA node are."""

    @property
    def name(self) -> str:
        """The name in ResourceSlices, a DNS label: `block-nvme0n1`, `serial-ttyusb0`, `usb-1-4-2`."""
        text = re.sub(r"[^a-z0-9]+", "-", f"{self.kind}-{self.id}".lower())
        return text[:MAX_NAME].strip("-")


def attributes(**values: Value | None) -> dict[str, Value]:
    """Those that are known; strings cut to what the API takes."""
    return {
        name: value[:MAX_ATTRIBUTE_STRING] if isinstance(value, str) else value
        for name, value in values.items()
        if value is not None and value != ""
    }

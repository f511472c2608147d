"""All hardware of a machine."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from dray.drivers.host.hardware import Hardware
from dray.drivers.host.kinds import block, cpu, gpu, network, serial, usb
from dray.drivers.host.sysfs import Sysfs

Find = Callable[[Sysfs], Iterator[Hardware]]

FINDERS: Final[Mapping[str, Find]] = {
    "block": block.find,
    "cpu": cpu.find,
    "gpu": gpu.find,
    "network": network.find,
    "serial": serial.find,
    "usb": usb.find,
}

SUBSYSTEMS: Final[Mapping[str, tuple[str, ...]]] = {
    "block": ("block",),
    "cpu": ("cpu", "node"),
    "gpu": ("drm", "pci", "module"),
    "network": ("net",),
    "serial": ("tty",),
    "usb": ("usb",),
}
"""Kind -> the kernel's subsystems that announce changes of it; NVIDIA's GPUs come with the module of their driver."""


def find_hardware(sysfs: Sysfs, kind: str) -> list[Hardware]:
    """What the machine has of one kind, in a stable order."""
    return list(FINDERS[kind](sysfs))

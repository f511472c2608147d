"""Network interfaces."""

from collections.abc import Iterator
from pathlib import Path

from dray.drivers.host.hardware import Hardware, attributes
from dray.drivers.host.sysfs import Sysfs, driver_of, number, target, text, topology

LOOPBACK = 772
"""ARPHRD_LOOPBACK of the kernel's if_arp.h."""


def find(sysfs: Sysfs) -> Iterator[Hardware]:
    for interface in sysfs.entries("class/net"):
        # Files beside the interfaces, such as bonding_masters, have no type.
        kind = number(interface / "type")
        if kind is not None and kind != LOOPBACK:
            yield _interface(interface)


def _interface(interface: Path) -> Hardware:
    device = target(interface / "device")
    said = attributes(
        interface=interface.name,
        mac=text(interface / "address"),
        mtu=number(interface / "mtu"),
        speedMbps=_speed(interface),
        driver=driver_of(device) if device else None,
        vendor=text(device / "vendor") if device else None,
        device=text(device / "device") if device else None,
    )
    return Hardware("network", interface.name, {**said, **topology(device)}, virtual=device is None)


def _speed(interface: Path) -> int | None:
    """None for an interface without a link, whose speed the kernel does not know."""
    speed = number(interface / "speed")
    return speed if speed is not None and speed > 0 else None

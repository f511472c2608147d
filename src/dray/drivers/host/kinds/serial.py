"""Serial ports: those of the board, and those that come with a USB device."""

from collections.abc import Iterator
from pathlib import Path

from dray.drivers.host.hardware import Hardware, attributes
from dray.drivers.host.kinds.usb import identity
from dray.drivers.host.sysfs import Sysfs, ancestor_with, driver_of, number, target, topology


def find(sysfs: Sysfs) -> Iterator[Hardware]:
    for port in sysfs.entries("class/tty"):
        device = target(port / "device")
        # Consoles and pseudo terminals have no device; the kernel's spare ports have one, but no UART (type 0).
        if device is not None and number(port / "type") != 0:
            yield _port(port.name, device)


def _port(name: str, device: Path) -> Hardware:
    usb = ancestor_with(device, "idVendor")
    said = attributes(port=name, driver=_driver(device), usb=usb is not None)
    if usb is not None:
        said |= identity(usb)
    return Hardware("serial", name, {**said, **topology(device)}, nodes=(f"/dev/{name}",))


def _driver(device: Path) -> str:
    """That of the hardware: since Linux 6.5 two devices of the serial core stand between, whose drivers say nothing."""
    while (bus := target(device / "subsystem")) is not None and bus.name == "serial-base":
        device = device.parent
    return driver_of(device)

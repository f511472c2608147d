"""USB devices, but not the hubs between them."""

from collections.abc import Iterator
from pathlib import Path

from dray.drivers.host.hardware import Hardware, Value, attributes
from dray.drivers.host.sysfs import Sysfs, number, text, topology

HUB_CLASS = 0x09


def find(sysfs: Sysfs) -> Iterator[Hardware]:
    for device in sysfs.entries("bus/usb/devices"):
        # Interfaces of a device, such as 1-4:1.0, have no idVendor.
        if text(device / "idVendor") and number(device / "bDeviceClass", 16) != HUB_CLASS:
            yield _device(device)


def identity(device: Path) -> dict[str, Value]:
    """Who made a USB device, and which one it is."""
    return attributes(
        vendor=text(device / "idVendor"),
        product=text(device / "idProduct"),
        manufacturer=text(device / "manufacturer"),
        model=text(device / "product"),
        serial=text(device / "serial"),
    )


def _device(device: Path) -> Hardware:
    bus, address = number(device / "busnum"), number(device / "devnum")
    said = attributes(port=device.name, speedMbps=number(device / "speed"), **identity(device))
    nodes = (f"/dev/bus/usb/{bus:03}/{address:03}",) if bus is not None and address is not None else ()
    return Hardware("usb", device.name, {**said, **topology(device.resolve())}, nodes=nodes)

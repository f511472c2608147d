"""Block devices: whole disks, not their partitions."""

from collections.abc import Iterator
from pathlib import Path

from dray.drivers.host.hardware import Hardware, attributes
from dray.drivers.host.sysfs import Sysfs, driver_of, number, target, text, topology
from dray.drivers.host.usage import disks_in_use
from dray.sdk.devices import Capacity

SECTOR_BYTES = 512
"""The unit of `size`, whatever the disk's own sectors are."""


def find(sysfs: Sysfs) -> Iterator[Hardware]:
    used = disks_in_use(sysfs)
    for disk in sysfs.entries("class/block"):
        sectors = number(disk / "size") or 0
        # A drive without a medium and a loop device without a file have no size.
        if sectors and not (disk / "partition").exists():
            yield _disk(disk, sectors * SECTOR_BYTES, used.has(disk))


def _disk(disk: Path, size: int, in_use: bool) -> Hardware:
    device = target(disk / "device")
    said = attributes(
        disk=disk.name,
        model=text(disk / "device/model"),
        serial=text(disk / "device/serial") or text(disk / "serial"),
        wwid=text(disk / "wwid") or text(disk / "device/wwid"),
        driver=driver_of(device) if device else None,
        sizeBytes=size,
        rotational=_flag(disk / "queue/rotational"),
        removable=_flag(disk / "removable"),
        readOnly=_flag(disk / "ro"),
        inUse=in_use,
    )
    return Hardware(
        "block",
        disk.name,
        {**said, **topology(device)},
        {"size": Capacity(str(size))},
        (f"/dev/{disk.name.replace('!', '/')}",),
        virtual=device is None,
        in_use=in_use,
    )


def _flag(path: Path) -> bool | None:
    value = number(path)
    return None if value is None else bool(value)

"""Reading /sys: small files, links, and where in the machine a device sits.

Everything is read below a root, so that a recorded tree can stand for a machine. Hardware may vanish between two
reads; whatever is not there reads as nothing.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dray.drivers.host.hardware import Value

SYS: Final = Path("/sys")
PCI_BUS_ID: Final = "resource.kubernetes.io/pciBusID"
PCIE_ROOT: Final = "resource.kubernetes.io/pcieRoot"
NUMA_NODE: Final = "resource.kubernetes.io/numaNode"

_BUS_ID: Final = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_ROOT: Final = re.compile(r"pci[0-9a-f]{4,}:[0-9a-f]{2}")
_CPU_RANGE: Final = re.compile(r"(\d+)(?:-(\d+))?")


class Sysfs:
    """`root` stands for /sys; a tree that is not the machine's own has what it needs of /proc in it, as `proc`."""

    def __init__(self, root: Path = SYS) -> None:
        self.root = root
        self.proc = Path("/proc") if root == SYS else root / "proc"

    def entries(self, directory: str) -> Iterator[Path]:
        """The members of a directory, by name; none when it does not exist."""
        try:
            yield from sorted((self.root / directory).iterdir())
        except OSError:
            return


def text(path: Path) -> str:
    """The content of a file without the white space around it; "" where it cannot be read."""
    try:
        return path.read_text(errors="replace").strip("\0 \t\n")
    except OSError:
        return ""


def number(path: Path, base: int = 10) -> int | None:
    try:
        return int(text(path), base)
    except ValueError:
        return None


def target(path: Path) -> Path | None:
    """What a link leads to; None where there is none."""
    return path.resolve() if path.exists() else None


def driver_of(device: Path) -> str:
    """The name of the kernel's driver for the device."""
    found = target(device / "driver")
    return found.name if found else ""


def topology(device: Path | None) -> dict[str, Value]:
    """The standard attributes that tell which devices are near each other, from the device's place in the tree."""
    if device is None:
        return {}
    found: dict[str, Value] = {}
    for place in (device, *device.parents):
        if _BUS_ID.fullmatch(place.name):
            found.setdefault(PCI_BUS_ID, place.name)
            node = number(place / "numa_node")
            # The kernel says -1 where the firmware did not tell.
            if node is not None and node >= 0:
                found.setdefault(NUMA_NODE, node)
        elif _ROOT.fullmatch(place.name):
            found[PCIE_ROOT] = place.name
    return found


def ancestor_with(device: Path, file: str) -> Path | None:
    """The nearest directory at or above `device` that has `file`: how a serial port finds its USB device."""
    return next((place for place in (device, *device.parents) if (place / file).is_file()), None)


def cpu_count(cpu_list: str) -> int:
    """How many CPUs a list as `0-3,8` names."""
    count = 0
    for match in _CPU_RANGE.finditer(cpu_list):
        first, last = int(match[1]), int(match[2] or match[1])
        count += last - first + 1
    return count

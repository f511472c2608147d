"""Trees of /sys to test the host driver on.

tests/corpus/drivers/sysfs/*.json: {files: path -> content, links: path -> path}, all relative to /sys. `cloud-vm` was
recorded on a virtual machine; `workstation` is laid out as the kernel does for a machine with two NUMA nodes, an NVMe
disk, two network ports, USB devices, serial ports and GPUs.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

from dray.drivers.host.sysfs import Sysfs

TREES: Final = Path(__file__).parents[2] / "corpus" / "drivers" / "sysfs"


def build(name: str, root: Path) -> Sysfs:
    tree: dict[str, Any] = json.loads((TREES / f"{name}.json").read_text())
    for path, content in tree["files"].items():
        write(root / path, content)
    for path, target in tree["links"].items():
        link(root, path, target)
    return Sysfs(root)


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content + "\n")


def link(root: Path, path: str, target: str) -> None:
    """A relative link, as the kernel makes them."""
    place = root / path
    (root / target).mkdir(parents=True, exist_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(os.path.relpath((root / target).resolve(), place.parent.resolve()))

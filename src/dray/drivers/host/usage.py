"""Which disks the machine itself works with: a container that wrote to one of them would ruin the node."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from dray.drivers.host.sysfs import Sysfs, text


@dataclasses.dataclass(frozen=True, slots=True)
class Used:
    """What is mounted or swapped to, as device numbers (`8:1`) and as device nodes: some file systems tell only one."""

    numbers: frozenset[str]
    nodes: frozenset[str]

    def has(self, disk: Path) -> bool:
        """Whether the disk or a partition of it is in use, or part of a RAID, a volume group or an encrypted volume."""
        return any(
            text(part / "dev") in self.numbers
            or f"/dev/{part.name.replace('!', '/')}" in self.nodes
            or any(_members(part / "holders"))
            for part in (disk, *_partitions(disk))
        )


def disks_in_use(sysfs: Sysfs) -> Used:
    """Mounts of this process and, where they can be read, of the machine; a container sees those of its host paths."""
    numbers, nodes = set[str](), set[str]()
    for process in ("self", "1"):
        for line in text(sysfs.proc / process / "mountinfo").splitlines():
            place, _, kind = line.partition(" - ")
            numbers.update(place.split()[2:3])
            nodes.update(kind.split()[1:2])
    for line in text(sysfs.proc / "swaps").splitlines()[1:]:
        nodes.update(line.split()[:1])
    return Used(frozenset(numbers), frozenset(nodes))


def _partitions(disk: Path) -> Iterator[Path]:
    return (member for member in _members(disk) if (member / "partition").exists())


def _members(directory: Path) -> Iterator[Path]:
    try:
        yield from directory.iterdir()
    except OSError:
        return

"""CPUs, one device a NUMA node: claims take some of them. They are counted, not pinned."""

from collections.abc import Iterator

from dray.drivers.host.hardware import Hardware, attributes
from dray.drivers.host.sysfs import NUMA_NODE, Sysfs, cpu_count, number, text
from dray.sdk.devices import Capacity


def find(sysfs: Sysfs) -> Iterator[Hardware]:
    nodes = [
        path for path in sysfs.entries("devices/system/node") if path.name.removeprefix("node").isdigit()
    ]
    for node in nodes:
        yield from _numa_node(int(node.name.removeprefix("node")), text(node / "cpulist"), sysfs)
    if not nodes:
        # Small machines and some virtual ones have no directory of nodes.
        yield from _numa_node(0, text(sysfs.root / "devices/system/cpu/online"), sysfs)


def _numa_node(index: int, cpu_list: str, sysfs: Sysfs) -> Iterator[Hardware]:
    count = cpu_count(cpu_list)
    if not count:
        return
    first = int(cpu_list.replace("-", ",").split(",")[0])
    package = number(sysfs.root / f"devices/system/cpu/cpu{first}/topology/physical_package_id")
    yield Hardware(
        "cpu",
        f"numa{index}",
        {NUMA_NODE: index, **attributes(cpuList=cpu_list, socket=package)},
        {"cpus": Capacity(str(count), default="1", minimum="1", step="1", maximum=str(count))},
        divisible=True,
    )

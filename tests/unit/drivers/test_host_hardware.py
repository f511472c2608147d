"""What the host driver finds in a machine's /sys, and where it says the devices sit."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from machines import build, link, write

from dray.drivers.host.hardware import Hardware
from dray.drivers.host.inventory import FINDERS, find_hardware
from dray.drivers.host.kinds import gpu
from dray.drivers.host.sysfs import NUMA_NODE, PCI_BUS_ID, PCIE_ROOT, Sysfs, cpu_count


@pytest.fixture
def workstation(tmp_path: Path) -> Sysfs:
    return build("workstation", tmp_path)


def found(sysfs: Sysfs, kind: str) -> dict[str, Hardware]:
    return {hardware.name: hardware for hardware in find_hardware(sysfs, kind)}


def test_cpus_are_one_device_a_numa_node(workstation: Sysfs) -> None:
    cpus = found(workstation, "cpu")
    assert {name: (dict(one.attributes), one.capacity["cpus"].value) for name, one in cpus.items()} == {
        "cpu-numa0": ({NUMA_NODE: 0, "cpuList": "0-3,8-11", "socket": 0}, "8"),
        "cpu-numa1": ({NUMA_NODE: 1, "cpuList": "4-7,12-15", "socket": 1}, "8"),
    }


def test_machines_without_numa_nodes_have_one(tmp_path: Path) -> None:
    write(tmp_path / "devices/system/cpu/online", "0-1")
    (cpu,) = find_hardware(Sysfs(tmp_path), "cpu")
    assert (cpu.name, cpu.capacity["cpus"].value) == ("cpu-numa0", "2")


@pytest.mark.parametrize(("text", "count"), [("0", 1), ("0-3", 4), ("0-3,8-11", 8), ("", 0)])
def test_cpu_lists_are_counted(text: str, count: int) -> None:
    assert cpu_count(text) == count


def test_disks_have_size_model_and_place_and_partitions_are_none(workstation: Sysfs) -> None:
    disks = found(workstation, "block")
    assert sorted(disks) == ["block-loop0", "block-nvme0n1"]
    disk = disks["block-nvme0n1"]
    assert dict(disk.attributes) == {
        "disk": "nvme0n1",
        "model": "SAMSUNG MZWLJ3T8HBLS-00007",
        "serial": "S4YPNE0R201234",
        "wwid": "eui.364650305260123400253845",
        "sizeBytes": 3840755982336,
        "rotational": False,
        "removable": False,
        "readOnly": False,
        "inUse": False,
        PCI_BUS_ID: "0000:18:00.0",
        PCIE_ROOT: "pci0000:17",
        NUMA_NODE: 0,
    }
    assert disk.nodes == ("/dev/nvme0n1",)
    assert (disk.virtual, disks["block-loop0"].virtual) == (False, True)


def test_network_interfaces_say_nothing_of_a_speed_without_a_link(workstation: Sysfs) -> None:
    interfaces = found(workstation, "network")
    assert sorted(interfaces) == ["network-br0", "network-enp179s0f0np0", "network-enp179s0f1np1"]
    assert interfaces["network-enp179s0f0np0"].attributes["speedMbps"] == 100000
    assert "speedMbps" not in interfaces["network-enp179s0f1np1"].attributes
    assert interfaces["network-br0"].virtual


def test_ports_of_one_card_have_one_pcie_root(workstation: Sysfs) -> None:
    ports = [one for one in find_hardware(workstation, "network") if not one.virtual]
    assert [one.attributes[PCI_BUS_ID] for one in ports] == ["0000:b3:00.0", "0000:b3:00.1"]
    assert {one.attributes[PCIE_ROOT] for one in ports} == {"pci0000:b2"}
    assert {one.attributes[NUMA_NODE] for one in ports} == {1}


def test_usb_devices_come_without_hubs_and_interfaces(workstation: Sysfs) -> None:
    devices = found(workstation, "usb")
    assert sorted(devices) == ["usb-1-4-2", "usb-1-5"]
    assert devices["usb-1-4-2"].nodes == ("/dev/bus/usb/001/007",)
    assert devices["usb-1-4-2"].attributes["serial"] == "A50285BI"
    assert "serial" not in devices["usb-1-5"].attributes


def test_an_unknown_numa_node_is_not_said(workstation: Sysfs) -> None:
    attributes = found(workstation, "usb")["usb-1-5"].attributes
    assert attributes[PCIE_ROOT] == "pci0000:00"
    assert NUMA_NODE not in attributes


def test_serial_ports_know_their_usb_device_and_spare_ports_are_none(workstation: Sysfs) -> None:
    ports = found(workstation, "serial")
    assert sorted(ports) == ["serial-ttys0", "serial-ttyusb0"]
    usb = ports["serial-ttyusb0"]
    assert (usb.attributes["vendor"], usb.attributes["product"], usb.attributes["driver"]) == (
        "0403",
        "6001",
        "ftdi_sio",
    )
    assert usb.nodes == ("/dev/ttyUSB0",)
    assert ports["serial-ttys0"].attributes["usb"] is False


def test_gpus_with_render_nodes_are_found_without_any_library(workstation: Sysfs) -> None:
    gpus = found(workstation, "gpu")
    assert gpus["gpu-renderd128"].nodes == ("/dev/dri/renderD128", "/dev/dri/card0")
    assert gpus["gpu-renderd128"].attributes["driver"] == "i915"
    assert gpus["gpu-renderd129"].attributes["vendor"] == "0x10de"


def nvml(**changes: Any) -> Any:
    """Stands for pynvml on a machine with one GPU."""
    functions = {
        "nvmlSystemGetDriverVersion": lambda: "570.86.15",
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetMinorNumber": lambda handle: 0,
        "nvmlDeviceGetPciInfo": lambda handle: SimpleNamespace(busId=b"00000000:B5:00.0"),
        "nvmlDeviceGetUUID": lambda handle: "GPU-8f6f2c1e-0000-0000-0000-000000000000",
        "nvmlDeviceGetName": lambda handle: b"NVIDIA H100 PCIe",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=85520809984),
    }
    return SimpleNamespace(**(functions | changes))


def test_nvidia_gpus_are_told_by_nvml_and_not_twice(workstation: Sysfs) -> None:
    gpus = {one.name: one for one in gpu.find(workstation, nvml())}
    assert sorted(gpus) == ["gpu-nvidia0", "gpu-renderd128"]
    one = gpus["gpu-nvidia0"]
    assert one.attributes[PCI_BUS_ID] == "0000:b5:00.0"
    assert one.attributes[PCIE_ROOT] == "pci0000:b2"
    assert one.attributes[NUMA_NODE] == 1
    assert one.attributes["model"] == "NVIDIA H100 PCIe"
    assert one.capacity["memory"].value == "85520809984"
    assert one.nodes[:2] == ("/dev/nvidia0", "/dev/nvidiactl")


def test_a_broken_gpu_hides_no_other_and_is_not_offered_by_its_render_node(workstation: Sysfs) -> None:
    def handle(index: int) -> int:
        if index == 0:
            raise RuntimeError("GPU is lost")
        return index

    lost = nvml(
        nvmlDeviceGetCount=lambda: 2, nvmlDeviceGetHandleByIndex=handle, nvmlDeviceGetMinorNumber=lambda h: h
    )
    assert [one.name for one in gpu.find(workstation, lost)] == ["gpu-nvidia1", "gpu-renderd128"]


def test_a_driver_that_does_not_answer_offers_no_gpu_of_its_own(workstation: Sysfs) -> None:
    def version() -> str:
        raise RuntimeError("driver/library version mismatch")

    mismatch = nvml(nvmlSystemGetDriverVersion=version)
    assert [one.name for one in gpu.find(workstation, mismatch)] == ["gpu-renderd128"]


def test_a_gpu_without_memory_of_its_own_has_no_such_capacity(workstation: Sysfs) -> None:
    def memory(handle: int) -> Any:
        raise RuntimeError("Not Supported")

    gpus = list(gpu.find(workstation, nvml(nvmlDeviceGetMemoryInfo=memory)))
    assert gpus[0].name == "gpu-nvidia0"
    assert gpus[0].capacity == {}


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("proc/self/mountinfo", "36 35 259:2 / /boot rw shared:1 - ext4 /dev/nvme0n1p2 rw"),
        ("proc/1/mountinfo", "36 35 0:31 /@ / rw - btrfs /dev/nvme0n1p2 rw"),
        ("proc/swaps", "Filename Type Size Used Priority\n/dev/nvme0n1p2 partition 1 0 -2"),
    ],
)
def test_a_disk_with_a_mounted_partition_or_swap_is_in_use(
    workstation: Sysfs, file: str, content: str
) -> None:
    partition = workstation.root / "class/block/nvme0n1" / "nvme0n1p2"
    write(partition / "partition", "2")
    write(partition / "dev", "259:2")
    assert not found(workstation, "block")["block-nvme0n1"].in_use
    write(workstation.root / file, content)
    disk = found(workstation, "block")["block-nvme0n1"]
    assert (disk.in_use, disk.attributes["inUse"]) == (True, True)


def test_a_disk_that_is_part_of_a_volume_is_in_use(workstation: Sysfs) -> None:
    write(workstation.root / "class/block/nvme0n1/holders/dm-0/name", "vg-root")
    assert found(workstation, "block")["block-nvme0n1"].in_use


def test_a_port_of_the_board_has_the_driver_of_its_hardware_not_of_the_serial_core(tmp_path: Path) -> None:
    port = "devices/pnp0/00:00/00:00:0/00:00:0.0"
    write(tmp_path / port / "tty/ttyS0/type", "4")
    link(tmp_path, "class/tty/ttyS0", f"{port}/tty/ttyS0")
    link(tmp_path, f"{port}/tty/ttyS0/device", port)
    for place, bus, driver in (
        (port, "serial-base", "port"),
        ("devices/pnp0/00:00/00:00:0", "serial-base", "ctrl"),
        ("devices/pnp0/00:00", "pnp", "serial"),
    ):
        link(tmp_path, f"{place}/subsystem", f"bus/{bus}")
        link(tmp_path, f"{place}/driver", f"bus/{bus}/drivers/{driver}")
    assert found(Sysfs(tmp_path), "serial")["serial-ttys0"].attributes["driver"] == "serial"


def test_a_recorded_virtual_machine_has_its_disk_card_port_and_cpus(tmp_path: Path) -> None:
    sysfs = build("cloud-vm", tmp_path)
    physical = [one for kind in FINDERS for one in find_hardware(sysfs, kind) if not one.virtual]
    assert [one.name for one in physical] == ["block-vda", "cpu-numa0", "network-eth0", "serial-ttys0"]
    assert physical[0].attributes[PCIE_ROOT] == "pci0000:00"


def test_an_empty_tree_has_nothing(tmp_path: Path) -> None:
    assert [one for kind in FINDERS for one in find_hardware(Sysfs(tmp_path), kind)] == []


def test_names_are_dns_labels_of_at_most_63_characters() -> None:
    assert Hardware("usb", "1-4.2").name == "usb-1-4-2"
    assert Hardware("block", "cciss!c0d0").name == "block-cciss-c0d0"
    assert len(Hardware("network", "x" * 80).name) == 63


@pytest.mark.parametrize("kind", sorted(FINDERS))
def test_this_machine_can_be_read(kind: str) -> None:
    names = [one.name for one in find_hardware(Sysfs(), kind)]
    assert len(names) == len(set(names))
    if kind == "cpu":
        assert names

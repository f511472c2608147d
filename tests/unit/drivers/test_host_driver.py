"""The host driver over real sockets, and as hardware comes and goes."""

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from machines import build, link, write

from dray.api.resources import RESOURCE_SLICES
from dray.drivers.host.config import parse_config
from dray.drivers.host.driver import HostDriver
from dray.sdk import uevents
from dray.sdk.plugin import KubeletPlugin
from dray.testing.fake_kubelet import FakeKubelet, PrepareError
from dray.testing.memory_client import MemoryClient

CONFIG = "devices: [{kind: serial, inject: {env: {PORT: '{path}'}}}, {kind: cpu}]"
NODE = {"kind": "Node", "metadata": {"name": "n", "uid": "n-uid"}}


def claim(device: str) -> dict[str, object]:
    result = {"request": "r", "driver": "host.example.com", "pool": "n", "device": device}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": "c", "namespace": "d", "uid": "c-uid"},
        "spec": {"devices": {"requests": [{"name": "r"}]}},
        "status": {"allocation": {"devices": {"results": [result]}}},
    }


async def test_chosen_hardware_is_published_and_prepared(tmp_path: Path) -> None:
    sysfs = build("workstation", tmp_path / "sys")
    client = MemoryClient(NODE, claim("serial-ttyusb0"))
    async with FakeKubelet(tmp_path / "k") as kubelet:
        driver = HostDriver(parse_config(CONFIG), sysfs)
        async with KubeletPlugin(driver, client, kubelet.options("n")) as plugin:
            await plugin.publisher.published()
            devices = [d["name"] for one in client.all(RESOURCE_SLICES) for d in one["spec"]["devices"]]
            assert sorted(devices) == ["cpu-numa0", "cpu-numa1", "serial-ttys0", "serial-ttyusb0"]
            caller = await kubelet.plugin(driver.name)
            (device,) = (await caller.prepare(claim("serial-ttyusb0")))["c-uid"]
            assert device.device_name == "serial-ttyusb0"
            (written,) = [yaml.safe_load(path.read_text()) for path in kubelet.cdi_root.glob("*c-uid*")]
            (entry,) = written["devices"]
            assert "PORT=/dev/ttyUSB0" in entry["containerEdits"]["env"]
            assert entry["containerEdits"]["deviceNodes"] == [{"path": "/dev/ttyUSB0", "permissions": "rw"}]


async def test_a_device_that_was_pulled_is_not_prepared(tmp_path: Path) -> None:
    sysfs = build("workstation", tmp_path / "sys")
    client = MemoryClient(NODE, claim("serial-ttyusb0"))
    async with FakeKubelet(tmp_path / "k") as kubelet:
        driver = HostDriver(parse_config(CONFIG), sysfs)
        async with KubeletPlugin(driver, client, kubelet.options("n")):
            (sysfs.root / "class/tty/ttyUSB0").unlink()
            caller = await kubelet.plugin(driver.name)
            with pytest.raises(PrepareError, match="serial-ttyusb0 is no longer on this machine"):
                await caller.prepare(claim("serial-ttyusb0"))


async def test_hardware_that_comes_or_goes_is_published_when_the_kernel_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sysfs = build("workstation", tmp_path / "sys")
    kernel, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    monkeypatch.setattr(uevents, "open_kernel_socket", lambda: ours)
    port = "devices/pci0000:00/0000:00:14.0/usb1/1-4/1-4.2/1-4.2:1.0/ttyUSB0/tty/ttyUSB0"
    client = MemoryClient(NODE)

    def published() -> int:
        return sum(len(one["spec"]["devices"]) for one in client.all(RESOURCE_SLICES))

    async def announced(devices: int) -> None:
        kernel.send(b"change@/x\0SUBSYSTEM=tty\0")
        async with asyncio.timeout(5):
            while published() != devices:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    with kernel:
        async with FakeKubelet(tmp_path / "k") as kubelet:
            driver = HostDriver(parse_config(CONFIG), sysfs, rescan_seconds=3600)
            async with KubeletPlugin(driver, client, kubelet.options("n")) as plugin:
                await plugin.publisher.published()
                assert published() == 4
                (sysfs.root / "class/tty/ttyUSB0").unlink()
                await announced(3)
                link(sysfs.root, "class/tty/ttyUSB0", port)
                await announced(4)


def test_what_software_made_and_what_the_machine_uses_is_offered_only_when_asked_for(tmp_path: Path) -> None:
    sysfs = build("workstation", tmp_path)
    write(tmp_path / "class/block/nvme0n1/dev", "259:0")
    write(tmp_path / "proc/self/mountinfo", "36 35 259:0 / / rw - ext4 /dev/nvme0n1 rw")

    def names(select: str) -> list[str]:
        config = parse_config(f"devices: [{{kind: block, select: {{{select}}}}}]")
        return [offer.device.name for offer in HostDriver(config, sysfs).offers()]

    assert names("") == []
    assert names("inUse: true") == ["block-nvme0n1"]
    assert names("virtual: true") == ["block-loop0"]
    (offer,) = HostDriver(parse_config("devices: [{kind: block, select: {virtual: true}}]"), sysfs).offers()
    assert offer.device.attributes["virtual"] is True


PYNVML = """
from types import SimpleNamespace

ready = False

def nvmlInit():
    global ready
    ready = True

def nvmlDeviceGetCount():
    return 2 if ready else 0

def nvmlDeviceGetHandleByIndex(index):
    if index == 1:
        raise RuntimeError("GPU is lost")
    return index

nvmlSystemGetDriverVersion = lambda: "570.86.15"
nvmlDeviceGetMinorNumber = lambda handle: handle
nvmlDeviceGetPciInfo = lambda handle: SimpleNamespace(busId="00000000:B5:00.0")
nvmlDeviceGetUUID = lambda handle: "GPU-8f6f2c1e"
nvmlDeviceGetName = lambda handle: "NVIDIA H100 PCIe"
nvmlDeviceGetMemoryInfo = lambda handle: SimpleNamespace(total=85520809984)
"""
"""Stands for the module of the package nvidia-ml-py, on a machine with one good GPU and one that fell off the bus."""


def dry_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dray.cli.main", "driver", "host", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_dry_run_prints_what_would_be_published(tmp_path: Path) -> None:
    sysfs = build("workstation", tmp_path / "sys")
    config = tmp_path / "devices.yaml"
    config.write_text(CONFIG)
    result = dry_run("--config", str(config), "--sysfs-root", str(sysfs.root), "--dry-run")
    assert result.returncode == 0, result.stderr
    shown = yaml.safe_load(result.stdout)
    assert shown["driver"] == "host.example.com"
    assert [entry["device"]["name"] for entry in shown["devices"]] == [
        "serial-ttys0",
        "serial-ttyusb0",
        "cpu-numa0",
        "cpu-numa1",
    ]
    assert json.dumps(shown["devices"][1]["containerEdits"]["env"]) == (
        '["HOST_DEVICE_SERIAL_TTYUSB0=/dev/ttyUSB0", "PORT=/dev/ttyUSB0"]'
    )


def test_gpus_are_found_through_an_installed_nvml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pynvml.py").write_text(PYNVML)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    sysfs = build("workstation", tmp_path / "sys")
    (tmp_path / "devices.yaml").write_text("devices: [{kind: gpu, select: {driver: nvidia}}]")
    result = dry_run(f"--config={tmp_path / 'devices.yaml'}", "--dry-run", f"--sysfs-root={sysfs.root}")
    assert "NVML does not describe GPU 1, which is not offered: GPU is lost" in result.stderr
    (entry,) = yaml.safe_load(result.stdout)["devices"]
    assert entry["device"]["name"] == "gpu-nvidia0"
    assert entry["device"]["attributes"]["model"] == {"string": "NVIDIA H100 PCIe"}
    assert entry["device"]["attributes"]["resource.kubernetes.io/pcieRoot"] == {"string": "pci0000:b2"}
    nodes = [node["path"] for node in entry["containerEdits"]["deviceNodes"]]
    assert nodes == ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"]


def test_a_dry_run_without_matches_says_so(tmp_path: Path) -> None:
    config = tmp_path / "devices.yaml"
    config.write_text(CONFIG)
    result = dry_run("--config", str(config), "--sysfs-root", str(tmp_path / "none"), "--dry-run")
    assert "nothing on this machine" in result.stdout


def test_errors_of_the_file_are_one_line(tmp_path: Path) -> None:
    config = tmp_path / "devices.yaml"
    config.write_text("devices: [{kind: usbb}]")
    result = dry_run("--config", str(config), "--dry-run")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"Error: {config}")
    assert "set --config FILE" in dry_run().stderr

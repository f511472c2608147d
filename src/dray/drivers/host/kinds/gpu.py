"""GPUs: those with a render node of the kernel's own (DRM), and NVIDIA's through NVML where that is installed."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dray.drivers.host.hardware import Hardware, attributes
from dray.drivers.host.sysfs import PCI_BUS_ID, Sysfs, driver_of, target, text, topology
from dray.sdk.devices import Capacity

NVIDIA_COMMON_NODES = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
"""Of the driver, not of one GPU; a program needs the first two to use any."""


def find(sysfs: Sysfs, nvml: Any = None) -> Iterator[Hardware]:
    """`nvml`: the module pynvml; None looks for an installed one."""
    through_nvml = list(_nvidia(sysfs, nvml or _installed_nvml()))
    yield from through_nvml
    known = {gpu.attributes.get(PCI_BUS_ID) for gpu in through_nvml}
    for render in sysfs.entries("class/drm"):
        device = target(render / "device")
        if render.name.startswith("renderD") and device is not None:
            gpu = _render_node(render.name, device)
            if gpu.attributes.get(PCI_BUS_ID) not in known - {None}:
                yield gpu


def _render_node(name: str, device: Path) -> Hardware:
    cards = sorted(path.name for path in (device / "drm").glob("card[0-9]*") if path.name[4:].isdigit())
    said = attributes(
        renderNode=name,
        vendor=text(device / "vendor"),
        device=text(device / "device"),
        driver=driver_of(device),
    )
    nodes = (f"/dev/dri/{name}", *(f"/dev/dri/{card}" for card in cards))
    return Hardware("gpu", name, {**said, **topology(device)}, nodes=nodes)


def _installed_nvml() -> Any:
    """The module pynvml (package nvidia-ml-py), ready to be asked; None without it, or without a driver."""
    try:
        module = importlib.import_module("pynvml")
        module.nvmlInit()
    except ImportError:
        return None
    except Exception:
        # NVMLError, a class that only the module has: no NVIDIA driver runs here.
        return None
    return module


def _nvidia(sysfs: Sysfs, nvml: Any) -> Iterator[Hardware]:
    if nvml is None:
        return
    version = _text(nvml.nvmlSystemGetDriverVersion())
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        minor = nvml.nvmlDeviceGetMinorNumber(handle)
        bus_id = _bus_id(_text(nvml.nvmlDeviceGetPciInfo(handle).busId))
        said = attributes(
            index=index,
            uuid=_text(nvml.nvmlDeviceGetUUID(handle)),
            model=_text(nvml.nvmlDeviceGetName(handle)),
            driver="nvidia",
            driverVersion=version,
        )
        place = topology(target(sysfs.root / "bus/pci/devices" / bus_id)) or {PCI_BUS_ID: bus_id}
        memory = nvml.nvmlDeviceGetMemoryInfo(handle).total
        yield Hardware(
            "gpu",
            f"nvidia{minor}",
            {**said, **place},
            {"memory": Capacity(str(memory))},
            (f"/dev/nvidia{minor}", *NVIDIA_COMMON_NODES),
        )


def _text(value: Any) -> str:
    # Older releases of the module return bytes.
    return value.decode() if isinstance(value, bytes) else str(value)


def _bus_id(text: str) -> str:
    """`00000000:3B:00.0`, as NVML writes it, in the kernel's form `0000:3b:00.0`."""
    domain, _, rest = text.lower().partition(":")
    return f"{int(domain, 16):04x}:{rest}"

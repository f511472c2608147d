"""GPUs: those with a render node of the kernel's own (DRM), and NVIDIA's through NVML where that is installed."""

import importlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dray.drivers.host.hardware import Hardware, attributes
from dray.drivers.host.sysfs import PCI_BUS_ID, Sysfs, driver_of, target, text, topology
from dray.sdk.devices import Capacity

log = logging.getLogger("dray.drivers.host.gpu")

NVIDIA_COMMON_NODES = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
"""Of the driver, not of one GPU; a program needs the first two to use any."""


def find(sysfs: Sysfs, nvml: Any = None) -> Iterator[Hardware]:
    """`nvml`: the module pynvml; None looks for an installed one."""
    nvml = nvml or _installed_nvml()
    if nvml is not None:
        yield from _nvidia(sysfs, nvml)
    for render in sysfs.entries("class/drm"):
        device = target(render / "device")
        # What NVML has told, or will not tell of a broken one, has a node of this kind as well.
        is_told = nvml is not None and device is not None and driver_of(device) == "nvidia"
        if render.name.startswith("renderD") and device is not None and not is_told:
            yield _render_node(render.name, device)


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
    try:
        version = _text(nvml.nvmlSystemGetDriverVersion())
        count = nvml.nvmlDeviceGetCount()
    except Exception as error:
        log.warning("NVML does not answer, so no GPU of NVIDIA's is offered: %s", error)
        return
    for index in range(count):
        try:
            gpu = _nvidia_gpu(sysfs, nvml, index, version)
        except Exception as error:
            # NVMLError: the GPU fell off the bus, or waits for a reset. The others can be used all the same.
            log.warning("NVML does not describe GPU %d, which is not offered: %s", index, error)
        else:
            yield gpu


def _nvidia_gpu(sysfs: Sysfs, nvml: Any, index: int, version: str) -> Hardware:
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
    return Hardware(
        "gpu",
        f"nvidia{minor}",
        {**said, **place},
        _memory(nvml, handle),
        (f"/dev/nvidia{minor}", *NVIDIA_COMMON_NODES),
    )


def _memory(nvml: Any, handle: Any) -> dict[str, Capacity]:
    try:
        return {"memory": Capacity(str(nvml.nvmlDeviceGetMemoryInfo(handle).total))}
    except Exception as error:
        # GPUs that share the memory of the CPUs have none of their own.
        log.debug("NVML does not tell a GPU's memory: %s", error)
        return {}


def _text(value: Any) -> str:
    # Older releases of the module return bytes.
    return value.decode() if isinstance(value, bytes) else str(value)


def _bus_id(text: str) -> str:
    """`00000000:3B:00.0`, as NVML writes it, in the kernel's form `0000:3b:00.0`."""
    domain, _, rest = text.lower().partition(":")
    return f"{int(domain, 16):04x}:{rest}"

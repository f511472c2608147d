"""What this machine is, as a Node object shows it: capacity, system, addresses, conditions."""

import os
import pathlib
import platform
import shutil
from collections.abc import Mapping
from typing import Any

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.node.config import NodeConfig

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
HEALTHY = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


def architecture() -> str:
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def capacity(config: NodeConfig) -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
    disk = shutil.disk_usage(config.root).total // 1024
    found = {
        "cpu": str(os.cpu_count() or 1),
        "ephemeral-storage": f"{disk}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": f"{memory}Ki",
        "pods": "110",
    }
    return {**found, **config.capacity}


def node_labels(config: NodeConfig) -> dict[str, str]:
    arch, system = architecture(), platform.system().lower()
    return {
        "beta.kubernetes.io/arch": arch,
        "beta.kubernetes.io/os": system,
        "kubernetes.io/arch": arch,
        "kubernetes.io/hostname": config.name,
        "kubernetes.io/os": system,
        **config.labels,
    }


def declared_features(gates: FeatureGates) -> list[str]:
    """What the node can that others may not: schedulers and the API server ask."""
    features = ["ExtendWebSocketsToKubelet", "RestartAllContainersOnContainerExits"]
    resizing = ("InPlacePodLevelResourcesVerticalScaling", "InPlacePodVerticalScalingInitContainers")
    features += [name for name in resizing if gates.enabled(name)]
    if gates.reaches("1.37"):
        later = ("DRANodeAllocatableResources", "DRAOptionalNodeOperations")
        features += [name for name in later if gates.enabled(name)]
    return sorted(features)


def node_info(runtime: str, version: str) -> Object:
    """`runtime`: name and version of what runs containers; `version`: the one that the kubelet tells of itself."""
    return {
        "machineID": _machine_id(),
        "systemUUID": _read("/sys/class/dmi/id/product_uuid") or _machine_id(),
        "bootID": _read("/proc/sys/kernel/random/boot_id"),
        "kernelVersion": platform.release(),
        "osImage": _os_image(),
        "containerRuntimeVersion": runtime,
        "kubeletVersion": version,
        "kubeProxyVersion": "",
        "operatingSystem": platform.system().lower(),
        "architecture": architecture(),
    }


def conditions(now: str, before: Mapping[str, Any] | None) -> list[Object]:
    """All well; transition times are kept where nothing changed."""
    old = {each["type"]: each for each in ((before or {}).get("status") or {}).get("conditions") or ()}
    return [
        {
            "type": kind,
            "status": status,
            "lastHeartbeatTime": now,
            "lastTransitionTime": _since(old.get(kind), status, now),
            "reason": reason,
            "message": message,
        }
        for kind, status, reason, message in HEALTHY
    ]


def _since(old: Mapping[str, Any] | None, status: str, now: str) -> str:
    if old is not None and old.get("status") == status:
        return str(old.get("lastTransitionTime") or now)
    return now


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return ""


def _machine_id() -> str:
    return _read("/etc/machine-id") or _read("/var/lib/dbus/machine-id")


def _os_image() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.platform(terse=True)

"""The objects that the recorded kubectl commands name, written for these tests."""

import json
from pathlib import Path
from typing import Any

NS = "dra-tutorial"
DRA = "resource.k8s.io/v1"
RBAC = "rbac.authorization.k8s.io"
_LABELS = {"app": "web"}
_SAYS = "echo 'declare -x GPU_DEVICE_0=gpu-0'; "
_CONTAINER = {"name": "ctr0", "image": "busybox", "command": ["sh", "-c", f"{_SAYS} exec sleep 60"]}
_STUBBORN = {**_CONTAINER, "command": ["sh", "-c", f"trap '' TERM; {_SAYS} while :; do sleep 1; done"]}
"""Stays when it is told to go."""


def _object(api_version: str, kind: str, name: str, namespace: str = "", **parts: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}


def _workload(kind: str, name: str, labels: dict[str, str], **more: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": labels}, "spec": {"containers": [_CONTAINER]}}
    return _object(
        "apps/v1", kind, name, NS, spec={"selector": {"matchLabels": labels}, "template": template, **more}
    )


MANIFESTS = {
    "deviceclass": _object(DRA, "DeviceClass", "gpu.example.com", spec={}),
    "sa": _object("v1", "ServiceAccount", "dra-example-driver-service-account", NS),
    "cr": _object(
        f"{RBAC}/v1",
        "ClusterRole",
        "dra-example-driver-role",
        rules=[{"apiGroups": ["resource.k8s.io"], "resources": ["resourceslices"], "verbs": ["get", "list"]}],
    ),
    "crb": _object(
        f"{RBAC}/v1",
        "ClusterRoleBinding",
        "dra-example-driver-role-binding",
        subjects=[{"kind": "ServiceAccount", "name": "dra-example-driver-service-account", "namespace": NS}],
        roleRef={"apiGroup": RBAC, "kind": "ClusterRole", "name": "dra-example-driver-role"},
    ),
    "pc": _object("scheduling.k8s.io/v1", "PriorityClass", "dra-driver-high-priority", value=1000000),
    "ds": _workload(
        "DaemonSet", "dra-example-driver-kubeletplugin", {"app.kubernetes.io/name": "dra-example-driver"}
    ),
    "slice": _object(
        DRA,
        "ResourceSlice",
        "node-1-gpu.example.com-x",
        spec={
            "driver": "gpu.example.com",
            "nodeName": "node-1",
            "pool": {"name": "node-1", "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": "gpu-0"}],
        },
    ),
    "claim": _object(
        DRA,
        "ResourceClaim",
        "some-gpu",
        NS,
        spec={"devices": {"requests": [{"name": "g", "exactly": {"deviceClassName": "gpu.example.com"}}]}},
    ),
    "pod": _object("v1", "Pod", "pod0", NS, spec={"containers": [_STUBBORN]}),
    "deploy": _workload("Deployment", "web", _LABELS, replicas=1),
}


def write_manifests(directory: Path) -> None:
    for name, manifest in MANIFESTS.items():
        (directory / f"{name}.yaml").write_text(json.dumps(manifest))

"""Objects of a small cluster, for stories about what its questions answer."""

import datetime as dt
from typing import Any

from dray.api.meta import Object

DRIVER = "gpu.example.com"
NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def node(name: str, **spec: Any) -> Object:
    return {"kind": "Node", "metadata": {"name": name}, "spec": spec, "status": {}}


def gpus(node_name: str, count: int, *, slices: int = 1, **device: Any) -> Object:
    given = {"attributes": {"model": {"string": "A100"}}, "capacity": {"memory": {"value": "80Gi"}}, **device}
    pool = {"name": node_name, "generation": 1, "resourceSliceCount": slices}
    devices = [{"name": f"gpu-{i}", **given} for i in range(count)]
    spec = {"driver": DRIVER, "nodeName": node_name, "pool": pool, "devices": devices}
    return {"kind": "ResourceSlice", "metadata": {"name": f"{node_name}-gpus"}, "spec": spec}


def claim(
    name: str,
    *,
    count: int = 1,
    selector: str = "",
    held: tuple[str, ...] = (),
    pod: str = "",
    cls: str = "gpu",
) -> Object:
    exactly: Object = {"deviceClassName": cls, "allocationMode": "ExactCount", "count": count}
    if selector:
        exactly["selectors"] = [{"cel": {"expression": selector}}]
    status: Object = {}
    if held:
        results = [{"driver": DRIVER, "pool": "n1", "device": device, "request": "gpu"} for device in held]
        status["allocation"] = {
            "allocationTimestamp": "2026-01-01T11:00:00Z",
            "devices": {"results": results},
        }
        status["reservedFor"] = [{"resource": "pods", "name": pod, "uid": f"pod-{pod}"}]
    meta = {"name": name, "namespace": "default", "uid": f"claim-{name}"}
    spec = {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}}
    return {"kind": "ResourceClaim", "metadata": meta, "spec": spec, "status": status}


def pod(name: str, claim_name: str = "", **more: Any) -> Object:
    spec: Object = {"containers": [{"name": "c", "env": [{"name": "TOKEN", "value": "secret-value"}]}]}
    if claim_name:
        spec["resourceClaims"] = [{"name": "gpu", "resourceClaimName": claim_name}]
    meta = {"name": name, "namespace": "default", "uid": f"pod-{name}", **more.pop("meta", {})}
    return {"kind": "Pod", "metadata": meta, "spec": {**spec, **more}, "status": {}}


GPU_CLASS = {
    "metadata": {"name": "gpu"},
    "spec": {"selectors": [{"cel": {"expression": f"device.driver == '{DRIVER}'"}}]},
}

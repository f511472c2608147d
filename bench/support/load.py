"""The load of the scheduling benchmarks: nodes with alike GPUs, and a class and a selector that find them."""

from dray.api.meta import Object

DRIVER = "gpu.example.com"
SELECTOR = (
    'device.attributes["gpu.example.com"].model == "H100" && '
    'device.capacity["gpu.example.com"].memory.compareTo(quantity("40Gi")) >= 0'
)


def node(number: int) -> Object:
    amounts = {"cpu": "64", "memory": "256Gi", "pods": "110"}
    meta = {"name": f"node-{number}", "labels": {"kubernetes.io/hostname": f"node-{number}"}}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": meta,
        "spec": {},
        "status": {"allocatable": amounts},
    }


def resource_slice(number: int, devices: int) -> Object:
    name = f"node-{number}"
    attributes = {
        "model": {"string": "H100"},
        "vendor": {"string": "example"},
        "index": {"int": 0},
        "uuid": {"string": "gpu-00000000-0000-0000-0000-000000000000"},
        "driverVersion": {"version": "1.0.0"},
        "numa": {"int": 0},
        "healthy": {"bool": True},
    }
    capacity = {"memory": {"value": "80Gi"}, "compute": {"value": "100"}}
    entries = [
        {
            "name": f"gpu-{device}",
            "attributes": {**attributes, "index": {"int": device}},
            "capacity": capacity,
        }
        for device in range(devices)
    ]
    pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": f"{name}-gpus"},
        "spec": {"driver": DRIVER, "nodeName": name, "pool": pool, "devices": entries},
    }


def device_class() -> Object:
    selectors = [{"cel": {"expression": f'device.driver == "{DRIVER}"'}}]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": {"name": "gpu"},
        "spec": {"selectors": selectors},
    }

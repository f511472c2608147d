"""Small objects for the store's tests."""

from typing import Any


def config_map(name: str, namespace: str = "ns", **data: str) -> dict[str, Any]:
    return {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }

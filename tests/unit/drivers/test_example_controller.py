"""The example controller makes devices ready that wait for conditions."""

import asyncio
from typing import Any

import pytest

from dray.api.resources import RESOURCE_CLAIMS
from dray.drivers.example.controller import enabled_plugins, make_ready
from dray.sdk.options import OptionError
from dray.testing.memory_client import MemoryClient


def claim(driver: str) -> dict[str, Any]:
    result = {
        "request": "gpu",
        "driver": driver,
        "pool": "n",
        "device": "gpu-0",
        "bindingConditions": ["BindingConditions"],
        "bindingFailureConditions": ["BindingFailureConditions"],
    }
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": driver.split(".")[0], "namespace": "d", "uid": f"{driver}-uid"},
        "spec": {"devices": {"requests": [{"name": "gpu"}]}},
        "status": {"allocation": {"devices": {"results": [result]}}},
    }


async def test_devices_of_the_driver_become_ready_and_no_others() -> None:
    client = MemoryClient(claim("gpu.example.com"), claim("other.example.com"))
    task = asyncio.create_task(make_ready(client, "gpu.example.com"))
    for _ in range(1000):
        await asyncio.sleep(0)
    (entry,) = (await client.get(RESOURCE_CLAIMS, "gpu", "d"))["status"]["devices"]
    (condition,) = entry["conditions"]
    assert {key: condition[key] for key in ("type", "status", "reason", "message")} == {
        "type": "BindingConditions",
        "status": "True",
        "reason": "Ready",
        "message": "Device is ready",
    }
    assert "devices" not in (await client.get(RESOURCE_CLAIMS, "other", "d"))["status"]
    task.cancel()


def test_plugins_are_named_by_the_user() -> None:
    assert enabled_plugins("BindingConditions") == ["BindingConditions"]
    with pytest.raises(OptionError, match="there is no Magic; plugins are BindingConditions"):
        enabled_plugins("BindingConditions,Magic")
    with pytest.raises(OptionError, match="nothing to do"):
        enabled_plugins("")

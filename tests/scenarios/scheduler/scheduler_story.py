"""A cluster in memory for stories about the scheduler: state in, time passes, state out.

Every story ends with the same question: does any device belong to two claims that may not share it?
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from dray.allocation.invariants import check_allocations
from dray.api.features import FeatureGates
from dray.api.meta import Object, uid_of
from dray.api.resources import EVENTS, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.kits.clock import LoopClock
from dray.scheduler import Scheduler
from dray.testing import virtual
from dray.testing.memory_client import MemoryClient

DRIVER = "gpu.example.com"


def node(
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    taints: list[Object] | None = None,
    **allocatable: str,
) -> Object:
    capacity = {"cpu": "8", "memory": "32Gi", "pods": "110", **allocatable}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": {"taints": taints} if taints else {},
        "status": {"allocatable": capacity, "capacity": capacity},
    }


def device(name: str, **more: Any) -> Object:
    return {"name": name, "attributes": {"index": {"int": int(name.split("-")[-1])}}, **more}


def gpus(node_name: str, count: int = 2, **more: Any) -> Object:
    """A slice of `count` devices on one node; `more` goes into every device."""
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": f"{node_name}-gpus"},
        "spec": {
            "driver": DRIVER,
            "nodeName": node_name,
            "pool": {"name": node_name, "generation": 1, "resourceSliceCount": 1},
            "devices": [device(f"gpu-{number}", **more) for number in range(count)],
        },
    }


def device_class(name: str = DRIVER, **spec: Any) -> Object:
    selector = {"cel": {"expression": f'device.driver == "{DRIVER}"'}}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": {"name": name},
        "spec": {"selectors": [selector], **spec},
    }


def claim(
    name: str, *, count: int = 1, class_name: str = DRIVER, selector: str = "", namespace: str = "default"
) -> Object:
    exactly: Object = {"deviceClassName": class_name, "allocationMode": "ExactCount", "count": count}
    if selector:
        exactly["selectors"] = [{"cel": {"expression": selector}}]
    return claim_of(name, [{"name": "gpu", "exactly": exactly}], namespace=namespace)


def claim_of(
    name: str, requests: list[Object], *, namespace: str = "default", owner: Object | None = None
) -> Object:
    meta: Object = {"name": name, "namespace": namespace, "uid": f"{name}-uid"}
    if owner is not None:
        reference = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": owner["metadata"]["name"],
            "uid": uid_of(owner),
        }
        meta["ownerReferences"] = [{**reference, "controller": True}]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": meta,
        "spec": {"devices": {"requests": requests}},
        "status": {},
    }


def pod(
    name: str,
    *claims: str,
    requests: Mapping[str, str] | None = None,
    namespace: str = "default",
    **spec: Any,
) -> Object:
    """A pending pod that uses `claims` by name."""
    container: Object = {"name": "main", "image": "busybox", "resources": {"requests": dict(requests or {})}}
    body: Object = {"schedulerName": "default-scheduler", "priority": 0, "containers": [container]}
    if claims:
        body["resourceClaims"] = [{"name": each, "resourceClaimName": each} for each in claims]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "uid": f"{name}-uid", "generation": 1},
        "spec": {**body, **spec},
        "status": {"phase": "Pending"},
    }


def allocation(*devices: str, node_name: str, request: str = "gpu") -> Object:
    results = [{"request": request, "driver": DRIVER, "pool": node_name, "device": each} for each in devices]
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node_name]}]}
    return {"devices": {"results": results}, "nodeSelector": {"nodeSelectorTerms": [term]}}


class Story:
    """A running scheduler and the API it works on."""

    def __init__(self, client: MemoryClient, scheduler: Scheduler) -> None:
        self.client = client
        self.scheduler = scheduler

    async def passes(self, seconds: float = 0.5) -> None:
        await asyncio.sleep(seconds)

    def pod(self, name: str, namespace: str = "default") -> Object:
        found = self.client.find(PODS, name, namespace)
        assert found is not None, f"pod {name} is gone"
        return found

    def claim(self, name: str, namespace: str = "default") -> Object:
        found = self.client.find(RESOURCE_CLAIMS, name, namespace)
        assert found is not None, f"claim {name} is gone"
        return found

    def node_of(self, name: str) -> str | None:
        found: str | None = self.pod(name)["spec"].get("nodeName")
        return found

    def devices_of(self, name: str) -> list[str]:
        status = self.claim(name)["status"]
        results = ((status.get("allocation") or {}).get("devices") or {}).get("results") or []
        return [f"{result['pool']}/{result['device']}" for result in results]

    def reserved_for(self, name: str) -> list[str]:
        return [entry["name"] for entry in self.claim(name)["status"].get("reservedFor") or []]

    def condition(self, name: str) -> tuple[str, str, str] | None:
        """Status, reason and message of PodScheduled."""
        for condition in self.pod(name)["status"].get("conditions") or []:
            if condition["type"] == "PodScheduled":
                return condition["status"], condition.get("reason", ""), condition.get("message", "")
        return None

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """Type, reason and message of the events about a pod, oldest first."""
        events = [event for event in self.client.all(EVENTS) if event["involvedObject"]["name"] == name]
        return [(event["type"], event["reason"], event["message"]) for event in events]

    def writes(self, plural: str = "") -> list[str]:
        """The writes in order, events left out: `update resourceclaims/status c`."""
        return [
            f"{verb} {kind}{'/' + subresource if subresource else ''} {name}"
            for verb, kind, subresource, name in self.client.writes
            if kind != "events" and plural in ("", kind)
        ]


@contextlib.asynccontextmanager
async def running(client: MemoryClient, **options: Any) -> AsyncIterator[Story]:
    scheduler = Scheduler(client, clock=LoopClock(), host="vm", **options)
    task = asyncio.create_task(scheduler.run())
    try:
        await asyncio.wait(
            {task, asyncio.ensure_future(scheduler.ready.wait())}, return_when="FIRST_COMPLETED"
        )
        if task.done():
            await task
        yield Story(client, scheduler)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def tell(
    story: Callable[[Story], Awaitable[None]],
    *objects: Object,
    gates: Mapping[str, bool] | None = None,
    **options: Any,
) -> None:
    """Run `story` against a scheduler that finds `objects`, on virtual time, then check what must hold."""

    async def play() -> None:
        client = MemoryClient(*objects, clock=LoopClock())
        if gates:
            options["features"] = FeatureGates(gates)
        async with running(client, **options) as started:
            await started.passes()
            await story(started)
        assert_sound(client)

    virtual.run(play())


def assert_sound(client: MemoryClient) -> None:
    """What must be true of slices and claims at any moment."""
    assert check_allocations(client.all(RESOURCE_SLICES), client.all(RESOURCE_CLAIMS)) == []

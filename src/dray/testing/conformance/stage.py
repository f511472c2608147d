"""The node on which one rule is tried: directories, a kubelet, an API server, and the driver's processes.

Says what a rule wants to see happen in the words of the contract: `started`, `published`, `claim`, `prepared`. Each of
these raises Violation with what was expected when the driver does not do its part.
"""

import asyncio
import dataclasses
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc.aio

from dray.api.meta import Object, name_of, uid_of
from dray.api.quantity import parse_quantity
from dray.api.resources import NAMESPACES, NODES, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.client.protocol import Selection
from dray.testing.conformance.reply import check_reply
from dray.testing.conformance.subject import Instance, Subject
from dray.testing.conformance.verdicts import NotApplicable, Violation
from dray.testing.fake_api import FakeApi
from dray.testing.fake_kubelet import FakeKubelet, Plugin, PrepareError

NODE: Final = "node-1"
NAMESPACE: Final = "default"
REPAIR_SECONDS: Final = 90.0
"""Drivers look after foreign changes of their slices 30 seconds later, those on Go's helper 60; more for slow machines."""
_POLL_SECONDS: Final = 0.05

Found = TypeVar("Found")


@dataclasses.dataclass(frozen=True, slots=True)
class Published:
    """A device that the driver offers."""

    pool: str
    name: str
    raw: Object

    @property
    def is_shared(self) -> bool:
        return bool(self.raw.get("allowMultipleAllocations"))


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """What kind of node a rule is tried on."""

    kubelet_versions: tuple[str, ...]
    api_versions: tuple[str, ...]
    """Of resource.k8s.io; empty means all that a new server serves."""
    features: Mapping[str, bool]


class Stage:
    def __init__(self, subject: Subject, setting: Setting, root: Path) -> None:
        self.subject = subject
        self.root = root
        self.kubelet = FakeKubelet(root, versions=setting.kubelet_versions)
        self.api = FakeApi(versions=setting.api_versions, features=setting.features)
        self.faults = self.api.faults
        self.instances: list[Instance] = []
        self._driver = ""

    async def __aenter__(self) -> "Stage":
        self.root.mkdir(parents=True, exist_ok=True)
        await self.api.__aenter__()
        await self.kubelet.__aenter__()
        labels = {"resource.kubernetes.io/admin-access": "true"}
        for kind, resource, name in (("Namespace", NAMESPACES, NAMESPACE), ("Node", NODES, NODE)):
            metadata: Object = {"name": name, "labels": labels}
            await self.api.client.create(resource, {"apiVersion": "v1", "kind": kind, "metadata": metadata})
        self.api.write_kubeconfig(self.root / "kubeconfig")
        return self

    async def __aexit__(self, *exc: object) -> None:
        for instance in self.instances:
            await instance.kill()
        await self.kubelet.__aexit__()
        await self.api.__aexit__()

    def last_words(self) -> str:
        return self.instances[-1].last_words() if self.instances else ""

    # --- the driver ---

    async def start(self, pod_uid: str = "") -> Instance:
        """Start a process of the driver; nothing is waited for."""
        places = {
            "node": NODE,
            "kubeconfig": str(self.root / "kubeconfig"),
            "registry": str(self.kubelet.registry),
            "plugins": str(self.kubelet.plugins_directory),
            "cdi": str(self.kubelet.cdi_root),
            "pod_uid": pod_uid,
            "root": str(self.root),
        }
        instance = await Instance.start(self.subject, places, self.root / "driver.log")
        self.instances.append(instance)
        return instance

    async def started(self, pod_uid: str = "") -> Plugin:
        """A driver that is registered and has published."""
        await self.start(pod_uid)
        plugin = await self.registered()
        await self.published()
        return plugin

    async def registered(self, count: int = 1, seconds: float = 0.0) -> Plugin:
        """The newest instance that the kubelet has registered, once there are `count`."""
        seconds = seconds or self.subject.ready_seconds

        def newest() -> Plugin | None:
            found = self.kubelet.instances()
            return found[-1] if len(found) >= count else None

        try:
            plugin = await self.until(newest, seconds, "registered with the kubelet")
        except Violation as violation:
            failures = "; ".join(dict.fromkeys(self.kubelet.failures[-3:]))
            raise Violation(f"{violation}{': ' if failures else ''}{failures}") from None
        self._driver = plugin.driver
        return plugin

    @property
    def driver(self) -> str:
        """The driver's name, once it has registered."""
        return self._driver

    async def restarted_kubelet(self) -> Plugin:
        """A kubelet that comes back wipes the node's slices and finds the sockets again."""
        await self.kubelet.restart()
        await self.wipe()
        return await self.registered()

    async def wipe(self) -> None:
        await self.api.client.delete_collection(RESOURCE_SLICES, Selection(fields=f"spec.nodeName={NODE}"))

    # --- waiting ---

    async def until(self, find: Callable[[], "Found | None"], seconds: float, what: str) -> Found:
        """What `find` returns once it is neither None nor False; the driver must live as long."""

        async def look() -> "Found | None":
            return find()

        return await self.until_async(look, seconds, what)

    async def until_async(
        self, find: Callable[[], "Awaitable[Found | None]"], seconds: float, what: str
    ) -> Found:
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            found = await find()
            if found is not None and found is not False:
                return found
            if self.instances and all(one.exit_code is not None for one in self.instances):
                code = self.instances[-1].exit_code
                raise Violation(f"expected: {what}; but the driver ended with exit code {code}")
            if asyncio.get_running_loop().time() > deadline:
                raise Violation(f"expected: {what}; not so after {seconds:.0f} s")
            await asyncio.sleep(_POLL_SECONDS)

    # --- what is published ---

    async def slices(self) -> list[Object]:
        """The slices in the API, by name."""
        listed = await self.api.client.list(RESOURCE_SLICES)
        return sorted(listed.items, key=name_of)

    async def published(self, seconds: float = 0.0) -> list[Object]:
        """The slices, once every pool is complete."""

        async def complete() -> list[Object] | None:
            found = await self.slices()
            return found if found and all(_is_complete(pool) for pool in _by_pool(found)) else None

        return await self.until_async(
            complete, seconds or self.subject.ready_seconds, "ResourceSlices published, every pool complete"
        )

    async def devices(self, count: int, *, shared: bool = False) -> list[Published]:
        """`count` devices that can be in use at once. Raises NotApplicable when the driver has not so many."""
        offered = [
            Published(obj["spec"]["pool"]["name"], device["name"], device)
            for obj in await self.published()
            for device in obj["spec"].get("devices") or ()
        ]
        chosen = _compatible(await self.slices(), [one for one in offered if not shared or one.is_shared])
        if len(chosen) < count:
            kind = "devices that allow multiple allocations" if shared else "devices"
            raise NotApplicable(f"needs {count} {kind}, the driver offers {len(chosen)}")
        return chosen[:count]

    # --- claims ---

    async def claim(
        self,
        name: str,
        *devices: Published,
        requests: Sequence[str] = (),
        admin: bool = False,
        foreign: bool = False,
    ) -> Object:
        """A claim in the API that has `devices` allocated, one for each of `requests` ("r0", "r1", ...).

        `foreign`: a device of another driver as well.
        """
        names = list(requests) or [f"r{index}" for index in range(len(devices))]
        results = [
            self._result(request, device, admin) for request, device in zip(names, devices, strict=True)
        ]
        if foreign:
            names.append("foreign")
            results.append({"request": "foreign", "driver": "other.example.com", "pool": "p", "device": "d"})
        created = await self.unallocated(name, names, admin=admin)
        allocation: Object = {"results": results}
        if self.subject.parameters is not None and devices:
            opaque = {"driver": self.driver, "parameters": self.subject.parameters}
            mine = list(dict.fromkeys(request.partition("/")[0] for request in names[: len(devices)]))
            allocation["config"] = [{"source": "FromClaim", "requests": mine, "opaque": opaque}]
        obj = {**created, "status": {"allocation": {"devices": allocation}}}
        return await self.api.client.update(RESOURCE_CLAIMS, obj, subresource="status")

    async def unallocated(self, name: str, requests: Sequence[str], *, admin: bool = False) -> Object:
        return await self.api.client.create(
            RESOURCE_CLAIMS,
            {
                "apiVersion": RESOURCE_CLAIMS.api_version,
                "kind": RESOURCE_CLAIMS.kind,
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"devices": {"requests": _requests(requests, admin)}},
            },
        )

    async def delete_claim(self, claim: Object) -> None:
        await self.api.client.delete(RESOURCE_CLAIMS, name_of(claim), NAMESPACE)

    def _result(self, request: str, device: Published, admin: bool) -> Object:
        result: Object = {
            "request": request,
            "driver": self.driver,
            "pool": device.pool,
            "device": device.name,
        }
        if admin:
            result["adminAccess"] = True
        elif device.is_shared:
            result["shareID"] = str(uuid.uuid4())
            result["consumedCapacity"] = _smallest_share(device)
        return result

    async def prepared(self, plugin: Plugin, claim: Object) -> list[Any]:
        """The devices in the driver's answer, which is as the contract wants it."""
        answer = await self.answers(plugin.prepare(claim), "prepare")
        if set(answer) != {uid_of(claim)}:
            raise Violation(
                f"the answer must have one entry, for claim {uid_of(claim)}; it has entries for {sorted(answer)}"
            )
        devices = answer[uid_of(claim)]
        check_reply(claim, devices, self.driver, plugin.version, self.kubelet.cdi_root)
        return devices

    async def unprepared(self, plugin: Plugin, claim: Object) -> None:
        released = await self.answers(plugin.unprepare(claim), "unprepare")
        if uid_of(claim) not in released:
            raise Violation("the unprepare answer has no entry for the claim")

    async def answers(self, call: Awaitable[Found], what: str) -> Found:
        """The answer of a call that must succeed."""
        try:
            return await call
        except PrepareError as error:
            raise Violation(f"{what} must succeed, but the claim's answer is the error: {error}") from None
        except grpc.aio.AioRpcError as error:
            raise Violation(
                f"{what} must succeed, but the call failed: {error.code().name}: {error.details()}"
            ) from None

    async def refuses(self, call: Awaitable[object], what: str) -> str:
        """The text of the error with which the driver refuses, for the claim or for the call."""
        try:
            await call
        except PrepareError as error:
            return str(error)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise Violation(f"{what} must be refused, but there was no answer in time") from None
            return str(error.details())
        raise Violation(f"{what} must be refused, but it succeeded")


def _requests(names: Sequence[str], admin: bool) -> list[Object]:
    """Requests that have `names`: with a slash, alternatives of a prioritized list."""
    exactly: Object = {"deviceClassName": "any"}
    if admin:
        exactly["adminAccess"] = True
    requests: dict[str, Object] = {}
    for name in names:
        base, _, sub = name.partition("/")
        if sub:
            requests[base] = {"name": base, "firstAvailable": [{"name": sub, "deviceClassName": "any"}]}
        else:
            requests[base] = {"name": base, "exactly": {**exactly, "count": list(names).count(name)}}
    return list(requests.values())


def _smallest_share(device: Published) -> Object:
    """What a request that names no amounts consumes of a shared device."""
    consumed = {}
    for name, capacity in (device.raw.get("capacity") or {}).items():
        policy = capacity.get("requestPolicy") or {}
        consumed[name] = policy.get("default") or capacity["value"]
    return consumed


def _by_pool(slices: Iterable[Object]) -> list[list[Object]]:
    pools: dict[str, list[Object]] = {}
    for obj in slices:
        pools.setdefault(obj["spec"]["pool"]["name"], []).append(obj)
    return list(pools.values())


def _is_complete(slices: Sequence[Object]) -> bool:
    newest = max(obj["spec"]["pool"]["generation"] for obj in slices)
    current = [obj["spec"]["pool"] for obj in slices if obj["spec"]["pool"]["generation"] == newest]
    return all(pool["resourceSliceCount"] == len(current) for pool in current)


def _compatible(slices: Iterable[Object], offered: Iterable[Published]) -> list[Published]:
    """As many of `offered` as the counters of their pools allow together, those that consume least first."""
    left = {
        (obj["spec"]["pool"]["name"], one["name"], counter): parse_quantity(amount["value"]).nanos
        for obj in slices
        for one in obj["spec"].get("sharedCounters") or ()
        for counter, amount in one["counters"].items()
    }
    chosen = []
    for device in sorted(offered, key=lambda one: sum(_needs(one).values())):
        needs = _needs(device)
        if all(key in left and left[key] >= amount for key, amount in needs.items()):
            for key, amount in needs.items():
                left[key] -= amount
            chosen.append(device)
    return chosen


def _needs(device: Published) -> dict[tuple[str, str, str], int]:
    return {
        (device.pool, one["counterSet"], counter): parse_quantity(amount["value"]).nanos
        for one in device.raw.get("consumesCounters") or ()
        for counter, amount in one["counters"].items()
    }

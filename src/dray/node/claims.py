"""Devices for the pods of this node: prepared by their drivers before the first container, given back after the last.

Phases and texts are the kubelet's: every claim of a pod is checked before any driver is asked; one call a driver covers
all claims; what was prepared is on disk before a container uses it. A driver that is gone for good does not hold a pod
back for ever: when neither it nor any pod that could bring it back is on the node, its claim is given up.
Source: kubernetes pkg/kubelet/cm/dra/manager.go, 1.36.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import grpc.aio

from dray.api import errors
from dray.api.meta import Object, name_of, namespace_of, uid_of
from dray.api.pods import claims_of, is_for_pod, is_reserved_for
from dray.api.resources import RESOURCE_CLAIMS
from dray.client.protocol import Client, Unreachable
from dray.node.checkpoint import Checkpoint, Device, PreparedClaim
from dray.node.drivers import NotRegistered, PluginRegistry

log = logging.getLogger("dray.node.dra")

GIVE_UP_SECONDS = 5.0
"""How long a missing driver is waited for once nothing on the node could bring it back."""


class PrepareFailure(Exception):
    """The pod's devices cannot be prepared now; the text is what its event says."""


class UnprepareFailure(Exception):
    """A driver did not give a device back; to be tried again."""


class DraManager:
    def __init__(self, client: Client, plugins: PluginRegistry, checkpoint: Checkpoint) -> None:
        self._client = client
        self._plugins = plugins
        self._checkpoint = checkpoint
        self._claims = checkpoint.load()
        self._lock = asyncio.Lock()
        self._missing_since: dict[str, float] = {}

    def prepared_pods(self) -> set[str]:
        """Uids of all pods that hold prepared claims."""
        return {pod for claim in self._claims.values() for pod in claim.pods}

    async def prepare(self, pod: Object) -> None:
        """Raises PrepareFailure. Safe to repeat."""
        wanted = [await self._checked(pod, name, claim) for name, claim in _wanted(pod)]
        async with self._lock:
            todo = self._enter(pod, [claim for claim in wanted if claim is not None])
            if todo:
                await self._call_drivers(todo)

    async def _checked(self, pod: Object, entry: str, name: str | None) -> Object | None:
        if name is None:
            return None
        try:
            claim = await self._client.get(RESOURCE_CLAIMS, name, namespace_of(pod))
        except (errors.StatusError, Unreachable) as error:
            raise PrepareFailure(
                f"failed to fetch ResourceClaim {name} referenced by pod {name_of(pod)}: {error}"
            ) from error
        template = next(each.template for each in claims_of(pod) if each.name == entry)
        if template is not None and not is_for_pod(claim, pod):
            raise PrepareFailure(
                f"ResourceClaim {namespace_of(pod)}/{name} was not created for pod {namespace_of(pod)}/{name_of(pod)} (pod is not owner)"
            )
        if not is_reserved_for(claim, pod):
            raise PrepareFailure(
                f"pod {name_of(pod)}({uid_of(pod)}) is not allowed to use resource claim {name}({uid_of(claim)})"
            )
        if not (claim.get("status") or {}).get("allocation"):
            raise PrepareFailure(f"resource claim {name} is not allocated")
        return claim

    def _enter(self, pod: Object, claims: list[Object]) -> list[PreparedClaim]:
        """Note the pod as a user of each claim; returns the claims that drivers must still prepare."""
        todo: list[PreparedClaim] = []
        for claim in claims:
            info = self._claims.get(uid_of(claim))
            if info is None:
                other = next(
                    (
                        each
                        for each in self._claims.values()
                        if (each.namespace, each.name) == (namespace_of(claim), name_of(claim))
                    ),
                    None,
                )
                if other is not None:
                    raise PrepareFailure(
                        f"old claim with same name {other.namespace}/{other.name} and different UID {other.uid} still exists"
                    )
                info = self._claims[uid_of(claim)] = PreparedClaim(
                    namespace_of(claim), name_of(claim), uid_of(claim), _drivers(claim)
                )
            if uid_of(pod) not in info.pods:
                info.pods.append(uid_of(pod))
            if not info.prepared:
                todo.append(info)
        if claims:
            self._checkpoint.store(self._claims.values())
        return todo

    async def _call_drivers(self, claims: list[PreparedClaim]) -> None:
        by_driver: dict[str, list[PreparedClaim]] = {}
        for claim in claims:
            for driver in claim.drivers:
                by_driver.setdefault(driver, []).append(claim)
        try:
            plugins = {driver: self._plugins.find(driver) for driver in by_driver}
        except NotRegistered as error:
            raise PrepareFailure(str(error)) from error
        for claim in claims:
            claim.devices = []
        for driver, members in by_driver.items():
            try:
                answer = await plugins[driver].call(
                    "NodePrepareResources", [_reference(claim) for claim in members]
                )
            except grpc.aio.AioRpcError as error:
                raise PrepareFailure(
                    f"NodePrepareResources: rpc error: code = {_code(error)} desc = {error.details()}"
                ) from error
            for claim in members:
                _take_devices(driver, claim, answer)
        for claim in claims:
            claim.prepared = True
        self._checkpoint.store(self._claims.values())

    def cdi_devices(self, pod: Object, container: Mapping[str, Any]) -> list[str]:
        """Qualified CDI names for one container, in the order in which they apply, each once."""
        names = dict(_wanted(pod))
        found: dict[str, None] = {}
        for use in (container.get("resources") or {}).get("claims") or ():
            claim = self._find(namespace_of(pod), names.get(use["name"]))
            for device in claim.devices if claim else ():
                if not use.get("request") or use["request"] in {
                    request.partition("/")[0] for request in device.requests
                }:
                    found.update(dict.fromkeys(device.cdi_ids))
        return list(found)

    def resource_status(self, pod: Object, container: Mapping[str, Any]) -> list[Object]:
        """`allocatedResourcesStatus` of one container."""
        names = dict(_wanted(pod))
        statuses: list[Object] = []
        for use in (container.get("resources") or {}).get("claims") or ():
            claim = self._find(namespace_of(pod), names.get(use["name"]))
            ids = [device.cdi_ids[0] for device in claim.devices if device.cdi_ids] if claim else []
            label = f"claim:{use['name']}" + (f"/{use['request']}" if use.get("request") else "")
            resources = [{"resourceID": each, "health": "Unknown"} for each in dict.fromkeys(ids)]
            statuses.append({"name": label, "resources": resources})
        return [status for status in statuses if status["resources"]]

    def _find(self, namespace: str, name: str | None) -> PreparedClaim | None:
        return next(
            (each for each in self._claims.values() if (each.namespace, each.name) == (namespace, name)), None
        )

    async def unprepare(self, pod_uid: str, may_return: Callable[[str], bool]) -> None:
        """Give back what only this pod still uses. Raises UnprepareFailure.

        `may_return(driver)`: whether something on the node could still bring a missing driver back.
        """
        async with self._lock:
            for claim in [each for each in self._claims.values() if pod_uid in each.pods]:
                if len(claim.pods) == 1:
                    await self._unprepare_claim(claim, may_return)
                    del self._claims[claim.uid]
                else:
                    claim.pods.remove(pod_uid)
                self._checkpoint.store(self._claims.values())

    async def _unprepare_claim(self, claim: PreparedClaim, may_return: Callable[[str], bool]) -> None:
        for driver in claim.drivers:
            try:
                answer = await self._plugins.find(driver).call("NodeUnprepareResources", [_reference(claim)])
            except NotRegistered as error:
                if not claim.prepared or self._is_given_up(driver, may_return):
                    log.warning(
                        "Claim %s/%s is given up: %s, and nothing on this node can bring it back",
                        claim.namespace,
                        claim.name,
                        error,
                    )
                    continue
                raise UnprepareFailure(f"unprepare dynamic resources: {error}") from error
            except grpc.aio.AioRpcError as error:
                raise UnprepareFailure(
                    f"unprepare dynamic resources: NodeUnprepareResources: rpc error: code = {_code(error)} desc = {error.details()}"
                ) from error
            self._missing_since.pop(driver, None)
            if claim.uid in answer.claims and answer.claims[claim.uid].error:
                raise UnprepareFailure(
                    f"unprepare dynamic resources: NodeUnprepareResources failed for ResourceClaim {claim.name}: {answer.claims[claim.uid].error}"
                )

    def _is_given_up(self, driver: str, may_return: Callable[[str], bool]) -> bool:
        now = asyncio.get_running_loop().time()
        if may_return(driver):
            self._missing_since.pop(driver, None)
            return False
        return now - self._missing_since.setdefault(driver, now) >= GIVE_UP_SECONDS

    def users_of(self, driver: str) -> Iterable[str]:
        """Pods with prepared devices of a driver."""
        return [pod for claim in self._claims.values() if driver in claim.drivers for pod in claim.pods]

    def drivers_in_use(self) -> set[str]:
        return {driver for claim in self._claims.values() if claim.pods for driver in claim.drivers}


def _wanted(pod: Object) -> list[tuple[str, str | None]]:
    """(entry, claim name) of every claim of the pod. Raises PrepareFailure while one is not made yet."""
    entries: list[tuple[str, str | None]] = []
    for claim in claims_of(pod):
        if not claim.is_resolved:
            raise PrepareFailure(f'pod "{namespace_of(pod)}/{name_of(pod)}": ResourceClaim not created yet')
        entries.append((claim.name, claim.claim))
    return entries


def _drivers(claim: Object) -> list[str]:
    results = ((claim["status"]["allocation"].get("devices") or {}).get("results")) or ()
    return list(dict.fromkeys(result["driver"] for result in results))


def _reference(claim: PreparedClaim) -> dict[str, str]:
    return {"namespace": claim.namespace, "uid": claim.uid, "name": claim.name}


def _code(error: grpc.aio.AioRpcError) -> str:
    """As Go prints codes: DEADLINE_EXCEEDED is DeadlineExceeded."""
    return "".join(word.capitalize() for word in error.code().name.split("_"))


def _take_devices(driver: str, claim: PreparedClaim, answer: Any) -> None:
    if claim.uid not in answer.claims:
        raise PrepareFailure(f"NodePrepareResources skipped ResourceClaim {claim.name}")
    response = answer.claims[claim.uid]
    if response.error:
        raise PrepareFailure(f"NodePrepareResources failed for ResourceClaim {claim.name}: {response.error}")
    claim.devices += [
        Device(
            driver,
            device.pool_name,
            device.device_name,
            list(device.request_names),
            list(device.cdi_device_ids),
            getattr(device, "share_id", ""),
        )
        for device in response.devices
    ]

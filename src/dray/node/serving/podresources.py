"""The kubelet's pod-resources service: which devices each container holds, for monitoring agents of the node.

A claim is listed with all of its devices for a container that uses any request of it, as the kubelet does; each device
with its own CDI names alone. There are no device plugins here and no CPU or memory manager, so the rest is empty.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import grpc

from dray.api.meta import Object, name_of, namespace_of
from dray.kits.clock import Clock
from dray.node.dra.claiminfo import ClaimInfo, PreparedDevice
from dray.node.dra.containers import ClaimUnknown, FindClaim, used_claims
from dray.node.pods.view import Role, container_specs
from dray.wire.kubelet import POD_RESOURCES
from dray.wire.rpc import RpcFailure, UnixServer, service_handler

log = logging.getLogger("dray.node.podresources")

SERVICE: Final = "PodResourcesLister"
CALLS_PER_SECOND: Final = 100.0
BURST: Final = 10


class Pods(Protocol):
    def active(self) -> Sequence[Object]:
        """Pods that run, or are about to, or are being stopped."""
        ...

    def find(self, namespace: str, name: str) -> Object | None: ...


class PodResources:
    """The service's methods."""

    def __init__(self, pods: Pods, find: FindClaim, clock: Clock) -> None:
        self._pods = pods
        self._find = find
        self._allowance = Allowance(clock.monotonic, CALLS_PER_SECOND, BURST)

    async def list_all(self, request: Any) -> Any:
        self._allowance.take()
        found = [self._pod(pod) for pod in self._pods.active()]
        return _message("ListPodResourcesResponse", pod_resources=found)

    async def get(self, request: Any) -> Any:
        self._allowance.take()
        pod = self._pods.find(request.pod_namespace, request.pod_name)
        if pod is None:
            text = f"pod {request.pod_name} in namespace {request.pod_namespace} not found"
            raise RpcFailure(grpc.StatusCode.UNKNOWN, text)
        return _message("GetPodResourcesResponse", pod_resources=self._pod(pod))

    async def get_allocatable(self, request: Any) -> Any:
        self._allowance.take()
        return _message("AllocatableResourcesResponse")

    def _pod(self, pod: Object) -> Any:
        containers = [
            _message("ContainerResources", name=spec["name"], dynamic_resources=self._claims(pod, spec))
            for role, spec in container_specs(pod)
            if role in (Role.SIDECAR, Role.MAIN)
        ]
        return _message("PodResources", name=name_of(pod), namespace=namespace_of(pod), containers=containers)

    def _claims(self, pod: Object, container: Any) -> list[Any]:
        try:
            claims = used_claims(pod, container, self._find)
        except ClaimUnknown:
            # Not prepared yet, or given back already.
            return []
        return [self._claim(claim) for claim in claims]

    def _claim(self, claim: ClaimInfo) -> Any:
        devices = [self._device(driver, device) for driver, device in claim.devices()]
        return _message(
            "DynamicResource", claim_name=claim.name, claim_namespace=claim.namespace, claim_resources=devices
        )

    def _device(self, driver: str, device: PreparedDevice) -> Any:
        return _message(
            "ClaimResource",
            cdi_devices=[_message("CDIDevice", name=name) for name in dict.fromkeys(device.cdi_ids)],
            driver_name=driver,
            pool_name=device.pool,
            device_name=device.device,
            share_id=device.share_id,
        )


def _message(type: str, /, **fields: Any) -> Any:
    return POD_RESOURCES.message(type)(**fields)


class Allowance:
    """How often one may ask: `burst` at once, and `rate` a second on the whole."""

    def __init__(self, monotonic: Callable[[], float], rate: float, burst: int) -> None:
        self._monotonic = monotonic
        self._rate = rate
        self._burst = float(burst)
        self._left = self._burst
        self._at = monotonic()

    def take(self) -> None:
        """Raises RpcFailure when it is used up."""
        now = self._monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            raise RpcFailure(grpc.StatusCode.RESOURCE_EXHAUSTED, "rejected by rate limit")
        self._left -= 1


async def serve_pod_resources(socket: Path, service: PodResources) -> None:
    """Until cancelled. A socket that cannot be had is told: the pods of the node can do without it."""
    methods = {
        "List": service.list_all,
        "Get": service.get,
        "GetAllocatableResources": service.get_allocatable,
    }
    try:
        server = UnixServer(socket, [service_handler(POD_RESOURCES, SERVICE, methods)])
        await server.start()
    except (OSError, ValueError) as error:
        log.warning("The pod-resources service cannot be served at %s: %s", socket, error)
        return
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()

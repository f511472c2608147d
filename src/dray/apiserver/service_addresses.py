"""The table of service addresses as clients read it: an IPAddress for each address of a service, and their ServiceCIDR.

The addresses themselves are given by `registry.service_allocation`; this only keeps the objects in step with the services.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from dray.api import errors
from dray.api.meta import Object, format_time, name_of, namespace_of
from dray.api.resources import SERVICES
from dray.apiserver.registry.service_address import IP_ADDRESSES, SERVICE_CIDRS
from dray.apiserver.registry.service_allocation import ADDRESSES
from dray.client.informer import Informer
from dray.client.protocol import Client, Selection, Unreachable
from dray.kits.clock import Clock
from dray.kits.tasks import TaskSet

MANAGED_BY: Final = "ipaddress.kubernetes.io/managed-by"
MANAGER: Final = "ipallocator.k8s.io"
_FAMILY: Final = "ipaddress.kubernetes.io/ip-family"
_CIDR: Final = "kubernetes"
RETRY_SECONDS: Final = 5.0


class ServiceAddresses:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._changed = asyncio.Event()
        self._services = Informer(client, SERVICES)
        self._addresses = Informer(client, IP_ADDRESSES, Selection(labels=f"{MANAGED_BY}={MANAGER}"))
        for informer in (self._services, self._addresses):
            informer.add_handler(
                on_add=lambda obj: self._changed.set(),
                on_update=lambda old, new: self._changed.set(),
                on_delete=lambda obj: self._changed.set(),
            )

    async def run(self) -> None:
        """For as long as the server runs."""
        tasks = TaskSet("service-addresses")
        try:
            for informer in (self._services, self._addresses):
                tasks.start(informer.run(), informer.resource.plural)
            for informer in (self._services, self._addresses):
                await informer.wait_synced()
            while True:
                self._changed.clear()
                try:
                    await self._settle()
                    await self._changed.wait()
                except (errors.StatusError, Unreachable):
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            await tasks.stop()

    async def _settle(self) -> None:
        await self._ensure_range()
        wanted = _given(self._services.cache.list())
        present = {name_of(each): each for each in self._addresses.cache.list()}
        for address, each in present.items():
            if each["spec"].get("parentRef") != wanted.get(address):
                await self._delete(each)
        for address, parent in wanted.items():
            if address not in present or present[address]["spec"].get("parentRef") != parent:
                await self._create(_object(address, parent))

    async def _ensure_range(self) -> None:
        """The range that the addresses are from, which every cluster has and which is always ready."""
        try:
            await self._client.get(SERVICE_CIDRS, _CIDR)
        except errors.NotFound:
            made = await self._client.create(
                SERVICE_CIDRS,
                {
                    "apiVersion": SERVICE_CIDRS.api_version,
                    "kind": SERVICE_CIDRS.kind,
                    "metadata": {"name": _CIDR},
                    "spec": {"cidrs": [str(ADDRESSES)]},
                },
            )
            ready = {
                "type": "Ready",
                "status": "True",
                "lastTransitionTime": format_time(self._clock.now()),
                "message": "Kubernetes default Service CIDR is ready",
                "reason": "",
            }
            await self._client.update(
                SERVICE_CIDRS, {**made, "status": {"conditions": [ready]}}, subresource="status"
            )

    async def _create(self, obj: Object) -> None:
        try:
            await self._client.create(IP_ADDRESSES, obj)
        except errors.AlreadyExists:
            return  # somebody's own, or one that the cache has not seen yet

    async def _delete(self, obj: Object) -> None:
        try:
            await self._client.delete(IP_ADDRESSES, name_of(obj), uid=obj["metadata"]["uid"])
        except (errors.NotFound, errors.Conflict):
            return


def _given(services: list[Object]) -> Mapping[str, Object]:
    """Address -> the service that has it, as a reference."""
    return {
        address: {"resource": SERVICES.plural, "namespace": namespace_of(service), "name": name_of(service)}
        for service in services
        for address in service["spec"].get("clusterIPs") or ()
        if address != "None"
    }


def _object(address: str, parent: Object) -> Object:
    family = "IPv6" if ":" in address else "IPv4"
    return {
        "apiVersion": IP_ADDRESSES.api_version,
        "kind": IP_ADDRESSES.kind,
        "metadata": {"name": address, "labels": {_FAMILY: family, MANAGED_BY: MANAGER}},
        "spec": {"parentRef": parent},
    }

"""Objects that an API server keeps by itself: the table of service addresses, and the lease that says it is alive."""

import asyncio
from collections.abc import Awaitable, Callable

from dray.api.meta import Object, name_of
from dray.api.resources import LEASES, NAMESPACES, SERVICES
from dray.apiserver.core import Core
from dray.apiserver.identity_lease import IdentityLease
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.service_address import IP_ADDRESSES, SERVICE_CIDRS
from dray.apiserver.service_addresses import ServiceAddresses
from dray.kits.clock import LoopClock
from dray.store.memory import MemoryStore
from dray.testing import virtual


def run(scenario: Callable[[LocalClient], Awaitable[None]]) -> None:
    async def within() -> None:
        client = LocalClient(Core(MemoryStore(), catalog(), clock=LoopClock()))
        for name in ("default", "kube-system"):
            await client.create(NAMESPACES, {"metadata": {"name": name}})
        await scenario(client)

    virtual.run(within())


def service(name: str, **spec: object) -> Object:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


async def table(client: LocalClient) -> dict[str, str]:
    """Address -> who has it, as clients read it a moment later."""
    await asyncio.sleep(1)
    found = (await client.list(IP_ADDRESSES)).items
    return {name_of(each): each["spec"]["parentRef"]["name"] for each in found}


def test_each_address_of_a_service_has_an_object_for_as_long_as_the_service_lives() -> None:
    async def scenario(client: LocalClient) -> None:
        first = await client.create(SERVICES, service("a"), "default")
        task = asyncio.create_task(ServiceAddresses(client, LoopClock()).run())
        await client.create(SERVICES, service("none", clusterIP="None"), "default")
        address = first["spec"]["clusterIP"]
        assert await table(client) == {address: "a"}
        await client.delete(SERVICES, "a", "default")
        await client.create(SERVICES, service("b", clusterIP=address), "default")
        assert await table(client) == {address: "b"}
        await client.delete(SERVICES, "b", "default")
        assert await table(client) == {}
        task.cancel()

    run(scenario)


def test_range_of_addresses_is_shown_and_ready() -> None:
    async def scenario(client: LocalClient) -> None:
        task = asyncio.create_task(ServiceAddresses(client, LoopClock()).run())
        await asyncio.sleep(1)
        found = await client.get(SERVICE_CIDRS, "kubernetes")
        assert found["spec"]["cidrs"] == ["10.96.0.0/12"]
        (ready,) = found["status"]["conditions"]
        assert (ready["type"], ready["status"]) == ("Ready", "True")
        task.cancel()

    run(scenario)


def test_address_that_somebody_else_keeps_is_left_alone() -> None:
    async def scenario(client: LocalClient) -> None:
        parent = {"resource": "things", "name": "x"}
        await client.create(IP_ADDRESSES, {"metadata": {"name": "10.96.9.9"}, "spec": {"parentRef": parent}})
        task = asyncio.create_task(ServiceAddresses(client, LoopClock()).run())
        assert await table(client) == {"10.96.9.9": "x"}
        task.cancel()

    run(scenario)


def test_server_renews_the_lease_that_says_it_is_alive() -> None:
    async def scenario(client: LocalClient) -> None:
        lease = IdentityLease(client, LoopClock(), "host")
        task = asyncio.create_task(lease.run())
        await asyncio.sleep(1)
        first = await client.get(LEASES, lease.name, "kube-system")
        assert first["metadata"]["labels"]["apiserver.kubernetes.io/identity"] == "kube-apiserver"
        assert first["spec"]["holderIdentity"].startswith(f"{lease.name}_")
        await asyncio.sleep(25)
        later = await client.get(LEASES, lease.name, "kube-system")
        assert later["spec"]["renewTime"] > first["spec"]["renewTime"]
        task.cancel()
        assert IdentityLease(client, LoopClock(), "host").name == lease.name, (
            "a server is known again after a restart"
        )

    run(scenario)

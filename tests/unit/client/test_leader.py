import asyncio

import pytest

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import LEASES, Resource
from dray.client.leader import LeaderElector, LeadershipLost
from dray.kits.clock import LoopClock
from dray.testing import virtual
from dray.testing.memory_client import MemoryClient


def elector(client: MemoryClient, identity: str) -> LeaderElector:
    return LeaderElector(client, "kube-scheduler", identity, LoopClock())


def holder(client: MemoryClient) -> str:
    lease = client.find(LEASES, "kube-scheduler", "kube-system")
    assert lease is not None
    return str(lease["spec"]["holderIdentity"])


async def stand(client: MemoryClient, identity: str, led: list[str]) -> None:
    async def work() -> None:
        led.append(identity)
        await asyncio.sleep(3600)

    await elector(client, identity).run(work)


def test_second_candidate_waits_until_the_first_lets_go() -> None:
    async def scenario() -> None:
        client, led = MemoryClient(), list[str]()
        first = asyncio.create_task(stand(client, "a", led))
        await asyncio.sleep(1)
        second = asyncio.create_task(stand(client, "b", led))
        await asyncio.sleep(60)
        assert led == ["a"]

        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await asyncio.sleep(3)

        assert led == ["a", "b"]
        assert holder(client) == "b"
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)

    virtual.run(scenario())


def test_a_dead_leader_is_replaced_after_its_lease_ran_out() -> None:
    async def scenario() -> None:
        client, led = MemoryClient(), list[str]()
        spec = {"holderIdentity": "dead", "leaseDurationSeconds": 15, "leaseTransitions": 4}
        client.put(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": "kube-scheduler", "namespace": "kube-system"},
                "spec": spec,
            }
        )
        task = asyncio.create_task(stand(client, "b", led))
        await asyncio.sleep(14)
        assert led == []

        await asyncio.sleep(4)

        assert led == ["b"]
        lease = client.find(LEASES, "kube-scheduler", "kube-system")
        assert lease is not None
        assert lease["spec"]["leaseTransitions"] == 5
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    virtual.run(scenario())


def test_leader_stops_working_when_it_cannot_renew() -> None:
    async def scenario() -> None:
        client, led = MemoryClient(), list[str]()
        task = asyncio.create_task(stand(client, "a", led))
        await asyncio.sleep(5)

        def refuse(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
            raise errors.InternalError("etcd is down")

        client.reactions.append(refuse)
        with pytest.raises(LeadershipLost, match="kube-system/kube-scheduler was lost by a"):
            await task
        assert asyncio.get_running_loop().time() < 20

    virtual.run(scenario())

"""When slices are written: at once, after 30 seconds, or again after an error."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dray.api.errors import InternalError
from dray.api.meta import Object
from dray.api.resources import RESOURCE_SLICES, Resource
from dray.sdk.devices import Device, NodeResource, Pool, Taint
from dray.sdk.errors import BackgroundError, DroppedFieldsError, PublishError
from dray.sdk.publisher import ClusterScope, NodeScope, Publisher
from dray.testing import virtual
from dray.testing.memory_client import MemoryClient

NODE: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node", "uid": "node-uid"}}


class Stage:
    def __init__(self, client: MemoryClient, publisher: Publisher, errors: list[BackgroundError]) -> None:
        self.client = client
        self.publisher = publisher
        self.errors = errors

    def slices(self) -> list[Object]:
        return sorted(self.client.all(RESOURCE_SLICES), key=lambda obj: str(obj["metadata"]["name"]))

    def summary(self) -> list[tuple[str, str, int, int]]:
        return [
            (
                obj["metadata"]["name"][:5],
                obj["spec"]["pool"]["name"],
                obj["spec"]["pool"]["generation"],
                len(obj["spec"].get("devices", [])),
            )
            for obj in self.slices()
        ]

    async def publish(self, *pools: Pool) -> None:
        self.publisher.publish(pools)
        await self.publisher.published()


@asynccontextmanager
async def stage(
    *objects: Object, scope: NodeScope | ClusterScope | None = None, start: bool = True, **more: Any
) -> AsyncIterator[Stage]:
    client = MemoryClient(NODE, *objects)
    errors: list[BackgroundError] = []
    publisher = Publisher(client, scope or NodeScope("gpu.example.com", "node"), errors.append, **more)
    if start:
        await publisher.start()
    yield Stage(client, publisher, errors)
    await publisher.stop()


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    virtual.run(scenario())


def pool(count: int, name: str = "node", **more: Any) -> Pool:
    return Pool(name, tuple(Device(f"gpu-{index}", **more) for index in range(count)))


def foreign(name: str, **spec: Any) -> Object:
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": name},
        "spec": {
            "driver": "gpu.example.com",
            "pool": {"name": "node", "generation": 1, "resourceSliceCount": 1},
            **spec,
        },
    }


def test_published_pools_appear_at_once_with_owner_and_node() -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.publish(pool(130))
            assert s.summary() == [("00000", "node", 1, 128), ("00001", "node", 1, 2)]
            first = s.slices()[0]
            assert first["metadata"]["ownerReferences"][0]["uid"] == "node-uid"
            assert first["spec"]["nodeName"] == "node"
            assert asyncio.get_running_loop().time() < 1

    run(scenario)


def test_publishing_the_same_again_writes_nothing() -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.publish(pool(3))
            await s.publish(pool(3))
            await asyncio.sleep(300)
            assert s.publisher.writes == {"create": 1, "update": 0, "delete": 0}

    run(scenario)


def test_pools_that_are_no_longer_wanted_are_deleted() -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.publish(pool(1, "a"), pool(1, "b"))
            await s.publish(pool(1, "b"))
            assert [obj["spec"]["pool"]["name"] for obj in s.slices()] == ["b"]

    run(scenario)


def test_slices_of_an_earlier_instance_are_taken_over_or_removed() -> None:
    async def scenario() -> None:
        old = foreign("node-gpu.example.com-l4s86", nodeName="node")
        gone = foreign(
            "00000-x", nodeName="node", pool={"name": "other", "generation": 1, "resourceSliceCount": 1}
        )
        async with stage(old, gone, start=False) as s:
            s.publisher.publish([pool(1)])
            await s.publisher.start()
            await asyncio.sleep(1)
            assert s.summary() == [("00000", "node", 2, 1)]

    run(scenario)


def test_nothing_is_touched_before_the_driver_knows_its_devices() -> None:
    async def scenario() -> None:
        async with stage(foreign("00000-x", nodeName="node")) as s:
            await asyncio.sleep(600)
            assert [obj["metadata"]["name"] for obj in s.slices()] == ["00000-x"]

    run(scenario)


def test_slices_of_other_nodes_and_drivers_are_left_alone() -> None:
    async def scenario() -> None:
        others = (
            foreign("00000-a", nodeName="other"),
            foreign("00000-b", nodeName="node", driver="x.example.com"),
        )
        async with stage(*others) as s:
            await s.publish(pool(1))
            await s.publish()
            assert sorted(obj["metadata"]["name"] for obj in s.slices()) == ["00000-a", "00000-b"]

    run(scenario)


def test_wiped_slices_come_back_after_thirty_seconds() -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.publish(pool(2))
            await asyncio.sleep(100)
            await s.client.delete_collection(RESOURCE_SLICES)
            await asyncio.sleep(29.9)
            assert s.slices() == []
            await asyncio.sleep(0.2)
            assert s.summary() == [("00000", "node", 1, 2)]

    run(scenario)


def test_wiped_slices_of_a_node_that_came_back_belong_to_the_new_node() -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.publish(pool(1))
            s.client.put({**NODE, "metadata": {"name": "node", "uid": "new-uid"}})
            await s.client.delete_collection(RESOURCE_SLICES)
            await asyncio.sleep(31)
            assert s.slices()[0]["metadata"]["ownerReferences"][0]["uid"] == "new-uid"

    run(scenario)


def test_edits_by_others_are_undone_after_thirty_seconds() -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.publish(pool(2))
            await asyncio.sleep(100)
            obj = s.slices()[0]
            await s.client.update(RESOURCE_SLICES, {**obj, "spec": {**obj["spec"], "devices": []}})
            await asyncio.sleep(29)
            assert s.summary() == [("00000", "node", 1, 0)]
            await asyncio.sleep(2)
            assert s.summary() == [("00000", "node", 1, 2)]

    run(scenario)


def test_own_writes_cause_no_further_ones() -> None:
    async def scenario() -> None:
        async with stage() as s:
            for count in (1, 2, 300, 1):
                await s.publish(pool(count))
            await asyncio.sleep(600)
            assert s.publisher.writes == {"create": 3, "update": 3, "delete": 2}

    run(scenario)


def test_errors_are_reported_and_retried() -> None:
    async def scenario() -> None:
        async with stage() as s:
            refusals = 3

            def refuse(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
                nonlocal refusals
                if verb == "create" and refusals:
                    refusals -= 1
                    raise InternalError("etcd is away")

            s.client.reactions.append(refuse)
            await s.publish(pool(1))
            assert s.summary() == [("00000", "node", 1, 1)]
            assert [str(error) for error in s.errors] == ["pool 'node': etcd is away"] * 3
            assert not any(error.fatal for error in s.errors)

    run(scenario)


def test_a_slice_changed_meanwhile_is_written_again() -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.publish(pool(1))
            await asyncio.sleep(100)
            obj = s.slices()[0]
            # The informer has not seen this write when the publisher acts.
            s.client.put({**obj, "metadata": {**obj["metadata"], "labels": {"a": "b"}}})
            await s.publish(pool(2))
            assert s.summary() == [("00000", "node", 1, 2)]

    run(scenario)


class DroppingClient(MemoryClient):
    """A server with the feature gate of taints off."""

    async def create(self, resource: Resource, obj: Object, namespace: str = "", **more: Any) -> Object:
        kept = copy.deepcopy(obj)
        for device in kept["spec"].get("devices", []):
            device.pop("taints", None)
        return await super().create(resource, kept, namespace, **more)


def test_dropped_fields_are_reported_with_their_gate_and_not_asked_for_again() -> None:
    async def scenario() -> None:
        client = DroppingClient(NODE)
        errors: list[BackgroundError] = []
        publisher = Publisher(client, NodeScope("gpu.example.com", "node"), errors.append)
        await publisher.start()
        written = pool(1, taints=(Taint("bad"),))
        publisher.publish([written])
        await publisher.published()
        await client.delete_collection(RESOURCE_SLICES)
        await asyncio.sleep(100)
        await publisher.stop()
        assert publisher.writes == {"create": 2, "update": 0, "delete": 0}
        dropped = [error for error in errors if isinstance(error, DroppedFieldsError)]
        assert len(dropped) == 1
        assert (dropped[0].fields, dropped[0].gates) == (("taints",), ("DRADeviceTaints",))

    run(scenario)


def test_impossible_pools_are_refused_and_the_published_ones_stay() -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.publish(pool(1))
            with pytest.raises(PublishError, match="defined twice"):
                s.publisher.publish([Pool("node", (Device("a"), Device("a")))])
            with pytest.raises(PublishError, match="publish it from a ClusterScope"):
                s.publisher.publish([Pool("node", all_nodes=True)])
            with pytest.raises(PublishError, match="given twice"):
                s.publisher.publish([pool(1), pool(1)])
            await asyncio.sleep(100)
            assert s.summary() == [("00000", "node", 1, 1)]

    run(scenario)


def test_network_attached_pools_name_their_nodes_and_spare_node_local_ones() -> None:
    async def scenario() -> None:
        owner = {"apiVersion": "apps/v1", "kind": "Controller", "name": "c", "uid": "c-uid"}
        scope = ClusterScope("gpu.example.com", "controller", owner)
        local = foreign("00000-local", nodeName="node")
        async with stage(local, scope=scope) as s:
            await s.publish(Pool("fabric", (Device("nic-0"),), all_nodes=True))
            assert s.slices()[0]["spec"]["allNodes"] is True
            assert "nodeName" not in s.slices()[0]["spec"]
            assert s.slices()[0]["metadata"]["ownerReferences"] == [{**owner, "controller": True}]
            with pytest.raises(PublishError, match="does not say which nodes"):
                s.publisher.publish([pool(1)])
            await s.publish()
            assert [obj["metadata"]["name"] for obj in s.slices()] == ["00000-local"]

    run(scenario)


def test_stopping_leaves_the_slices_for_the_successor() -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.publish(pool(1))
            await s.publisher.stop()
            await asyncio.sleep(100)
            assert s.summary() == [("00000", "node", 1, 1)]

    run(scenario)


def test_counters_follow_a_server_that_is_upgraded_under_the_driver() -> None:
    async def scenario() -> None:
        minor = [34]

        async def version() -> int:
            return minor[0]

        partitioned = Pool("node", (Device("gpu-0", consumes={"s": {"m": "1"}}),), {"s": {"m": "4"}})
        async with stage(server_minor=version) as one:
            await one.publish(partitioned)
            assert len(one.slices()) == 1
            minor[0] = 35
            await one.publish(partitioned)
            specs = [obj["spec"] for obj in one.slices()]
            assert ["sharedCounters" in spec for spec in specs] == [True, False]
            assert {spec["pool"]["generation"] for spec in specs} == {2}

    run(scenario)


def test_node_resources_follow_a_server_that_is_upgraded_under_the_driver() -> None:
    async def scenario() -> None:
        minor = [36]

        async def version() -> int:
            return minor[0]

        cpus = Pool("node", (Device("numa-0", node_resources={"cpu": NodeResource(multiplier="8")}),))
        async with stage(server_minor=version) as one:
            await one.publish(cpus)
            (device,) = one.slices()[0]["spec"]["devices"]
            assert device["nodeAllocatableResourceMappings"] == {"cpu": {"allocationMultiplier": "8"}}
            minor[0] = 37
            await one.publish(cpus)
            (device,) = one.slices()[0]["spec"]["devices"]
            assert "nodeAllocatableResourceMappings" not in device
            assert device["nodeAllocatableResources"] == {"cpu": {"mapping": {"deviceMultiplier": "8"}}}

    run(scenario)


def test_devices_that_do_not_fit_an_old_server_are_an_error_that_waits_for_other_devices() -> None:
    async def scenario() -> None:
        async def old() -> int:
            return 34

        many = tuple(Device(f"part-{index}", consumes={"s": {"m": "1"}}) for index in range(65))
        async with stage(server_minor=old) as one:
            await one.publish(Pool("node", many, {"s": {"m": "100"}}))
            assert [str(error).partition(";")[2] for error in one.errors] == [
                " before Kubernetes 1.35 they must fit into one slice of 64"
            ]
            assert one.slices() == []
            await one.publish(Pool("node", many[:64], {"s": {"m": "100"}}))
            assert len(one.slices()) == 1

    run(scenario)

"""A question about the pools of a driver is answered once, when their slices are complete, and goes when it is old."""

from collections.abc import Callable

import pytest

from dray.api import errors
from dray.api.features import FeatureGates, parse_feature_gates
from dray.api.meta import Object
from dray.api.resources import RESOURCE_POOL_STATUS_REQUESTS, Resource
from dray.controllers.pool_counts import counted
from dray.controllers.pool_status import PoolStatusRequests
from dray.testing.memory_client import MemoryClient
from dray.testing.virtual import run
from tests.unit.controllers.harness import controllers, obj, settle

V1 = "resource.k8s.io/v1"


def request(**spec: object) -> Object:
    return obj(
        "ResourcePoolStatusRequest",
        "r",
        api_version="resource.k8s.io/v1alpha3",
        spec={"driver": "d", "limit": 100, **spec},
    )


def slice_of(
    pool: str,
    devices: int = 2,
    *,
    name: str = "",
    generation: int = 1,
    of: int = 1,
    driver: str = "d",
    node: str = "n",
) -> Object:
    spec: Object = {
        "driver": driver,
        "nodeName": node,
        "pool": {"name": pool, "generation": generation, "resourceSliceCount": of},
        "devices": [{"name": f"gpu-{number}"} for number in range(devices)],
    }
    return obj("ResourceSlice", name or f"{driver}-{pool}", api_version=V1, spec=spec)


def claim(pool: str, *devices: str, driver: str = "d") -> Object:
    results = [{"request": "r", "driver": driver, "pool": pool, "device": device} for device in devices]
    status = {"allocation": {"devices": {"results": results}}}
    return obj("ResourceClaim", f"{pool}-{'-'.join(devices)}", "ns", api_version=V1, spec={}, status=status)


def play(
    client: MemoryClient,
    *steps: Callable[[], object],
    seconds: float = 1.0,
    features: FeatureGates | None = None,
) -> None:
    async def scenario() -> None:
        async with controllers(client, PoolStatusRequests, features=features):
            await settle(seconds)
            for step in steps:
                step()
                await settle(seconds)

    run(scenario())


def answer(client: MemoryClient) -> Object | None:
    found = client.find(RESOURCE_POOL_STATUS_REQUESTS, "r")
    return found.get("status") if found else None


def test_an_answer_counts_the_devices_of_each_pool_and_those_that_claims_hold() -> None:
    client = MemoryClient(slice_of("b", 3), slice_of("a"), claim("b", "gpu-0", "gpu-1"), request())
    play(client)
    status = answer(client)
    assert status is not None
    (condition,) = status["conditions"]
    assert (condition["type"], condition["status"], condition["reason"], condition["message"]) == (
        "Complete",
        "True",
        "CalculationComplete",
        "Calculated status for 2 pools",
    )
    assert status["poolCount"] == 2
    assert [pool["poolName"] for pool in status["pools"]] == ["a", "b"]
    assert status["pools"][1] == {
        "driver": "d",
        "poolName": "b",
        "generation": 1,
        "nodeName": "n",
        "resourceSliceCount": 1,
        "totalDevices": 3,
        "allocatedDevices": 2,
        "availableDevices": 1,
        "unavailableDevices": 0,
    }


def test_only_the_pools_of_the_driver_and_of_the_name_asked_for_count() -> None:
    slices = [slice_of("a"), slice_of("b"), slice_of("a", driver="other")]
    held = [claim("a", "gpu-0", driver="other")]
    (found,) = counted({"driver": "d", "poolName": "a"}, slices, held)
    assert (found["driver"], found["poolName"], found["allocatedDevices"]) == ("d", "a", 0)
    assert counted({"driver": "unknown"}, slices, held) == []


def test_only_the_newest_generation_of_a_pool_counts() -> None:
    slices = [slice_of("a", 5, name="old"), slice_of("a", 1, name="new", generation=2)]
    (found,) = counted({"driver": "d"}, slices, [])
    assert (found["generation"], found["totalDevices"]) == (2, 1)


def test_a_pool_on_several_nodes_names_none() -> None:
    slices = [slice_of("a", name="1", of=2, node="n1"), slice_of("a", name="2", of=2, node="n2")]
    (found,) = counted({"driver": "d"}, slices, [])
    assert "nodeName" not in found
    assert found["totalDevices"] == 4


def test_more_devices_held_than_published_leave_none_available() -> None:
    (found,) = counted({"driver": "d"}, [slice_of("a", 1)], [claim("a", "gpu-0", "gone")])
    assert (found["allocatedDevices"], found["availableDevices"]) == (2, 0)


def test_the_limit_cuts_the_pools_but_not_their_count() -> None:
    client = MemoryClient(slice_of("a"), slice_of("b"), request(limit=1))
    play(client)
    status = answer(client) or {}
    assert (status["poolCount"], [pool["poolName"] for pool in status["pools"]]) == (2, ["a"])


def test_an_answer_waits_for_a_pool_that_is_being_published() -> None:
    client = MemoryClient(slice_of("a", name="1", of=2), request())
    seen: list[object] = []
    play(
        client,
        lambda: seen.append(answer(client)),
        lambda: client.put(slice_of("a", name="2", of=2)),
        seconds=2,
    )
    assert seen == [None]
    assert [pool["totalDevices"] for pool in (answer(client) or {})["pools"]] == [4]


def test_a_pool_that_stays_incomplete_is_told_of_without_numbers() -> None:
    client = MemoryClient(slice_of("a", name="1", of=2), request())
    play(client, seconds=12)
    status = answer(client) or {}
    (pool,) = status["pools"]
    assert pool["validationError"] == "pool d/a is incomplete: observed 1/2 slices at generation 1"
    assert "totalDevices" not in pool
    assert status["conditions"][0]["message"] == "Calculated status for 1 pools (1 incomplete)"


def test_a_question_is_answered_once() -> None:
    client = MemoryClient(slice_of("a"), request())
    play(client, lambda: client.put(slice_of("b")))
    assert (answer(client) or {})["poolCount"] == 1
    assert [write[0] for write in client.writes] == ["update"]


def test_an_answer_goes_after_an_hour() -> None:
    client = MemoryClient(slice_of("a"), request())
    there: list[bool] = []
    play(client, lambda: there.append(answer(client) is not None), seconds=3500)
    assert there == [True]
    assert client.all(RESOURCE_POOL_STATUS_REQUESTS) == []


def test_a_pool_beyond_the_limit_is_not_waited_for_nor_counted_in_the_message() -> None:
    client = MemoryClient(slice_of("a"), slice_of("b", of=2), request(limit=1))
    play(client)
    status = answer(client) or {}
    assert status["poolCount"] == 2
    assert status["conditions"][0]["message"] == "Calculated status for 1 pools"


def test_a_question_whose_answer_is_refused_fails() -> None:
    def refuse(verb: str, resource: Resource, subresource: str, obj: Object) -> None:
        if any(not pool["generation"] for pool in obj["status"].get("pools", ())):
            raise errors.Invalid("status.pools[0].generation: Required value")

    client = MemoryClient(slice_of("a", generation=0), request())
    client.reactions.append(refuse)
    play(client)
    status = answer(client) or {}
    (condition,) = status["conditions"]
    assert status["poolCount"] == 0
    assert (condition["type"], condition["status"], condition["reason"], condition["message"]) == (
        "Failed",
        "True",
        "CalculationFailed",
        "status.pools[0].generation: Required value",
    )


SHARED = {
    "name": "shared",
    "allowMultipleAllocations": True,
    "taints": [{"key": "k", "effect": "NoSchedule"}],
}


@pytest.mark.parametrize(
    ("gates", "release", "summed"),
    [
        ("DRAResourcePoolStatus=true", "1.36", False),
        ("DRAResourcePoolStatus=true", "1.37", True),
        ("DRAResourcePoolStatus=true,DRAPartitionableDevicesType=true", "1.36", True),
    ],
)
def test_pools_are_summed_up_in_137_and_wherever_the_gate_for_it_is_on(
    gates: str, release: str, summed: bool
) -> None:
    pool = slice_of("a", 0)
    pool["spec"]["devices"] = [SHARED]
    client = MemoryClient(pool, request())
    play(client, features=parse_feature_gates(gates, release))
    (found,) = (answer(client) or {})["pools"]
    assert ("shareableSummary" in found) == summed
    assert found["unavailableDevices"] == int(summed)


@pytest.mark.parametrize(("followed", "unavailable"), [("true", 2), ("false", 0)])
def test_rules_taint_devices_where_they_are_followed(followed: str, unavailable: int) -> None:
    spec = {"deviceSelector": {"pool": "a"}, "taint": {"key": "k", "effect": "NoExecute"}}
    rule = obj("DeviceTaintRule", "t", api_version="resource.k8s.io/v1beta2", spec=spec)
    client = MemoryClient(slice_of("a"), rule, request())
    gates = f"DRAResourcePoolStatus=true,DRADeviceTaintRules={followed}"
    play(client, features=parse_feature_gates(gates, "1.37"))
    (found,) = (answer(client) or {})["pools"]
    assert found["unavailableDevices"] == unavailable


def test_a_pool_that_cannot_be_summed_up_is_not_waited_for() -> None:
    pool = slice_of("a")
    pool["spec"]["partitionTypeAttribute"] = "d/kind"
    client = MemoryClient(pool, request())
    play(client, features=parse_feature_gates("DRAResourcePoolStatus=true", "1.37"))
    status = answer(client) or {}
    assert status["conditions"][0]["message"] == "Calculated status for 1 pools (1 incomplete)"
    assert status["pools"][0]["totalDevices"] == 2


def test_the_default_attribute_of_the_question_tells_partitions_apart() -> None:
    counters = [{"counterSet": "s", "counters": {"c": {"value": "1"}}}]
    pool, sets = slice_of("a", of=2), slice_of("a", 0, name="sets", of=2)
    for device in pool["spec"]["devices"]:
        device |= {"attributes": {"kind": {"string": "Half"}}, "consumesCounters": counters}
    sets["spec"]["sharedCounters"] = [{"name": "s", "counters": {"c": {"value": "1"}}}]
    client = MemoryClient(pool, sets, request(defaultPartitionTypeAttribute="d/kind"))
    play(client, features=parse_feature_gates("DRAResourcePoolStatus=true", "1.37"))
    (found,) = (answer(client) or {})["pools"]
    assert found["partitionSummary"] == [
        {"attribute": "d/kind", "type": "Half", "total": 2, "allocatable": 1}
    ]

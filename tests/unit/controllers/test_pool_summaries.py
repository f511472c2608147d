"""What more could be had of partitions and of shared devices, as 1.37 sums it up."""

import pytest

from dray.api.meta import Object
from dray.controllers.pool_counts import summed
from tests.unit.controllers.harness import obj

SET: Object = {"name": "gpu-0", "counters": {"memory": {"value": "80Gi"}}}
KIND = "d/profile"


def partition(
    name: str, kind: str | None, memory: str, *, sets: tuple[str, ...] = ("gpu-0",), **more: object
) -> Object:
    consumed = [{"counterSet": each, "counters": {"memory": {"value": memory}}} for each in sets]
    attributes = {"profile": {"string": kind}} if kind is not None else {}
    return {"name": name, "attributes": attributes, "consumesCounters": consumed, **more}


FULL, HALF, OTHER = (
    partition("full", "Full", "80Gi"),
    partition("half-0", "Half", "40Gi"),
    partition("half-1", "Half", "40Gi"),
)


def pool_of(
    *devices: Object, counters: tuple[Object, ...] = (SET,), attribute: str | None = KIND, apart: bool = True
) -> list[Object]:
    """The slices of a pool: one for its counters, one for its devices."""
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 2 if counters else 1}
    spec = {"driver": "d", "pool": pool}
    declared = {"partitionTypeAttribute": attribute} if attribute else {}
    found = [obj("ResourceSlice", "b", spec={**spec, "devices": list(devices), **declared})]
    if counters:
        found.append(obj("ResourceSlice", "a", spec={**spec, "sharedCounters": list(counters)}))
    return found


def claims(*devices: str, **result: object) -> list[Object]:
    return [
        obj(
            "ResourceClaim",
            f"c-{index}",
            "ns",
            status={
                "allocation": {
                    "devices": {"results": [{"driver": "d", "pool": "p", "device": device, **result}]}
                }
            },
        )
        for index, device in enumerate(devices)
    ]


def sums(slices: list[Object], held: list[Object] | None = None, default: str | None = None) -> Object:
    spec = {"driver": "d", **({"defaultPartitionTypeAttribute": default} if default else {})}
    (found,) = summed(spec, slices, held or [], [])
    return found


def left(status: Object) -> dict[str, tuple[int, int]]:
    """By type: how many there are, how many can be had."""
    assert "validationError" not in status
    return {each["type"]: (each["total"], each["allocatable"]) for each in status["partitionSummary"]}


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ((), {"Full": (1, 1), "Half": (2, 2)}),
        (("half-0",), {"Full": (1, 0), "Half": (2, 1)}),
        (("full",), {"Full": (1, 0), "Half": (2, 0)}),
        (("half-0", "half-1"), {"Full": (1, 0), "Half": (2, 0)}),
    ],
)
def test_each_type_is_measured_alone_against_what_is_left_of_the_counters(
    held: tuple[str, ...], expected: dict[str, tuple[int, int]]
) -> None:
    assert left(sums(pool_of(FULL, HALF, OTHER), claims(*held))) == expected


def test_entries_say_their_attribute_and_stand_in_order() -> None:
    assert sums(pool_of(OTHER, FULL, HALF))["partitionSummary"] == [
        {"attribute": KIND, "type": "Full", "total": 1, "allocatable": 1},
        {"attribute": KIND, "type": "Half", "total": 2, "allocatable": 2},
    ]


def test_no_more_can_be_had_than_there_are_devices() -> None:
    plenty = {"name": "gpu-0", "counters": {"memory": {"value": "800Gi"}}}
    assert left(sums(pool_of(FULL, HALF, counters=(plenty,)))) == {"Full": (1, 1), "Half": (1, 1)}
    held = sums(pool_of(FULL, HALF, OTHER, counters=(plenty,)), claims("half-0"))
    assert left(held) == {"Full": (1, 1), "Half": (2, 1)}


def test_tightest_of_several_counter_sets_decides() -> None:
    sets = (
        {"name": "a", "counters": {"memory": {"value": "160Gi"}}},
        {"name": "b", "counters": {"memory": {"value": "80Gi"}}},
    )
    both = [partition(f"full-{index}", "Full", "80Gi", sets=("a", "b")) for index in range(2)]
    assert left(sums(pool_of(*both, counters=sets))) == {"Full": (2, 1)}


def test_counter_that_nobody_publishes_lets_nothing_through() -> None:
    assert left(sums(pool_of(partition("x", "Full", "1", sets=("gpu-1",))))) == {"Full": (1, 0)}


def test_device_that_several_claims_have_takes_its_part_once() -> None:
    shared = partition("half-0", "Half", "40Gi", allowMultipleAllocations=True)
    assert left(sums(pool_of(FULL, shared, OTHER), claims("half-0", "half-0", "half-0")))["Half"] == (2, 1)


def test_administrators_take_no_part() -> None:
    found = sums(pool_of(FULL, HALF, OTHER), claims("full", adminAccess=True))
    assert left(found) == {"Full": (1, 1), "Half": (2, 2)}


def test_device_that_draws_on_no_counters_is_no_partition() -> None:
    assert left(sums(pool_of(FULL, {"name": "whole"}))) == {"Full": (1, 1)}
    assert "partitionSummary" not in sums(pool_of({"name": "whole"}))


# --- which attribute tells


@pytest.mark.parametrize(("attribute", "default"), [(KIND, None), (KIND, "d/other"), (None, KIND)])
def test_attribute_of_the_slices_comes_before_that_of_the_question(
    attribute: str | None, default: str | None
) -> None:
    assert left(sums(pool_of(FULL, HALF, OTHER, attribute=attribute), default=default)) == {
        "Full": (1, 1),
        "Half": (2, 2),
    }


def test_without_an_attribute_there_is_no_summary_and_nothing_wrong() -> None:
    found = sums(pool_of(FULL, HALF, attribute=None))
    assert not {"partitionSummary", "shareableSummary", "validationError"} & found.keys()


def test_default_does_not_count_where_any_slice_of_the_pool_names_an_attribute() -> None:
    pool = pool_of(FULL, attribute=KIND)
    pool += pool_of(HALF, OTHER, attribute=None)[:1]
    assert left(sums(pool, default=KIND)) == {"Full": (1, 1)}


def test_slices_may_tell_types_by_different_attributes() -> None:
    shaped = partition("small", None, "20Gi") | {"attributes": {"d/shape": {"string": "Half"}}}
    pool = pool_of(HALF) + pool_of(shaped, attribute="d/shape")[:1]
    assert sums(pool)["partitionSummary"] == [
        {"attribute": "d/profile", "type": "Half", "total": 1, "allocatable": 1},
        {"attribute": "d/shape", "type": "Half", "total": 1, "allocatable": 1},
    ]


def test_attribute_with_its_domain_comes_before_the_bare_one() -> None:
    both = {"profile": {"string": "Bare"}, "d/profile": {"string": "Whole"}}
    assert left(sums(pool_of(FULL | {"attributes": both}))) == {"Whole": (1, 1)}
    number = {"profile": {"string": "Bare"}, "d/profile": {"int": 1}}
    assert "validationError" in sums(pool_of(FULL | {"attributes": number}))
    foreign = {"profile": {"string": "Bare"}}
    assert "validationError" in sums(pool_of(FULL | {"attributes": foreign}, attribute="other/profile"))


# --- why there is none


@pytest.mark.parametrize(
    ("slices", "default", "text"),
    [
        (
            pool_of(FULL, counters=()),
            None,
            "PartitionTypeMissing: pool d/p declares partitionTypeAttribute but publishes no sharedCounters",
        ),
        (
            pool_of({"name": "whole"}, counters=(), attribute=None),
            KIND,
            "PartitionTypeMissing: pool d/p declares partitionTypeAttribute but publishes no sharedCounters",
        ),
        (
            pool_of(FULL, partition("x", None, "1")),
            None,
            'PartitionTypeMissing: device "x" in pool d/p does not carry partition type attribute "d/profile"',
        ),
        (
            pool_of(HALF, partition("x", "Half", "50Gi")),
            None,
            'PartitionCostMismatch: devices of partition type "Half" in pool d/p consume different counters',
        ),
        # Kubernetes takes it for a difference, too, when the counters are those of another device.
        (
            pool_of(HALF, partition("x", "Half", "40Gi", sets=("gpu-1",))),
            None,
            'PartitionCostMismatch: devices of partition type "Half" in pool d/p consume different counters',
        ),
        (
            pool_of(*(partition(f"x{index}", f"T{index}", "1") for index in range(33))),
            None,
            "PartitionSummaryOverCap: pool d/p has 33 partition types, exceeding the maximum of 32",
        ),
    ],
)  # fmt: skip
def test_what_keeps_partitions_from_being_summed_up_is_told(
    slices: list[Object], default: str | None, text: str
) -> None:
    found = sums(slices, default=default)
    assert found["validationError"] == text
    assert "partitionSummary" not in found
    assert found["totalDevices"]


def test_32_types_are_told() -> None:
    assert len(left(sums(pool_of(*(partition(f"x{index}", f"T{index}", "1") for index in range(32)))))) == 32


def test_costs_are_compared_by_what_is_taken_of_which_counter() -> None:
    same = [partition("a", "Half", "1Gi"), partition("b", "Half", "1024Mi")]
    assert left(sums(pool_of(*same))) == {"Half": (2, 2)}


# --- shared devices


def nic(name: str, **capacity: str) -> Object:
    return {
        "name": name,
        "allowMultipleAllocations": True,
        "capacity": {key: {"value": value} for key, value in capacity.items()},
    }


def test_shared_devices_are_told_apart_by_whether_anybody_has_them() -> None:
    pool = pool_of(
        nic("a", bandwidth="40Gi"), nic("b", bandwidth="40Gi"), {"name": "plain"}, counters=(), attribute=None
    )
    found = sums(pool, claims("a", "a", consumedCapacity={"bandwidth": "5Gi"}))
    assert found["shareableSummary"] == {
        "fullyAvailableDevices": 1,
        "partiallyAvailableDevices": 1,
        "capacity": [{"name": "bandwidth", "total": "80Gi", "consumed": "10Gi", "available": "70Gi"}],
    }
    assert "shareableSummary" not in sums(pool_of({"name": "plain"}, counters=(), attribute=None))


def test_each_capacity_is_summed_over_the_devices_that_have_it() -> None:
    pool = pool_of(
        nic("a", memory="40Gi", cores="4"), nic("b", memory="40Gi"), nic("c"), counters=(), attribute=None
    )
    held = claims("a", consumedCapacity={"memory": "512Mi", "cores": "1500m", "unknown": "1"})
    assert sums(pool, held)["shareableSummary"] == {
        "fullyAvailableDevices": 2,
        "partiallyAvailableDevices": 1,
        "capacity": [
            {"name": "cores", "total": "4", "consumed": "1500m", "available": "2500m"},
            {"name": "memory", "total": "80Gi", "consumed": "512Mi", "available": "81408Mi"},
        ],
    }


def test_less_than_nothing_is_left_of_no_capacity() -> None:
    pool = pool_of(nic("a", memory="1Gi"), counters=(), attribute=None)
    held = claims("a", "gone", consumedCapacity={"memory": "1Gi"})
    (capacity,) = sums(pool, held)["shareableSummary"]["capacity"]
    assert (capacity["consumed"], capacity["available"]) == ("2Gi", "0")


def test_administrators_consume_no_capacity() -> None:
    pool = pool_of(nic("a", memory="1Gi"), counters=(), attribute=None)
    summary = sums(pool, claims("a", adminAccess=True, consumedCapacity={"memory": "1Gi"}))[
        "shareableSummary"
    ]
    assert summary["fullyAvailableDevices"] == 1
    assert summary["capacity"][0]["consumed"] == "0"


def test_more_than_32_capacities_are_not_summed_up_nor_are_partitions_then() -> None:
    keys = [{f"c{index}": "1" for index in range(first, first + 20)} for first in (0, 13)]
    shared = [nic(f"n{index}", **each) for index, each in enumerate(keys)]
    found = sums(pool_of(FULL, *shared))
    assert found["validationError"] == (
        "ShareableSummaryOverCap: pool d/p has 33 shareable capacity keys, exceeding the maximum of 32"
    )
    assert not {"partitionSummary", "shareableSummary"} & found.keys()


def test_shared_devices_are_summed_up_though_partitions_are_not() -> None:
    found = sums(pool_of(partition("x", None, "1"), nic("a")))
    assert found["validationError"].startswith("PartitionTypeMissing: ")
    assert found["shareableSummary"] == {"fullyAvailableDevices": 1, "partiallyAvailableDevices": 0}


def test_partition_that_is_shared_stands_in_both_summaries() -> None:
    shared = partition(
        "full", "Full", "80Gi", allowMultipleAllocations=True, capacity={"memory": {"value": "80Gi"}}
    )
    found = sums(pool_of(shared, HALF), claims("full", consumedCapacity={"memory": "10Gi"}))
    assert left(found) == {"Full": (1, 0), "Half": (1, 0)}
    assert found["shareableSummary"]["capacity"][0]["available"] == "70Gi"

"""How pools become ResourceSlices, and what changing them takes."""

from typing import Any

import pytest

from dray.sdk import slices
from dray.sdk.compare import same
from dray.sdk.devices import NEWEST, Capacity, Device, NodeResource, Pool, Taint, Version
from dray.sdk.errors import PublishError

OWNER = {"apiVersion": "v1", "kind": "Node", "name": "node", "uid": "node-uid", "controller": True}
PLACEMENT = slices.Placement("gpu.example.com", "node", OWNER, "node")


def devices(count: int, **more: Any) -> tuple[Device, ...]:
    return tuple(Device(f"gpu-{index}", **more) for index in range(count))


def stored(plan: slices.PoolPlan, before: list[dict[str, Any]] = []) -> list[dict[str, Any]]:  # noqa: B006
    """The slices after a server carried out `plan`."""
    gone = {obj["metadata"]["name"] for obj in plan.delete}
    new = {obj["metadata"]["name"]: obj for obj in plan.update}
    kept = [new.get(obj["metadata"]["name"], obj) for obj in before if obj["metadata"]["name"] not in gone]
    created = [
        {**obj, "metadata": {**obj["metadata"], "name": f"{obj['metadata']['generateName']}{index}abc"}}
        for index, obj in enumerate(plan.create)
    ]
    return kept + created


def planned(pool: Pool, before: list[dict[str, Any]] = []) -> slices.PoolPlan:  # noqa: B006
    return slices.plan(pool.name, pool.generation, slices.contents(pool), before, PLACEMENT)


def published(pool: Pool) -> list[dict[str, Any]]:
    return stored(planned(pool))


def shapes(plan: slices.PoolPlan) -> tuple[int, int, int, int]:
    return plan.generation, len(plan.delete), len(plan.update), len(plan.create)


def test_a_device_has_the_form_of_the_api() -> None:
    device = Device(
        "gpu-0",
        attributes={
            "index": 0,
            "uuid": "gpu-x",
            "driverVersion": Version("1.0.0"),
            "fast": True,
            "links": [1, 2],
        },
        capacity={
            "memory": Capacity("80Gi", default="80Gi", minimum="1Gi", step="1Gi", maximum="80Gi"),
            "vfs": Capacity("100", default="1", valid_values=("1",)),
            "compute": 100,
        },
        taints=(Taint("k", effect="NoExecute"),),
        consumes={"set": {"memory": "20Gi"}},
        allow_multiple_allocations=False,
        extra={"nodeAllocatableResourceMappings": {"cpu": {"capacityKey": "x/cpu"}}},
    )
    assert device.to_api() == {
        "name": "gpu-0",
        "attributes": {
            "index": {"int": 0},
            "uuid": {"string": "gpu-x"},
            "driverVersion": {"version": "1.0.0"},
            "fast": {"bool": True},
            "links": {"ints": [1, 2]},
        },
        "capacity": {
            "memory": {
                "value": "80Gi",
                "requestPolicy": {
                    "default": "80Gi",
                    "validRange": {"min": "1Gi", "max": "80Gi", "step": "1Gi"},
                },
            },
            "vfs": {"value": "100", "requestPolicy": {"default": "1", "validValues": ["1"]}},
            "compute": {"value": "100"},
        },
        "consumesCounters": [{"counterSet": "set", "counters": {"memory": {"value": "20Gi"}}}],
        "taints": [{"key": "k", "effect": "NoExecute"}],
        "allowMultipleAllocations": False,
        "nodeAllocatableResourceMappings": {"cpu": {"capacityKey": "x/cpu"}},
    }


def test_too_long_strings_and_unknown_types_are_refused() -> None:
    with pytest.raises(ValueError, match="longer than 64 bytes"):
        Device("d", attributes={"a": "x" * 65}).to_api()
    with pytest.raises(ValueError, match="not a bool, int, str"):
        Device("d", attributes={"a": [1, "x"]}).to_api()  # type: ignore[dict-item]


def test_a_pool_without_devices_is_one_empty_slice() -> None:
    assert slices.contents(Pool("node")) == [{}]


@pytest.mark.parametrize(
    ("pool", "sizes"),
    [
        (Pool("p", devices(128)), [128]),
        (Pool("p", devices(129)), [128, 1]),
        (Pool("p", devices(65, taints=(Taint("k"),))), [64, 1]),
        (Pool("p", devices(65, attributes={"l": ["a"]})), [64, 1]),
    ],
)
def test_slices_hold_as_many_devices_as_the_api_allows(pool: Pool, sizes: list[int]) -> None:
    assert [len(content["devices"]) for content in slices.contents(pool)] == sizes


def test_counter_sets_come_first_in_slices_of_their_own() -> None:
    sets = {f"set-{index}": {"memory": "80Gi"} for index in range(9)}
    consuming = tuple(Device(f"d{index}", consumes={f"set-{index}": {"memory": "1"}}) for index in range(9))
    parts = slices.contents(Pool("p", consuming, sets))
    assert [(len(part.get("sharedCounters", [])), len(part.get("devices", []))) for part in parts] == [
        (8, 0),
        (1, 0),
        (0, 9),
    ]


def test_older_servers_get_counter_sets_beside_their_devices() -> None:
    sets = {f"set-{index}": {"m": "4"} for index in range(3)}
    consuming = tuple(
        Device(f"d{index}-{part}", consumes={f"set-{index}": {"m": "1"}})
        for index in range(3)
        for part in range(30)
    )
    parts = slices.contents(Pool("p", (*consuming, Device("plain")), sets), server_minor=34)
    for part in parts:
        defined = {counter_set["name"] for counter_set in part.get("sharedCounters", [])}
        used = {c["counterSet"] for device in part["devices"] for c in device.get("consumesCounters", [])}
        assert used == defined
        assert len(part["devices"]) <= 64
    assert sum(len(part["devices"]) for part in parts) == 91


def test_older_servers_cannot_hold_devices_whose_counters_span_slices() -> None:
    consuming = tuple(Device(f"d{index}", consumes={"s": {"m": "1"}}) for index in range(65))
    with pytest.raises(PublishError, match="must fit into one slice of 64"):
        slices.contents(Pool("p", consuming, {"s": {"m": "100"}}), server_minor=34)


@pytest.mark.parametrize(
    ("pool", "why"),
    [
        (Pool("p", (Device("a"), Device("a"))), "device 'a' is defined twice"),
        (Pool("p", (Device("a", consumes={"s": {}}),)), "counter set 's', which the pool does not define"),
        (
            Pool("p", (Device("a", consumes={"s": {"x": "1"}}),), {"s": {"m": "1"}}),
            "counter 'x', which counter set 's' does not have",
        ),
    ],
)
def test_pools_that_can_never_be_published_are_refused(pool: Pool, why: str) -> None:
    with pytest.raises(PublishError) as caught:
        slices.contents(pool)
    assert why in str(caught.value)


def test_a_new_pool_starts_at_generation_one() -> None:
    plan = planned(Pool("node", devices(2)))
    assert shapes(plan) == (1, 0, 0, 1)
    created = plan.create[0]
    assert created["metadata"] == {
        "generateName": "00000-gpu.example.com-node-",
        "ownerReferences": [OWNER],
    }
    assert {key: value for key, value in created["spec"].items() if key != "devices"} == {
        "driver": "gpu.example.com",
        "nodeName": "node",
        "pool": {"name": "node", "generation": 1, "resourceSliceCount": 1},
    }


def test_a_larger_generation_of_the_driver_is_taken_over() -> None:
    assert planned(Pool("node", devices(1), generation=7)).generation == 7
    before = published(Pool("node", devices(1), generation=7))
    assert shapes(planned(Pool("node", devices(1), generation=9), before)) == (9, 0, 1, 0)
    assert planned(Pool("node", devices(1), generation=3), before).is_empty


def test_nothing_is_written_when_nothing_changed() -> None:
    pool = Pool("node", devices(300))
    assert planned(pool, published(pool)).is_empty


def test_one_changed_slice_keeps_the_generation() -> None:
    before = published(Pool("node", devices(200)))
    changed = (*devices(199), Device("gpu-199", attributes={"a": 1}))
    assert shapes(planned(Pool("node", changed), before)) == (1, 0, 1, 0)


def test_two_changed_slices_need_a_new_generation_in_all() -> None:
    before = published(Pool("node", devices(300)))
    changed = (
        Device("gpu-0", attributes={"a": 1}),
        *devices(300)[1:-1],
        Device("gpu-299", attributes={"a": 1}),
    )
    plan = planned(Pool("node", changed), before)
    assert shapes(plan) == (2, 0, 3, 0)
    assert {obj["spec"]["pool"]["generation"] for obj in plan.update} == {2}


def test_a_new_slice_needs_a_new_generation_in_all() -> None:
    before = published(Pool("node", devices(128)))
    plan = planned(Pool("node", devices(129)), before)
    assert shapes(plan) == (2, 0, 1, 1)
    assert plan.create[0]["metadata"]["generateName"].startswith("00001-")
    after = stored(plan, before)
    assert {obj["spec"]["pool"]["resourceSliceCount"] for obj in after} == {2}


def test_a_slice_too_many_is_deleted_before_the_others_change() -> None:
    before = published(Pool("node", devices(129)))
    plan = planned(Pool("node", devices(128)), before)
    assert shapes(plan) == (1, 1, 1, 0)
    assert plan.delete[0]["metadata"]["name"].startswith("00001-")


@pytest.mark.parametrize("name", ["node-gpu.example.com-abcde", "0000-x", "000000-x", "0000g-x", "00001-x"])
def test_slices_with_foreign_names_are_replaced(name: str) -> None:
    before = published(Pool("node", devices(1)))
    foreign = [{**before[0], "metadata": {**before[0]["metadata"], "name": name}}]
    assert shapes(planned(Pool("node", devices(1)), foreign)) == (2, 1, 0, 1)


def test_a_second_slice_with_the_same_index_is_deleted() -> None:
    before = published(Pool("node", devices(1)))
    twin = {**before[0], "metadata": {**before[0]["metadata"], "name": "00000-twin"}}
    plan = planned(Pool("node", devices(1)), [*before, twin])
    assert [obj["metadata"]["name"] for obj in plan.delete] == ["00000-twin"]
    assert shapes(plan) == (1, 1, 0, 0)


def test_slices_of_an_older_generation_are_obsolete() -> None:
    old, new = (
        published(Pool("node", devices(1), generation=1)),
        published(Pool("node", devices(1), generation=2)),
    )
    old[0]["metadata"]["name"] = "00000-old"
    plan = planned(Pool("node", devices(1)), [*old, *new])
    assert [obj["metadata"]["name"] for obj in plan.delete] == ["00000-old"]


def test_the_order_of_devices_matters() -> None:
    before = published(Pool("node", devices(2)))
    assert shapes(planned(Pool("node", devices(2)[::-1]), before)) == (1, 0, 1, 0)


def test_the_index_gets_more_digits_in_huge_pools() -> None:
    assert slices.index_digits(1) == 5
    assert slices.index_digits(16**5) == 5
    assert slices.index_digits(16**5 + 1) == 6
    assert slices.index_of("000001-x", 16**5 + 1) == 1


def test_generated_names_leave_room_for_the_suffix() -> None:
    placement = slices.Placement("d" * 63, "n" * 253, None)
    plan = slices.plan("p", 0, [{}], [], placement)
    generate_name = plan.create[0]["metadata"]["generateName"]
    assert len(generate_name) == 248
    assert generate_name.endswith("-")


def test_equal_quantities_are_no_change() -> None:
    before = published(Pool("node", (Device("d", capacity={"memory": "85899345920"}),)))
    assert planned(Pool("node", (Device("d", capacity={"memory": "80Gi"}),)), before).is_empty


def test_a_text_that_looks_like_an_equal_quantity_is_a_change() -> None:
    before = published(Pool("node", (Device("d", attributes={"value": "1.0"}),)))
    assert not planned(Pool("node", (Device("d", attributes={"value": "1"}),)), before).is_empty


def test_taint_times_of_the_server_are_no_change_and_are_kept() -> None:
    before = published(Pool("node", (Device("d", taints=(Taint("a"), Taint("b"))),)))
    before[0]["spec"]["devices"][0]["taints"][0]["timeAdded"] = "2026-01-01T00:00:00Z"
    assert planned(Pool("node", (Device("d", taints=(Taint("a"), Taint("b"))),)), before).is_empty
    plan = planned(Pool("node", (Device("d", taints=(Taint("a"), Taint("c"))),)), before)
    assert plan.update[0]["spec"]["devices"][0]["taints"] == [
        {"key": "a", "effect": "NoSchedule", "timeAdded": "2026-01-01T00:00:00Z"},
        {"key": "c", "effect": "NoSchedule"},
    ]


def test_times_are_compared_with_a_second_of_tolerance() -> None:
    def taint(time: str) -> dict[str, Any]:
        return {"timeAdded": time}

    assert same(taint("2026-01-01T00:00:00Z"), taint("2026-01-01T00:00:01Z"))
    assert not same(taint("2026-01-01T00:00:00Z"), taint("2026-01-01T00:00:03Z"))


def test_nothing_and_emptiness_are_the_same_but_false_is_not() -> None:
    assert same(None, [])
    assert same({}, None)
    assert same({"a": None}, {})
    assert not same(None, False)
    assert not same(1, True)


@pytest.mark.parametrize(
    ("written", "kept", "lost"),
    [
        ({"taints": [{"key": "a"}]}, {}, ("taints",)),
        ({"allowMultipleAllocations": True}, {}, ("allowMultipleAllocations",)),
        ({"attributes": {"a": {"ints": [1]}}}, {"attributes": {"a": {}}}, ("attributes.ints",)),
        (
            {"capacity": {"m": {"value": "1", "requestPolicy": {"default": "1"}}}},
            {"capacity": {"m": {"value": "1"}}},
            ("capacity.requestPolicy",),
        ),
        ({"attributes": {"a": {"int": 1}}}, {"attributes": {"a": {"int": 1}}}, ()),
    ],
)
def test_dropped_fields_are_found(
    written: dict[str, Any], kept: dict[str, Any], lost: tuple[str, ...]
) -> None:
    assert (
        slices.dropped_fields({"devices": [{"name": "d", **written}]}, {"devices": [{"name": "d", **kept}]})
        == lost
    )


def test_dropped_counter_sets_are_found() -> None:
    assert slices.dropped_fields({"sharedCounters": [{"name": "s"}]}, {}) == ("sharedCounters",)


def test_devices_of_one_pool_can_be_used_in_different_places() -> None:
    selector = {
        "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}]
    }
    devices = (
        Device("a", node_name="node-1"),
        Device("b", node_selector=selector),
        Device("c", all_nodes=True),
    )
    (part,) = slices.contents(Pool("p", devices, per_device_nodes=True))
    assert part == {
        "perDeviceNodeSelection": True,
        "devices": [
            {"name": "a", "nodeName": "node-1"},
            {"name": "b", "nodeSelector": selector},
            {"name": "c", "allNodes": True},
        ],
    }


def test_further_fields_of_a_pool_are_in_every_slice_and_reported_when_dropped() -> None:
    pool = Pool("p", (Device("a"),), {"s": {"m": "1"}}, extra={"skipNodeOperations": ["*"]})
    parts = slices.contents(pool)
    assert [part["skipNodeOperations"] for part in parts] == [["*"], ["*"]]
    written = {"driver": "d", "pool": {}, **parts[1]}
    stored = {key: value for key, value in written.items() if key != "skipNodeOperations"}
    assert slices.dropped_fields(written, stored) == ("skipNodeOperations",)
    assert slices.GATES["skipNodeOperations"] == "DRAOptionalNodeOperations"


OLDER, NEWER = "nodeAllocatableResourceMappings", "nodeAllocatableResources"


@pytest.mark.parametrize(
    ("resource", "older", "newer"),
    [
        (
            NodeResource(capacity="cpu"),
            {OLDER: {"cpu": {"capacityKey": "cpu", "allocationMultiplier": "1"}}},
            {NEWER: {"cpu": {"mapping": {"capacityKey": "cpu", "capacityMultiplier": "1"}}}},
        ),
        (
            NodeResource(capacity="cores", multiplier="2"),
            {OLDER: {"cpu": {"capacityKey": "cores", "allocationMultiplier": "2"}}},
            {NEWER: {"cpu": {"mapping": {"capacityKey": "cores", "capacityMultiplier": "2"}}}},
        ),
        (
            NodeResource(multiplier="8"),
            {OLDER: {"cpu": {"allocationMultiplier": "8"}}},
            {NEWER: {"cpu": {"mapping": {"deviceMultiplier": "8"}}}},
        ),
        (
            NodeResource(multiplier="8", per_pod="100m"),
            {OLDER: {"cpu": {"allocationMultiplier": "8"}}, NEWER: {"cpu": {"overhead": {"perPod": "100m"}}}},
            {NEWER: {"cpu": {"mapping": {"deviceMultiplier": "8"}, "overhead": {"perPod": "100m"}}}},
        ),
        (
            NodeResource(per_pod="1", per_container="500m"),
            {NEWER: {"cpu": {"overhead": {"perPod": "1", "perContainer": "500m"}}}},
            {NEWER: {"cpu": {"overhead": {"perPod": "1", "perContainer": "500m"}}}},
        ),
        (NodeResource(), {}, {}),
    ],
)
def test_what_a_device_is_of_its_node_is_written_as_the_server_has_it(
    resource: NodeResource, older: dict[str, Any], newer: dict[str, Any]
) -> None:
    device = Device("numa-0", node_resources={"cpu": resource})
    for server, fields in ((32, older), (36, older), (37, newer), (NEWEST, newer)):
        assert device.to_api(server) == {"name": "numa-0", **fields}
        (part,) = slices.contents(Pool("p", (device,)), server)
        assert part["devices"] == [{"name": "numa-0", **fields}]


def test_what_an_older_server_has_no_form_for_is_told_as_dropped() -> None:
    costly = Device("gpu-0", node_resources={"memory": NodeResource(per_pod="1Gi")})
    written = {"devices": [costly.to_api(36)]}
    assert slices.dropped_fields(written, {"devices": [{"name": "gpu-0"}]}) == (NEWER,)
    assert slices.GATES[NEWER] == slices.GATES[OLDER] == "DRANodeAllocatableResources"


def test_amounts_of_node_resources_are_the_same_however_they_are_written() -> None:
    stored = {NEWER: {"cpu": {"mapping": {"deviceMultiplier": "500m"}, "overhead": {"perPod": "1"}}}}
    wanted = {NEWER: {"cpu": {"mapping": {"deviceMultiplier": "0.5"}, "overhead": {"perPod": "1000m"}}}}
    assert same(stored, wanted)

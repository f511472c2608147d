"""What Kubernetes 1.37 changes in the allocator: behind `Features.release_137`, or behind the gates that are new there."""

from typing import Any

import pytest

from dray.allocation import Allocated, DeviceIndex, Features, InvalidInput, Unsatisfiable

DRIVER = "d.example.com"
NODE = {"metadata": {"name": "n"}}
BEFORE, AFTER = Features(), Features(release_137=True)


def index_of(devices: list[dict[str, Any]], features: Features, **spec: Any) -> DeviceIndex:
    index = DeviceIndex(features, new_share_id=lambda: "00000000-0000-4000-8000-000000000000")
    index.put_class({"metadata": {"name": "c"}, "spec": {}})
    base = {
        "driver": DRIVER,
        "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
        "nodeName": "n",
    }
    index.put_slice({"metadata": {"name": "devices"}, "spec": {**base, "devices": devices, **spec}})
    return index


def claim(*requests: dict[str, Any], name: str = "claim", **devices: Any) -> dict[str, Any]:
    spec = {"devices": {"requests": list(requests), **devices}}
    return {"metadata": {"name": name, "namespace": "ns", "uid": name}, "spec": spec}


def request(name: str = "r", **exactly: Any) -> dict[str, Any]:
    return {
        "name": name,
        "exactly": {"deviceClassName": "c", "allocationMode": "ExactCount", "count": 1, **exactly},
    }


def allocated(index: DeviceIndex, *claims: dict[str, Any]) -> list[dict[str, Any]]:
    outcome = index.prepare(claims).on_node(NODE)
    assert isinstance(outcome, Allocated)
    return outcome.results


# Errors


@pytest.mark.parametrize(
    ("features", "text"),
    [
        (BEFORE, "claim ns/claim: selector #0: CEL runtime error: no such key: size"),
        (
            AFTER,
            "claim ns/claim: selector #0 on device d.example.com/p/d0: CEL runtime error: no such key: size"
            ". consider using CEL optional chaining (.? followed by orValue()) or guarding the check with has()"
            " for optional fields",
        ),
    ],
    ids=["1.36", "1.37"],
)
def test_selector_that_fails_names_the_device_and_a_remedy(features: Features, text: str) -> None:
    index = index_of([{"name": "d0"}], features)
    selector = {"cel": {"expression": f'device.attributes["{DRIVER}"].size > 1'}}
    with pytest.raises(InvalidInput) as error:
        index.prepare([claim(request(selectors=[selector]))]).on_node(NODE)
    assert error.value.message == text


# Configuration


def config_of(features: Features, wanted: list[str]) -> list[dict[str, Any]]:
    opaque = {"driver": DRIVER, "parameters": {}}
    index = index_of([{"name": "d0"}, {"name": "d1"}], features)
    asked = claim(request("a"), request("b"), config=[{"requests": wanted, "opaque": opaque}])
    config: list[dict[str, Any]] = allocated(index, asked)[0]["devices"]["config"]
    return config


def test_configuration_for_all_requests_appears_once_and_names_none() -> None:
    assert [entry.get("requests") for entry in config_of(BEFORE, ["a", "b"])] == [["a", "b"], ["a", "b"]]
    assert [entry.get("requests") for entry in config_of(AFTER, ["a", "b"])] == [None]


def test_configuration_for_some_requests_keeps_their_names() -> None:
    assert [entry.get("requests") for entry in config_of(AFTER, ["a"])] == [["a"]]


def test_configuration_for_an_alternative_is_kept_with_its_name() -> None:
    index = index_of([{"name": "d0"}, {"name": "d1"}], AFTER)
    option = {"name": "s", "deviceClassName": "c", "allocationMode": "ExactCount", "count": 1}
    opaque = {"driver": DRIVER, "parameters": {}}
    entry = {"requests": ["a/s"], "opaque": opaque}
    asked = claim({"name": "a", "firstAvailable": [option]}, request("b"), config=[entry])
    assert [each.get("requests") for each in allocated(index, asked)[0]["devices"]["config"]] == [["a/s"]]


# Slices


@pytest.mark.parametrize(("features", "counted"), [(BEFORE, True), (AFTER, False)], ids=["1.36", "1.37"])
def test_slice_of_counters_for_another_node_is_no_longer_forced_into_the_view(
    features: Features, *, counted: bool
) -> None:
    index = index_of([{"name": "d0"}], features)
    pool = {"name": "elsewhere", "generation": 1, "resourceSliceCount": 2}
    sets = [{"name": "s", "counters": {"memory": {"value": "1"}}}]
    spec = {"driver": DRIVER, "pool": pool, "nodeName": "other", "sharedCounters": sets}
    index.put_slice({"metadata": {"name": "counters"}, "spec": spec})
    everything = claim({"name": "r", "exactly": {"deviceClassName": "c", "allocationMode": "All"}})
    attempt = index.prepare([everything])
    if counted:  # the other half of that pool is missing, and "all devices" must not overlook it
        with pytest.raises(InvalidInput, match="currently being updated"):
            attempt.on_node(NODE)
    else:
        assert isinstance(attempt.on_node(NODE), Allocated)


# Compatibility groups


GROUPS = Features(release_137=True, compatibility_groups=True)


def partition(name: str, *groups: str) -> dict[str, Any]:
    draw: dict[str, Any] = {"counterSet": "s", "counters": {"memory": {"value": "1"}}}
    if groups:
        draw["compatibilityGroups"] = list(groups)
    return {"name": name, "consumesCounters": [draw]}


def partitioned(features: Features, *devices: dict[str, Any]) -> DeviceIndex:
    index = index_of([], features)
    pool = {"name": "parts", "generation": 1, "resourceSliceCount": 2}
    base = {"driver": DRIVER, "pool": pool, "nodeName": "n"}
    index.put_slice({"metadata": {"name": "parts"}, "spec": {**base, "devices": list(devices)}})
    sets = [{"name": "s", "counters": {"memory": {"value": "9"}}}]
    index.put_slice({"metadata": {"name": "counters"}, "spec": {**base, "sharedCounters": sets}})
    return index


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (("x",), ("x", "y"), True),
        (("x",), ("y",), False),
        ((), (), True),
        ((), ("x",), False),
    ],
)
def test_devices_on_a_counter_set_coexist_only_within_a_group(
    one: tuple[str, ...], other: tuple[str, ...], *, together: bool
) -> None:
    devices = partition("d0", *one), partition("d1", *other)
    both = claim(request(count=2))
    assert isinstance(partitioned(GROUPS, *devices).prepare([both]).on_node(NODE), Allocated) is together
    assert isinstance(partitioned(AFTER, *devices).prepare([both]).on_node(NODE), Allocated)


def test_device_held_by_another_claim_excludes_those_of_other_groups() -> None:
    index = partitioned(GROUPS, partition("d0", "x"), partition("d1", "y"), partition("d2", "x"))
    held = {"request": "r", "driver": DRIVER, "pool": "parts", "device": "d0"}
    index.put_claim({**claim(name="held"), "status": {"allocation": {"devices": {"results": [held]}}}})
    results = allocated(index, claim(request()))
    assert [result["device"] for result in results[0]["devices"]["results"]] == ["d2"]
    assert isinstance(index.prepare([claim(request(count=2))]).on_node(NODE), Unsatisfiable)


# Consumable capacity


def shared(name: str, value: str, policy: dict[str, Any], capacity: str = "memory") -> dict[str, Any]:
    amounts = {capacity: {"value": value, "requestPolicy": policy}}
    return {"name": name, "allowMultipleAllocations": True, "capacity": amounts}


@pytest.mark.parametrize(("fractional", "taken"), [(False, "2"), (True, "1500m")])
def test_range_with_a_step_is_counted_in_thousandths_behind_its_gate(*, fractional: bool, taken: str) -> None:
    policy = {"default": "1", "validRange": {"min": "500m", "max": "4", "step": "500m"}}
    if not fractional:
        policy["validRange"] = {"min": "1", "max": "4", "step": "1"}
    features = Features(release_137=True, fractional_capacity_range=fractional)
    index = index_of([shared("d0", "4", policy)], features)
    result = allocated(index, claim(request(capacity={"requests": {"memory": "1300m"}})))[0]
    assert result["devices"]["results"][0]["consumedCapacity"] == {"memory": taken}


@pytest.mark.parametrize(
    ("offered", "asked"),
    [("memory", f"{DRIVER}/memory"), (f"{DRIVER}/memory", "memory"), ("memory", "memory")],
)
def test_bare_name_of_a_capacity_stands_for_the_domain_of_the_driver(offered: str, asked: str) -> None:
    policy = {"default": "1", "validValues": ["1", "2"]}
    wanted = claim(request(capacity={"requests": {asked: "2"}}))
    index = index_of([shared("d0", "4", policy, offered)], AFTER)
    assert allocated(index, wanted)[0]["devices"]["results"][0]["consumedCapacity"] == {offered: "2"}
    before = index_of([shared("d0", "4", policy, offered)], BEFORE).prepare([wanted]).on_node(NODE)
    assert isinstance(before, Allocated) is (offered == asked)


def test_capacity_asked_for_under_both_names_is_refused() -> None:
    wanted = claim(request(capacity={"requests": {"memory": "1", f"{DRIVER}/memory": "1"}}))
    index = index_of([shared("d0", "4", {"default": "1", "validValues": ["1"]})], AFTER)
    assert isinstance(index.prepare([wanted]).on_node(NODE), Unsatisfiable)


# The node's part


def test_operations_that_a_slice_skips_are_handed_on_behind_their_gate() -> None:
    skipped = ["NodePrepareResources"]
    for features, expected in (
        (Features(release_137=True, optional_node_operations=True), skipped),
        (AFTER, None),
    ):
        index = index_of([{"name": "d0"}], features, skipNodeOperations=skipped)
        result = allocated(index, claim(request()))[0]["devices"]["results"][0]
        assert result.get("skipNodeOperations") == expected


def test_selectors_read_lists_whatever_the_gate_of_the_constraints_says() -> None:
    device = {"name": "d0", "attributes": {"links": {"ints": [1, 2]}}}
    selector = {"cel": {"expression": f'2 in device.attributes["{DRIVER}"].links'}}
    wanted = claim(request(selectors=[selector]))
    assert isinstance(index_of([device], AFTER).prepare([wanted]).on_node(NODE), Allocated)
    with pytest.raises(InvalidInput, match="unsupported attribute value"):
        index_of([device], BEFORE).prepare([wanted]).on_node(NODE)

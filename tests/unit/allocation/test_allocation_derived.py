"""Derived attributes (KEP-6080): constraints look at what requests make of devices before what devices publish."""

from typing import Any
from unittest import mock

import pytest

from dray.allocation import Allocated, DeviceIndex, Features, InvalidInput, Unsatisfiable
from dray.allocation.derivations import Derivation
from dray.api.features import parse_feature_gates

GPU, NIC = "gpu.example.com", "nic.example.com"
NODE = {"metadata": {"name": "n"}}
ON = Features(release_137=True, derived_attributes=True)
LISTS = Features(release_137=True, derived_attributes=True, list_type_attributes=True)
NUMA = f'device.attributes["{GPU}"].numa'
NUMA_OF_NIC = f'int(device.attributes["{NIC}"].place.split("-")[0].substring(4))'


def gpu(name: str, numa: int | None = None, **more: Any) -> dict[str, Any]:
    attributes = {} if numa is None else {"numa": {"int": numa}}
    return {"name": name, "attributes": {**attributes, **more.pop("attributes", {})}, **more}


def nic(name: str, numa: int) -> dict[str, Any]:
    return {"name": name, "attributes": {"place": {"string": f"numa{numa}-pcie0"}}}


def slice_of(driver: str, devices: list[dict[str, Any]], node: str = "n") -> dict[str, Any]:
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": driver, "pool": pool, "nodeName": node, "devices": devices}
    return {"metadata": {"name": f"{driver}-{node}"}, "spec": spec}


def index_of(
    gpus: list[dict[str, Any]], nics: list[dict[str, Any]] | None = None, features: Features = ON
) -> DeviceIndex:
    index = DeviceIndex(features, new_share_id=lambda: "00000000-0000-4000-8000-000000000000")
    for driver in (GPU, NIC):
        selector = {"cel": {"expression": f'device.driver == "{driver}"'}}
        index.put_class({"metadata": {"name": driver}, "spec": {"selectors": [selector]}})
    index.put_slice(slice_of(GPU, gpus))
    if nics is not None:
        index.put_slice(slice_of(NIC, nics))
    return index


def derived(expression: str, name: str = "derived/numa") -> dict[str, Any]:
    return {"name": name, "expression": expression}


def asks(driver: str, *attributes: dict[str, Any], count: int = 1, **more: Any) -> dict[str, Any]:
    spec = {"deviceClassName": driver, "allocationMode": "ExactCount", "count": count, **more}
    return {**spec, "derivedAttributes": list(attributes)}


def exact(name: str, *args: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "exactly": asks(*args, **more)}


def match(*requests: str, attribute: str = "derived/numa", rule: str = "matchAttribute") -> dict[str, Any]:
    return {rule: attribute, **({"requests": list(requests)} if requests else {})}


def claim(*requests: dict[str, Any], constraints: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    devices = {"requests": list(requests), "constraints": [match()] if constraints is None else constraints}
    return {"metadata": {"name": "claim", "namespace": "ns", "uid": "u"}, "spec": {"devices": devices}}


def picked(index: DeviceIndex, asked: dict[str, Any]) -> list[str] | None:
    outcome = index.prepare([asked]).on_node(NODE)
    if isinstance(outcome, Unsatisfiable):
        return None
    return [result["device"] for result in outcome.results[0]["devices"]["results"]]


def failure(index: DeviceIndex, asked: dict[str, Any]) -> str:
    with pytest.raises(InvalidInput) as error:
        index.prepare([asked]).on_node(NODE)
    return error.value.message


PAIR = claim(exact("gpu", GPU, derived(NUMA)), exact("nic", NIC, derived(NUMA_OF_NIC)))


# Which value counts


def test_devices_of_two_drivers_meet_in_a_value_that_each_request_derives() -> None:
    index = index_of([gpu("gpu-0", 0), gpu("gpu-1", 1)], [nic("nic-1", 1), nic("nic-2", 2)])
    assert picked(index, PAIR) == ["gpu-1", "nic-1"]


def test_no_solution_where_no_derived_value_is_shared() -> None:
    index = index_of([gpu("gpu-0", 0), gpu("gpu-1", 1)], [nic("nic-2", 2)])
    assert picked(index, PAIR) is None


def test_derived_attributes_are_ignored_where_the_feature_is_off() -> None:
    for features in (Features(), Features(release_137=True)):
        index = index_of([gpu("gpu-0", 1)], [nic("nic-1", 1)], features)
        assert picked(index, PAIR) is None  # nobody publishes derived/numa


def test_derived_value_takes_the_place_of_the_published_one_of_that_name() -> None:
    index = index_of([gpu("gpu-0", 0), gpu("gpu-1", 1), gpu("gpu-2", 2)])
    same = derived(f"{NUMA} / 2", f"{GPU}/numa")
    constraints = [match(attribute=f"{GPU}/numa")]
    assert picked(index, claim(exact("r", GPU, same, count=2), constraints=constraints)) == ["gpu-0", "gpu-1"]
    assert picked(index, claim(exact("r", GPU, count=2), constraints=constraints)) is None


def test_request_that_derives_nothing_is_looked_at_by_what_its_devices_publish() -> None:
    index = index_of([gpu("gpu-0", 0), gpu("gpu-1", 1)])
    shifted = derived(f"{NUMA} + 1", f"{GPU}/numa")
    asked = claim(exact("a", GPU, shifted), exact("b", GPU), constraints=[match(attribute=f"{GPU}/numa")])
    assert picked(index, asked) == ["gpu-0", "gpu-1"]


def test_device_may_have_another_value_for_another_request() -> None:
    index = index_of([gpu("gpu-0", 0), gpu("gpu-1", 1)])
    asked = claim(exact("a", GPU, derived(NUMA)), exact("b", GPU, derived(f"1 - {NUMA}")))
    assert picked(index, asked) == ["gpu-0", "gpu-1"]
    both = claim(exact("a", GPU, derived(NUMA)), exact("b", GPU, derived(NUMA)))
    assert picked(index, both) is None


def test_every_alternative_derives_by_its_own_expression() -> None:
    index = index_of([gpu("gpu-0", 0), gpu("gpu-1", 1)], [nic("nic-1", 1)])
    alternatives = [
        {"name": "far", **asks(GPU, derived(f"{NUMA} + 10"))},
        {"name": "near", **asks(GPU, derived(NUMA))},
    ]
    asked = claim({"name": "gpu", "firstAvailable": alternatives}, exact("nic", NIC, derived(NUMA_OF_NIC)))
    assert picked(index, asked) == ["gpu-1", "nic-1"]


def test_distinct_attribute_looks_at_derived_values_too() -> None:
    index = index_of([gpu("gpu-0", 0), gpu("gpu-1", 1), gpu("gpu-2", 2)])
    asked = claim(
        exact("r", GPU, derived(f"{NUMA} / 2"), count=2), constraints=[match(rule="distinctAttribute")]
    )
    assert picked(index, asked) == ["gpu-0", "gpu-2"]


def test_administrator_derives_as_everybody_does() -> None:
    index = index_of([gpu("gpu-0", 0), gpu("gpu-1", 1)], [nic("nic-1", 1)])
    held = {"request": "r", "driver": GPU, "pool": "n", "device": "gpu-1"}
    index.put_claim(
        {
            "metadata": {"name": "other", "uid": "o"},
            "status": {"allocation": {"devices": {"results": [held]}}},
        }
    )
    asked = claim(exact("gpu", GPU, derived(NUMA), adminAccess=True), exact("nic", NIC, derived(NUMA_OF_NIC)))
    assert picked(index, asked) == ["gpu-1", "nic-1"]


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("1", "1", True),
        ("1", '"1"', False),
        ("true", "true", True),
        ("true", "1", False),
        ('semver("1.2.3")', 'semver("1.2.3")', True),
        ('semver("1.2.3")', '"1.2.3"', False),
        ('semver("1.2.3+a")', 'semver("1.2.3+b")', False),
    ],
)
def test_derived_values_are_equal_in_type_and_value(one: str, other: str, *, equal: bool) -> None:
    index = index_of([gpu("gpu-0"), gpu("gpu-1")])
    asked = claim(exact("a", GPU, derived(one)), exact("b", GPU, derived(other)))
    assert picked(index, asked) == (["gpu-0", "gpu-1"] if equal else None)


def test_derived_version_meets_a_published_one() -> None:
    index = index_of([gpu("gpu-0"), gpu("gpu-1", attributes={"firmware": {"version": "1.2.3"}})])
    asked = claim(
        exact("a", GPU, derived('semver("1.2.3")', f"{GPU}/firmware")),
        exact("b", GPU),
        constraints=[match(attribute=f"{GPU}/firmware")],
    )
    assert picked(index, asked) == ["gpu-0", "gpu-1"]


@pytest.mark.parametrize(
    ("features", "one", "other", "found"),
    [
        (LISTS, "[1, 2]", "[2, 3]", True),
        (LISTS, "[1, 2]", "2", True),
        (LISTS, "[1, 2]", "[3]", False),
        (LISTS, "[]", "[]", False),
        # Without their gate lists are equal to nothing, as published ones are.
        (ON, "[1, 2]", "[1, 2]", False),
    ],
)
def test_derived_list_is_a_set_of_values(features: Features, one: str, other: str, *, found: bool) -> None:
    index = index_of([gpu("gpu-0"), gpu("gpu-1")], features=features)
    asked = claim(exact("a", GPU, derived(one)), exact("b", GPU, derived(other)))
    assert picked(index, asked) == (["gpu-0", "gpu-1"] if found else None)


def test_lists_that_share_nothing_are_distinct() -> None:
    index = index_of([gpu("gpu-0", 0), gpu("gpu-1", 1), gpu("gpu-2", 2)], features=LISTS)
    around = derived(f"[int({NUMA}), int({NUMA}) + 1]")
    asked = claim(exact("r", GPU, around, count=2), constraints=[match(rule="distinctAttribute")])
    assert picked(index, asked) == ["gpu-0", "gpu-2"]


# Errors

HINT = (
    ". consider using CEL optional chaining (.? followed by orValue()) or guarding the check with has() for optional "
    "fields"
)
NO_NUMA = (
    "claim ns/claim, request gpu: derived attribute derived/numa on device gpu.example.com/n/{}: "
    f"CEL runtime error: no such key: numa{HINT}"
)


def test_device_without_the_value_ends_the_attempt_even_if_another_would_do() -> None:
    index = index_of([gpu("gpu-0"), gpu("gpu-1", 1)], [nic("nic-1", 1)])
    assert failure(index, PAIR) == NO_NUMA.format("gpu-0")


def test_expression_that_does_not_compile_is_an_error_of_the_request() -> None:
    text = failure(index_of([gpu("gpu-0")]), claim(exact("gpu", GPU, derived("device.numa"))))
    assert text.startswith(
        "claim ns/claim, request gpu: derived attribute derived/numa: CEL compile error: compilation failed"
    )


def test_value_of_no_known_type_is_an_error_of_the_device() -> None:
    text = failure(index_of([gpu("gpu-0")]), claim(exact("gpu", GPU, derived("dyn(1.5)"))))
    assert text.endswith(
        "on device gpu.example.com/n/gpu-0: CEL runtime error: unsupported CEL return type: float64"
    )


def test_device_that_is_not_reached_does_no_harm() -> None:
    index = index_of([gpu("gpu-0", 1), gpu("gpu-1")], [nic("nic-1", 1)])
    assert picked(index, PAIR) == ["gpu-0", "nic-1"]


def test_device_is_asked_only_after_selectors_accepted_it() -> None:
    index = index_of([gpu("gpu-0"), gpu("gpu-1", 1)], [nic("nic-1", 1)])
    selector = {"cel": {"expression": f'"numa" in device.attributes["{GPU}"]'}}
    asked = claim(
        exact("gpu", GPU, derived(NUMA), selectors=[selector]), exact("nic", NIC, derived(NUMA_OF_NIC))
    )
    assert picked(index, asked) == ["gpu-1", "nic-1"]


def test_device_in_use_or_tainted_is_not_asked() -> None:
    taint = {"key": "t", "effect": "NoSchedule"}
    index = index_of([gpu("gpu-0"), gpu("gpu-1", taints=[taint]), gpu("gpu-2", 1)], [nic("nic-1", 1)])
    held = {"request": "r", "driver": GPU, "pool": "n", "device": "gpu-0"}
    index.put_claim(
        {
            "metadata": {"name": "other", "uid": "o"},
            "status": {"allocation": {"devices": {"results": [held]}}},
        }
    )
    assert picked(index, PAIR) == ["gpu-2", "nic-1"]


def test_constraint_before_it_keeps_a_device_from_being_asked() -> None:
    gpus = [gpu("gpu-0", 1, attributes={"row": {"int": 0}}), gpu("gpu-1", attributes={"row": {"int": 1}})]
    first = exact("first", GPU, selectors=[{"cel": {"expression": f'device.attributes["{GPU}"].row == 0'}}])
    second = exact("gpu", GPU, derived(NUMA))
    row, numa = match(attribute=f"{GPU}/row"), match("gpu")
    assert picked(index_of(gpus), claim(first, second, constraints=[row, numa])) is None
    assert failure(index_of(gpus), claim(first, second, constraints=[numa, row])) == NO_NUMA.format("gpu-1")


def test_attribute_that_no_constraint_on_the_request_looks_at_is_not_asked_for() -> None:
    index = index_of([gpu("gpu-0")], [nic("nic-1", 1)])
    asked = claim(exact("gpu", GPU, derived(NUMA)), exact("nic", NIC), constraints=[])
    assert picked(index, asked) == ["gpu-0", "nic-1"]
    other = claim(
        exact("gpu", GPU, derived(NUMA)), exact("nic", NIC, derived("1")), constraints=[match("nic")]
    )
    assert picked(index, other) == ["gpu-0", "nic-1"]


def test_device_without_enough_counters_is_not_asked() -> None:
    draw = [{"counterSet": "s", "counters": {"c": {"value": "2"}}}]
    index = index_of([])
    pool = {"name": "n", "generation": 2, "resourceSliceCount": 2}
    base = {"driver": GPU, "pool": pool, "nodeName": "n"}
    gpus = [gpu("gpu-0", consumesCounters=draw), gpu("gpu-1", 1)]
    index.put_slice({"metadata": {"name": f"{GPU}-n"}, "spec": {**base, "devices": gpus}})
    counters = [{"name": "s", "counters": {"c": {"value": "1"}}}]
    index.put_slice({"metadata": {"name": "counters"}, "spec": {**base, "sharedCounters": counters}})
    assert picked(index, claim(exact("gpu", GPU, derived(NUMA)))) == ["gpu-1"]


def test_all_devices_are_asked_in_order() -> None:
    everything = {"deviceClassName": GPU, "allocationMode": "All", "derivedAttributes": [derived(NUMA)]}
    asked = claim({"name": "gpu", "exactly": everything})
    assert picked(index_of([gpu("gpu-0", 1), gpu("gpu-1", 1)]), asked) == ["gpu-0", "gpu-1"]
    assert failure(index_of([gpu("gpu-0", 1), gpu("gpu-1"), gpu("gpu-2", 2)]), asked) == NO_NUMA.format(
        "gpu-1"
    )
    assert failure(index_of([gpu("gpu-0", 1), gpu("gpu-1", 2), gpu("gpu-2")]), asked) == (
        "claim ns/claim, request gpu: cannot add device gpu.example.com/n/gpu-1 "
        "because a claim constraint would not be satisfied"
    )


def test_node_with_too_few_devices_still_ends_the_attempt_at_one_without_a_value() -> None:
    index = index_of([gpu("gpu-0")])
    attempt = index.prepare([claim(exact("gpu", GPU, derived(NUMA), count=2))])
    with pytest.raises(InvalidInput, match="no such key: numa"):
        attempt.find_node([NODE])


def test_node_short_for_one_request_is_asked_where_another_may_end_in_an_error() -> None:
    index = index_of([gpu("gpu-0")], [])
    attempt = index.prepare([claim(exact("gpu", GPU, derived(NUMA)), exact("nic", NIC, derived("1")))])
    for _ in range(2):
        with pytest.raises(InvalidInput, match="no such key: numa"):
            attempt.find_node([NODE])


def test_node_with_too_few_devices_is_passed_over_where_all_have_the_value() -> None:
    index = index_of([gpu("gpu-0", 1)])
    attempt = index.prepare([claim(exact("gpu", GPU, derived(NUMA), count=2))])
    assert list(attempt.candidate_nodes([NODE])) == []


# Work


def asked_about(index: DeviceIndex, *claims: dict[str, Any]) -> int:
    """How many devices an expression was evaluated for while claims were tried."""
    with mock.patch.object(Derivation, "value", autospec=True, side_effect=Derivation.value) as evaluated:
        for each in claims:
            index.prepare([each]).on_node(NODE)
    return evaluated.call_count


def test_expression_is_evaluated_once_for_each_device() -> None:
    index = index_of([gpu(f"gpu-{i}", i) for i in range(8)], [nic("nic-9", 9)])
    again = claim(*PAIR["spec"]["devices"]["requests"], constraints=[match("gpu", "nic")])
    assert asked_about(index, PAIR, again, PAIR) == 9


def test_devices_that_stay_as_they_are_are_not_asked_again_when_their_slice_changes() -> None:
    gpus, nics = [gpu(f"gpu-{i}", i) for i in range(8)], [nic("nic-9", 9)]
    index = index_of(gpus, nics)
    assert asked_about(index, PAIR) == 9
    index.put_slice(slice_of(GPU, [gpu("new", 9), *gpus[1:], gpu("gpu-0", 8)]))
    assert asked_about(index, PAIR) == 2
    assert picked(index, PAIR) == ["new", "nic-9"]


def test_failure_is_remembered_with_the_device_and_forgotten_with_it() -> None:
    index = index_of([gpu("gpu-0")], [nic("nic-1", 1)])
    assert failure(index, PAIR) == NO_NUMA.format("gpu-0")
    index.put_slice(slice_of(GPU, [gpu("gpu-1", 1), gpu("gpu-0")]))
    assert picked(index, PAIR) == ["gpu-1", "nic-1"]
    index.put_slice(slice_of(GPU, [gpu("gpu-0", 1)]))
    assert picked(index, PAIR) == ["gpu-0", "nic-1"]


def test_many_expressions_are_forgotten_rather_than_kept_for_ever() -> None:
    index = index_of([gpu("gpu-0", 0)])
    for number in range(600):
        assert picked(index, claim(exact("gpu", GPU, derived(f"{NUMA} + {number}")))) == ["gpu-0"]
    (entry,) = index.inventory.slices.values()
    assert len(entry.derived) < 600


def test_values_that_cannot_meet_are_seen_without_trying_all_pairs() -> None:
    gpus = [gpu(f"gpu-{i}", i) for i in range(64)]
    index = index_of(gpus, [nic(f"nic-{i}", 100 + i) for i in range(64)])
    outcome = index.prepare([PAIR]).on_node(NODE)
    assert isinstance(outcome, Unsatisfiable)
    assert outcome.steps < 10


def test_twins_must_have_the_same_derived_values() -> None:
    """Alike in all that is published for constraints, apart in what is derived: the last one does."""
    gpus = [gpu(f"gpu-{i}", 0) for i in range(5)] + [gpu("gpu-5", 7)]
    index = index_of(gpus, [nic("nic-7", 7)])
    assert picked(index, PAIR) == ["gpu-5", "nic-7"]


# Why not


def refusal(index: DeviceIndex, asked: dict[str, Any]) -> str:
    outcome = index.prepare([asked]).on_node(NODE)
    assert isinstance(outcome, Unsatisfiable)
    return outcome.summary()


def test_refusal_tells_what_was_derived_from_how_many_devices() -> None:
    index = index_of([gpu("gpu-0", 0), gpu("gpu-1", 0), gpu("gpu-2", 1)], [nic("nic-2", 2)])
    assert refusal(index, PAIR) == (
        "requests gpu, nic want 2 devices with the same derived/numa, at most 1 share one (0)"
        "; gpu derives 0 on 2, 1 on 1; nic derives 2 on 1"
    )


def test_refusal_of_different_values_tells_them_too() -> None:
    index = index_of([gpu("gpu-0", 0), gpu("gpu-1", 1)])
    asked = claim(
        exact("gpu", GPU, derived(f"{NUMA} / 2"), count=2), constraints=[match(rule="distinctAttribute")]
    )
    assert refusal(index, asked) == (
        "request gpu want 2 devices that differ in derived/numa, 1 values are free; gpu derives 0 on 2"
    )


def test_refusal_tells_some_of_many_values() -> None:
    index = index_of([gpu(f"gpu-{i}", i) for i in range(9)], [nic("nic-9", 9)])
    assert "gpu derives 0 on 1, 1 on 1, 2 on 1, 3 on 1, 5 other values;" in refusal(index, PAIR)


def test_gate_brings_the_feature() -> None:
    features = Features.from_gates(parse_feature_gates("DRADerivedAttributes=true"))
    index = index_of([gpu("gpu-1", 1)], [nic("nic-1", 1)], features)
    assert isinstance(index.prepare([PAIR]).on_node(NODE), Allocated)

"""How much work the search may cost: impossible questions are refused after few steps, and budgets are outcomes."""

from typing import Any

import pytest

from dray.allocation import AbortReason, Allocated, DeviceIndex, SearchAborted, Unsatisfiable

DRIVER = "d.example.com"
NODE = {"metadata": {"name": "n"}}
FEW = 1500
"""Steps; naive search would take more than there are atoms."""


def device(number: int, **attributes: int) -> dict[str, Any]:
    return {
        "name": f"d{number:03}",
        "attributes": {name: {"int": value} for name, value in attributes.items()},
    }


def index_of(devices: list[dict[str, Any]], counters: dict[str, str] | None = None) -> DeviceIndex:
    index = DeviceIndex(new_share_id=lambda: "00000000-0000-4000-8000-000000000000")
    index.put_class({"metadata": {"name": "c"}, "spec": {}})
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 2 if counters else 1}
    base = {"driver": DRIVER, "pool": pool, "nodeName": "n"}
    index.put_slice({"metadata": {"name": "devices"}, "spec": {**base, "devices": devices}})
    if counters:
        amounts = {name: {"value": amount} for name, amount in counters.items()}
        sets = [{"name": "s", "counters": amounts}]
        index.put_slice({"metadata": {"name": "counters"}, "spec": {**base, "sharedCounters": sets}})
    return index


def exactly(count: int, selector: str = "") -> dict[str, Any]:
    spec: dict[str, Any] = {"deviceClassName": "c", "allocationMode": "ExactCount", "count": count}
    if selector:
        spec["selectors"] = [{"cel": {"expression": selector}}]
    return spec


def claim(
    requests: list[dict[str, Any]], *constraints: dict[str, Any], name: str = "claim"
) -> dict[str, Any]:
    spec = {"devices": {"requests": requests, "constraints": list(constraints)}}
    return {"metadata": {"name": name, "namespace": "ns", "uid": name}, "spec": spec}


def requests(*counts: int) -> list[dict[str, Any]]:
    return [{"name": f"r{number}", "exactly": exactly(count)} for number, count in enumerate(counts)]


def match(attribute: str, *names: str) -> dict[str, Any]:
    return {"matchAttribute": f"{DRIVER}/{attribute}", **({"requests": list(names)} if names else {})}


def distinct(attribute: str, *names: str) -> dict[str, Any]:
    return {"distinctAttribute": f"{DRIVER}/{attribute}", **({"requests": list(names)} if names else {})}


@pytest.mark.parametrize("size", [16, 64, 128])
@pytest.mark.parametrize("constraint", [match("few"), distinct("few"), match("own")])
def test_unsatisfiable_constraint_on_k_of_n_is_refused_at_once(size: int, constraint: dict[str, Any]) -> None:
    devices = [device(number, few=number % (size // 4), own=number) for number in range(size)]
    wanted = claim(requests(min(size // 2, 32)), constraint)
    if constraint == distinct("few") and size == 128:
        wanted = claim(requests(32), distinct("few"), match("own"))
    outcome = index_of(devices).prepare([wanted]).on_node(NODE)
    assert isinstance(outcome, Unsatisfiable)
    assert outcome.steps < FEW


@pytest.mark.parametrize("size", [24, 64, 128])
def test_counters_that_carry_one_device_less_are_refused_at_once(size: int) -> None:
    wanted = min(size // 2, 32)
    devices = [device(number, own=number) for number in range(size)]
    for item in devices:
        item["consumesCounters"] = [{"counterSet": "s", "counters": {"memory": {"value": "3"}}}]
    index = index_of(devices, {"memory": str(3 * wanted - 1)})
    outcome = index.prepare([claim(requests(wanted))]).on_node(NODE)
    assert isinstance(outcome, Unsatisfiable)
    assert outcome.steps < FEW


def shared(number: int, **capacities: int) -> dict[str, Any]:
    amounts = {name: {"value": str(value)} for name, value in capacities.items()}
    return {**device(number, own=number), "allowMultipleAllocations": True, "capacity": amounts}


def portions(*amounts: dict[str, int]) -> list[dict[str, Any]]:
    asked = [{name: str(value) for name, value in amount.items()} for amount in amounts]
    return [
        {"name": f"r{i}", "exactly": {**exactly(1), "capacity": {"requests": each}}}
        for i, each in enumerate(asked)
    ]


@pytest.mark.parametrize("size", [4, 8, 16, 31])
def test_portions_of_which_a_shared_device_holds_one_are_too_many_by_one(size: int) -> None:
    index = index_of([shared(number, memory=80) for number in range(size)])
    outcome = index.prepare([claim(portions(*[{"memory": 41}] * (size + 1)))]).on_node(NODE)
    assert isinstance(outcome, Unsatisfiable)
    assert outcome.steps < FEW


def test_portions_of_several_capacities_are_refused_by_the_scarcest() -> None:
    index = index_of([shared(number, memory=80, cores=8) for number in range(8)])
    wanted = portions(*({"memory": 30 + number % 3 * 10, "cores": 3 + number % 2} for number in range(17)))
    outcome = index.prepare([claim(wanted)]).on_node(NODE)
    assert isinstance(outcome, Unsatisfiable)
    assert outcome.steps < FEW


def test_later_claim_that_is_impossible_alone_is_found_out_behind_an_ample_one() -> None:
    devices = [device(number, a=number % 6, b=number % 5, own=number) for number in range(30)]
    ample = claim(requests(3, 4, 2), distinct("own"), name="ample")
    impossible = claim(requests(2, 2), distinct("b", "r0"), match("a"), match("b", "r1"), name="impossible")
    outcome = index_of(devices).prepare([ample, impossible]).on_node(NODE)
    assert isinstance(outcome, Unsatisfiable)
    assert outcome.steps < FEW
    assert outcome.summary()


def test_alternatives_of_many_requests_do_not_multiply() -> None:
    devices = [device(number, a=number % 4) for number in range(16)]
    alternatives = [{"name": f"s{number}", **exactly(3)} for number in range(8)]
    wanted = [{"name": f"r{number}", "firstAvailable": alternatives} for number in range(8)]
    outcome = index_of(devices).prepare([claim(wanted)]).on_node(NODE)
    assert isinstance(outcome, Unsatisfiable)
    assert outcome.steps < FEW


def test_spent_budget_is_an_outcome_of_its_own() -> None:
    attempt = index_of([device(number) for number in range(8)]).prepare([claim(requests(8))])
    with pytest.raises(SearchAborted) as aborted:
        attempt.on_node(NODE, max_steps=3)
    assert aborted.value.reason is AbortReason.BUDGET
    assert isinstance(attempt.on_node(NODE), Allocated)  # and nothing was concluded from it


def test_caller_that_asks_to_stop_is_heard_before_the_first_device() -> None:
    attempt = index_of([device(number) for number in range(8)]).prepare([claim(requests(8))])
    with pytest.raises(SearchAborted, match="filter operation aborted: asked to stop") as aborted:
        attempt.on_node(NODE, should_stop=lambda: True)
    assert aborted.value.reason is AbortReason.CANCELLED
    assert isinstance(attempt.on_node(NODE), Allocated)

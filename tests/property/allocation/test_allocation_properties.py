"""The allocator against brute force on tiny inputs: it finds a solution exactly where there is one, and the first."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import allocation_brute_force as brute_force
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from dray.allocation import Allocated, DeviceIndex, Features, InvalidInput, Unsatisfiable, solving
from dray.allocation.invariants import check_allocations

NODE = {"metadata": {"name": "n"}}
DRIVER = "d.example.com"
KINDS = ("x", "y")
FEATURES = Features(derived_attributes=True, list_type_attributes=True)


@st.composite
def devices(draw: st.DrawFn, name: str, counter_sets: int) -> dict[str, Any]:
    attributes: dict[str, Any] = {"kind": {"string": draw(st.sampled_from(KINDS))}}
    if draw(st.integers(0, 9)):
        attributes["a"] = {"int": draw(st.integers(0, 2))}
    attributes["b"] = {"int": draw(st.integers(0, 1))}
    device: dict[str, Any] = {"name": name, "attributes": attributes}
    if counter_sets and draw(st.booleans()):
        amounts = {"c": {"value": str(draw(st.integers(1, 2)))}, "e": {"value": str(draw(st.integers(0, 2)))}}
        device["consumesCounters"] = [
            {"counterSet": f"s{draw(st.integers(0, counter_sets - 1))}", "counters": amounts}
        ]
    if draw(st.integers(0, 3)) == 0:
        device["allowMultipleAllocations"] = True
        policy = {"default": "1", "validRange": {"min": "1", "max": "3", "step": "1"}}
        memory: dict[str, Any] = {"value": str(draw(st.integers(1, 4)))}
        if draw(st.booleans()):
            memory["requestPolicy"] = policy
        device["capacity"] = {"memory": memory}
    if draw(st.integers(0, 5)) == 0:
        device["taints"] = [{"key": "t", "effect": "NoSchedule"}]
    return device


@st.composite
def worlds(draw: st.DrawFn) -> brute_force.World:
    counter_sets = draw(st.integers(0, 2))
    found = [draw(devices(f"d{i}", counter_sets)) for i in range(draw(st.integers(1, 6)))]
    counters = {
        f"s{i}": {"c": draw(st.integers(0, 4)), "e": draw(st.integers(1, 4))} for i in range(counter_sets)
    }
    held: dict[str, list[dict[str, Any]]] = {}
    for device in found:
        if draw(st.integers(0, 4)) == 0:
            result = {"request": "r", "driver": DRIVER, "pool": "p", "device": device["name"]}
            if device.get("allowMultipleAllocations") and draw(st.booleans()):
                result |= {
                    "shareID": "00000000-0000-4000-8000-000000000000",
                    "consumedCapacity": {"memory": "1"},
                }
            held[device["name"]] = [result]
    return brute_force.World(found, counters, held)


@st.composite
def options(draw: st.DrawFn, *, allow_all: bool) -> dict[str, Any]:
    spec: dict[str, Any] = {"deviceClassName": "c", "allocationMode": "ExactCount"}
    spec["count"] = draw(st.integers(1, 3))
    if draw(st.booleans()):
        kind = draw(st.sampled_from(KINDS))
        spec["selectors"] = [{"cel": {"expression": f'device.attributes["{DRIVER}"].kind == "{kind}"'}}]
    if allow_all and draw(st.integers(0, 4)) == 0:
        spec["allocationMode"] = "All"
        del spec["count"]
    if draw(st.integers(0, 3)) == 0:
        spec["tolerations"] = [{"key": "t", "operator": "Exists"}]
    if draw(st.integers(0, 3)) == 0:
        spec["capacity"] = {"requests": {"memory": str(draw(st.integers(1, 3)))}}
    return spec


@st.composite
def claims(draw: st.DrawFn, number: int) -> dict[str, Any]:
    constrained = draw(st.booleans())
    requests = []
    for i in range(draw(st.integers(1, 2))):
        if draw(st.integers(0, 2)) == 0:
            alternatives = [
                {"name": f"s{j}", **draw(options(allow_all=not constrained))}
                for j in range(draw(st.integers(1, 2)))
            ]
            requests.append({"name": f"r{i}", "firstAvailable": alternatives})
        else:
            spec = draw(options(allow_all=not constrained))
            if draw(st.integers(0, 7)) == 0:
                spec["adminAccess"] = True
            requests.append({"name": f"r{i}", "exactly": spec})
    body: dict[str, Any] = {"requests": requests}
    if constrained:
        body["constraints"] = draw(st.lists(constraints(len(requests)), min_size=1, max_size=2))
    return {
        "metadata": {"name": f"claim-{number}", "namespace": "ns", "uid": f"uid-{number}"},
        "spec": {"devices": body},
    }


@st.composite
def constraints(draw: st.DrawFn, requests: int) -> dict[str, Any]:
    rule = draw(st.sampled_from(("matchAttribute", "distinctAttribute")))
    constraint: dict[str, Any] = {rule: f"{DRIVER}/{draw(st.sampled_from('ab'))}"}
    if draw(st.booleans()):
        constraint["requests"] = [f"r{draw(st.integers(0, requests - 1))}"]
    return constraint


@st.composite
def cases(draw: st.DrawFn) -> tuple[brute_force.World, list[dict[str, Any]]]:
    return draw(worlds()), [draw(claims(i)) for i in range(draw(st.integers(1, 2)))]


@st.composite
def sharing_cases(draw: st.DrawFn) -> tuple[brute_force.World, list[dict[str, Any]]]:
    """Few kinds of devices, all shared in two capacities, and requests that fill them: packing, with many twins."""
    sizes = draw(st.lists(st.tuples(st.integers(2, 6), st.integers(2, 6)), min_size=1, max_size=2))
    found = []
    for i in range(draw(st.integers(2, 4))):
        memory, cores = draw(st.sampled_from(sizes))
        device: dict[str, Any] = {
            "name": f"d{i}",
            "attributes": {"kind": {"string": "x"}, "a": {"int": draw(st.integers(0, 1))}, "b": {"int": 0}},
            "allowMultipleAllocations": draw(st.integers(0, 5)) > 0,
            "capacity": {"memory": {"value": str(memory)}, "cores": {"value": str(cores)}},
        }
        found.append(device)
    held: dict[str, list[dict[str, Any]]] = {}
    if found[0]["allowMultipleAllocations"] and draw(st.booleans()):
        share = {
            "shareID": "00000000-0000-4000-8000-000000000000",
            "consumedCapacity": {"memory": "1", "cores": "1"},
        }
        held["d0"] = [{"request": "r", "driver": DRIVER, "pool": "p", "device": "d0"} | share]
    portions = draw(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=2))
    requests = []
    for i in range(draw(st.integers(2, 5))):
        memory, cores = draw(st.sampled_from(portions))
        spec = {
            "deviceClassName": "c",
            "allocationMode": "ExactCount",
            "count": draw(st.sampled_from((1, 1, 2))),
        }
        spec["capacity"] = {"requests": {"memory": str(memory), "cores": str(cores)}}
        requests.append({"name": f"r{i}", "exactly": spec})
    body: dict[str, Any] = {"requests": requests}
    if draw(st.integers(0, 3)) == 0:
        body["constraints"] = [draw(constraints(len(requests)))]
    metadata = {"name": "claim-0", "namespace": "ns", "uid": "uid-0"}
    return brute_force.World(found, {}, held), [{"metadata": metadata, "spec": {"devices": body}}]


@st.composite
def derived_requests(
    draw: st.DrawFn, name: str, expressions: Sequence[str], *, allow_all: bool
) -> dict[str, Any]:
    """A request that works out what its constraints look at, under a name of its own or one that is published."""

    def option() -> dict[str, Any]:
        spec: dict[str, Any] = {
            "deviceClassName": "c",
            "allocationMode": "ExactCount",
            "count": draw(st.sampled_from((1, 1, 2))),
        }
        if draw(st.booleans()):
            kind = draw(st.sampled_from(KINDS))
            spec["selectors"] = [{"cel": {"expression": f'{brute_force.HERE}.kind == "{kind}"'}}]
            if allow_all and draw(st.booleans()):
                spec["selectors"].append({"cel": {"expression": brute_force.FAILING_SELECTOR}})
        if allow_all and draw(st.integers(0, 4)) == 0:
            spec["allocationMode"] = "All"
            del spec["count"]
        named = draw(st.sets(st.sampled_from(("derived/k", f"{DRIVER}/a")), max_size=2))
        spec["derivedAttributes"] = [
            {"name": each, "expression": draw(st.sampled_from(expressions))} for each in sorted(named)
        ]
        return spec

    if draw(st.integers(0, 3)):
        return {"name": name, "exactly": option()}
    alternatives = [{"name": f"s{j}", **option()} for j in range(draw(st.integers(1, 2)))]
    return {"name": name, "firstAvailable": alternatives}


@st.composite
def derived_claims(draw: st.DrawFn, expressions: Sequence[str], *, allow_all: bool = False) -> dict[str, Any]:
    requests = [
        draw(derived_requests(f"r{i}", expressions, allow_all=allow_all))
        for i in range(draw(st.integers(1, 2)))
    ]
    targets = [request["name"] for request in requests]
    targets += [f"{request['name']}/s0" for request in requests if "firstAvailable" in request]
    constraints = []
    for _ in range(draw(st.integers(1, 3))):
        rule = draw(st.sampled_from(("matchAttribute", "matchAttribute", "distinctAttribute")))
        constraint: dict[str, Any] = {
            rule: draw(st.sampled_from(("derived/k", f"{DRIVER}/a", f"{DRIVER}/b")))
        }
        if draw(st.integers(0, 2)) == 0:
            constraint["requests"] = sorted(draw(st.sets(st.sampled_from(targets), min_size=1, max_size=2)))
        constraints.append(constraint)
    metadata = {"name": "claim-0", "namespace": "ns", "uid": "uid-0"}
    return {"metadata": metadata, "spec": {"devices": {"requests": requests, "constraints": constraints}}}


@st.composite
def plain_devices(draw: st.DrawFn, name: str) -> dict[str, Any]:
    attributes: dict[str, Any] = {"kind": {"string": draw(st.sampled_from(KINDS))}}
    if draw(st.integers(0, 4)):
        attributes["a"] = {"int": draw(st.integers(0, 2))}
    return {"name": name, "attributes": {**attributes, "b": {"int": draw(st.integers(0, 1))}}}


@st.composite
def deriving_cases(draw: st.DrawFn) -> tuple[brute_force.World, list[dict[str, Any]]]:
    world = draw(worlds())
    return world, [draw(derived_claims(tuple(brute_force.DERIVATIONS)))]


def slices_of(world: brute_force.World) -> list[dict[str, Any]]:
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 2 if world.counters else 1}
    base = {"driver": DRIVER, "pool": pool, "nodeName": "n"}
    found = [{"metadata": {"name": "devices"}, "spec": {**base, "devices": world.devices}}]
    if world.counters:
        sets = [
            {"name": name, "counters": {c: {"value": str(amount)} for c, amount in counters.items()}}
            for name, counters in world.counters.items()
        ]
        found.append({"metadata": {"name": "counters"}, "spec": {**base, "sharedCounters": sets}})
    return found


def holders_of(world: brute_force.World) -> list[dict[str, Any]]:
    return [
        {
            "metadata": {"name": name, "namespace": "held", "uid": name},
            "status": {"allocation": {"devices": {"results": results}}},
        }
        for name, results in world.held.items()
    ]


def index_of(world: brute_force.World, features: Features = FEATURES) -> DeviceIndex:
    index = DeviceIndex(features, new_share_id=lambda: "11111111-0000-4000-8000-000000000000")
    index.put_class({"metadata": {"name": "c"}, "spec": {}})
    for item in slices_of(world):
        index.put_slice(item)
    for claim in holders_of(world):
        index.put_claim(claim)
    return index


def devices_in(outcome: Allocated | Unsatisfiable) -> list[tuple[str, str]] | None:
    if isinstance(outcome, Unsatisfiable):
        return None
    return [
        (result["request"], result["device"])
        for allocation in outcome.results
        for result in allocation["devices"].get("results", ())
    ]


@settings(max_examples=400)
@given(st.one_of(cases(), sharing_cases(), deriving_cases()))
def test_the_first_solution_is_found_exactly_where_there_is_one(
    case: tuple[brute_force.World, list[dict[str, Any]]],
) -> None:
    world, wanted = case
    expected = brute_force.first_solution(world, wanted)
    outcome = index_of(world).prepare(wanted).on_node(NODE)
    note(f"expected {expected}")
    if expected is None:
        assert isinstance(outcome, Unsatisfiable)
        assert outcome.summary()
    else:
        assert devices_in(outcome) == [
            (placed.option, device["name"]) for placed in expected for device in placed.devices
        ]


@settings(max_examples=600)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=6, unique=True).flatmap(
        lambda numbers: st.tuples(*[plain_devices(f"d{number}") for number in numbers])
    ),
    derived_claims((*brute_force.DERIVATIONS, brute_force.FAILING, brute_force.FAILING), allow_all=True),
    st.booleans(),
)
def test_device_without_an_answer_ends_the_attempt_when_its_turn_comes_and_not_otherwise(
    found: tuple[dict[str, Any], ...], wanted: dict[str, Any], long: bool
) -> None:
    world = brute_force.World(list(found), {}, {})
    try:
        expected: Any = brute_force.first_end(found, wanted)
        if expected is not None:
            expected = [(taken.option, taken.device["name"]) for taken in expected]
    except brute_force.Ended as ended:
        expected = str(ended)
    note(f"expected {expected}")
    with mock.patch.object(solving, "_LONG", 0 if long else solving._LONG):
        index = index_of(world, dataclasses.replace(FEATURES, release_137=True))
        for _ in range(2):  # the second time with all that is remembered of the node
            attempt = index.prepare([wanted])
            if isinstance(expected, str):
                asks: list[Callable[[], Any]] = [
                    functools.partial(attempt.on_node, NODE),
                    functools.partial(attempt.find_node, [NODE]),
                ]
                for ask in asks:
                    with pytest.raises(InvalidInput, match=f"device {DRIVER}/p/{expected}"):
                        ask()
            else:
                assert devices_in(attempt.on_node(NODE)) == expected
                node_found = attempt.find_node([NODE])
                assert (None if node_found is None else devices_in(node_found)) == expected


@settings(max_examples=200)
@given(st.one_of(cases(), deriving_cases()))
def test_looking_at_parts_of_the_requests_refuses_nothing_that_works(
    case: tuple[brute_force.World, list[dict[str, Any]]],
) -> None:
    world, wanted = case
    expected = brute_force.first_solution(world, wanted)
    with mock.patch.object(solving, "_LONG", 0):  # as if every search were a long one
        outcome = index_of(world).prepare(wanted).on_node(NODE)
    assert isinstance(outcome, Unsatisfiable) is (expected is None)
    if expected is not None:
        assert devices_in(outcome) == [
            (placed.option, device["name"]) for placed in expected for device in placed.devices
        ]


@settings(max_examples=200)
@given(st.one_of(cases(), sharing_cases(), deriving_cases()))
def test_what_was_given_out_breaks_no_invariant(
    case: tuple[brute_force.World, list[dict[str, Any]]],
) -> None:
    world, wanted = case
    outcome = index_of(world).prepare(wanted).on_node(NODE)
    if isinstance(outcome, Unsatisfiable):
        return
    before = holders_of(world)
    allocated = [
        {**claim, "status": {"allocation": numbered(allocation, number)}}
        for number, (claim, allocation) in enumerate(zip(wanted, outcome.results, strict=True))
    ]
    known = {violation.subject for violation in check_allocations(slices_of(world), before)}
    found = check_allocations(slices_of(world), before + allocated)
    administrators = any(
        request.get("exactly", {}).get("adminAccess")
        for claim in wanted
        for request in claim["spec"]["devices"]["requests"]
    )
    assert administrators or {violation.subject for violation in found} <= known


def numbered(allocation: dict[str, Any], number: int) -> dict[str, Any]:
    """The index of the tests makes one share ID for all; here each gets its own."""
    results = [
        {**result, "shareID": f"{number}-{i}"} if "shareID" in result else result
        for i, result in enumerate(allocation["devices"].get("results", ()))
    ]
    return {**allocation, "devices": {**allocation["devices"], "results": results}}


@settings(max_examples=150)
@given(st.one_of(cases(), deriving_cases()), st.data())
def test_a_living_index_answers_like_a_fresh_one(
    case: tuple[brute_force.World, list[dict[str, Any]]], data: st.DataObject
) -> None:
    world, wanted = case
    index = index_of(world)
    order = index.order([NODE])
    for _ in range(data.draw(st.integers(1, 4))):
        index.prepare(wanted).find_node(order)
        change(index, world, data)
    living = index.prepare(wanted).find_node(order)
    fresh = index_of(world).prepare(wanted).on_node(NODE)
    if isinstance(fresh, Allocated):
        assert living is not None
        assert living.results == fresh.results
    else:
        assert living is None


def change(index: DeviceIndex, world: brute_force.World, data: st.DataObject) -> None:
    """One change to both: a device is given up or taken, or the devices are published anew."""
    name = data.draw(st.sampled_from([device["name"] for device in world.devices]))
    match data.draw(st.sampled_from(("release", "take", "assume", "publish"))):
        case "release":
            world.held.pop(name, None)
            index.remove_claim(name)
        case "publish":
            for item in slices_of(world):
                index.put_slice(item)
        case how:
            result = {"request": "r", "driver": DRIVER, "pool": "p", "device": name}
            index.remove_claim(name)
            world.held[name] = [result]
            if how == "take":
                index.put_claim(holders_of(brute_force.World([], {}, {name: [result]}))[0])
            else:
                index.assume(name, {"devices": {"results": [result]}})

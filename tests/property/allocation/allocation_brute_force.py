"""An independent allocator for tiny inputs: lists every complete assignment in order, and checks each as a whole.

It shares nothing with `dray.allocation`: no masks, no states, no undoing. An assignment is a list of (request, option,
devices); a rule looks at the finished assignment and says yes or no. Selectors are not CEL here but the one form that
the generated claims use: `device.attributes["d.example.com"].kind == "<kind>"`; derived attributes are the texts of
`DERIVATIONS`.

`first_end` knows fewer rules (no counters, no shared devices) and goes step by step instead, so as to tell at which
device an attempt ends with an error.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations, product
from typing import Any, NamedTuple

HERE = 'device.attributes["d.example.com"]'

Value = frozenset[tuple[str, Any]]
"""What constraints compare: the elements of a list, a scalar being a list of one."""


def ints(*values: int) -> Value:
    return frozenset(("int", value) for value in values)


DERIVATIONS: dict[str, Callable[[dict[str, int]], Value]] = {
    f"{HERE}.?a.orValue(1)": lambda have: ints(have.get("a", 1)),
    f"{HERE}.b": lambda have: ints(have["b"]),
    f"1 - {HERE}.b": lambda have: ints(1 - have["b"]),
    f"{HERE}.b == 0": lambda have: frozenset([("bool", have["b"] == 0)]),
    f'{HERE}.b == 0 ? "zero" : "more"': lambda have: frozenset(
        [("string", "zero" if have["b"] == 0 else "more")]
    ),
    f"[int({HERE}.b), int({HERE}.b) + 1]": lambda have: ints(have["b"], have["b"] + 1),
}
"""Expressions that have a value for every device, as functions of its numbers."""

FAILING = f"{HERE}.a"
"""One that has none for a device without `a`."""

FAILING_SELECTOR = f"{HERE}.a >= 1"
"""A selector that has no answer for a device without `a`."""

KIND = re.compile(r'device\.attributes\["d\.example\.com"\]\.kind == "(\w+)"')


class Placed(NamedTuple):
    """One option of one request with its devices."""

    claim: int
    request: str
    option: str
    spec: dict[str, Any]
    devices: tuple[dict[str, Any], ...]


class World(NamedTuple):
    """The devices of one node in search order, counters and what is held. One pool, one driver."""

    devices: list[dict[str, Any]]
    counters: dict[str, dict[str, int]]
    held: dict[str, list[dict[str, Any]]]
    """Allocation results by device name; with a shareID where a part is held."""


def first_solution(world: World, claims: Sequence[dict[str, Any]]) -> list[Placed] | None:
    """The first complete assignment, in the order of requests, alternatives and devices, that breaks no rule."""
    domains = [
        list(_placements(world, number, request))
        for number, claim in enumerate(claims)
        for request in claim["spec"]["devices"]["requests"]
    ]
    for assignment in product(*domains):
        if _is_sound(world, claims, assignment):
            return list(assignment)
    return None


def _placements(world: World, claim: int, request: dict[str, Any]) -> Iterator[Placed]:
    name = request["name"]
    options = [(f"{name}/{item['name']}", item) for item in request.get("firstAvailable") or ()]
    for option, spec in options or [(name, request["exactly"])]:
        selected = [device for device in world.devices if _selected(spec, device)]
        if spec["allocationMode"] == "All":
            wanted = [
                device for device in selected if _fits(spec, device, world.held.get(device["name"], []), [])
            ]
            choices: Iterator[tuple[dict[str, Any], ...]] = iter([tuple(wanted)] if wanted else [])
        else:
            choices = combinations(selected, spec["count"])
        for devices in choices:
            yield Placed(claim, name, option, spec, devices)


def _selected(spec: dict[str, Any], device: dict[str, Any]) -> bool:
    for selector in spec.get("selectors") or ():
        if selector["cel"]["expression"] == FAILING_SELECTOR:
            if "a" not in device["attributes"]:
                raise Ended(device["name"])
            if device["attributes"]["a"]["int"] < 1:
                return False
            continue
        wanted = KIND.fullmatch(selector["cel"]["expression"])
        assert wanted is not None
        if device["attributes"]["kind"]["string"] != wanted[1]:
            return False
    return True


def _is_sound(world: World, claims: Sequence[dict[str, Any]], assignment: Sequence[Placed]) -> bool:
    return (
        all(_tolerated(placed.spec, device) for placed in assignment for device in placed.devices)
        and _exclusive(world, assignment)
        and _counters_last(world, assignment)
        and _capacity_lasts(world, assignment)
        and all(_constraints_hold(number, claim, assignment) for number, claim in enumerate(claims))
    )


def _tolerated(spec: dict[str, Any], device: dict[str, Any]) -> bool:
    keys = {toleration["key"] for toleration in spec.get("tolerations") or ()}
    return all(taint["key"] in keys for taint in device.get("taints") or ())


def _shared(device: dict[str, Any]) -> bool:
    return bool(device.get("allowMultipleAllocations"))


def _exclusive(world: World, assignment: Sequence[Placed]) -> bool:
    """Nobody else's devices, and no device twice; administrators mind only their own claim's earlier picks."""
    seen: list[tuple[int, str]] = []
    for placed in assignment:
        for device in placed.devices:
            name = device["name"]
            held = world.held.get(name, [])
            if placed.spec.get("adminAccess"):
                if not _shared(device) and (placed.claim, name) in seen:
                    return False
            else:
                if any("shareID" not in result for result in held) or (held and not _shared(device)):
                    return False
                if not _shared(device) and any(name == other for _, other in seen):
                    return False
            seen.append((placed.claim, name))
    return True


def _counters_last(world: World, assignment: Sequence[Placed]) -> bool:
    """A device draws its counters once, however many share it; administrators' picks of free devices draw too."""
    left = {(s, c): amount for s, counters in world.counters.items() for c, amount in counters.items()}
    for device in world.devices:
        if world.held.get(device["name"]):
            _draw(left, device)
    drawn_by_shares: set[str] = set()
    for placed in assignment:
        for device in placed.devices:
            if not device.get("consumesCounters"):
                continue
            name = device["name"]
            held_in_parts = any("shareID" in result for result in world.held.get(name, ()))
            if _shared(device) and (name in drawn_by_shares or held_in_parts):
                continue
            if any(amount < 0 for amount in left.values()):
                return False
            drawn_by_shares.add(name)
            _draw(left, device)
            if any(amount < 0 for amount in left.values()):
                return False
    return True


def _draw(left: dict[tuple[str, str], int], device: dict[str, Any]) -> None:
    for entry in device.get("consumesCounters") or ():
        for counter, amount in entry["counters"].items():
            left[entry["counterSet"], counter] -= int(amount["value"])


def _amounts(spec: dict[str, Any], device: dict[str, Any]) -> dict[str, Fraction] | None:
    """What one use takes; None where the device cannot serve it."""
    asked = (spec.get("capacity") or {}).get("requests") or {}
    offered = device.get("capacity") or {}
    if any(name not in offered for name in asked):
        return None
    amounts = {}
    for name, capacity in offered.items():
        value, policy = Fraction(capacity["value"]), capacity.get("requestPolicy")
        if name not in asked:
            amount = Fraction(policy["default"]) if policy else value
        elif policy is None:
            amount = Fraction(asked[name])
        else:
            low, step = Fraction(policy["validRange"]["min"]), Fraction(policy["validRange"]["step"])
            amount = low
            while amount < Fraction(asked[name]):
                amount += step
            if amount > Fraction(policy["validRange"]["max"]):
                return None
        amounts[name] = amount
    return amounts


def _fits(
    spec: dict[str, Any],
    device: dict[str, Any],
    held: Sequence[dict[str, Any]],
    taken: Sequence[dict[str, Fraction]],
) -> bool:
    amounts = _amounts(spec, device)
    if amounts is None:
        return False
    for name, amount in amounts.items():
        total = amount
        if _shared(device):
            total += sum((Fraction(r.get("consumedCapacity", {}).get(name, 0)) for r in held), Fraction(0))
            total += sum((before[name] for before in taken), Fraction(0))
        if total > Fraction(device["capacity"][name]["value"]):
            return False
    return True


def _capacity_lasts(world: World, assignment: Sequence[Placed]) -> bool:
    taken: dict[str, list[dict[str, Fraction]]] = {}
    for placed in assignment:
        for device in placed.devices:
            before = taken.setdefault(device["name"], [])
            if not _fits(placed.spec, device, world.held.get(device["name"], []), before):
                return False
            amounts = _amounts(placed.spec, device)
            assert amounts is not None
            before.append(amounts)
    return True


class Ended(Exception):
    """The attempt ended with an error at a device."""


def _value(constraint: dict[str, Any], spec: dict[str, Any], device: dict[str, Any]) -> Value | None:
    """What a constraint compares of a device that was given to an option; None where there is nothing."""
    attribute = constraint.get("matchAttribute") or constraint["distinctAttribute"]
    have = {name: value["int"] for name, value in device["attributes"].items() if "int" in value}
    for derived in spec.get("derivedAttributes") or ():
        if derived["name"] == attribute:
            if derived["expression"] != FAILING:
                return DERIVATIONS[derived["expression"]](have)
            if "a" not in have:
                raise Ended(device["name"])
            return ints(have["a"])
    domain, name = attribute.split("/")
    published = device["attributes"].get(name) if domain == "d.example.com" else None
    return None if published is None else frozenset(published.items())


def _agree(constraint: dict[str, Any], values: Sequence[Value | None]) -> bool:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return False
    if "matchAttribute" in constraint:
        return not known or bool(frozenset.intersection(*known))
    return all(not one & other for one, other in combinations(known, 2))


def _covers(constraint: dict[str, Any], request: str, option: str) -> bool:
    names = constraint.get("requests") or ()
    return not names or request in names or option in names


def _constraints_hold(number: int, claim: dict[str, Any], assignment: Sequence[Placed]) -> bool:
    return all(
        _agree(
            constraint,
            [
                _value(constraint, placed.spec, device)
                for placed in assignment
                if placed.claim == number and _covers(constraint, placed.request, placed.option)
                for device in placed.devices
            ],
        )
        for constraint in claim["spec"]["devices"].get("constraints") or ()
    )


class Taken(NamedTuple):
    """One device given to an option of one claim."""

    request: str
    option: str
    spec: dict[str, Any]
    device: dict[str, Any]


def first_end(devices: Sequence[dict[str, Any]], claim: dict[str, Any]) -> list[Taken] | None:
    """The first solution of one claim that asks for nothing but kinds and constraints; None where there is none.

    Raises: Ended, as soon as the order of trying comes to a device for which a selector fails, to one without a value
    that a constraint looks for, or to one of "all devices" that a constraint forbids.
    """
    requests = claim["spec"]["devices"]["requests"]
    constraints = claim["spec"]["devices"].get("constraints") or ()

    def let_in(taken: Sequence[Taken], new: Taken) -> bool:
        for constraint in constraints:
            if _covers(constraint, new.request, new.option):
                before = [one for one in taken if _covers(constraint, one.request, one.option)]
                values = [_value(constraint, one.spec, one.device) for one in (*before, new)]
                if not _agree(constraint, values):
                    return False
        return True

    def options(request: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        found = [(f"{request['name']}/{item['name']}", item) for item in request.get("firstAvailable") or ()]
        return found or [(request["name"], request["exactly"])]

    def go_on(taken: list[Taken], number: int) -> list[Taken] | None:
        if number == len(requests):
            return taken
        request = requests[number]
        for option, spec in options(request):
            if spec["allocationMode"] == "All":
                found = take_all(taken, number, request["name"], option, spec)
            else:
                found = pick(taken, number, request["name"], option, spec, devices, spec["count"])
            if found is not None:
                return found
        return None

    def pick(
        taken: list[Taken],
        number: int,
        request: str,
        option: str,
        spec: dict[str, Any],
        left: Sequence[dict[str, Any]],
        need: int,
    ) -> list[Taken] | None:
        if need == 0:
            return go_on(taken, number + 1)
        for place, device in enumerate(left):
            if any(one.device is device for one in taken) or not _selected(spec, device):
                continue
            new = Taken(request, option, spec, device)
            if let_in(taken, new):
                found = pick([*taken, new], number, request, option, spec, left[place + 1 :], need - 1)
                if found is not None:
                    return found
        return None

    def take_all(
        taken: list[Taken], number: int, request: str, option: str, spec: dict[str, Any]
    ) -> list[Taken] | None:
        selected = [device for device in devices if _selected(spec, device)]
        if not selected:
            return None
        for device in selected:
            if any(one.device is device for one in taken):
                return None
            new = Taken(request, option, spec, device)
            if not let_in(taken, new):
                raise Ended(device["name"])
            taken = [*taken, new]
        return go_on(taken, number + 1)

    # What "all devices" are is found out before anything is tried.
    for request in requests:
        for _, spec in options(request):
            if spec["allocationMode"] == "All":
                for device in devices:
                    _selected(spec, device)
    return go_on([], 0)

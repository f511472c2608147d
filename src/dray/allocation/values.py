"""Which values can a matchAttribute settle on? Those for which every request that it covers finds enough devices.

Several such constraints are settled together, since the devices that one leaves may not do for the next. What is
asked for is *necessary* for a solution, not sufficient; where settling everything would take too long, each constraint
is looked at alone.
"""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from dray.allocation.attributes import Element
from dray.allocation.crowding import Demand, is_crowded

ALL = -1
"""All devices, as a set."""

_BUDGET = 400
"""Partial settlements looked at before each constraint is looked at alone."""


class Matching(NamedTuple):
    """One matchAttribute of a claim: which demands it covers, and per value the devices that each can have of it."""

    number: int
    covered: tuple[bool, ...]
    values: Sequence[tuple[Element, tuple[int, ...]]]
    """Of a demand that is not covered, all devices."""


def feasible_values(matchings: Sequence[Matching], demands: Sequence[Demand]) -> Mapping[int, Set[Element]]:
    """Per constraint (by number), the values that may work. No value: the claim is unsatisfiable."""
    relevant = [
        matching
        for matching in matchings
        if sum(demand.need for demand, covered in zip(demands, matching.covered, strict=True) if covered) > 1
    ]
    relevant.sort(key=lambda matching: len(matching.values))
    settlement = _Settlement(relevant)
    if settlement.explore(0, list(demands)):
        return settlement.found
    alone: dict[int, Set[Element]] = {}
    for matching in relevant:
        settlement = _Settlement([matching])
        settlement.budget = len(matching.values) + 1
        settlement.explore(0, list(demands))
        alone.update(settlement.found)
    return alone


class _Settlement:
    """Settles constraints one after the other, in every way that leaves enough devices."""

    def __init__(self, matchings: Sequence[Matching]) -> None:
        self._matchings = matchings
        self._chosen: list[Element] = [("", None)] * len(matchings)
        self.budget = _BUDGET
        self.found: dict[int, set[Element]] = {matching.number: set() for matching in matchings}

    def explore(self, depth: int, demands: list[Demand]) -> bool:
        """False: the budget is spent, and `found` means nothing."""
        if depth == len(self._matchings):
            if not is_crowded(demands):
                for matching, value in zip(self._matchings, self._chosen, strict=True):
                    self.found[matching.number].add(value)
            return True
        for value, devices in self._matchings[depth].values:
            narrowed = _narrowed(demands, devices)
            if narrowed is None:
                continue
            self.budget -= 1
            if self.budget < 0:
                return False
            self._chosen[depth] = value
            if not self.explore(depth + 1, narrowed):
                return False
        return True


def _narrowed(demands: list[Demand], devices: tuple[int, ...]) -> list[Demand] | None:
    """The demands when each must be met from its own of `devices`; None where one cannot."""
    narrowed = []
    for demand, mine in zip(demands, devices, strict=True):
        if mine != ALL:
            left = demand.devices & mine
            if left.bit_count() < demand.need:
                return None
            demand = demand._replace(devices=left)
        narrowed.append(demand)
    return narrowed

"""Which values can a matchAttribute settle on? Those for which every request that it covers finds enough devices.

Several such constraints are settled together, since the devices that one leaves may not do for the next. What is
asked for is *necessary* for a solution, not sufficient; where settling everything would take too long, each constraint
is looked at alone.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dray.allocation.attributes import AttributeIndex
from dray.allocation.crowding import Demand, is_crowded

_BUDGET = 400
"""Partial settlements looked at before each constraint is looked at alone."""


class Matching(NamedTuple):
    """One matchAttribute of a claim: the values of the devices, and which demands it covers."""

    number: int
    values: AttributeIndex
    covered: tuple[bool, ...]


def feasible_devices(matchings: Sequence[Matching], demands: Sequence[Demand]) -> Mapping[int, int]:
    """Per constraint (by number), the devices with a value that may work. 0: none does, the claim is unsatisfiable."""
    relevant = [
        matching
        for matching in matchings
        if sum(demand.need for demand, covered in zip(demands, matching.covered, strict=True) if covered) > 1
    ]
    relevant.sort(key=lambda matching: len(matching.values.groups))
    settlement = _Settlement(relevant)
    if settlement.explore(0, list(demands)):
        return settlement.found
    alone: dict[int, int] = {}
    for matching in relevant:
        settlement = _Settlement([matching])
        settlement.budget = len(matching.values.groups) + 1
        settlement.explore(0, list(demands))
        alone.update(settlement.found)
    return alone


class _Settlement:
    """Settles constraints one after the other, in every way that leaves enough devices."""

    def __init__(self, matchings: Sequence[Matching]) -> None:
        self._matchings = matchings
        self._chosen = [0] * len(matchings)
        self.budget = _BUDGET
        self.found = {matching.number: 0 for matching in matchings}

    def explore(self, depth: int, demands: list[Demand]) -> bool:
        """False: the budget is spent, and `found` means nothing."""
        if depth == len(self._matchings):
            if not is_crowded(demands):
                for matching, devices in zip(self._matchings, self._chosen, strict=True):
                    self.found[matching.number] |= devices
            return True
        matching = self._matchings[depth]
        for devices in matching.values.groups.values():
            narrowed = _narrowed(demands, matching.covered, devices)
            if narrowed is None:
                continue
            self.budget -= 1
            if self.budget < 0:
                return False
            self._chosen[depth] = devices
            if not self.explore(depth + 1, narrowed):
                return False
        return True


def _narrowed(demands: list[Demand], covered: tuple[bool, ...], devices: int) -> list[Demand] | None:
    """The demands when the covered ones must be met from `devices`; None where one cannot."""
    narrowed = []
    for demand, is_covered in zip(demands, covered, strict=True):
        if is_covered:
            left = demand.devices & devices
            if left.bit_count() < demand.need:
                return None
            demand = demand._replace(devices=left)
        narrowed.append(demand)
    return narrowed

"""How many more devices do the counters carry? An upper bound, from what each device would take at least.

Counters that some device draws on together form a *bank* (the partitions of one GPU); within a bank the cheapest
devices bound how many fit, and over all banks the cheapest device of each request bounds what is wanted of a counter.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from dray.allocation.choices import Choice
from dray.allocation.problem import Problem, positions


class _Share(NamedTuple):
    """The candidates of an option in one bank."""

    devices: int
    costs: tuple[tuple[int, list[int]], ...]
    """Per counter of the bank: what the n cheapest candidates take of it together."""


class Tally:
    """Bounds by counters, for the options of one problem."""

    def __init__(self, problem: Problem, static: dict[int, int]) -> None:
        """`static`: the candidates of each option, by its id."""
        self._problem = problem
        self._drawing = problem.drawing & ~problem.multi
        self._static = static
        self._shares: dict[int, list[_Share]] = {}
        self._least: dict[int, dict[str, int]] = {}
        self._names: dict[str, list[int]] = {}
        for table in problem.tables.values():
            for (_set, counter), index in table.index.items():
                self._names.setdefault(counter, []).append(index)
        self.banks = self._find_banks()

    def _find_banks(self) -> list[tuple[int, tuple[int, ...]]]:
        """Devices and counters that hang together."""
        relevant = 0
        for devices in self._static.values():
            relevant |= devices & self._problem.drawing
        banks: list[tuple[int, set[int]]] = []
        for position in positions(relevant):
            devices, counters = 1 << position, {index for index, _ in self._problem.draw_of(position)}
            apart = []
            for other_devices, other_counters in banks:
                if counters & other_counters:
                    devices |= other_devices
                    counters |= other_counters
                else:
                    apart.append((other_devices, other_counters))
            banks = [*apart, (devices, counters)]
        return [(devices, tuple(sorted(counters))) for devices, counters in banks]

    def room(self, choice: Choice, devices: int, left: Sequence[int]) -> int:
        """At most so many of `devices` can be taken for an option."""
        room = (devices & ~self._drawing).bit_count()
        if room == devices.bit_count():
            return room
        for share in self._shares_of(choice):
            here = (devices & share.devices).bit_count()
            for index, costs in share.costs:
                here = min(here, bisect_right(costs, left[index]))
            room += here
        return room

    def _shares_of(self, choice: Choice) -> list[_Share]:
        found = self._shares.get(id(choice))
        if found is None:
            found = self._shares[id(choice)] = []
            for devices, counters in self.banks:
                mine = devices & self._static[id(choice)] & self._drawing
                if mine:
                    found.append(_Share(mine, self._costs(mine, counters)))
        return found

    def _costs(self, devices: int, counters: Iterable[int]) -> tuple[tuple[int, list[int]], ...]:
        draws = [dict(self._problem.draw_of(position)) for position in positions(devices)]
        return tuple(
            (index, list(accumulate(sorted(draw.get(index, 0) for draw in draws)))) for index in counters
        )

    def overspends(self, wanted: Iterable[tuple[Choice, int]], left: Sequence[int]) -> bool:
        """Whether so many devices for each option take more of some counter than all banks have."""
        total: dict[str, int] = {}
        for choice, need in wanted:
            for name, amount in self._least_of(choice).items():
                total[name] = total.get(name, 0) + need * amount
        return any(amount > sum(left[index] for index in self._names[name]) for name, amount in total.items())

    def _least_of(self, choice: Choice) -> dict[str, int]:
        """What any candidate takes of each counter, by name, at least."""
        found = self._least.get(id(choice))
        if found is None:
            devices = self._static[id(choice)]
            found = self._least[id(choice)] = {} if devices & ~self._drawing else self._minimum(devices)
        return found

    def _minimum(self, devices: int) -> dict[str, int]:
        minimum: dict[str, int] | None = None
        for position in positions(devices):
            taken: dict[str, int] = {}
            for set_and_counter, amount in self._named_draw(position):
                taken[set_and_counter] = taken.get(set_and_counter, 0) + amount
            if minimum is None:
                minimum = taken
            else:
                minimum = {name: min(least, taken[name]) for name, least in minimum.items() if name in taken}
        return minimum or {}

    def _named_draw(self, position: int) -> Iterable[tuple[str, int]]:
        for _set_name, amounts, _groups in self._problem.view.devices[position].consumes:
            yield from amounts

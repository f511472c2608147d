"""Do the devices that can be shared carry what is still wanted of them? An upper bound, one capacity at a time.

To pack portions into devices is hard where they come in many sizes, so only two things are asked of a capacity: whether
the largest portions, taken for as small as the smallest of them, are too many for the devices; and whether all portions
together are more than all that is left.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dray.allocation.capacity import NotOffered
from dray.allocation.choices import Choice
from dray.allocation.problem import Problem, positions


class _Use(NamedTuple):
    """What an option takes of one capacity: `need` portions of at least `least` (billionths), each of another device."""

    least: int
    need: int
    devices: int


class Packing:
    """Bounds by consumable capacity, for the options of one problem."""

    def __init__(self, problem: Problem, static: Mapping[int, int]) -> None:
        """`static`: the candidates of each option, by its id."""
        self._problem = problem
        self._static = static
        self._least: dict[int, dict[str, int]] = {}
        self._offers: dict[tuple[str, int], Counter[int]] = {}

    def overflows(
        self, wanted: Sequence[tuple[Choice, int, int]], taken: Mapping[int, Mapping[str, int]]
    ) -> bool:
        """Whether so many devices for each option, out of a set of devices, are more than the capacities allow.

        `taken`: what the attempt has taken already, by position.
        """
        uses: dict[str, list[_Use]] = {}
        for choice, need, devices in wanted:
            if not choice.option.admin:
                for name, least in self._least_of(choice).items():
                    uses.setdefault(name, []).append(_Use(least, need, devices))
        return any(self._overflows(name, items, taken) for name, items in uses.items())

    def _overflows(self, name: str, uses: list[_Use], taken: Mapping[int, Mapping[str, int]]) -> bool:
        uses.sort(key=lambda use: -use.least)
        devices = needed = volume = 0
        for number, (least, need, mine) in enumerate(uses, 1):
            devices |= mine
            needed += need
            volume += need * least
            if number < len(uses) and uses[number].least == least:
                continue
            shared, left = self._left(name, devices, taken)
            whole = (devices & ~shared).bit_count()
            room = whole + sum(count * min(amount // least, number) for amount, count in left.items())
            if needed > room:
                return True
        return not whole and volume > sum(amount * count for amount, count in left.items())

    def _left(
        self, name: str, devices: int, taken: Mapping[int, Mapping[str, int]]
    ) -> tuple[int, Mapping[int, int]]:
        """Which of `devices` are shared, and how many of those have how much left of a capacity."""
        shared = devices & self._problem.multi
        key = (name, shared)
        offers = self._offers.get(key)
        if offers is None:
            offers = self._offers[key] = Counter(
                self._offer(name, position) for position in positions(shared)
            )
        changed = [position for position in taken if shared >> position & 1]
        if changed:
            offers = offers.copy()
            for position in changed:
                offer = self._offer(name, position)
                offers[offer] -= 1
                offers[offer - taken[position].get(name, 0)] += 1
        return shared, offers

    def _offer(self, name: str, position: int) -> int:
        """What others have left of a capacity of a device; nothing where it does not define it."""
        held = self._problem.shared.get(position, {}).get(name, 0)
        for capacity in self._problem.view.devices[position].capacities:
            if capacity.name == name:
                return max(0, capacity.value.nanos - held)
        return 0

    def _least_of(self, choice: Choice) -> dict[str, int]:
        """What an option takes at least of each capacity that all shared candidates define."""
        found = self._least.get(id(choice))
        if found is None:
            found = self._least[id(choice)] = self._minimum(choice)
        return found

    def _minimum(self, choice: Choice) -> dict[str, int]:
        minimum: dict[str, int] | None = None
        for position in positions(self._static[id(choice)] & self._problem.multi):
            portion = self._problem.portion(choice.option, position)
            if isinstance(portion, NotOffered) or not choice.weighed >> position & 1:
                return {}
            amounts = {share.name: share.amount.nanos for share in portion}
            if minimum is None:
                minimum = amounts
            else:
                minimum = {
                    name: min(least, amounts[name]) for name, least in minimum.items() if name in amounts
                }
        return {name: least for name, least in (minimum or {}).items() if least > 0}

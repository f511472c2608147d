"""What cannot work, told without trying it: the arithmetic that keeps the search out of dead branches.

Used once a branch has died. Every rule here is a *necessary* condition, so leaving out what fails it changes neither
whether there is a solution nor which one comes first:

    counting     a request finds too few devices among those that are left and that its constraints let in
    crowding     several requests together find too few (`crowding`)
    values       no common value of a matchAttribute lets all its requests find enough (`values`)
    variety      fewer distinct values are left than a distinctAttribute asks for
    counters     the counters left do not carry as many devices (`tally`)
    capacities   the devices that can be shared do not carry as many uses (`packing`)
    twins        a device fares exactly like another one that has failed (`symmetry`)
    memory       a state is like one that has failed (`symmetry`)

A request at which the attempt may end in an error (a *hazard*: a selector that fails for a device, a constraint that
may forbid one of "all devices") must still be reached where upstream reaches it, so nothing is concluded from it or
from any later one.

Refuses to know: the order of choice.
"""

from collections.abc import Hashable, Sequence

from dray.allocation.attributes import variety_of
from dray.allocation.choices import Choice, Question
from dray.allocation.crowding import Demand, is_crowded
from dray.allocation.packing import Packing
from dray.allocation.problem import Problem, positions
from dray.allocation.state import State
from dray.allocation.symmetry import Symmetry
from dray.allocation.tally import Tally
from dray.allocation.values import ALL, feasible_values

_REMEMBERED_MAX = 200_000


def first_hazard(questions: Sequence[Question]) -> int:
    """The number of the first request at which the attempt may end in an error."""
    for number, question in enumerate(questions):
        for choice in question.choices:
            if choice.hazardous:
                return number
    return len(questions)


def is_hopeless(questions: Sequence[Question]) -> bool:
    """Whether some request finds too few devices even when it is alone."""
    for question in questions:
        hopeless = True
        for choice in question.choices:
            if choice.hazardous:
                return False
            hopeless = hopeless and _too_few(choice)
        if hopeless:
            return True
    return False


def _too_few(choice: Choice) -> bool:
    if choice.option.all_devices:
        return not choice.candidates or choice.candidates & choice.barred != 0
    return choice.candidates.bit_count() < choice.count


def _last_in_order(questions: Sequence[Question]) -> int:
    """The number of the last request that ends in an error or a plain "no", as its devices happen to be taken; or -1.

    "All devices" are looked at in order: the first that is taken ends it with "no", the first that a constraint forbids
    with an error. Before such a request no device fares like another one.
    """
    for number in range(len(questions) - 1, -1, -1):
        if any(
            choice.option.all_devices and choice.option.constraints for choice in questions[number].choices
        ):
            return number
    return -1


class Bounds:
    """The rules above for one problem, with what they remember."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._questions = problem.questions
        self._safe = first_hazard(problem.questions)
        self._ordered = _last_in_order(problem.questions)
        self._static = {
            id(choice): self._alone(choice) for question in self._questions for choice in question.choices
        }
        self._has_admin = any(
            choice.option.admin for question in self._questions for choice in question.choices
        )
        self.tally = Tally(problem, self._static) if problem.tables else None
        self._packing = Packing(problem, self._static) if problem.multi else None
        banks = self.tally.banks if self.tally else ()
        self._symmetry = Symmetry(problem, self._static, banks)
        self.hopeless = False
        """Whether some matchAttribute finds no value that works."""
        self._values = [self._settle(number) for number in range(len(problem.claims))]
        """Per claim and lane of a matchAttribute, the devices whose value may work."""
        self.dead: set[Hashable] = set()
        """Names of states that have failed."""

    def _alone(self, choice: Choice) -> int:
        """The candidates that the counters and capacities at the start allow, one at a time."""
        devices = choice.candidates
        if choice.option.all_devices:
            return devices
        problem = self._problem
        left = problem.counters()
        for position in positions(devices & problem.drawing):
            if any(left[index] < amount for index, amount in problem.draw_of(position)):
                devices &= ~(1 << position)
        for position in positions(devices & choice.weighed):
            if not problem.fits(choice.option, position, {}):
                devices &= ~(1 << position)
        return devices

    def possible(self, choice: Choice) -> int:
        """The devices that an option could take if it were alone."""
        return self._static[id(choice)]

    def _settle(self, claim: int) -> dict[int, int]:
        """Per lane of each matchAttribute of a claim, the devices whose value may work."""
        on_node = self._problem.claims[claim]
        firm = [
            question.choices[0]
            for question in self._questions[: self._safe]
            if question.claim == claim and len(question.choices) == 1
        ]
        demands = [self.demand(choice, self.possible(choice), choice.count) for choice in firm]
        matchings = [
            on_node.matching(number, firm)
            for number, constraint in enumerate(on_node.plan.constraints)
            if not constraint.distinct
        ]
        if not matchings:
            return {}
        found: dict[int, int] = {}
        for number, values in feasible_values(matchings, demands).items():
            self.hopeless = self.hopeless or not values
            found.update((lane, on_node.indexes[lane].having_any(values)) for lane in on_node.lanes[number])
        return found

    def demand(self, choice: Choice, devices: int, need: int) -> Demand:
        """`need` of `devices` for an option; administrators and those who share take nothing from others."""
        return Demand(devices, need, -1 if choice.option.admin else self._problem.multi)

    def narrowed(self, number: int, choice: Choice, devices: int) -> int:
        """`devices` without those that cannot be part of a solution."""
        kept = devices & self._static[id(choice)]
        if number < self._safe:
            values = self._values[choice.claim]
            for lane in choice.lanes:
                if lane in values:
                    kept &= values[lane]
        return kept | (devices & choice.risky)

    def may_live(self, number: int, choice: Choice, need: int, devices: int, state: State) -> bool:
        """Whether `need` of `devices` may be taken for an option and everything after it may still be satisfied."""
        if devices & choice.risky:
            return True
        if devices.bit_count() < need:
            return False
        if self.tally is not None and self.tally.room(choice, devices, state.left) < need:
            return False
        firm = [(choice, need, devices)]
        for question in self._questions[number + 1 : self._safe]:
            rooms = [self._room(later, choice.claim, state) for later in question.choices]
            alive = [room for room in rooms if room is not None]
            if not alive:
                return False
            if len(rooms) == 1:
                firm.append((question.choices[0], question.choices[0].count, alive[0]))
        return self._fit_together(firm if number < self._safe else firm[:1], choice.claim, state)

    def _room(self, choice: Choice, claim: int, state: State) -> int | None:
        """The devices that are left for a later option, or None where they are too few."""
        taken = state.mine if choice.option.admin else state.picked
        if choice.option.admin and choice.claim != claim:
            taken = 0
        devices = choice.candidates
        if choice.option.all_devices:
            return None if not devices or devices & (taken | choice.barred) else devices
        devices = self._static[id(choice)] & ~taken & ~state.barred
        for lane in choice.lanes:
            if choice.claim == claim:
                devices &= state.filters[lane]
            devices &= self._values[choice.claim].get(lane, ALL)
        return devices if devices.bit_count() >= choice.count else None

    def _fit_together(self, firm: Sequence[tuple[Choice, int, int]], claim: int, state: State) -> bool:
        demands = [self.demand(choice, devices, need) for choice, need, devices in firm]
        if is_crowded(demands):
            return False
        if self.tally is not None:
            wanted = [(choice, need) for choice, need, _ in firm]
            if self.tally.overspends(wanted, state.left):
                return False
        if self._packing is not None and self._packing.overflows(firm, state.shared):
            return False
        return self._has_variety(firm, claim)

    def _has_variety(self, firm: Sequence[tuple[Choice, int, int]], claim: int) -> bool:
        """Whether every distinctAttribute of the current claim finds as many different values as devices are wanted."""
        on_node = self._problem.claims[claim]
        for number, constraint in enumerate(on_node.plan.constraints):
            if not constraint.distinct:
                continue
            wanted = 0
            lanes: dict[int, int] = {}
            for choice, need, mine in firm:
                if choice.claim == claim and number in choice.option.constraints:
                    wanted += need
                    lane = choice.lane_of(number)
                    lanes[lane] = lanes.get(lane, 0) | mine
            if wanted > 1 and wanted > variety_of((on_node.indexes[lane], lanes[lane]) for lane in lanes):
                return False
        return True

    def twins(self, number: int, choice: Choice, device: int, state: State) -> int:
        """The devices that need not be tried for an option in `state` because `device` has failed."""
        # What an administrator's request sees as free may differ for twins: others of the attempt have them or not.
        if choice.option.admin or number < self._ordered:
            return device
        return self._symmetry.twins(device.bit_length() - 1, state.shared)

    def key(self, number: int, choice: Choice, taken: int, devices: int, state: State) -> Hashable:
        """A name for the state of the search, equal where what follows must be the same; None where nothing is like it."""
        if number < self._ordered:
            return None
        later = 0
        for question in self._questions[number + 1 :]:
            for option in question.choices:
                later |= option.candidates | option.failing
        later &= ~(state.picked | state.barred)
        relevant = devices | later
        return (
            number,
            self._questions[number].choices.index(choice),
            taken,
            state.results,
            tuple(devices & relevant for devices in state.filters),
            state.values if self._problem.features.list_type_attributes else None,
            (state.picked, state.mine) if self._has_admin else None,
            self._symmetry.name(devices, later, state.left, state.shared),
        )

    def bury(self, key: Hashable) -> None:
        """Remember a state from which nothing leads to a solution."""
        if key is not None and len(self.dead) < _REMEMBERED_MAX:
            self.dead.add(key)

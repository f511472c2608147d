"""Choosing the devices: depth first, in a fixed order, until the first complete solution. The only file that backtracks.

The order is upstream's and part of the contract: claims, requests and alternatives as written, devices by position,
within one request only forward. What differs is the work: a state is a value that is dropped, not undone, and once a
branch has died the search asks `bounds` which branches cannot live and skips them, never one that could.

A branch can end in four ways: `DEAD` (try something else), `TOO_MANY` (the claim would get more devices than an
allocation can hold: only another alternative helps, not another device), an error of the input, or the solution.

Refuses to know: why a device is a candidate. Source: `allocateOne` and `allocateDevice`, Kubernetes 1.36.2, with its
defects repaired: nothing that was tried and dropped leaves a trace.
"""

from collections.abc import Callable, Mapping
from typing import Final

from dray.allocation.bounds import Bounds
from dray.allocation.capacity import NotOffered
from dray.allocation.choices import Choice, Question
from dray.allocation.counters import draw, may_coexist
from dray.allocation.model import RESULTS_MAX, AbortReason, InvalidInput, SearchAborted
from dray.allocation.problem import Problem, positions
from dray.allocation.requests import claim_text
from dray.allocation.state import Shared, State

PUSHED: Final = 0
DEAD: Final = 1
TOO_MANY: Final = 2
SOLVED: Final = 3
RESTART: Final = 4
LEARNED: Final = 5

_NOTHING: Mapping[str, int] = {}

_PATIENCE = 32
"""Steps between two looks at `should_stop`."""


class _Devices:
    """Trying devices for one option, one after the other; `taken` of them are in `state` already."""

    __slots__ = ("choice", "key", "last", "number", "open", "state", "taken")

    def __init__(self, number: int, choice: Choice, state: State, taken: int, candidates: int) -> None:
        self.number = number
        self.choice = choice
        self.state = state
        self.taken = taken
        self.open = candidates
        """Those not tried yet."""
        self.last = 0
        """The bit tried last."""
        self.key: object = None


class _Alternatives:
    """Trying the alternatives of one request."""

    __slots__ = ("next", "number", "only_too_many", "question", "state")

    def __init__(self, number: int, question: Question, state: State) -> None:
        self.number = number
        self.question = question
        self.state = state
        self.next = 0
        self.only_too_many = True


class Search:
    """One pass over the tree. Without `bounds` it asks to be restarted with them at the first dead branch."""

    def __init__(
        self,
        problem: Problem,
        bounds: Bounds | None,
        should_stop: Callable[[], bool] | None,
        max_steps: int | None,
        steps: int = 0,
    ) -> None:
        self.steps = steps
        self.solution: State | None = None
        self.problem = problem
        self._bounds = bounds
        self._should_stop = should_stop
        self._max_steps = max_steps
        self._questions = problem.questions
        self._stack: list[_Devices | _Alternatives] = []
        self._crowded_claim = -1
        """The claim that `TOO_MANY` is about."""
        self._special = problem.drawing | problem.multi
        """Devices of which more than "taken or not" has to be remembered."""
        self._groups = problem.features.compatibility_groups and bool(problem.counted)

    def run(self) -> int:
        """`SOLVED`, `DEAD`, `RESTART` or `LEARNED`. Raises: InvalidInput, SearchAborted."""
        state = State()
        if self.problem.tables:
            state.left = self.problem.counters()
        if self._questions:
            state = self._open_claim(state, self._questions[0].claim)
        signal = self._enter(0, state)
        stack = self._stack
        while signal < SOLVED:
            if signal != PUSHED and not stack:
                return DEAD
            frame = stack[-1]
            if isinstance(frame, _Devices):
                signal = self._next_device(frame, signal)
            else:
                signal = self._next_alternative(frame, signal)
        return signal

    def _enter(self, number: int, state: State) -> int:
        """Go on with request `number`, and through all that leave no choice."""
        questions = self._questions
        while number < len(questions):
            question = questions[number]
            if number and questions[number - 1].claim != question.claim:
                state = self._open_claim(state.copy(), question.claim)
            if question.request.has_alternatives:
                self._stack.append(_Alternatives(number, question, state))
                return PUSHED
            outcome = self._try(number, question.choices[0], state)
            if isinstance(outcome, int):
                return outcome
            state = outcome
            number += 1
        self.solution = state
        return SOLVED

    def _open_claim(self, state: State, claim: int) -> State:
        """Make `state`, which nobody else has, the start of a claim."""
        state.mine = state.results = 0
        on_node = self.problem.claims[claim]
        state.filters = on_node.open
        if state.filters:
            state.values = (None,) * len(on_node.lanes)
        return state

    def _try(self, number: int, choice: Choice, state: State) -> State | int:
        """Begin with an option: the state after it where there is no choice, else a signal."""
        count = choice.count
        if choice.option.all_devices and count == 0:
            return DEAD
        if count <= 0:
            return state
        if state.results + count > RESULTS_MAX:
            self._crowded_claim = choice.claim
            return TOO_MANY
        if choice.option.all_devices:
            return self._take_all(choice, state) or DEAD
        taken = state.mine if choice.option.admin else state.picked
        candidates = (choice.candidates | choice.failing) & ~taken
        candidates = self._let_in(choice, state, candidates)
        if candidates.bit_count() < count and not candidates & choice.risky:
            return DEAD
        special = self._special | choice.weighed | choice.failing
        if self._bounds is None and not choice.option.constraints and not candidates & special:
            return self._take_first(number, choice, state, candidates)
        return self._push(_Devices(number, choice, state, 0, candidates))

    def _let_in(self, choice: Choice, state: State, candidates: int) -> int:
        """The candidates that constraints let in.

        Those at which a selector fails come to it first, those without a derived value once the constraints before the
        one that looks at it have let them in.
        """
        kept = candidates & ~state.barred
        ending = candidates & choice.failing
        if choice.underived:
            for lane, underived in zip(choice.lanes, choice.underived, strict=True):
                ending |= kept & underived
                kept &= state.filters[lane]
        else:
            for lane in choice.lanes:
                kept &= state.filters[lane]
        return kept | ending

    def _take_first(self, number: int, choice: Choice, state: State, candidates: int) -> State:
        """Take the first devices at once where one is as good as the other, and remember that others were left."""
        child = state.copy()
        rest = candidates
        for _ in range(choice.count):
            low = rest & -rest
            rest ^= low
            child.last = (child.last, choice, low.bit_length() - 1)
        self._count(choice.count)
        child.picked |= candidates ^ rest
        child.mine |= candidates ^ rest
        child.results += choice.count
        if rest:
            self._stack.append(_Devices(number, choice, state, 0, rest))
        return child

    def _push(self, frame: _Devices) -> int:
        """Go deeper, unless it is known that nothing lives there."""
        bounds = self._bounds
        if bounds is not None:
            need = frame.choice.count - frame.taken
            frame.open = bounds.narrowed(frame.number, frame.choice, frame.open)
            if not bounds.may_live(frame.number, frame.choice, need, frame.open, frame.state):
                return DEAD
            frame.key = bounds.key(frame.number, frame.choice, frame.taken, frame.open, frame.state)
            if frame.key in bounds.dead:
                return DEAD
        self._stack.append(frame)
        return PUSHED

    def _next_device(self, frame: _Devices, signal: int) -> int:
        if self._is_crowded(signal, frame.choice.claim):
            self._stack.pop()
            return TOO_MANY
        if signal != PUSHED and (restart := self._died(frame)):
            return restart
        choice, state = frame.choice, frame.state
        need = choice.count - frame.taken - 1
        while frame.open:
            low = frame.last = frame.open & -frame.open
            frame.open ^= low
            if low & choice.failing:
                self.problem.settle(choice, low.bit_length() - 1)
                return LEARNED
            self._count(1)
            child = self._take(choice, low, state)
            if child is not None:
                signal = self._go_on(frame, child, need)
                if signal != DEAD or self._stack[-1] is not frame:
                    return signal
            if restart := self._died(frame, rejected=child is None):
                return restart
        if self._bounds is not None:
            self._bounds.bury(frame.key)
        self._stack.pop()
        return DEAD

    def _go_on(self, frame: _Devices, child: State, need: int) -> int:
        if need == 0:
            return self._enter(frame.number + 1, child)
        choice = frame.choice
        candidates = self._let_in(choice, child, frame.open)
        if candidates.bit_count() < need and not candidates & choice.risky:
            return DEAD
        return self._push(_Devices(frame.number, choice, child, frame.taken + 1, candidates))

    def _died(self, frame: _Devices, *, rejected: bool = False) -> int:
        """The device tried last led nowhere: leave out those that must fare the same, or ask for a restart."""
        if self._bounds is not None:
            frame.open &= ~self._bounds.twins(frame.number, frame.choice, frame.last, frame.state)
        elif frame.open and not rejected:
            return RESTART
        return 0

    def _next_alternative(self, frame: _Alternatives, signal: int) -> int:
        if signal != PUSHED:
            frame.only_too_many &= self._is_crowded(signal, frame.question.claim)
        choices = frame.question.choices
        while frame.next < len(choices):
            choice = choices[frame.next]
            frame.next += 1
            outcome = self._try(frame.number, choice, frame.state)
            if not isinstance(outcome, int):
                outcome = self._enter(frame.number + 1, outcome)
            if outcome in (PUSHED, SOLVED) or self._stack[-1] is not frame:
                return outcome
            frame.only_too_many &= self._is_crowded(outcome, frame.question.claim)
        self._stack.pop()
        if frame.only_too_many:
            self._crowded_claim = frame.question.claim
            return TOO_MANY
        return DEAD

    def _is_crowded(self, signal: int, claim: int) -> bool:
        """Whether `signal` says that this very claim has too many devices; about a later one it means "dead"."""
        return signal == TOO_MANY and self._crowded_claim == claim

    def _take(self, choice: Choice, low: int, state: State) -> State | None:
        """The state with one more device, or None where counters or capacity do not allow it.

        Raises: InvalidInput where a constraint looks for a value that the device does not have.
        """
        position = low.bit_length() - 1
        left = self._drawn(state, low, position)
        if left is None:
            return None
        shared: Shared | None = state.shared
        if low & choice.weighed:
            shared = self._weighed(state, choice, low, position)
        if shared is None:
            return None
        if low & choice.risky:
            raise self.problem.underived(choice, position)
        child = state.copy()
        child.left, child.shared = left, shared
        if choice.option.constraints:
            self._constrain(child, choice, position)
        self._record(child, choice, low, position)
        return child

    def _record(self, child: State, choice: Choice, low: int, position: int) -> None:
        if not low & self.problem.multi:
            child.picked |= low
            child.mine |= low
        if self._groups and low & self.problem.counted:
            child.barred |= self._conflicts(position)
        child.results += 1
        child.last = (child.last, choice, position)

    def _drawn(self, state: State, low: int, position: int) -> list[int] | None:
        """What is left of the counters after a device; None where it is not enough."""
        if low & self.problem.drawing and position not in state.shared:
            return draw(state.left, self.problem.draw_of(position))
        return state.left

    def _weighed(self, state: State, choice: Choice, low: int, position: int) -> Shared | None:
        """What is taken of shared devices after one more use of this one; None where its capacity is not enough."""
        taken = state.shared.get(position, _NOTHING)
        if not self.problem.fits(choice.option, position, taken):
            return None
        portion = self.problem.portion(choice.option, position)
        if not low & self.problem.multi or isinstance(portion, NotOffered):
            return state.shared
        total = {share.name: share.amount.nanos + taken.get(share.name, 0) for share in portion}
        return {**state.shared, position: total}

    def _constrain(self, child: State, choice: Choice, position: int) -> None:
        """Let the constraints know of a device that they let in."""
        plan, indexes, _, lanes = self.problem.claims[choice.claim]
        filters, values = list(child.filters), list(child.values)
        for number, own in zip(choice.option.constraints, choice.lanes, strict=True):
            known, elements = values[number], indexes[own].elements[position]
            if plan.constraints[number].distinct:
                values[number] = elements if known is None else known | elements
                for lane in lanes[number]:
                    filters[lane] &= ~(indexes[lane].having_any(elements) | indexes[lane].opaque)
            else:
                common = elements if known is None else known & elements
                values[number] = common
                for lane in lanes[number]:
                    filters[lane] &= indexes[lane].having_any(common)
        child.filters, child.values = tuple(filters), tuple(values)

    def _take_all(self, choice: Choice, state: State) -> State | None:
        """The state with all devices of the option, or None where one cannot be had.

        Raises: InvalidInput where a constraint forbids one: such a claim can never be satisfied as written.
        """
        wanted = choice.candidates
        gone = choice.barred | state.barred | (state.mine if choice.option.admin else state.picked)
        if not choice.option.constraints and wanted & gone:
            return None
        for position in positions(wanted):
            low = 1 << position
            if low & gone:
                return None
            self._count(1)
            # Too little of a counter is found before a constraint forbids the device, too little capacity after.
            if self._drawn(state, low, position) is None:
                return None
            if not low & self._let_in(choice, state, low):
                raise self._forbidden(choice, position)
            if low & choice.risky:
                raise self.problem.underived(choice, position)
            child = self._take(choice, low, state)
            if child is None:
                return None
            gone |= child.barred
            state = child
        return state

    def _forbidden(self, choice: Choice, position: int) -> InvalidInput:
        claim = claim_text(self.problem.objects[choice.claim])
        shown = choice.option.name.rpartition("/")[2]
        device = self.problem.view.devices[position].id
        return InvalidInput(
            f"{claim}, request {shown}: cannot add device {device} "
            "because a claim constraint would not be satisfied"
        )

    def _conflicts(self, position: int) -> int:
        """Devices of the same pool that may not be used together with this one."""
        devices = self.problem.view.devices
        mine = devices[position]
        found = 0
        for other in positions(self.problem.counted):
            device = devices[other]
            if device.slice.pool == mine.slice.pool and not may_coexist(mine, device):
                found |= 1 << other
        return found

    def _count(self, steps: int) -> None:
        before, self.steps = self.steps, self.steps + steps
        if self._max_steps is not None and self.steps > self._max_steps:
            raise SearchAborted(AbortReason.BUDGET, self.steps)
        is_time = before == 0 or before // _PATIENCE != self.steps // _PATIENCE
        if is_time and self._should_stop is not None and self._should_stop():
            raise SearchAborted(AbortReason.CANCELLED, self.steps)

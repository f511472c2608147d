"""How a problem is attacked: straight ahead first, then with arithmetic, then by looking for a part that cannot work.

    0. the first devices of each request, where nothing but being free decides; most problems end here
    1. a search that knows nothing
    2. at its first dead branch, the same search with `bounds`
    3. where that takes long, smaller questions: if some of the requests cannot be satisfied even without the others,
       nothing that is tried for those others helps (a solution of all is one of every part, since constraints,
       counters and capacities only ever get tighter)
    4. the search of 2 once more to its end, remembering what failed before

Steps 2 and 3 prove at most that there is no solution; the one found is always the first in the order of `search`.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple, TypeAlias

from dray.allocation.bounds import Bounds, first_hazard
from dray.allocation.choices import Choice, Question
from dray.allocation.model import RESULTS_MAX, AbortReason, SearchAborted
from dray.allocation.problem import Problem
from dray.allocation.search import LEARNED, RESTART, Search
from dray.allocation.state import State

_LONG = 1000
"""Steps after which smaller questions are asked."""

_PART_STEPS = 2000
"""How many steps are spent on one smaller question."""

_PAIRS_UP_TO = 12
"""Requests of which all pairs are asked about."""


Picked: TypeAlias = list[list[tuple[Choice, int]]]
"""Per claim the devices picked: option and position, in the order of the requests."""


class Verdict(NamedTuple):
    """How a search ended: `picked` is the solution, if there is one."""

    picked: Picked | None
    steps: int
    learned: bool
    """A selector was asked about a device: pose the problem anew and solve that."""


def solve(
    problem: Problem,
    should_stop: Callable[[], bool] | None = None,
    max_steps: int | None = None,
    *,
    steps: int = 0,
) -> Verdict:
    """The first solution. `steps` were taken before, for the same question.

    Raises: InvalidInput, SearchAborted.
    """
    picked = _first_devices(problem)
    if picked is not None:
        taken = steps + sum(map(len, picked))
        if max_steps is None or taken <= max_steps:
            if should_stop is not None and should_stop():
                raise SearchAborted(AbortReason.CANCELLED, steps)
            return Verdict(picked, taken, False)
    search = Search(problem, None, should_stop, max_steps, steps)
    signal = search.run()
    if signal != RESTART:
        return _verdict(search, signal)
    bounds = Bounds(problem)
    if bounds.hopeless:
        return Verdict(None, search.steps, learned=False)
    return _Bounded(problem, bounds, should_stop, max_steps).solve(search.steps)


def _first_devices(problem: Problem) -> Picked | None:
    """The first candidates of each request, if no device but those taken is kept from any: then that is the solution."""
    special = problem.drawing | problem.multi
    picked: Picked = [[] for _ in problem.plans]
    taken = 0
    for question in problem.questions:
        choice = question.choices[0]
        option = choice.option
        if question.request.has_alternatives or option.all_devices or option.admin or option.constraints:
            return None
        candidates = choice.candidates & ~taken
        if (candidates & (special | choice.weighed)) | choice.failing:
            return None
        devices = picked[choice.claim]
        if len(devices) + choice.count > RESULTS_MAX:
            return None
        for _ in range(choice.count):
            low = candidates & -candidates
            if not low:
                return None
            candidates ^= low
            taken |= low
            devices.append((choice, low.bit_length() - 1))
    return picked


def _verdict(search: Search, signal: int) -> Verdict:
    solution = search.solution
    picked = None if solution is None else _by_claim(solution, len(search.problem.plans))
    return Verdict(picked, search.steps, signal == LEARNED)


def _by_claim(state: State, claims: int) -> Picked:
    picked: Picked = [[] for _ in range(claims)]
    last = state.last
    while last is not None:
        before, choice, position = last
        picked[choice.claim].append((choice, position))
        last = before
    for devices in picked:
        devices.reverse()
    return picked


class _Bounded:
    """Steps 2 to 4."""

    def __init__(
        self,
        problem: Problem,
        bounds: Bounds,
        should_stop: Callable[[], bool] | None,
        max_steps: int | None,
    ) -> None:
        self._problem = problem
        self._bounds = bounds
        self._should_stop = should_stop
        self._max_steps = max_steps

    def solve(self, steps: int) -> Verdict:
        short = steps + _LONG
        if len(self._problem.questions) > 1 and (self._max_steps is None or self._max_steps > short):
            search = Search(self._problem, self._bounds, self._should_stop, short, steps)
            try:
                signal = search.run()
            except SearchAborted as aborted:
                if aborted.reason is AbortReason.CANCELLED:
                    raise
                if self._some_part_is_impossible():
                    return Verdict(None, search.steps, learned=False)
                steps = search.steps
            else:
                return _verdict(search, signal)
        search = Search(self._problem, self._bounds, self._should_stop, self._max_steps, steps)
        signal = search.run()
        return _verdict(search, signal)

    def _some_part_is_impossible(self) -> bool:
        questions = self._problem.questions
        if first_hazard(questions) < len(questions):
            return False  # an error may come before "no"
        return any(self._is_impossible(part) for part in _parts(questions))

    def _is_impossible(self, questions: Sequence[Question]) -> bool:
        """Certain if True; may be unknown if False."""
        part = copy.copy(self._problem)
        part.questions = list(questions)
        bounds = Bounds(part)
        if bounds.hopeless:
            return True
        search = Search(part, bounds, self._should_stop, _PART_STEPS)
        try:
            search.run()
        except SearchAborted as aborted:
            if aborted.reason is AbortReason.CANCELLED:
                raise
            return False
        return search.solution is None


def _parts(questions: Sequence[Question]) -> Iterator[Sequence[Question]]:
    """Some of the requests, the cheapest first: one, all of a claim, two, all from one on."""
    for question in questions:
        yield [question]
    claims = sorted({question.claim for question in questions})
    if len(claims) > 1:
        for claim in claims:
            yield [question for question in questions if question.claim == claim]
    if 2 < len(questions) <= _PAIRS_UP_TO:
        yield from combinations(questions, 2)
    for start in range(len(questions) - 3, 0, -1):
        yield questions[start:]

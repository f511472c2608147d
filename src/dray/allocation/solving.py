"""How a problem is attacked: straight ahead first, then with arithmetic, then by looking for a part that cannot work.

    1. a search that knows nothing; most problems end here, at the first devices tried
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
from typing import NamedTuple

from dray.allocation.bounds import Bounds, first_hazard
from dray.allocation.model import AbortReason, SearchAborted
from dray.allocation.problem import Problem, Question
from dray.allocation.search import LEARNED, RESTART, Search, State

_LONG = 1000
"""Steps after which smaller questions are asked."""

_PART_STEPS = 2000
"""How many steps are spent on one smaller question."""

_PAIRS_UP_TO = 12
"""Requests of which all pairs are asked about."""


class Verdict(NamedTuple):
    """How a search ended: `state` is the solution, if there is one."""

    state: State | None
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
    search = Search(problem, None, should_stop, max_steps, steps)
    signal = search.run()
    if signal != RESTART:
        return Verdict(search.solution, search.steps, signal == LEARNED)
    bounds = Bounds(problem)
    if bounds.hopeless:
        return Verdict(None, search.steps, learned=False)
    return _Bounded(problem, bounds, should_stop, max_steps).solve(search.steps)


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
                return Verdict(search.solution, search.steps, signal == LEARNED)
        search = Search(self._problem, self._bounds, self._should_stop, self._max_steps, steps)
        signal = search.run()
        return Verdict(search.solution, search.steps, signal == LEARNED)

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

"""What would fix it, never guessed: every remedy is tried on the allocator before it is named.

An obstacle suggests changes (drop the term that is false, free a device, tolerate a taint, ask for fewer). `verify` says
what the allocator answers with the change made; `way_out` goes on from obstacle to obstacle until the claims fit, so
that a first obstacle which hides a second is not sold as the solution.
"""

import dataclasses
from collections.abc import Sequence

from dray.allocation import Allocated, Unsatisfiable
from dray.api.meta import Object, name_of
from dray.insight.evidence import Examiner, NodeEvidence
from dray.insight.suggestions import Remedy, Suggestions
from dray.insight.world import Broken, Outcome, Undecided, World

MAX_STEPS = 12
"""Obstacles followed one after the other."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A remedy that was tried, and what the allocator said then."""

    remedy: Remedy
    fits: bool
    then: str = ""
    """The next obstacle, where it does not fit yet."""


class Doctor:
    """Tries remedies for claims on one node."""

    def __init__(self, world: World, examiner: Examiner, claims: Sequence[Object], node: Object) -> None:
        self._world = world
        self._examiner = examiner
        self._claims = claims
        self._node = node
        self._suggestions = Suggestions(world, examiner, claims, node)

    def single_fixes(self, evidence: NodeEvidence) -> list[Step]:
        """The remedies that suffice alone."""
        found: list[Step] = []
        for remedy in self._suggestions.of(evidence):
            with self._world.changed(remedy.change):
                if isinstance(self._ask(), Allocated):
                    found.append(Step(remedy, True))
        return found

    def way_out(self) -> list[Step]:
        """Remedies that together make the claims fit, each with what stood in the way after it.

        The last step fits, or is the last that can be named.
        """
        return self._follow(frozenset(), MAX_STEPS)

    def _follow(self, seen: frozenset[tuple[str, ...]], steps_left: int) -> list[Step]:
        outcome = self._ask()
        if isinstance(outcome, Allocated) or not steps_left:
            return []
        remedies = [r for r in self._suggestions.of(self._evidence(outcome)) if r.key not in seen]
        for remedy in remedies:
            with self._world.changed(remedy.change):
                if isinstance(self._ask(), Allocated):
                    return [Step(remedy, True)]
        for remedy in remedies[:1]:
            with self._world.changed(remedy.change):
                then = self._headline(self._ask(), seen | {remedy.key})
                return [Step(remedy, False, then), *self._follow(seen | {remedy.key}, steps_left - 1)]
        return []

    def _ask(self) -> Outcome:
        return self._world.ask(self._claims, self._node)

    def _evidence(self, outcome: Outcome) -> NodeEvidence:
        if isinstance(outcome, Unsatisfiable):
            return self._examiner.examine(outcome, self._suggestions.current())
        if isinstance(outcome, Broken) and outcome.refusal is not None:
            return self._examiner.examine(outcome.refusal, self._suggestions.current(), outcome.text)
        text = outcome.text if isinstance(outcome, (Broken, Undecided)) else ""
        return NodeEvidence((name_of(self._node),), (), (), text)

    def _headline(self, outcome: Outcome, seen: frozenset[tuple[str, ...]]) -> str:
        for remedy in self._suggestions.of(self._evidence(outcome)):
            if remedy.key not in seen:
                return remedy.obstacle
        return outcome.text if isinstance(outcome, (Broken, Undecided)) else "no combination of devices fits"

"""What would fix it, never guessed: every remedy is tried on the allocator before it is named.

An obstacle suggests changes (drop the term that is false, free a device, tolerate a taint, ask for fewer). `verify` says
what the allocator answers with the change made; `way_out` goes on from obstacle to obstacle until the claims fit, so
that a first obstacle which hides a second is not sold as the solution.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence, Set

from dray.allocation import Allocated, Unsatisfiable
from dray.api.meta import Object, name_of
from dray.insight.evidence import Examiner, NodeEvidence, nearness
from dray.insight.remedy import Remedy
from dray.insight.suggestions import Suggestions
from dray.insight.world import TRIAL_STEPS, Broken, Outcome, Undecided, World

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
                if isinstance(self._try(), Allocated):
                    found.append(Step(remedy, True))
        return found

    def way_out(self) -> list[Step]:
        """Remedies that together make the claims fit, each with what stands in the way after it.

        None of them can be left out. The last step fits, or is the last that can be named.
        """
        found, fits = self._follow()
        return self._told(self._needed(found) if fits else found)

    def _follow(self) -> tuple[list[Remedy], bool]:
        """From obstacle to obstacle, each time by the remedy that comes nearest to a fit; whether it fits in the end."""
        found: list[Remedy] = []
        with contextlib.ExitStack() as changes:
            while len(found) < MAX_STEPS:
                outcome = self._ask()
                if isinstance(outcome, Allocated):
                    return found, True
                seen = {remedy.key for remedy in found}
                remedy = self._best([r for r in self._suggested(outcome) if r.key not in seen])
                if remedy is None:
                    return found, False
                found.append(remedy)
                changes.enter_context(self._world.changed(remedy.change))
            return found, isinstance(self._ask(), Allocated)

    def _best(self, remedies: Sequence[Remedy]) -> Remedy | None:
        """The first that suffices; else the first of those that leave least to do."""
        best: tuple[tuple[bool, bool, int, int], Remedy] | None = None
        for remedy in remedies:
            with self._world.changed(remedy.change):
                outcome = self._try()
                if isinstance(outcome, Allocated):
                    return remedy
                left = nearness(self._evidence(outcome))
            if best is None or left < best[0]:
                best = left, remedy
        return best[1] if best else None

    def _needed(self, found: Sequence[Remedy]) -> list[Remedy]:
        """Those of remedies that fit together without which they would not; the early ones are doubted first."""
        needed = list(found)
        for remedy in found[:-1]:
            rest = [each for each in needed if each is not remedy]
            with self._all_of(rest):
                if isinstance(self._try(), Allocated):
                    needed = rest
        return needed

    def _told(self, remedies: Sequence[Remedy]) -> list[Step]:
        """Each remedy with what the allocator says after it and those before it."""
        steps: list[Step] = []
        seen: set[tuple[str, ...]] = set()
        with contextlib.ExitStack() as changes:
            for remedy in remedies:
                seen.add(remedy.key)
                changes.enter_context(self._world.changed(remedy.change))
                outcome = self._ask()
                fits = isinstance(outcome, Allocated)
                steps.append(Step(remedy, fits, "" if fits else self._headline(outcome, seen)))
        return steps

    @contextlib.contextmanager
    def _all_of(self, remedies: Sequence[Remedy]) -> Iterator[None]:
        with contextlib.ExitStack() as changes:
            for remedy in remedies:
                changes.enter_context(self._world.changed(remedy.change))
            yield

    def _suggested(self, outcome: Outcome) -> Iterator[Remedy]:
        return self._suggestions.of(self._evidence(outcome))

    def _ask(self) -> Outcome:
        return self._world.ask(self._claims, self._node)

    def _try(self) -> Outcome:
        return self._world.ask(self._claims, self._node, TRIAL_STEPS)

    def _evidence(self, outcome: Outcome) -> NodeEvidence:
        if isinstance(outcome, Unsatisfiable):
            return self._examiner.examine(outcome, self._suggestions.current())
        if isinstance(outcome, Broken) and outcome.refusal is not None:
            return self._examiner.examine(outcome.refusal, self._suggestions.current(), outcome.text)
        text = outcome.text if isinstance(outcome, (Broken, Undecided)) else ""
        return NodeEvidence((name_of(self._node),), (), (), text)

    def _headline(self, outcome: Outcome, seen: Set[tuple[str, ...]]) -> str:
        for remedy in self._suggested(outcome):
            if remedy.key not in seen:
                return remedy.obstacle
        return outcome.text if isinstance(outcome, (Broken, Undecided)) else "no combination of devices fits"

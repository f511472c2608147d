"""Where the constraints of a claim find the values of devices.

The same device may have one value for one request and another for the next, where requests derive them. So each
constraint has *lanes*: one for what is published, with the number of the constraint, and one for each expression by
which a request derives the attribute.

Refuses to know: how to choose.
"""

from collections.abc import Sequence
from typing import NamedTuple

from dray.allocation.attributes import AttributeIndex
from dray.allocation.choices import Choice
from dray.allocation.derivations import Derivation
from dray.allocation.deriving import Deriver
from dray.allocation.inventory import NodeView
from dray.allocation.requests import ClaimPlan
from dray.allocation.values import ALL, Matching


class ClaimOnNode(NamedTuple):
    """The constraints of a claim with the values that the node's devices have."""

    plan: ClaimPlan
    indexes: Sequence[AttributeIndex]
    """Per lane."""
    open: tuple[int, ...]
    """Per lane, the devices that may come first."""
    lanes: Sequence[Sequence[int]]
    """Per constraint, its lanes."""

    def index_for(self, choice: Choice, constraint: int) -> AttributeIndex:
        """Where a constraint finds what a device is worth to a choice that it covers."""
        return self.indexes[choice.lane_of(constraint)]

    def matching(self, constraint: int, choices: Sequence[Choice]) -> Matching:
        """A matchAttribute as it concerns some of the claim's choices."""
        covered = tuple(constraint in choice.option.constraints for choice in choices)
        if len(self.lanes[constraint]) == 1 and all(covered):
            count, groups = len(choices), self.indexes[constraint].groups
            return Matching(constraint, covered, [(value, (mine,) * count) for value, mine in groups.items()])
        indexes = [
            self.index_for(choice, constraint) if mine else None
            for choice, mine in zip(choices, covered, strict=True)
        ]
        values = dict.fromkeys(value for index in indexes if index is not None for value in index.groups)
        devices = [
            (value, tuple(ALL if index is None else index.groups.get(value, 0) for index in indexes))
            for value in values
        ]
        return Matching(constraint, covered, devices)


def lay_out(
    view: NodeView, deriver: Deriver, plan: ClaimPlan, choices: Sequence[Choice], *, lists: bool
) -> ClaimOnNode:
    """Find the values that the constraints of a claim look at, and tell its choices where they are.

    `lists`: a list is a set of values. What a choice derives is asked of its candidates only.
    """
    for choice in choices:
        choice.lanes = choice.option.constraints
        choice.risky = choice.failing
    if not plan.constraints:
        return ClaimOnNode(plan, (), (), ())
    indexes = [view.attribute(constraint.attribute, lists=lists) for constraint in plan.constraints]
    lanes = [[number] for number in range(len(indexes))]
    known: dict[tuple[int, Derivation], int] = {}
    for choice in choices:
        if any(choice.option.derived):
            _derive(choice, view, deriver, indexes, known)
    for (number, _), lane in known.items():
        lanes[number].append(lane)
    return ClaimOnNode(plan, indexes, tuple(index.present for index in indexes), lanes)


def _derive(
    choice: Choice,
    view: NodeView,
    deriver: Deriver,
    indexes: list[AttributeIndex],
    known: dict[tuple[int, Derivation], int],
) -> None:
    """Choices that derive the same for a constraint share a lane."""
    lanes: list[int] = []
    underived: list[int] = []
    for number, derivation in zip(choice.option.constraints, choice.option.derived, strict=True):
        lane, failed = number, 0
        if derivation is not None:
            found = deriver.index(view.derived, view.parts, derivation, choice.candidates)
            lane = known.setdefault((number, derivation), len(indexes))
            if lane == len(indexes):
                indexes.append(found.index)
            failed = found.failed & choice.candidates
        lanes.append(lane)
        underived.append(failed)
    choice.lanes = tuple(lanes)
    if any(underived):
        choice.underived = tuple(underived)
        choice.hazardous = True
        for failed in underived:
            choice.risky |= failed

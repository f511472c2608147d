"""Which devices, and which states, are the same but for names?

*Twins* are devices that no rule of the attempt can tell apart: the same options take them, they have the same values in
every constrained attribute and draw the same amounts on the same counters. Two states are *alike* where renaming twins,
and exchanging banks of counters in the same condition, turns one into the other; then both lead to a solution or
neither does.
"""

from collections.abc import Hashable, Mapping, Sequence

from dray.allocation.problem import Problem, positions

Kind = int


class Symmetry:
    """Twins of one problem, and names for states up to likeness."""

    def __init__(
        self, problem: Problem, static: Mapping[int, int], banks: Sequence[tuple[int, tuple[int, ...]]]
    ) -> None:
        """`static`: candidates by id of the option; `banks`: devices that draw on counters together."""
        self._problem = problem
        self._banks = banks
        relevant = 0
        for devices in static.values():
            relevant |= devices
        for question in problem.questions:
            for choice in question.choices:
                relevant |= choice.failing
        self._local = {index: i for _, counters in banks for i, index in enumerate(counters)}
        classes: dict[Hashable, int] = {}
        self._kinds: dict[Hashable, Kind] = {}
        kinds: dict[int, Kind] = {}
        for position in positions(relevant):
            kind, exact = self._signatures(position, static)
            key = (kind, exact)
            classes[key] = classes.get(key, 0) | 1 << position
            kinds[position] = self._kinds.setdefault(kind, len(self._kinds))
        self._class_of: dict[int, int] = {}
        for members in classes.values():
            for position in positions(members):
                self._class_of[position] = members
        ordered = [(kinds[(members & -members).bit_length() - 1], members) for members in classes.values()]
        drawing = 0
        for devices, _ in banks:
            drawing |= devices
        self._loose = [(kind, members) for kind, members in ordered if not members & drawing]
        self._bank_classes = [
            (counters, [(kind, members) for kind, members in ordered if members & devices])
            for devices, counters in banks
        ]

    def _signatures(self, position: int, static: Mapping[int, int]) -> tuple[Hashable, Hashable]:
        """What a device is to the attempt, up to which bank it draws on; and which bank that is."""
        problem, bit = self._problem, 1 << position
        if bit & problem.multi or (bit & problem.counted and problem.features.compatibility_groups):
            return ("single", position), None
        roles = tuple(
            (bool(static.get(id(choice), 0) & bit), bool(choice.failing & bit))
            for question in problem.questions
            for choice in question.choices
        )
        values = tuple(index.elements.get(position) for claim in problem.claims for index in claim.indexes)
        if not bit & problem.drawing:
            return (roles, values), None
        draw = problem.draw_of(position)
        local = tuple((self._local[index], amount) for index, amount in draw)
        return (roles, values, local), draw

    def twins(self, position: int) -> int:
        """The devices that fare like this one, itself included."""
        return self._class_of.get(position, 1 << position)

    def name(self, now: int, later: int, left: Sequence[int]) -> Hashable:
        """A name for "these devices now, these later, and so much left of the counters", equal for like states."""
        both = now | later
        loose = tuple(
            (kind, (now & members).bit_count(), (later & members).bit_count())
            for kind, members in self._loose
            if members & both
        )
        banks = [
            (
                tuple(left[index] for index in counters),
                tuple(
                    (kind, (now & members).bit_count(), (later & members).bit_count())
                    for kind, members in classes
                    if members & both
                ),
            )
            for counters, classes in self._bank_classes
        ]
        banks.sort()
        return loose, tuple(banks)

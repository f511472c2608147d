"""Which devices, and which states, are the same but for names?

*Twins* are devices that no rule of the attempt can tell apart: the same options take them, they have the same values in
every constrained attribute, published or derived, draw the same amounts on the same counters, and have the same capacities, if they can be
shared. Two states are *alike* where renaming twins, and exchanging banks of counters in the same condition, turns one
into the other; then both lead to a solution or neither does. Of a shared device the condition counts: what is taken of it.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

from dray.allocation.problem import Problem, positions

Kind = int

Taken = Mapping[int, Mapping[str, int]]
"""What the attempt has taken of shared devices, by position."""

_Condition = tuple[tuple[str, int], ...]


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
        self._underived = [
            devices for q in problem.questions for choice in q.choices for devices in choice.underived
        ]
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
        shared = problem.multi
        self._loose = [(kind, members) for kind, members in ordered if not members & (drawing | shared)]
        self._shared = [(kind, members) for kind, members in ordered if members & shared]
        self._bank_classes = [
            (counters, [(kind, members) for kind, members in ordered if members & devices])
            for devices, counters in banks
        ]

    def _signatures(self, position: int, static: Mapping[int, int]) -> tuple[Hashable, Hashable]:
        """What a device is to the attempt, up to which bank it draws on; and which bank that is."""
        problem, bit = self._problem, 1 << position
        if bit & problem.counted and (bit & problem.multi or problem.features.compatibility_groups):
            return ("single", position), None
        roles = tuple(
            (bool(static.get(id(choice), 0) & bit), bool(choice.failing & bit))
            for question in problem.questions
            for choice in question.choices
        )
        if self._underived:
            roles += tuple((bool(devices & bit), True) for devices in self._underived)
        values = tuple(index.elements.get(position) for claim in problem.claims for index in claim.indexes)
        if bit & problem.multi:
            held = _condition(problem.shared, position)
            return (roles, values, problem.view.devices[position].capacities, held), None
        if not bit & problem.drawing:
            return (roles, values), None
        draw = problem.draw_of(position)
        local = tuple((self._local[index], amount) for index, amount in draw)
        return (roles, values, local), draw

    def twins(self, position: int, taken: Taken) -> int:
        """The devices that fare like this one, itself included."""
        members = self._class_of.get(position, 1 << position)
        if not members & self._problem.multi:
            return members
        condition = _condition(taken, position)
        for other in taken:
            if members >> other & 1 and _condition(taken, other) != condition:
                members &= ~(1 << other)
        if condition:
            for other in positions(members):
                if other not in taken:
                    members &= ~(1 << other)
        return members

    def name(self, now: int, later: int, left: Sequence[int], taken: Taken) -> Hashable:
        """A name for "these devices now, these later, and so much left of them", equal for like states."""
        both = now | later
        loose = _counted(self._loose, now, later)
        banks = [
            (tuple(left[index] for index in counters), _counted(classes, now, later))
            for counters, classes in self._bank_classes
        ]
        banks.sort()
        shared = tuple(
            (kind, tuple(sorted(_conditions(members & both, now, later, taken))))
            for kind, members in self._shared
            if members & both
        )
        return loose, tuple(banks), shared


def _counted(classes: Iterable[tuple[Kind, int]], now: int, later: int) -> tuple[tuple[Kind, int, int], ...]:
    """How many of each kind there are now and later."""
    both = now | later
    return tuple(
        (kind, (now & members).bit_count(), (later & members).bit_count())
        for kind, members in classes
        if members & both
    )


def _conditions(members: int, now: int, later: int, taken: Taken) -> Iterator[tuple[int, int, _Condition]]:
    """Of each shared device whether it can be had now and later, and what is taken of it."""
    for position in positions(members):
        yield now >> position & 1, later >> position & 1, _condition(taken, position)


def _condition(taken: Taken, position: int) -> _Condition:
    """What is taken of a device; of one without capacities, whether it is taken at all."""
    amounts = taken.get(position)
    if amounts is None:
        return ()
    return tuple(sorted(amounts.items())) or (("", 0),)

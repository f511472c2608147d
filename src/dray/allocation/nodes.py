"""Nodes by number, so that sets of nodes are integers; and orders in which to try them.

Refuses to know: devices.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from dray.api.meta import Object, labels_of, name_of

_SLACK = 1024


class NodeTable:
    """Numbers for node names. Numbers are given out again only all at once (`generation` moves then)."""

    def __init__(self) -> None:
        self.generation = 0
        self._numbers: dict[str, int] = {}
        self._labels: list[dict[str, str]] = []

    def number(self, name: str) -> int:
        """The number of a node, or -1 while nobody asked about it."""
        return self._numbers.get(name, -1)

    def see(self, node: Object) -> tuple[int, bool]:
        """The number of a node, and whether its labels are not what they were."""
        name, labels = name_of(node), labels_of(node)
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._labels)
            self._labels.append(labels)
        elif self._labels[number] is not labels and self._labels[number] != labels:
            self._labels[number] = labels
            return number, True
        return number, False

    def register(self, nodes: Sequence[Object]) -> tuple[list[int], list[int]]:
        """The numbers of `nodes`, and of those among them whose labels are not what they were."""
        if len(self._numbers) > 2 * len(nodes) + _SLACK:
            self.generation += 1
            self._numbers.clear()
            self._labels.clear()
        seen = [self.see(node) for node in nodes]
        return [number for number, _ in seen], [number for number, changed in seen if changed]


class NodeOrder:
    """Nodes in the order in which they are to be tried. Made once for a snapshot of nodes, used for many searches."""

    __slots__ = ("_ascending", "_numbers", "generation", "mask", "nodes")

    def __init__(self, nodes: Sequence[Object], numbers: Sequence[int], generation: int) -> None:
        self.nodes = nodes
        self.generation = generation
        self._numbers = numbers
        self._ascending = all(one < other for one, other in pairwise(numbers))
        flags = bytearray(b"0") * (max(numbers, default=0) + 1)
        for number in numbers:
            flags[-1 - number] = ord("1")
        self.mask = int(flags, 2)

    def __len__(self) -> int:
        return len(self.nodes)

    def among(self, wanted: int, start: int = 0) -> Iterator[tuple[int, Object]]:
        """The nodes of the set `wanted` with their numbers, from place `start` to the end and round to it."""
        if self._ascending and len(self.nodes) == self.mask.bit_length():
            return self._by_bit(wanted, start)
        return self._by_place(wanted, start)

    def _by_place(self, wanted: int, start: int) -> Iterator[tuple[int, Object]]:
        places = [*range(start, len(self.nodes)), *range(start)]
        for place in places:
            number = self._numbers[place]
            if wanted >> number & 1:
                yield number, self.nodes[place]

    def _by_bit(self, wanted: int, start: int) -> Iterator[tuple[int, Object]]:
        """Where place and number are the same, the next node is the next bit; as text, so that gaps cost nothing."""
        wanted &= self.mask
        if first := wanted >> start:
            # Mostly the first node will do, and then making the text is most of the work.
            start += (first & -first).bit_length() - 1
            yield start, self.nodes[start]
            start += 1
        bits = f"{wanted:b}"[::-1]
        for begin, end in ((start, len(bits)), (0, min(start, len(bits)))):
            place = bits.find("1", begin, end)
            while place >= 0:
                yield place, self.nodes[place]
                place = bits.find("1", place + 1, end)

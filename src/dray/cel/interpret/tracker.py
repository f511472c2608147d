"""Counts what an evaluation costs, step by step, and ends it at the limit.

Upstream pairs each call with the values of its arguments by way of a stack on which every step leaves its value under
its id. Whether a call is charged depends on what is found there, leftovers of earlier steps included, so the stack is
reproduced; an index by id keeps its searches from becoming quadratic, as they are upstream.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from dray.cel.errors import CostLimitExceeded


class Tracker:
    """The cost of one evaluation so far."""

    __slots__ = ("_ids", "_places", "_values", "cost", "limit", "turns")

    def __init__(self, limit: int) -> None:
        self.cost = 0
        self.limit = limit
        self.turns = 0
        self._ids: list[int] = []
        self._values: list[Any] = []
        self._places: dict[int, list[int]] = {}

    def charge(self, cost: int) -> None:
        """Raises CostLimitExceeded past the limit."""
        self.cost += cost
        if self.cost > self.limit:
            raise CostLimitExceeded

    def turn(self) -> None:
        """One more turn of a loop. Some loops cost nothing by upstream's account; they end here all the same."""
        self.turns += 1
        if self.turns > 2 * self.limit:
            raise CostLimitExceeded

    def push(self, value: Any, id: int) -> None:
        places = self._places.get(id)
        if places is None:
            self._places[id] = [len(self._ids)]
        else:
            places.append(len(self._ids))
        self._ids.append(id)
        self._values.append(value)

    def _truncate(self, length: int) -> None:
        ids, places = self._ids, self._places
        for id in reversed(ids[length:]):
            places[id].pop()
        del ids[length:]
        del self._values[length:]

    def drop(self, *ids: int) -> None:
        """Remove each of these, as last pushed, and all above it; those that are not there are passed over."""
        for id in ids:
            places = self._places.get(id)
            if places:
                self._truncate(places[-1])

    def drop_arguments(self, ids: Sequence[int]) -> list[Any] | None:
        """The values under these ids, removed from the last to the first; None as soon as one is not there."""
        values = []
        for id in reversed(ids):
            places = self._places.get(id)
            if not places:
                return None
            place = places[-1]
            values.append(self._values[place])
            self._truncate(place)
        values.reverse()
        return values

    def observe(self, value: Any, id: int, dropped: Iterable[int], cost: int) -> None:
        """One step done: remove what it consumed, leave its value, charge it."""
        self.drop(*dropped)
        self.cost += cost
        self.push(value, id)
        if self.cost > self.limit:
            raise CostLimitExceeded

"""Where a search stands: what has been picked so far, and what follows from it."""

from collections.abc import Mapping
from typing import TypeAlias

from dray.allocation.attributes import Element
from dray.allocation.choices import Choice

Pick: TypeAlias = "tuple[Pick | None, Choice, int]"
"""A device taken for an option, and the pick before it."""

Shared: TypeAlias = dict[int, Mapping[str, int]]


class State:
    """What has been picked so far and what follows from it. Never changed once it is built."""

    __slots__ = ("barred", "filters", "last", "left", "mine", "picked", "results", "shared", "values")

    def __init__(self) -> None:
        self.picked = 0
        """Devices taken whole by this attempt."""
        self.mine = 0
        """Those of them that the current claim took."""
        self.barred = 0
        """Devices that may not join those in use (compatibility groups)."""
        self.filters: tuple[int, ...] = ()
        """Per lane of the constraints of the current claim: the devices that it lets in next."""
        self.values: tuple[frozenset[Element] | None, ...] = ()
        """Per constraint: the elements still common to all (match) or already taken (distinct)."""
        self.left: list[int] = []
        """What is left of the counters."""
        self.shared: Shared = {}
        """What this attempt took of devices that can be shared, by position."""
        self.results = 0
        """Devices of the current claim."""
        self.last: Pick | None = None

    def copy(self) -> "State":
        twin = State.__new__(State)
        twin.picked = self.picked
        twin.mine = self.mine
        twin.barred = self.barred
        twin.filters = self.filters
        twin.values = self.values
        twin.left = self.left
        twin.shared = self.shared
        twin.results = self.results
        twin.last = self.last
        return twin

"""Ranges of sizes and costs, from the least to the most that is possible, saturating at 2^64-1 as upstream's do."""

import math
from typing import Final, NamedTuple

MAX: Final = 2**64 - 1

STRING_FACTOR: Final = 0.1
"""Cost of traversing a string, per character."""

REGEX_FACTOR: Final = 0.25
"""Cost of applying a pattern to a character, per character of the pattern."""

AUTHORIZATION_CHECK: Final = 350_000
"""Cost of asking the authorizer: an expression can afford to do so twice."""

LIST_COST: Final = 10
MAP_COST: Final = 30
MESSAGE_COST: Final = 40


class Bounds(NamedTuple):
    """At least `low`, at most `high`."""

    low: int
    high: int

    def plus(self, other: "Bounds") -> "Bounds":
        return Bounds(min(self.low + other.low, MAX), min(self.high + other.high, MAX))

    def times(self, other: "Bounds") -> "Bounds":
        return Bounds(min(self.low * other.low, MAX), min(self.high * other.high, MAX))

    def scaled(self, factor: float) -> "Bounds":
        """Each end times a factor, rounded up."""
        return Bounds(scale(self.low, factor), scale(self.high, factor))

    def union(self, other: "Bounds") -> "Bounds":
        return Bounds(min(self.low, other.low), max(self.high, other.high))


def exactly(value: int) -> Bounds:
    return Bounds(value, value)


def scale(value: int, factor: float) -> int:
    """`value` times `factor`, rounded up, by way of a float as upstream computes it."""
    number = float(value)
    if number > 0 and factor > 0 and number > MAX / factor:
        return MAX
    return min(math.ceil(number * factor), MAX)


ZERO: Final = exactly(0)
ONE: Final = exactly(1)
ANY_SIZE: Final = Bounds(0, MAX)

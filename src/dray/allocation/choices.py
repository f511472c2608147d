"""The requests of claims as they are on one node: for each alternative, which devices may serve.

Refuses to know: which of them is taken.
"""

from collections.abc import Sequence

from dray.allocation.requests import Option, Request


class Choice:
    """An option on this node."""

    __slots__ = (
        "barred",
        "candidates",
        "claim",
        "count",
        "failing",
        "hazardous",
        "lanes",
        "option",
        "risky",
        "underived",
        "weighed",
    )

    def __init__(self, option: Option, claim: int) -> None:
        self.option = option
        self.claim = claim
        self.candidates = 0
        """The devices that may serve; for "all devices" those that must."""
        self.barred = 0
        """Of "all devices", those that cannot be had; the request fails when their turn comes."""
        self.failing = 0
        """Devices at whose turn a selector fails, which ends the attempt (or turns out not to)."""
        self.count = option.count
        self.weighed = 0
        """Candidates whose capacity decides."""
        self.hazardous = False
        """Whether trying it may end in an error instead of yes or no."""
        self.lanes: tuple[int, ...] = ()
        """For each of the option's constraints, which of its lanes tells the value of a device."""
        self.underived: tuple[int, ...] = ()
        """For each of the option's constraints, the candidates that have no value to be derived; () for none at all."""
        self.risky = 0
        """Devices at whose turn the attempt may end: `failing`, and `underived` once their constraint is asked."""

    def lane_of(self, constraint: int) -> int:
        """The lane of a constraint that applies to the option."""
        return self.lanes[self.option.constraints.index(constraint)]


class Question:
    """A request on this node."""

    __slots__ = ("choices", "claim", "request")

    def __init__(self, request: Request, claim: int, choices: Sequence[Choice]) -> None:
        self.request = request
        self.claim = claim
        self.choices = choices

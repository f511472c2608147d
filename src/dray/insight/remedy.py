"""A remedy: one change, the obstacle that it is meant to remove, and what a person has to do for it."""

import dataclasses

from dray.insight.world import Change


@dataclasses.dataclass(frozen=True, slots=True)
class Remedy:
    """One change and the obstacle that it removes."""

    obstacle: str
    """What is in the way, in words."""
    advice: str
    """What to do."""
    change: Change = dataclasses.field(repr=False)
    key: tuple[str, ...] = dataclasses.field(repr=False, default=())
    """Equal for the same obstacle in another refusal."""

"""What the pods of one group share while they are placed in one attempt: claims, and the writing of them.

A claim that the first of them was given devices for is as good as allocated for the others, though nobody has written
it yet. Whichever of their bindings comes first writes the devices, the others find them there. A claim of the group is
reserved once, for the group, and stays so when a single pod cannot be bound.
"""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

from dray.api.meta import Object, uid_of


@dataclasses.dataclass(slots=True, eq=False)
class Team:
    """Pods of one group that are placed together. `group` is None where its object is not known."""

    group: Object | None
    scheduled: int = 0
    """How many pods of the group had a node, or were on their way to one, before this attempt."""
    chosen: dict[str, Object] = dataclasses.field(default_factory=dict)
    """Allocations of this attempt, by the claim's UID."""
    _written: dict[str, Object] = dataclasses.field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = dataclasses.field(default_factory=dict)

    def lock(self, claim: Object) -> asyncio.Lock:
        """Held while one of the team writes the claim."""
        return self._locks.setdefault(uid_of(claim), asyncio.Lock())

    def newest(self, claim: Object) -> Object:
        """The claim as one of the team wrote it last."""
        return self._written.get(uid_of(claim), claim)

    def wrote(self, claim: Object) -> None:
        self._written[uid_of(claim)] = claim


def same_devices(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two allocations give the same devices to the same requests."""
    results = ((each.get("devices") or {}).get("results") or [] for each in (one, other))
    return _places(next(results)) == _places(next(results))


def _places(results: list[Object]) -> list[tuple[Any, ...]]:
    fields = ("request", "driver", "pool", "device", "shareID")
    return [tuple(result.get(field) for field in fields) for result in results]

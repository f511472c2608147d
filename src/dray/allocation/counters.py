"""Shared counters: what the partitions of a pool draw on together, and how much of it is left.

A pool's counters are laid out as a vector, so that a device's consumption is a few (index, amount) pairs. Devices that
are held anywhere in the pool, also on other nodes, have consumed theirs already. A pool in which any counter is
overdrawn by that gives out no device that consumes counters at all.

From 1.37, with `compatibility_groups`, devices on one counter set may coexist only where they share a group; devices
without groups only with each other.

Refuses to know: claims, requests. Source: KEP-4815, KEP-5963, Kubernetes 1.36.2 with its defects repaired: counters
belong to driver and pool, not to a pool name; what a search takes from them it gives back.
"""

from collections.abc import Iterable
from typing import TypeAlias

from dray.allocation.inventory import Pool
from dray.allocation.slices import Device, Slice

CounterName: TypeAlias = tuple[str, str]
"""Counter set, counter."""

Draw: TypeAlias = tuple[tuple[int, int], ...]
"""What a device takes: (index into the vector, amount in billionths)."""


class CounterTable:
    """The counters of one pool; `offset` is where they start in the vector of a node. Immutable."""

    __slots__ = ("available", "index", "names", "offset")

    def __init__(self, pool: Pool, offset: int) -> None:
        self.offset = offset
        totals = {
            (set_name, counter): amount
            for entry in pool.counter_sets
            for set_name, amounts in entry.counter_sets
            for counter, amount in amounts
        }
        self.names: tuple[CounterName, ...] = tuple(totals)
        self.index = {name: offset + i for i, name in enumerate(self.names)}
        for entry in (*pool.slices, *pool.others):
            for name, amount in entry.spent.items():
                # Held devices of a pool that has meanwhile lost their counter set have nothing left to draw on.
                if name in totals:
                    totals[name] -= amount
        self.available: tuple[int, ...] = tuple(totals.values())

    @property
    def overdrawn(self) -> bool:
        return any(amount < 0 for amount in self.available)

    def draw_of(self, device: Device) -> Draw:
        return tuple(
            (self.index[set_name, counter], amount)
            for set_name, amounts, _ in device.consumes
            for counter, amount in amounts
        )


def spent_by(devices: Iterable[Device]) -> dict[CounterName, int]:
    """What held devices consume together."""
    spent: dict[CounterName, int] = {}
    for device in devices:
        for set_name, amounts, _ in device.consumes:
            for counter, amount in amounts:
                spent[set_name, counter] = spent.get((set_name, counter), 0) + amount
    return spent


def charge(entry: Slice, device: Device, sign: int) -> None:
    """Count a device of `entry` as held (`sign` 1) or as free again (-1)."""
    for name, amount in spent_by((device,)).items():
        total = entry.spent.get(name, 0) + sign * amount
        if total:
            entry.spent[name] = total
        else:
            entry.spent.pop(name, None)


def draw(left: list[int], wanted: Draw) -> list[int] | None:
    """The vector after taking `wanted`, or None where it is not enough. The given vector stays as it is."""
    taken = left.copy()
    for index, amount in wanted:
        taken[index] -= amount
        if taken[index] < 0:
            return None
    return taken


def may_coexist(one: Device, other: Device) -> bool:
    """Whether two devices may be in use at once as far as compatibility groups say (KEP-5963)."""
    groups = {set_name: names for set_name, _, names in one.consumes}
    return all(
        names & groups[set_name] or (not names and not groups[set_name])
        for set_name, _, names in other.consumes
        if set_name in groups
    )

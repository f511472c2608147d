"""Do several requests find enough devices together, when no device serves two of them? (Hall's condition.)"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

_SUBSETS_UP_TO = 6
"""So many different demands are looked at in all combinations; of more, only pairs and the whole."""


class Demand(NamedTuple):
    """So many of these devices, each for nobody else but those in `common`, which everybody may use."""

    devices: int
    need: int
    common: int = 0


def is_crowded(demands: Sequence[Demand]) -> bool:
    """Whether some of the demands together want more devices than there are for them.

    "No" is certain for up to six different sets of devices, and a guess in the friendly direction beyond.
    """
    by_devices: dict[int, int] = {}
    for devices, need, common in demands:
        own = devices & ~common
        need -= (devices & common).bit_count()
        if need > 0:
            by_devices[own] = by_devices.get(own, 0) + need
    return any(_wants_more(group) for group in _groups(list(by_devices.items())))


def _groups(items: list[tuple[int, int]]) -> Iterable[Iterable[tuple[int, int]]]:
    sizes: Iterable[int] = range(1, len(items) + 1)
    if len(items) > _SUBSETS_UP_TO:
        sizes = (1, 2, len(items))
    for size in sizes:
        yield from combinations(items, size)


def _wants_more(group: Iterable[tuple[int, int]]) -> bool:
    union = wanted = 0
    for devices, need in group:
        union |= devices
        wanted += need
    return union.bit_count() < wanted

"""Which NoExecute taints reach the devices of a claim, and when its pods must go for them.

Taints stand in the slices of a pool's newest generation and, where they are followed, in DeviceTaintRules. A rule names
devices, so it reaches one whose slice is gone; a taint in a slice goes with the slice. What a claim tolerates is read
from its allocation: it was copied there when the device was given. Source: KEP-5055, Kubernetes 1.36.2.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from dray.allocation.identities import DeviceID
from dray.allocation.taints import selects, tolerates
from dray.api.meta import Object, name_of, parse_time, replace_at
from dray.client.informer import Informer

NO_EXECUTE = "NoExecute"
POOL_INDEX = "device-pool"
LONGEST_SECONDS = 10**10
"""About 300 years: longer tolerations, which calendars do not hold, end then."""


class Eviction(NamedTuple):
    """When pods must leave, and the names of the rules among the reasons."""

    due: dt.datetime
    rules: frozenset[str]


def earliest(evictions: Iterable[Eviction]) -> Eviction | None:
    """One eviction for all these reasons."""
    found = list(evictions)
    if not found:
        return None
    return Eviction(min(each.due for each in found), frozenset().union(*(each.rules for each in found)))


def eviction_time(taint: Object, tolerations: Sequence[Object]) -> dt.datetime | None:
    """When a NoExecute taint drives out who has `tolerations`; None: never.

    Only tolerations that name the effect count: one for any effect lets a claim have the device, not keep it.
    """
    covering = [item for item in tolerations if item.get("effect") == NO_EXECUTE and tolerates(item, taint)]
    limits: list[Any] = [item.get("tolerationSeconds") for item in covering]
    if None in limits:
        return None
    seconds = min(max(0, min(limits, default=0)), LONGEST_SECONDS)
    return parse_time(taint["timeAdded"]) + dt.timedelta(seconds=seconds)


class DeviceTaints:
    """The taints in force, read from caches."""

    def __init__(self, slices: Informer, rules: Informer | None) -> None:
        self._slices = slices
        self._rules = rules
        slices.add_index(POOL_INDEX, lambda obj: (pool_of(obj),))

    def evictions(self, claim: Object, rules: Sequence[Object] | None = None) -> Iterator[Eviction]:
        """One per result and taint that drives out the pods of `claim`; `rules` instead of those in force."""
        if rules is None:
            rules = self._rules.cache.list() if self._rules else ()
        for result in results_of(claim):
            tolerations = result.get("tolerations") or ()
            for taint, names in self._taints(device_of(result), rules):
                due = eviction_time(taint, tolerations) if taint["effect"] == NO_EXECUTE else None
                if due is not None:
                    yield Eviction(due, names)

    def _taints(self, device: DeviceID, rules: Sequence[Object]) -> Iterator[tuple[Object, frozenset[str]]]:
        for entry in self.current(f"{device.driver}/{device.pool}"):
            for published in entry["spec"].get("devices") or ():
                if published["name"] == device.device:
                    yield from ((taint, frozenset()) for taint in published.get("taints") or ())
        for rule in rules:
            if is_selected(rule, device):
                yield rule["spec"]["taint"], frozenset((name_of(rule),))

    def current(self, pool: str) -> list[Object]:
        """The slices of a pool's newest generation."""
        slices = self._slices.cache.by_index(POOL_INDEX, pool)
        newest = max((_generation(entry) for entry in slices), default=0)
        return [entry for entry in slices if _generation(entry) == newest]

    def published(self) -> Iterator[DeviceID]:
        """Every device of every pool."""
        for pool in sorted({pool_of(entry) for entry in self._slices.cache.list()}):
            for entry in self.current(pool):
                spec = entry["spec"]
                for device in spec.get("devices") or ():
                    yield DeviceID(spec["driver"], spec["pool"]["name"], device["name"])


def is_selected(rule: Object, device: DeviceID) -> bool:
    """A rule without selector selects nothing, one with an empty selector everything."""
    selector = rule["spec"].get("deviceSelector")
    return selector is not None and selects(selector, device)


def as_no_execute(rule: Object) -> Object:
    """The rule as if its effect were NoExecute."""
    return replace_at(rule, ("spec", "taint", "effect"), NO_EXECUTE)


def results_of(claim: Object) -> Sequence[Object]:
    allocation = (claim.get("status") or {}).get("allocation") or {}
    return (allocation.get("devices") or {}).get("results") or ()


def device_of(result: Object) -> DeviceID:
    return DeviceID(result["driver"], result["pool"], result["device"])


def pools_of_claim(claim: Object) -> Iterator[str]:
    for result in results_of(claim):
        yield f"{result['driver']}/{result['pool']}"


def pool_of(entry: Object) -> str:
    """The pool of a slice, as the indexes name it."""
    return f"{entry['spec']['driver']}/{entry['spec']['pool']['name']}"


def _generation(entry: Object) -> int:
    return entry["spec"]["pool"].get("generation") or 0

"""What must be true of slices and claims together at any moment; used after every step of a test, and by `doctor`.

    double allocation    no device is held by two claims, unless each holds a part and the device allows it
    capacity             the parts of a device do not exceed what it has
    counters             held devices of a pool do not draw more from its counters than there is
    reservations         nobody is waiting for a claim that has no devices

Reads the objects as they are, independently of `DeviceIndex`. Devices that no slice publishes (any more) can still be
double-allocated, but have no capacity or counters to check.
"""

import dataclasses
import enum
from collections.abc import Iterable, Iterator, Mapping

from dray.allocation.identities import DeviceID
from dray.api.meta import Object, key_of
from dray.api.quantity import Quantity, parse_quantity


class Broken(enum.Enum):
    """Which promise is broken."""

    DOUBLE_ALLOCATION = "double allocation"
    NOT_SHAREABLE = "not shareable"
    SHARE_ID = "share ID"
    CAPACITY = "capacity"
    COUNTERS = "counters"
    RESERVATION = "reservation"


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    broken: Broken
    subject: str
    """What it is about: a device `driver/pool/device`, a counter, a claim."""
    detail: str

    def __str__(self) -> str:
        return f"{self.broken.value}: {self.subject}: {self.detail}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Hold:
    claim: str
    share: str
    amounts: Mapping[str, str]


def check_allocations(slices: Iterable[Object], claims: Iterable[Object]) -> list[Violation]:
    """Everything that is wrong with these slices and claims; empty where all is well. O(devices + results)."""
    published = _published(slices)
    held: dict[DeviceID, list[_Hold]] = {}
    violations: list[Violation] = []
    for claim in claims:
        status = claim.get("status") or {}
        if status.get("allocation") is None:
            if status.get("reservedFor"):
                detail = f"reserved for {len(status['reservedFor'])} without an allocation"
                violations.append(Violation(Broken.RESERVATION, str(key_of(claim)), detail))
            continue
        for device, hold in _holds(claim):
            held.setdefault(device, []).append(hold)
    for device, holds in held.items():
        violations += _check_device(device, holds, published)
    return violations + list(_check_counters(published, held))


def _holds(claim: Object) -> Iterator[tuple[DeviceID, _Hold]]:
    for result in (claim["status"]["allocation"].get("devices") or {}).get("results") or ():
        if not result.get("adminAccess"):
            device = DeviceID(result["driver"], result["pool"], result["device"])
            share = result.get("shareID") or ""
            yield device, _Hold(str(key_of(claim)), share, result.get("consumedCapacity") or {})


def _published(slices: Iterable[Object]) -> dict[tuple[str, str], list[Object]]:
    """The slices of the newest generation of each pool."""
    pools: dict[tuple[str, str], list[Object]] = {}
    for item in slices:
        pool = item["spec"]["pool"]
        kept = pools.setdefault((item["spec"]["driver"], pool["name"]), [])
        if kept and kept[0]["spec"]["pool"]["generation"] < pool["generation"]:
            kept.clear()
        if not kept or kept[0]["spec"]["pool"]["generation"] == pool["generation"]:
            kept.append(item)
    return pools


def _devices(slices: Iterable[Object]) -> Iterator[Object]:
    for item in slices:
        yield from item["spec"].get("devices") or ()


def _check_device(
    device: DeviceID, holds: list[_Hold], published: Mapping[tuple[str, str], list[Object]]
) -> Iterator[Violation]:
    wholes = [hold for hold in holds if not hold.share]
    if wholes and len(holds) > 1:
        detail = f"held by {', '.join(hold.claim for hold in holds)}"
        yield Violation(Broken.DOUBLE_ALLOCATION, str(device), detail)
    shares = [hold.share for hold in holds if hold.share]
    if len(set(shares)) != len(shares):
        yield Violation(Broken.SHARE_ID, str(device), "a share ID is used twice")
    candidates = _devices(published.get((device.driver, device.pool), ()))
    raw = next((item for item in candidates if item["name"] == device.device), None)
    if raw is None or not shares:
        return
    if not raw.get("allowMultipleAllocations"):
        yield Violation(
            Broken.NOT_SHAREABLE, str(device), "held in parts, but it allows no multiple allocations"
        )
    for name, capacity in (raw.get("capacity") or {}).items():
        taken = sum(parse_quantity(hold.amounts.get(name, "0")).nanos for hold in holds)
        if taken > parse_quantity(capacity["value"]).nanos:
            detail = f"{Quantity(taken, -9)} of {capacity['value']} {name} is taken"
            yield Violation(Broken.CAPACITY, str(device), detail)


def _check_counters(
    published: Mapping[tuple[str, str], list[Object]], held: Mapping[DeviceID, list[_Hold]]
) -> Iterator[Violation]:
    for (driver, pool), slices in published.items():
        left: dict[tuple[str, str], int] = {}
        for item in slices:
            for counter_set in item["spec"].get("sharedCounters") or ():
                for counter, amount in counter_set["counters"].items():
                    left[counter_set["name"], counter] = parse_quantity(amount["value"]).nanos
        for device in _devices(slices):
            if DeviceID(driver, pool, device["name"]) not in held:
                continue
            for entry in device.get("consumesCounters") or ():
                for counter, amount in entry["counters"].items():
                    key = (entry["counterSet"], counter)
                    left[key] = left.get(key, 0) - parse_quantity(amount["value"]).nanos
        for (set_name, counter), amount in left.items():
            if amount < 0:
                subject = f"{driver}/{pool}, {counter} of {set_name}"
                yield Violation(Broken.COUNTERS, subject, f"{Quantity(-amount, -9)} more than there is")

"""Sums up a pool whose devices are partitions of others, or are shared by several claims: what more could be had. Pure.

Partitions are told apart by the value of an attribute. The slices name it; the question's default counts only where no
slice of the pool names one. Each type is measured as if nothing of the other types would be allocated, so what is
allocatable of two types does not add up. Source: KEP-5677, Kubernetes 1.37; its texts are provisional there.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from dray.api.attributes import find_attribute
from dray.api.fields import quote
from dray.api.meta import Object
from dray.api.quantity import Quantity, parse_quantity
from dray.controllers.pool_contents import Pool

MOST: Final = 32
"""Types of partitions, or shared capacities, that an answer may list."""

Counters: TypeAlias = dict[tuple[str, str], Quantity]
"""By counter set and counter: what is left of it, or what a device takes."""


class NoSummaryError(ValueError):
    """The pool does not allow the summary; the text says why, after a word for machines."""


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """What claims hold of a pool. Access for administration holds nothing."""

    devices: frozenset[str]
    """Names, also of devices that are not published any more."""
    capacity: Mapping[str, Quantity]
    """By capacity, over all claims and devices."""


@dataclasses.dataclass(slots=True)
class _PartitionType:
    cost: str
    total: int = 0
    unused: list[Object] = dataclasses.field(default_factory=list)


def use_of(results: Iterable[Object]) -> Use:
    """`results`: what claims have of the pool."""
    held = [result for result in results if not result.get("adminAccess")]
    capacity: dict[str, Quantity] = {}
    for result in held:
        _add(capacity, (result.get("consumedCapacity") or {}).items())
    return Use(frozenset(result["device"] for result in held), capacity)


def _add(sums: dict[str, Quantity], addends: Iterable[tuple[str, str]]) -> None:
    for name, text in addends:
        addend = parse_quantity(text)
        sums[name] = sums[name] + addend if name in sums else addend


def summaries(pool: Pool, use: Use, default: str | None) -> Object:
    """The summaries that a complete pool has, as fields of its PoolStatus, and the first reason why one is missing.

    `default`: the attribute that tells partitions apart where no slice names one.
    """
    found: Object = {}
    problems: list[str] = []
    try:
        if partitions := _partition_summary(pool, use, default):
            found["partitionSummary"] = partitions
    except NoSummaryError as problem:
        problems.append(str(problem))
    try:
        if (shareable := _shareable_summary(pool, use)) is not None:
            found["shareableSummary"] = shareable
    except NoSummaryError as problem:
        problems.append(str(problem))
        found.pop("partitionSummary", None)
    return {"validationError": problems[0], **found} if problems else found


# --- partitions


def _partition_summary(pool: Pool, use: Use, default: str | None) -> list[Object]:
    grouped = _grouped(pool, default)
    shared = [counters for spec in pool.specs for counters in spec.get("sharedCounters") or ()]
    if grouped and not shared:
        raise NoSummaryError(
            f"PartitionTypeMissing: pool {pool} declares partitionTypeAttribute but publishes no sharedCounters"
        )
    left = _counters_left(shared, pool, use)
    types = _partition_types(pool, grouped, use)
    if len(types) > MOST:
        raise NoSummaryError(
            f"PartitionSummaryOverCap: pool {pool} has {len(types)} partition types, exceeding the maximum of {MOST}"
        )
    return [
        {
            "attribute": attribute,
            "type": name,
            "total": kind.total,
            "allocatable": _how_many_fit(kind.unused, dict(left)),
        }
        for (attribute, name), kind in sorted(types.items(), key=lambda item: item[0])
    ]


def _grouped(pool: Pool, default: str | None) -> list[tuple[str, Object]]:
    """The devices of which an attribute is to tell the type, with that attribute."""
    declared = [
        (attribute, device)
        for spec in pool.specs
        if (attribute := spec.get("partitionTypeAttribute"))
        for device in spec.get("devices") or ()
    ]
    if declared or not default:
        return declared
    return [(default, device) for device in pool.devices()]


def _partition_types(
    pool: Pool, grouped: Iterable[tuple[str, Object]], use: Use
) -> dict[tuple[str, str], _PartitionType]:
    """By attribute and value. A device that draws on no counters is no partition."""
    types: dict[tuple[str, str], _PartitionType] = {}
    for attribute, device in grouped:
        if not device.get("consumesCounters"):
            continue
        name, cost = _type_of(pool, attribute, device), _cost_key(device)
        kind = types.setdefault((attribute, name), _PartitionType(cost))
        if kind.cost != cost:
            raise NoSummaryError(
                f"PartitionCostMismatch: devices of partition type {quote(name)} in pool {pool} consume different "
                "counters"
            )
        kind.total += 1
        if device["name"] not in use.devices:
            kind.unused.append(device)
    return types


def _type_of(pool: Pool, attribute: str, device: Object) -> str:
    value = (find_attribute(device, attribute, pool.driver) or {}).get("string")
    if value is None:
        raise NoSummaryError(
            f"PartitionTypeMissing: device {quote(device['name'])} in pool {pool} does not carry partition type "
            f"attribute {quote(attribute)}"
        )
    return str(value)


def _cost_key(device: Object) -> str:
    """Equal for devices that take the same of the same counters: of the same sets, written alike, as Kubernetes asks."""
    return ",".join(sorted(f"{set_}/{name}={amount}" for (set_, name), amount in _cost(device)))


def _cost(device: Object) -> list[tuple[tuple[str, str], Quantity]]:
    return [
        ((consumption["counterSet"], name), parse_quantity(counter["value"]))
        for consumption in device.get("consumesCounters") or ()
        for name, counter in (consumption.get("counters") or {}).items()
    ]


def _counters_left(shared: Iterable[Object], pool: Pool, use: Use) -> Counters:
    """What the devices in use leave of the counters: each takes its part once, however many claims have it."""
    left = {
        (counters["name"], name): parse_quantity(counter["value"])
        for counters in shared
        for name, counter in (counters.get("counters") or {}).items()
    }
    for device in pool.devices():
        if device["name"] in use.devices:
            _take(left, _cost(device))
    return left


def _take(left: Counters, cost: Iterable[tuple[tuple[str, str], Quantity]]) -> None:
    for counter, amount in cost:
        if counter in left:
            left[counter] = left[counter] - amount


def _how_many_fit(devices: Iterable[Object], left: Counters) -> int:
    """How many of the devices can be had one after the other; uses `left` up."""
    count = 0
    for device in devices:
        cost = _cost(device)
        if all(counter in left and left[counter] >= amount for counter, amount in cost):
            count += 1
            _take(left, cost)
    return count


# --- shared devices


def _shareable_summary(pool: Pool, use: Use) -> Object | None:
    devices = [device for device in pool.devices() if device.get("allowMultipleAllocations")]
    if not devices:
        return None
    taken = sum(device["name"] in use.devices for device in devices)
    total: dict[str, Quantity] = {}
    for device in devices:
        _add(total, ((name, one["value"]) for name, one in (device.get("capacity") or {}).items()))
    if len(total) > MOST:
        raise NoSummaryError(
            f"ShareableSummaryOverCap: pool {pool} has {len(total)} shareable capacity keys, exceeding the maximum of "
            f"{MOST}"
        )
    summary: Object = {
        "fullyAvailableDevices": len(devices) - taken,
        "partiallyAvailableDevices": taken,
    }
    if total:
        summary["capacity"] = [_capacity(name, total[name], use) for name in sorted(total)]
    return summary


def _capacity(name: str, total: Quantity, use: Use) -> Object:
    consumed = use.capacity.get(name, Quantity.of(0))
    left = total - consumed
    available = left if left.sign() >= 0 else Quantity.of(0)
    return {"name": name, "total": str(total), "consumed": str(consumed), "available": str(available)}

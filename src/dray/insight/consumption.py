"""How much of the hardware is in use, by whom: parts counted as parts.

The unit is a piece of hardware: a device, or, of devices that are partitions, the set of counters that they share. A
share of a device counts for the largest fraction that it takes of any capacity, a partition for the largest fraction of
any counter. So one of seven equal partitions is a seventh of a GPU, and nothing counts twice.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dray.allocation.slices import Device
from dray.api.quantity import Format, Quantity, parse_quantity
from dray.insight.devices import DeviceRow, Devices, Use

Unit = tuple[str, ...]
"""A device by driver, pool and name, or a counter set by driver, pool, `` and name."""


@dataclasses.dataclass(frozen=True, slots=True)
class Amount:
    """Of one capacity: what is in use, of what there is."""

    used: Quantity
    total: Quantity

    def __str__(self) -> str:
        return f"{self.used} of {self.total}" if self.total.nanos else str(self.used)


@dataclasses.dataclass(frozen=True, slots=True)
class Consumption:
    """What one group has, and what of it is in use. `devices` and `capacity`'s totals are 0 for namespaces: they own none."""

    name: str
    devices: int
    used: float
    """In devices."""
    claims: int
    pods: int
    capacity: Mapping[str, Amount]
    share: float
    """`used` of all devices of the group, or of the cluster where the group owns none; 0 to 1."""
    gone: int
    """Devices that claims hold and nobody publishes any more; not in `used`."""


@dataclasses.dataclass(slots=True)
class _Sum:
    units: dict[Unit, None] = dataclasses.field(default_factory=dict)
    used: float = 0.0
    claims: dict[str, None] = dataclasses.field(default_factory=dict)
    pods: dict[str, None] = dataclasses.field(default_factory=dict)
    amounts: dict[str, int] = dataclasses.field(default_factory=dict)
    gone: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    """What a use takes of one unit. Amounts in billionths."""

    unit: Unit
    fraction: float
    amounts: Mapping[str, int]


def consumption_by(devices: Devices, group: str, namespace: str = "") -> list[Consumption]:
    """By `namespace`, `class`, `node` or `driver`. A device that several classes select is counted by each.

    With `namespace` only its claims count as use.
    """
    totals = _Totals(devices)
    sums: dict[str, _Sum] = {}
    for row in devices.rows:
        for name in _owners(row, group):
            sums.setdefault(name, _Sum()).units.update(dict.fromkeys(totals.units_of(row)))
        for use in row.uses:
            if not use.is_admin and use.holder.claim.startswith(f"{namespace}/" if namespace else ""):
                known = sums.setdefault(_user(row, use, group), _Sum())
                known.gone += row.published is None
                _add(known, use, totals.parts_of(row, use))
    everything = len(totals.capacity)
    return [_consumption(name, each, totals, everything) for name, each in sorted(sums.items())]


def _owners(row: DeviceRow, group: str) -> Sequence[str]:
    match group:
        case "node":
            return (row.node,)
        case "driver":
            return (row.device.driver,)
        case "class":
            return row.classes or ("(no class)",)
        case _:
            return ()


def _user(row: DeviceRow, use: Use, group: str) -> str:
    """The group to which a use is charged; of classes the one that was asked for."""
    if group == "namespace":
        return use.holder.claim.partition("/")[0]
    return use.class_name or "(no class)" if group == "class" else _owners(row, group)[0]


def _add(known: _Sum, use: Use, parts: Iterable[_Part]) -> None:
    namespace = use.holder.claim.partition("/")[0]
    known.claims[use.holder.claim] = None
    known.pods.update(dict.fromkeys(f"{namespace}/{pod}" for pod in use.holder.pods))
    for part in parts:
        known.used += part.fraction
        for name, amount in part.amounts.items():
            known.amounts[name] = known.amounts.get(name, 0) + amount


class _Totals:
    """All units with their capacities."""

    def __init__(self, devices: Devices) -> None:
        self.capacity: dict[Unit, Mapping[str, Quantity]] = {}
        self._counters = devices.counters
        for row in devices.rows:
            if row.published is not None:
                for unit in self.units_of(row):
                    if unit not in self.capacity:
                        self.capacity[unit] = dict(self._offered(row.published, unit))

    def units_of(self, row: DeviceRow) -> list[Unit]:
        """What a device is, or is a part of."""
        device = row.published
        if device is None:
            return []
        if not device.consumes:
            return [tuple(row.device)]
        return [(*device.slice.pool, "", counter_set) for counter_set, _, _ in device.consumes]

    def _offered(self, device: Device, unit: Unit) -> Iterator[tuple[str, Quantity]]:
        if not device.consumes:
            for name, item in (device.raw.get("capacity") or {}).items():
                yield name, parse_quantity(item["value"])
            return
        for (counter_set, name), amount in self._counters[device.slice.pool].total.items():
            if counter_set == unit[-1]:
                yield name, Quantity(amount, -9, _format_of(name, device))

    def parts_of(self, row: DeviceRow, use: Use) -> list[_Part]:
        """What a use takes of the units of a device; nothing of one that is gone."""
        device = row.published
        if device is None:
            return []
        taken = {name: parse_quantity(text).nanos for name, text in use.amounts.items()}
        if not device.consumes:
            (unit,) = self.units_of(row)
            whole = {name: quantity.nanos for name, quantity in self.capacity[unit].items()}
            if not use.share_id:
                return [_Part(unit, 1.0, whole)]
            return [_Part(unit, _fraction(taken, whole, len(row.uses)), taken)]
        portion = 1.0
        if use.share_id:
            # A partition takes its counters once, whoever shares it.
            own = {capacity.name: capacity.value.nanos for capacity in device.capacities}
            portion = _fraction(taken, own, len(row.uses))
        parts = []
        for counter_set, amounts, _ in device.consumes:
            unit = (*device.slice.pool, "", counter_set)
            all_of_it = {name: quantity.nanos for name, quantity in self.capacity[unit].items()}
            used = {name: int(amount * portion) for name, amount in amounts}
            parts.append(_Part(unit, _fraction(dict(amounts), all_of_it, 1) * portion, used))
        return parts


def _fraction(taken: Mapping[str, int], whole: Mapping[str, int], sharers: int) -> float:
    """The largest part of any capacity; where none is counted, an equal part for each who shares."""
    parts = [amount / whole[name] for name, amount in taken.items() if whole.get(name)]
    return min(max(parts), 1.0) if parts else 1.0 / max(sharers, 1)


def _format_of(counter: str, device: Device) -> Format:
    """As the devices write a capacity of the same name, else in binary units."""
    item = (device.raw.get("capacity") or {}).get(counter)
    return parse_quantity(item["value"]).format if item else Format.BINARY_SI


def _consumption(name: str, known: _Sum, totals: _Totals, everything: int) -> Consumption:
    capacity: dict[str, Amount] = {}
    offered: dict[str, Quantity] = {}
    for unit in known.units:
        for key, quantity in totals.capacity[unit].items():
            before = offered.get(key)
            offered[key] = Quantity((before.nanos if before else 0) + quantity.nanos, -9, quantity.format)
    formats = {key: q.format for unit in totals.capacity.values() for key, q in unit.items()}
    for key in dict.fromkeys((*offered, *known.amounts)):
        kind = formats.get(key, Format.BINARY_SI)
        used = Quantity(known.amounts.get(key, 0), -9, kind)
        capacity[key] = Amount(used, offered.get(key, Quantity(0, -9, kind)))
    devices = len(known.units)
    return Consumption(
        name, devices, round(known.used, 6), len(known.claims), len(known.pods), capacity,
        round(known.used / (devices or everything or 1), 6), known.gone,
    )  # fmt: skip

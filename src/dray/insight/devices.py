"""All devices, with who holds them and what is left: partitions and shares counted as the allocator counts them.

A device is `used` when a claim has it whole, `shared` when claims have parts of it, `blocked` when it is free but its
pool's counters no longer carry it (another partition of the same silicon is in use), `tainted` when only tolerating
claims may have it, and `free` otherwise.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from dray.allocation import DeviceID, PoolKey
from dray.allocation.slices import Device, Reach, Slice, read_counters
from dray.api.meta import name_of
from dray.api.quantity import Quantity
from dray.cel import CelCompileError, CelRuntimeError, DeviceInput, compile_selector
from dray.insight.evidence import Holder, holder_of
from dray.insight.snapshot import Snapshot
from dray.insight.world import World


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceRow:
    device: DeviceID
    node: str
    """The node's name, or `(all)` or `(some)` where several nodes can use it."""
    state: str
    holders: tuple[Holder, ...]
    classes: tuple[str, ...]
    taints: tuple[str, ...]
    left: Mapping[str, str]
    """Of a device that can be shared: capacity -> `6Gi of 16Gi`."""
    attributes: Mapping[str, object]
    pool_state: str = ""
    """Why nothing of the pool is given out: incomplete, invalid; "" where it is."""

    @property
    def in_use(self) -> bool:
        return self.state in ("used", "shared")


def devices_of(snapshot: Snapshot) -> list[DeviceRow]:
    """In order of node, driver, pool, slice, device; only the newest generation of each pool."""
    world = World(snapshot)
    rows: list[DeviceRow] = []
    for key, pool in world.index.inventory.pools.items():
        newest = max(entry.generation for entry in pool.slices.values())
        slices = [entry for entry in pool.slices.values() if entry.generation == newest]
        left = _counters_left(slices)
        trouble = pool.progress() if len(slices) != slices[0].slice_count else ""
        for entry in sorted(slices, key=lambda each: each.name):
            rows += (_row(world, key, entry, device, left, trouble) for device in entry.devices)
    return sorted(rows, key=lambda row: (row.node, row.device.driver, row.device.pool))


def _counters_left(slices: Iterable[Slice]) -> dict[tuple[str, str], int]:
    """What is left of a pool's shared counters, in billionths."""
    left: dict[tuple[str, str], int] = {}
    spent: dict[tuple[str, str], int] = {}
    for entry in slices:
        for item in entry.raw["spec"].get("sharedCounters") or ():
            for name, amount in read_counters(item.get("counters") or {}):
                left[item["name"], name] = left.get((item["name"], name), 0) + amount
        for key, amount in entry.spent.items():
            spent[key] = spent.get(key, 0) + amount
    return {key: amount - spent.get(key, 0) for key, amount in left.items()}


def _row(
    world: World,
    key: PoolKey,
    entry: Slice,
    device: Device,
    left: Mapping[tuple[str, str], int],
    trouble: str,
) -> DeviceRow:
    usage = world.index.usage.of_pool(key)
    holders = tuple(holder_of(world, uid) for uid in usage.holders(device.name))
    taints = [
        taint
        for taint in world.index.taint_rules.taints_of(entry, device.bit)
        if taint.get("effect") in ("NoSchedule", "NoExecute")
    ]
    shares = usage.shared.get(device.name)
    if device.name in usage.whole:
        state = "used"
    elif shares:
        state = "shared"
    elif _is_blocked(device, left):
        state = "blocked"
    else:
        state = "tainted" if taints else "free"
    return DeviceRow(
        device.id, _place(entry, device), state, holders, tuple(_classes(world, device)),
        tuple(f"{t['key']}:{t['effect']}" for t in taints),
        _capacity_left(device, shares.total if shares else {}) if device.multi else {},
        {name: next(iter(value.values()), None) for name, value in (device.raw.get("attributes") or {}).items()},
        trouble,
    )  # fmt: skip


def _is_blocked(device: Device, left: Mapping[tuple[str, str], int]) -> bool:
    return any(
        amount > left.get((counter_set, name), 0)
        for counter_set, amounts, _ in device.consumes
        for name, amount in amounts
    )


def _capacity_left(device: Device, taken: Mapping[str, int]) -> dict[str, str]:
    shown = {}
    for capacity in device.capacities:
        rest = Quantity(capacity.value.nanos - taken.get(capacity.name, 0), -9, capacity.value.format)
        shown[capacity.name] = f"{rest} of {capacity.value}"
    return shown


def _place(entry: Slice, device: Device) -> str:
    if entry.reach is Reach.NODE:
        return entry.node_name
    if entry.reach is Reach.ALL or device.raw.get("allNodes"):
        return "(all)"
    return str(device.raw.get("nodeName") or "(some)")


def _classes(world: World, device: Device) -> Iterator[str]:
    """The DeviceClasses that select the device."""
    given = DeviceInput.of(device.slice.driver, device.raw)
    for obj in world.snapshot.classes:
        selectors = [item["cel"]["expression"] for item in (obj.get("spec") or {}).get("selectors") or ()]
        try:
            if all(compile_selector(selector).matches(given) for selector in selectors):
                yield name_of(obj)
        except (CelCompileError, CelRuntimeError):
            continue


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """Devices of one group. total = used + shared + free + blocked + tainted."""

    name: str
    total: int
    used: int
    shared: int
    free: int
    blocked: int
    tainted: int


def count_by(rows: Iterable[DeviceRow], group: str) -> list[Count]:
    """By `node`, `driver`, `pool`, `class`, or `namespace` of the holders; a device may count for several classes."""
    groups: dict[str, list[DeviceRow]] = {}
    for row in rows:
        for name in _groups_of(row, group):
            groups.setdefault(name, []).append(row)
    return [_count(name, members) for name, members in sorted(groups.items())]


def _groups_of(row: DeviceRow, group: str) -> tuple[str, ...]:
    match group:
        case "node":
            return (row.node,)
        case "driver":
            return (row.device.driver,)
        case "pool":
            return (f"{row.device.driver}/{row.device.pool}",)
        case "class":
            return row.classes or ("(no class)",)
        case _:
            return tuple(dict.fromkeys(h.claim.partition("/")[0] for h in row.holders)) or ("(nobody)",)


def _count(name: str, rows: Iterable[DeviceRow]) -> Count:
    states = [row.state for row in rows]
    return Count(
        name,
        len(states),
        *(states.count(state) for state in ("used", "shared", "free", "blocked", "tainted")),
    )

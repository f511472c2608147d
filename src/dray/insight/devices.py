"""All devices, with who holds them and what is left: partitions and shares counted as the allocator counts them.

A device is `used` when a claim has it whole; `shared` when claims have parts of it; `blocked` when it is free but its
pool's counters no longer carry it, since other partitions of the same silicon are in use; `tainted` when only tolerating
claims may have it; `unusable` when its pool is incomplete or contradicts itself, so that nothing of it is given out;
`gone` when a claim holds it but nobody publishes it any more; `free` otherwise.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dray.allocation import DeviceID, PoolKey
from dray.allocation.inventory import PoolSlices
from dray.allocation.slices import Device, Reach, Slice
from dray.api.attributes import find_attribute
from dray.api.meta import Object, key_of, name_of
from dray.api.quantity import Quantity
from dray.cel import CelCompileError, CelRuntimeError, DeviceInput, compile_selector
from dray.insight.evidence import Holder, find_request, holder_of
from dray.insight.health import Health, health_of
from dray.insight.snapshot import Snapshot
from dray.insight.world import World, identity

STATES = ("used", "shared", "free", "blocked", "tainted", "unusable", "gone")
_UNHELD = Health("")


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """A claim's hold on a device."""

    holder: Holder
    amounts: Mapping[str, str]
    """Of a share: capacity -> how much of it; empty where the device is held whole."""
    share_id: str = ""
    is_admin: bool = False
    """Administrators look on; they keep nobody away."""
    class_name: str = ""
    """The class that was asked for."""


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceRow:
    device: DeviceID
    node: str
    """The node's name, or `(all)` or `(some)` where several nodes can use it."""
    state: str
    uses: tuple[Use, ...]
    classes: tuple[str, ...]
    taints: tuple[str, ...]
    left: Mapping[str, str]
    """Of a device that can be shared: capacity -> `6Gi of 16Gi`."""
    attributes: Mapping[str, object]
    pool_state: str = ""
    """Why nothing of the pool is given out: incomplete, invalid; "" where it is."""
    blocked_by: tuple[DeviceID, ...] = ()
    """The partitions in use that have the counters this one needs."""
    counters: tuple[str, ...] = ()
    """The counters that a blocked device lacks, as `set/counter`."""
    health: str = ""
    health_reason: str = ""
    is_full: bool = False
    """Shared, and of some capacity nothing is left."""
    published: Device | None = dataclasses.field(default=None, repr=False, compare=False)
    """As the allocator sees it; None where it is gone."""

    @property
    def partition_type(self) -> str:
        """`attribute=value`, as the slice tells the types of its partitions apart; "" where it does not."""
        spec = self.published.slice.raw["spec"] if self.published else {}
        if not (name := spec.get("partitionTypeAttribute")) or self.published is None:
            return ""
        attribute = find_attribute(self.published.raw, name, self.device.driver)
        return f"{name}={attribute['string']}" if attribute and "string" in attribute else ""

    @property
    def in_use(self) -> bool:
        return self.state in ("used", "shared", "gone")

    @property
    def can_be_had(self) -> bool:
        """By a claim that tolerates nothing and asks for no more than is left."""
        return self.state == "free" or (self.state == "shared" and not self.is_full)


@dataclasses.dataclass(frozen=True, slots=True)
class Devices:
    rows: Sequence[DeviceRow]
    """In order of node, driver, pool, slice, device; only the newest generation of each pool."""
    counters: Mapping[PoolKey, "PoolCounters"]


def devices_of(snapshot: Snapshot, *, with_classes: bool = True) -> Devices:
    """All that are published or held. Which classes select each takes most of the time, where it is asked."""
    inspection = _Inspection(snapshot, snapshot.classes if with_classes else ())
    rows: list[DeviceRow] = []
    counters = {}
    for pool in inspection.world.index.inventory.pools.values():
        newest = max(entry.generation for entry in pool.slices.values())
        current = [entry for entry in pool.slices.values() if entry.generation == newest]
        slices = sorted(current, key=lambda entry: entry.name)
        counters[pool.key] = PoolCounters(slices)
        rows += inspection.rows(pool, slices, counters[pool.key])
    rows += inspection.gone({row.device for row in rows})
    rows.sort(key=lambda row: (row.node, row.device.driver, row.device.pool))
    return Devices(rows, counters)


class _Inspection:
    """What the rows of all devices are made from."""

    def __init__(self, snapshot: Snapshot, classes: Sequence[Object]) -> None:
        self.world = World(snapshot)
        self.snapshot = snapshot
        self._health = health_of(snapshot)
        self._uses = _uses(self.world)
        self._selectors = [
            (
                name_of(obj),
                [item["cel"]["expression"] for item in (obj.get("spec") or {}).get("selectors") or ()],
            )
            for obj in classes
        ]  # fmt: skip

    def rows(
        self, pool: PoolSlices, slices: Sequence[Slice], counters: "PoolCounters"
    ) -> Iterator[DeviceRow]:
        trouble = self._trouble(pool, slices)
        for entry in slices:
            for device in entry.devices:
                yield self._row(pool.key, entry, device, counters, trouble)

    def _trouble(self, pool: PoolSlices, slices: Sequence[Slice]) -> str:
        if len(slices) != slices[0].slice_count:
            return f"incomplete: {pool.progress()}"
        whole = pool.seen_through(tuple(slices), self.world.features)
        return f"invalid: {whole.invalid}" if whole is not None and whole.invalid else ""

    def _row(
        self, key: PoolKey, entry: Slice, device: Device, counters: "PoolCounters", trouble: str
    ) -> DeviceRow:
        usage = self.world.index.usage.of_pool(key)
        shares = usage.shared.get(device.name)
        taints = [
            taint
            for taint in self.world.index.taint_rules.taints_of(entry, device.bit)
            if taint.get("effect") in ("NoSchedule", "NoExecute")
        ]
        short = counters.short_of(device) if not entry.held >> device.bit & 1 else ()
        if device.name in usage.whole:
            state = "used"
        elif shares:
            state = "shared"
        elif trouble:
            state = "unusable"
        elif short:
            state = "blocked"
        else:
            state = "tainted" if taints else "free"
        taken = shares.total if shares else {}
        health = self._health.get(device.id, _UNHELD)
        return DeviceRow(
            device.id, _place(entry, device), state, tuple(self._uses.get(device.id, ())),
            tuple(self._classes(device)), tuple(map(_taint_text, taints)),
            _capacity_left(device, taken) if device.multi else {},
            {name: next(iter(v.values()), None) for name, v in (device.raw.get("attributes") or {}).items()},
            trouble, counters.takers(short) if state == "blocked" else (),
            tuple(f"{counter_set}/{name}" for counter_set, name in short) if state == "blocked" else (),
            health.state, health.reason,
            any(c.value.nanos and c.value.nanos <= taken.get(c.name, 0) for c in device.capacities),
            device,
        )  # fmt: skip

    def _classes(self, device: Device) -> Iterator[str]:
        """The DeviceClasses that select the device."""
        if not self._selectors:
            return
        given = DeviceInput.of(device.slice.driver, device.raw)
        for name, selectors in self._selectors:
            try:
                if all(compile_selector(selector).matches(given) for selector in selectors):
                    yield name
            except (CelCompileError, CelRuntimeError):
                continue

    def gone(self, published: set[DeviceID]) -> Iterator[DeviceRow]:
        """Devices that claims hold and nobody publishes."""
        for device, uses in sorted(self._uses.items()):
            if device not in published and not all(use.is_admin for use in uses):
                node = next(filter(None, (self._node_of(use) for use in uses)), "(unknown)")
                classes = dict.fromkeys(filter(None, (use.class_name for use in uses)))
                yield DeviceRow(device, node, "gone", tuple(uses), tuple(classes), (), {}, {})

    def _node_of(self, use: Use) -> str:
        """Where the pods of a claim are."""
        claim = self.snapshot.claim_by_uid.get(use.holder.uid)
        pods = self.snapshot.pods_by_claim.get(key_of(claim), ()) if claim else ()
        return next((pod["spec"]["nodeName"] for pod in pods if pod["spec"].get("nodeName")), "")


def _uses(world: World) -> dict[DeviceID, list[Use]]:
    found: dict[DeviceID, list[Use]] = {}
    for claim in world.snapshot.claims:
        allocation = (claim.get("status") or {}).get("allocation")
        results = (allocation.get("devices") or {}).get("results") or () if allocation else ()
        holder = holder_of(world, identity(claim)) if results else None
        for result in results:
            assert holder is not None
            amounts = dict(result.get("consumedCapacity") or {}) if result.get("shareID") else {}
            wanted = find_request(claim, result["request"]).get("deviceClassName") or ""
            use = Use(
                holder, amounts, result.get("shareID") or "", bool(result.get("adminAccess")), wanted
            )  # fmt: skip
            found.setdefault(DeviceID(result["driver"], result["pool"], result["device"]), []).append(use)
    return found


class PoolCounters:
    """What is left of the counters of a pool, and who has the rest. Amounts in billionths."""

    def __init__(self, slices: Sequence[Slice]) -> None:
        self._slices = slices
        self.total: dict[tuple[str, str], int] = {}
        for entry in slices:
            for counter_set, amounts in entry.counter_sets:
                for name, amount in amounts:
                    self.total[counter_set, name] = self.total.get((counter_set, name), 0) + amount
        self.left = dict(self.total)
        for entry in slices:
            for key, amount in entry.spent.items():
                self.left[key] = self.left.get(key, 0) - amount
        self._overdrawn = tuple(key for key, amount in self.left.items() if amount < 0)

    def short_of(self, device: Device) -> tuple[tuple[str, str], ...]:
        """The counters that keep the device back. An overdrawn counter keeps all back that consume any."""
        if not device.consumes:
            return ()
        short = [
            (counter_set, name)
            for counter_set, amounts, _ in device.consumes
            for name, amount in amounts
            if amount > self.left.get((counter_set, name), 0)
        ]
        return tuple(dict.fromkeys((*short, *self._overdrawn)))

    def takers(self, counters: Iterable[tuple[str, str]]) -> tuple[DeviceID, ...]:
        """The devices in use that consume any of the counters."""
        wanted = set(counters)
        return tuple(
            device.id
            for entry in self._slices
            for device in entry.devices
            if entry.held >> device.bit & 1
            and any((s, name) in wanted for s, amounts, _ in device.consumes for name, _ in amounts)
        )


def _taint_text(taint: Object) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


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


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """Devices of one group, by state."""

    name: str
    total: int
    used: int
    shared: int
    free: int
    blocked: int
    tainted: int
    unusable: int
    gone: int
    """Held but not published; not in `total`."""


def count_by(rows: Iterable[DeviceRow], group: str) -> list[Count]:
    """By `node`, `driver`, `pool`, `class` or `type` of partition; a device may count for several classes."""
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
        case "type":
            return (row.partition_type or "(no type)",)
        case _:
            return row.classes or ("(no class)",)


def _count(name: str, rows: Sequence[DeviceRow]) -> Count:
    states = [row.state for row in rows]
    by_state = {state: states.count(state) for state in STATES}
    return Count(name, len(states) - by_state["gone"], *by_state.values())

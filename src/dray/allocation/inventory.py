"""What is published: slices gathered into pools, as each node sees them.

A pool is what one driver publishes under one name. Only its newest generation counts. It is *incomplete* while it has
not all the slices it announces, and *invalid* when they contradict each other; then it offers nothing, and a request
for all devices fails. Pools are ordered by driver and name, those with binding conditions behind all others; slices by
name; devices as published. That order is a contract: the first solution in it is the answer.

A view of a node is kept until a slice that it can see, or the labels of the node, change.

Refuses to know: who holds what (but for the bits that others set on the slices), claims.
Source: `GatherPools` of Kubernetes 1.36.2.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from dray.allocation.attributes import AttributeIndex, joined
from dray.allocation.derivations import Derivation
from dray.allocation.deriving import DerivedIndex
from dray.allocation.identities import PoolKey
from dray.allocation.matching import carry_over
from dray.allocation.model import Features, InvalidInput, Variant
from dray.allocation.node_selector import InvalidNodeSelector
from dray.allocation.slices import Device, Reach, Slice, device_is_at
from dray.api.meta import Object, labels_of, name_of

_FEW = 8
"""Pools of more slices find their devices by an index."""


class Part(NamedTuple):
    """A slice of a view: the positions of its devices start at `offset`."""

    slice: Slice
    offset: int


class Pool:
    """One generation of a pool, from the point of view of some nodes. Immutable."""

    __slots__ = ("conditional", "counter_sets", "incomplete", "invalid", "key", "others", "slices")

    def __init__(self, key: PoolKey, *, incomplete: bool = False) -> None:
        self.key = key
        self.slices: tuple[Slice, ...] = ()
        """The device slices that these nodes can use, in search order."""
        self.others: tuple[Slice, ...] = ()
        """Device slices that only other nodes can use; their devices draw on the same counters."""
        self.counter_sets: tuple[Slice, ...] = ()
        self.incomplete = incomplete
        self.invalid = ""
        """Why nothing of it can be used, or ""."""
        self.conditional = False
        """Whether a device asks for conditions before it is bound."""

    @property
    def usable(self) -> bool:
        return not self.incomplete and not self.invalid


class NodeView:
    """The devices that one node can use, as positions 0..size in search order. Immutable but for its memo."""

    __slots__ = (
        "_attributes",
        "allowed",
        "derived",
        "devices",
        "labels",
        "parts",
        "pools",
        "sound",
        "stamp",
        "watched",
    )

    def __init__(self, pools: Sequence[Pool], node: Object) -> None:
        self.pools = pools
        self.sound = all(pool.usable for pool in pools)
        parts: list[Part] = []
        devices: list[Device] = []
        for pool in pools:
            if pool.usable:
                for entry in pool.slices:
                    parts.append(Part(entry, len(devices)))
                    devices.extend(entry.devices)
        self.parts: tuple[Part, ...] = tuple(parts)
        self.devices: Sequence[Device] = parts[0].slice.devices if len(parts) == 1 else tuple(devices)
        self.allowed: int | None = _allowed(self.parts, node)
        """Positions open to this node where slices leave it to their devices; None: all."""
        self._attributes: dict[str, AttributeIndex] = {}
        self.derived: dict[Derivation, DerivedIndex] = {}
        """What requests derive from the devices."""
        self.stamp = 0
        self.watched: tuple[tuple[PoolSlices, int], ...] = ()
        """The pools that were looked at, with their versions then."""
        self.labels: dict[str, str] | None = None
        """The labels that decided; None where labels did not matter."""

    def is_current(self, node: Object, stamp: int) -> bool:
        if self.stamp != stamp:
            return False
        for pool, version in self.watched:
            if pool.version != version:
                return False
        return self.labels is None or self.labels == labels_of(node)

    def attribute(self, name: str, *, lists: bool) -> AttributeIndex:
        """The values of all visible devices in one attribute."""
        if len(self.parts) == 1:
            return self.parts[0].slice.attribute(name, lists=lists)
        found = self._attributes.get(name)
        if found is None:
            parts = [(part.slice.attribute(name, lists=lists), part.offset) for part in self.parts]
            found = self._attributes[name] = joined(parts)
        return found


def _allowed(parts: Sequence[Part], node: Object) -> int | None:
    if not any(part.slice.per_device for part in parts):
        return None
    allowed = 0
    for part in parts:
        for device in part.slice.devices:
            if not part.slice.per_device or _is_at(device, node):
                allowed |= 1 << (part.offset + device.bit)
    return allowed


def _is_at(device: Device, node: Object) -> bool:
    try:
        return device_is_at(device.raw, node)
    except InvalidNodeSelector as error:
        raise InvalidInput(str(error)) from error


class _Generation:
    """The slices of one generation of a pool, all of them and by what they hold."""

    __slots__ = ("counted", "counter_sets", "slices")

    def __init__(self) -> None:
        self.slices: dict[str, Slice] = {}
        self.counted: dict[str, Slice] = {}
        self.counter_sets: dict[str, Slice] = {}


class PoolSlices:
    """All slices of one pool, on whatever node and of whatever generation."""

    __slots__ = ("_by_device", "_generations", "_nodes", "_seen", "counters", "key", "slices", "version")

    def __init__(self, key: PoolKey) -> None:
        self.key = key
        self.version = 0
        self.slices: dict[str, Slice] = {}
        self.counters: dict[str, Slice] = {}
        """Those that every node sees because they hold counter sets (1.36)."""
        self._generations: dict[int, _Generation] = {}
        self._nodes: dict[str, int] = {}
        self._by_device: dict[str, list[Slice]] | None = None
        self._seen: dict[tuple[int, ...], Pool | None] = {}

    def put(self, entry: Slice) -> None:
        self.slices[entry.name] = entry
        if entry.reach is Reach.COUNTERS:
            self.counters[entry.name] = entry
        generation = self._generations.setdefault(entry.generation, _Generation())
        generation.slices[entry.name] = entry
        if entry.counted:
            generation.counted[entry.name] = entry
        if entry.counter_sets:
            generation.counter_sets[entry.name] = entry
        self._nodes[entry.node_name] = self._nodes.get(entry.node_name, 0) + 1
        self._by_device = None
        self._touched()

    def remove(self, entry: Slice) -> None:
        del self.slices[entry.name]
        self.counters.pop(entry.name, None)
        generation = self._generations[entry.generation]
        for kind in (generation.slices, generation.counted, generation.counter_sets):
            kind.pop(entry.name, None)
        if not generation.slices:
            del self._generations[entry.generation]
        self._nodes[entry.node_name] -= 1
        if not self._nodes[entry.node_name]:
            del self._nodes[entry.node_name]
        self._by_device = None
        self._touched()

    def _touched(self) -> None:
        self.version += 1
        self._seen.clear()

    def progress(self) -> str:
        """How complete the newest generation is, in words."""
        newest = max(self._generations)
        slices = self._generations[newest].slices
        announced = next(iter(slices.values())).slice_count
        return f"{len(slices)} of {announced} slices of generation {newest} are published"

    def devices_named(self, name: str) -> Iterator[Device]:
        """The device in every slice that has it; more than one only while a pool changes or contradicts itself."""
        slices: Iterable[Slice] = self.slices.values()
        if len(self.slices) > _FEW:
            if self._by_device is None:
                self._by_device = {}
                for entry in slices:
                    for device in entry.by_name:
                        self._by_device.setdefault(device, []).append(entry)
            slices = self._by_device.get(name, ())
        for entry in slices:
            yield from entry.named(name)

    @property
    def only_node(self) -> str:
        """The one node that all slices name; "" where there is no such node."""
        return next(iter(self._nodes)) if len(self._nodes) == 1 else ""

    def seen_through(self, visible: Sequence[Slice], features: Features) -> Pool | None:
        """The pool as known to a node that can use the slices `visible`, in the order of listing.

        None: it is obsolete, newer slices exist elsewhere. Shared by all nodes that see the same slices.
        """
        key = tuple(id(entry) for entry in visible)
        if key not in self._seen:
            self._seen[key] = self._assemble(visible, features)
        return self._seen[key]

    def _assemble(self, visible: Sequence[Slice], features: Features) -> Pool | None:
        newest = max(entry.generation for entry in visible)
        kept = [entry for entry in visible if entry.generation == newest]
        generation = self._generations[newest]
        others: list[Slice] = []
        # A node that sees as many slices as were announced does not look further, not even for newer ones.
        if len(kept) != kept[0].slice_count:
            if newest < max(self._generations):
                return None
            if len(generation.slices) != kept[0].slice_count:
                return Pool(self.key, incomplete=True)
            names = {entry.name for entry in kept}
            drawing = {**generation.counted, **generation.counter_sets}
            others = [entry for name, entry in drawing.items() if name not in names]
        if features.variant is not Variant.STABLE:
            kept.sort(key=lambda entry: entry.name)
            others.sort(key=lambda entry: entry.name)
        pool = Pool(self.key)
        pool.slices = tuple(entry for entry in kept if not entry.counter_sets)
        pool.others = tuple(entry for entry in others if not entry.counter_sets)
        pool.counter_sets = tuple(entry for entry in (*kept, *others) if entry.counter_sets)
        pool.conditional = any(entry.conditional for entry in pool.slices)
        pool.invalid = contradiction(pool, features)
        return pool


def contradiction(pool: Pool, features: Features) -> str:
    """Why a complete pool cannot be trusted, or ""."""
    if name := _duplicate(device.name for entry in pool.slices for device in entry.devices):
        return f"duplicate device name {name}"
    if not features.partitionable_devices:
        return ""
    if name := _duplicate(name for entry in pool.counter_sets for name, _ in entry.counter_sets):
        return f"duplicate counter set name {name}"
    known = {name: dict(amounts) for entry in pool.counter_sets for name, amounts in entry.counter_sets}
    for entry in (*pool.slices, *pool.others):
        if entry.counted and (wrong := _unknown_counter(entry, known)):
            return wrong
    return ""


def _duplicate(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


def _unknown_counter(entry: Slice, known: dict[str, dict[str, int]]) -> str:
    for device in entry.devices:
        for name, amounts, _ in device.consumes:
            if name not in known:
                return f"counter set {name} not found"
            for counter, _amount in amounts:
                if counter not in known[name]:
                    return f"counter {counter} not found in counter set {name}"
    return ""


class Inventory:
    """All slices, and what each node sees of them."""

    def __init__(self, features: Features) -> None:
        self._features = features
        self._order = 0
        self._stamp = 0
        """Moves when slices change that more than one node may see."""
        self.slices: dict[str, Slice] = {}
        self.pools: dict[PoolKey, PoolSlices] = {}
        self._local: dict[str, dict[str, Slice]] = {}
        """Slices of single nodes, by node."""
        self._everywhere: dict[str, Slice] = {}
        """Slices of more than one node, but for counter sets: `PoolSlices` has those."""
        self._unsure: set[PoolKey] = set()
        self._broken: dict[PoolKey, Pool] = {}
        self._views: dict[str, NodeView] = {}

    def put(self, raw: Object) -> Slice:
        """Take in a new or changed slice."""
        old = self.slices.get(name_of(raw))
        if old is None:
            self._order += 1
        entry = Slice(raw, old.order if old else self._order, self._features)
        if old is not None:
            carry_over(old, entry)
            self.remove(old.name)
        self.slices[entry.name] = entry
        self.pools.setdefault(entry.pool, PoolSlices(entry.pool)).put(entry)
        if entry.reach is Reach.NODE:
            self._local.setdefault(entry.node_name, {})[entry.name] = entry
        elif entry.reach is not Reach.COUNTERS:
            self._everywhere[entry.name] = entry
        self._changed(entry)
        return entry

    def remove(self, name: str) -> Slice | None:
        """The slice that was known by that name, if any."""
        entry = self.slices.pop(name, None)
        if entry is None:
            return None
        pool = self.pools[entry.pool]
        pool.remove(entry)
        if not pool.slices:
            del self.pools[entry.pool]
        if entry.reach is Reach.NODE:
            local = self._local[entry.node_name]
            del local[name]
            if not local:
                del self._local[entry.node_name]
        self._everywhere.pop(name, None)
        self._changed(entry)
        return entry

    def _changed(self, entry: Slice) -> None:
        if entry.reach is Reach.NODE:
            self._views.pop(entry.node_name, None)
        elif entry.reach is not Reach.COUNTERS:
            self._stamp += 1
        self._unsure.add(entry.pool)

    @property
    def has_broken_selectors(self) -> bool:
        """Whether some node selector cannot be read, so that looking at a node may end in an error."""
        return any(
            entry.selector_error or entry.reach is Reach.PER_DEVICE for entry in self._everywhere.values()
        )

    @property
    def nodes(self) -> Iterable[str]:
        """The nodes that slices name."""
        return self._local.keys()

    def local_slices(self, node: str) -> Iterable[Slice]:
        found = self._local.get(node)
        return found.values() if found else ()

    def view(self, node: Object) -> NodeView:
        """What `node` can use. Kept, and built anew only when something it shows changed.

        Raises: InvalidInput where a node selector of a slice cannot be read.
        """
        name = name_of(node)
        view = self._views.get(name)
        if view is None or not view.is_current(node, self._stamp):
            view = self._views[name] = self._build(node)
        return view

    def forget_derived(self) -> None:
        """Drop what the views remember of derived attributes."""
        for view in self._views.values():
            view.derived.clear()

    def _build(self, node: Object) -> NodeView:
        visible: dict[PoolKey, list[Slice]] = {}
        try:
            for entry in self._listed(node):
                visible.setdefault(entry.pool, []).append(entry)
        except InvalidNodeSelector as error:
            raise InvalidInput(f"gather pool information: {error}") from error
        seen = (self.pools[key].seen_through(slices, self._features) for key, slices in visible.items())
        pools = sorted((pool for pool in seen if pool is not None), key=self._rank)
        view = NodeView(pools, node)
        view.stamp = self._stamp
        view.watched = tuple((self.pools[key], self.pools[key].version) for key in visible)
        if any(entry.reach in (Reach.SELECTED, Reach.PER_DEVICE) for entry in self._everywhere.values()):
            view.labels = labels_of(node)
        return view

    def _rank(self, pool: Pool) -> tuple[bool, PoolKey]:
        return pool.conditional and self._features.variant is not Variant.STABLE, pool.key

    def _listed(self, node: Object) -> Iterable[Slice]:
        """The slices that concern a node, in the order in which upstream meets them."""
        found = [entry for entry in self._everywhere.values() if entry.is_at(node)]
        local = list(self.local_slices(name_of(node)))
        keys = {entry.pool for entry in (*local, *found)}
        found += (entry for key in keys for entry in self.pools[key].counters.values())
        if self._features.variant is Variant.STABLE:
            return sorted(local + found, key=lambda entry: entry.order)
        return (*local, *sorted(found, key=lambda entry: entry.order))

    def broken(self) -> dict[PoolKey, Pool]:
        """Pools in no good state of which every node sees the counter sets, and most nodes nothing else.

        1.36 shows slices with counter sets to all nodes, so that one driver's half-published pool stops requests
        for all devices on every node; 1.37 does not.
        """
        while self._unsure:
            key = self._unsure.pop()
            self._broken.pop(key, None)
            slices = self.pools.get(key)
            if slices is not None and slices.counters:
                pool = slices.seen_through(tuple(slices.counters.values()), self._features)
                if pool is not None and not pool.usable:
                    self._broken[key] = pool
        return self._broken

    def pools_of(self, view: NodeView) -> Sequence[Pool]:
        """The pools of a view and the broken ones elsewhere, in order."""
        broken = self.broken()
        if not broken:
            return view.pools
        looked_at = {slices.key for slices, _ in view.watched}
        foreign = [pool for key, pool in broken.items() if key not in looked_at]
        return sorted((*view.pools, *foreign), key=self._rank)

"""One ResourceSlice, read once: its devices as bits, and everything about them that no claim can change.

A device is a bit in its slice, so that sets of devices are integers and the questions of the search (which devices
match, are free, share a value?) are single operations. What is expensive and asked again is kept on the slice: answers
of selectors (`expressions`), values of attributes (`attributes`, `derivations`), taints (`taints`).

Refuses to know: pools, nodes other than by its own reach, claims.
"""

import enum
from collections.abc import Iterator, Mapping

from dray.allocation.attributes import AttributeIndex, lookup_names, read_elements, value_under
from dray.allocation.capacity import Capacity, Portion, read_capacities
from dray.allocation.derivations import Derivation, Derived
from dray.allocation.expressions import Answers, Expression, Filter, Match
from dray.allocation.identities import DeviceID, PoolKey
from dray.allocation.model import Features, Variant
from dray.allocation.node_selector import InvalidNodeSelector, NodeSelector, parse_node_selector
from dray.api.meta import Object, name_of
from dray.api.quantity import parse_quantity

Amounts = tuple[tuple[str, int], ...]
"""Counter or capacity names with amounts in billionths."""


class Reach(enum.Enum):
    """Which nodes can use a slice."""

    NODE = "node"
    """The named one."""
    ALL = "all"
    SELECTED = "selected"
    """Those that its selector matches."""
    PER_DEVICE = "per-device"
    """Those that any of its devices names."""
    COUNTERS = "counters"
    """Counter sets: every node, whatever the slice names (1.36)."""
    NONE = "none"
    """Of a form that is unknown or whose feature is off: ignored."""


class Device:
    """One device of one slice. `raw` is its JSON, `bit` its place in the slice."""

    __slots__ = ("bit", "capacities", "consumes", "multi", "name", "raw", "slice")

    def __init__(self, owner: "Slice", bit: int, raw: Object, features: Features) -> None:
        self.slice = owner
        self.bit = bit
        self.raw = raw
        self.name: str = raw["name"]
        self.multi = features.consumable_capacity and bool(raw.get("allowMultipleAllocations"))
        """May be held by several claims at once."""
        self.consumes = _consumption(raw) if raw.get("consumesCounters") else ()
        """Per counter set: its name, the amounts, and the compatibility groups (1.37)."""
        self.capacities: tuple[Capacity, ...] = ()
        if features.consumable_capacity and raw.get("capacity"):
            self.capacities = read_capacities(raw["capacity"])

    @property
    def id(self) -> DeviceID:
        return DeviceID(*self.slice.pool, self.name)


Consumption = tuple[str, Amounts, frozenset[str]]


def _consumption(raw: Object) -> tuple[Consumption, ...]:
    return tuple(
        (
            entry["counterSet"],
            read_counters(entry.get("counters") or {}),
            frozenset(entry.get("compatibilityGroups") or ()),
        )
        for entry in raw["consumesCounters"]
    )


def read_counters(counters: Mapping[str, Object]) -> Amounts:
    return tuple((name, parse_quantity(counter["value"]).nanos) for name, counter in counters.items())


class Slice:
    """A ResourceSlice as the allocator sees it. Immutable but for `used` and the memos."""

    __slots__ = (
        "answers",
        "attributes",
        "binds_to_node",
        "by_name",
        "conditional",
        "counted",
        "counter_sets",
        "derived",
        "devices",
        "generation",
        "held",
        "matches",
        "multi",
        "name",
        "node_name",
        "order",
        "pool",
        "portions",
        "rationed",
        "raw",
        "reach",
        "selector",
        "selector_error",
        "slice_count",
        "spent",
        "tainted",
        "taints",
        "used",
        "whole",
    )

    def __init__(self, raw: Object, order: int, features: Features) -> None:
        spec = raw["spec"]
        pool = spec["pool"]
        self.raw = raw
        self.order = order
        """When it was first seen: the order upstream would list it in."""
        self.name = name_of(raw)
        self.pool = PoolKey(spec["driver"], pool["name"])
        self.generation: int = pool.get("generation") or 0
        self.slice_count: int = pool.get("resourceSliceCount") or 0
        self.node_name: str = spec.get("nodeName") or ""
        self.selector: NodeSelector | None = None
        self.selector_error = ""
        self.reach = self._read_reach(spec, features)
        self.counter_sets: tuple[tuple[str, Amounts], ...] = tuple(
            (item["name"], read_counters(item.get("counters") or {}))
            for item in spec.get("sharedCounters") or ()
        )
        self.devices = tuple(
            Device(self, bit, device, features) for bit, device in enumerate(spec.get("devices") or ())
        )
        self.whole = (1 << len(self.devices)) - 1
        """All devices."""
        self._read_masks(features)
        self.used = 0
        """Devices held in a way that excludes everybody else."""
        self.held = 0
        """Devices held in any way; their counters are in `spent`."""
        self.spent: dict[tuple[str, str], int] = {}
        """Counters that held devices of this slice consume, by (counter set, counter), in billionths."""
        self.answers: dict[Expression, Answers] = {}
        self.matches: dict[Filter, Match] = {}
        self.attributes: dict[str, AttributeIndex] = {}
        self.derived: dict[Derivation, Derived] = {}
        self.taints: dict[object, int] = {}
        self.portions: dict[object, Portion] = {}

    def _read_reach(self, spec: Object, features: Features) -> Reach:
        counters, per_device = bool(spec.get("sharedCounters")), bool(spec.get("perDeviceNodeSelection"))
        if (counters or "perDeviceNodeSelection" in spec) and not features.partitionable_devices:
            return Reach.NONE
        if counters and not features.release_137:
            return Reach.COUNTERS
        if self.node_name:
            return Reach.NODE
        if spec.get("allNodes"):
            return Reach.ALL
        if (selector := spec.get("nodeSelector")) is not None:
            try:
                self.selector = parse_node_selector(selector)
            except InvalidNodeSelector as error:
                self.selector_error = str(error)
            return Reach.SELECTED
        return Reach.PER_DEVICE if per_device else Reach.NONE

    def _read_masks(self, features: Features) -> None:
        self.multi = self.counted = self.rationed = self.conditional = self.binds_to_node = self.tainted = 0
        for device in self.devices:
            bit, raw = 1 << device.bit, device.raw
            if device.multi:
                self.multi |= bit
            if device.consumes:
                self.counted |= bit
            if device.multi or any(capacity.policy for capacity in device.capacities):
                self.rationed |= bit
            if raw.get("bindingConditions") is not None:
                self.conditional |= bit
            if raw.get("bindsToNode") and features.variant is not Variant.STABLE:
                self.binds_to_node |= bit
            if raw.get("taints"):
                self.tainted |= bit
        self.by_name: dict[str, int] = {device.name: device.bit for device in reversed(self.devices)}

    @property
    def driver(self) -> str:
        return self.pool.driver

    @property
    def per_device(self) -> bool:
        return bool(self.raw["spec"].get("perDeviceNodeSelection"))

    def attribute(self, name: str, *, lists: bool) -> AttributeIndex:
        """What the devices say in an attribute; made when it is first asked for. `lists`: a list is a set of values."""
        index = self.attributes.get(name)
        if index is None:
            index = self.attributes[name] = AttributeIndex()
            names = lookup_names(name, self.driver)
            for device in self.devices:
                value = value_under(names, device.raw.get("attributes"))
                if value is not None:
                    index.add(device.bit, read_elements(value, lists=lists))
        return index

    def named(self, name: str) -> Iterator[Device]:
        """The devices of that name; a slice that passed validation has at most one."""
        first = self.by_name.get(name)
        if first is None:
            return
        yield self.devices[first]
        if len(self.by_name) != len(self.devices):
            yield from (device for device in self.devices[first + 1 :] if device.name == name)

    def is_at(self, node: Object) -> bool:
        """Whether `node` can use the slice, apart from what single devices say.

        Raises: InvalidNodeSelector, in the words of upstream.
        """
        match self.reach:
            case Reach.NODE:
                return self.node_name == name_of(node)
            case Reach.ALL | Reach.COUNTERS:
                return True
            case Reach.SELECTED:
                if self.selector is None:
                    raise InvalidNodeSelector(
                        f"failed to perform node selection for slice {self.name}: {self.selector_error}"
                    )
                return self.selector.matches(node)
            case Reach.PER_DEVICE:
                return any(self._device_is_at(device, node) for device in self.devices)
            case Reach.NONE:
                return False

    def _device_is_at(self, device: Device, node: Object) -> bool:
        try:
            return device_is_at(device.raw, node)
        except InvalidNodeSelector as error:
            where = f"device {device.name} in slice {self.name}"
            raise InvalidNodeSelector(f"failed to perform node selection for {where}: {error}") from error


def device_is_at(raw: Object, node: Object) -> bool:
    """Whether a device with its own node selection is usable from `node`. Raises: InvalidNodeSelector."""
    if name := raw.get("nodeName"):
        return bool(name == name_of(node))
    if raw.get("allNodes"):
        return True
    selector = raw.get("nodeSelector")
    return selector is not None and parse_node_selector(selector).matches(node)

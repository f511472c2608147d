"""What a driver offers: devices in pools, as plain values that know their API form (`resource.k8s.io/v1`).

Decides how devices are written into ResourceSlices and what the API's limits are. It does not talk to the API; the
`publisher` does.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from dray.api.meta import Object

MAX_ATTRIBUTE_STRING: Final = 64
NEWEST: Final = 1000
"""The minor version of an API server that knows everything."""
_NODE_RESOURCES_SINCE: Final = 37


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """A semantic version as an attribute, e.g. Version("1.2.3"); a plain string would be compared as text."""

    text: str


AttributeValue: TypeAlias = (
    bool | int | str | Version | Sequence[bool] | Sequence[int] | Sequence[str] | Sequence[Version]
)
"""Lists need a cluster with the feature gate DRAListTypeAttributes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Capacity:
    """An amount of something, e.g. Capacity("80Gi").

    On devices that may be shared, a request may ask for a part: `default` is used when it does not say how much, and
    either `minimum`/`maximum`/`step` or `valid_values` restrict it.
    """

    value: str
    default: str = ""
    minimum: str = ""
    maximum: str = ""
    step: str = ""
    valid_values: tuple[str, ...] = ()

    def to_api(self) -> Object:
        policy: Object = {}
        if self.default:
            policy["default"] = self.default
        if self.valid_values:
            policy["validValues"] = list(self.valid_values)
        if self.minimum:
            valid_range = {"min": self.minimum, "max": self.maximum, "step": self.step}
            policy["validRange"] = {key: value for key, value in valid_range.items() if value}
        return {"value": self.value, "requestPolicy": policy} if policy else {"value": self.value}


@dataclasses.dataclass(frozen=True, slots=True)
class Taint:
    """Keeps claims that do not tolerate it away (`NoSchedule`), or evicts them too (`NoExecute`)."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"

    def to_api(self) -> Object:
        taint = {"key": self.key, "value": self.value, "effect": self.effect}
        return {key: value for key, value in taint.items() if value}


@dataclasses.dataclass(frozen=True, slots=True)
class NodeResource:
    """How a device counts against cpu, memory or huge pages of its node (feature gate DRANodeAllocatableResources).

    A device that is a part of that resource, e.g. NodeResource(capacity="cpu") or NodeResource(multiplier="8"): by what
    a claim consumes of a capacity of it, or by the device; `multiplier` is how much each unit, or the device, counts,
    with a capacity 1 unless it says otherwise. What using a device costs beside that, from Kubernetes 1.37 on: for each
    pod that has the claim, and for each container that uses it, e.g. NodeResource(per_pod="1Gi").
    """

    capacity: str = ""
    multiplier: str = ""
    per_pod: str = ""
    per_container: str = ""

    def mapping(self) -> Object:
        """As 1.37 has it; {} for a device that is no part of the resource."""
        if self.capacity:
            return {"capacityKey": self.capacity, "capacityMultiplier": self.multiplier or "1"}
        return {"deviceMultiplier": self.multiplier} if self.multiplier else {}

    def older_mapping(self) -> Object:
        """As 1.36 has it."""
        key = {"capacityKey": self.capacity} if self.capacity else {}
        return {**key, "allocationMultiplier": self.multiplier or "1"} if self.mapping() else {}

    def overhead(self) -> Object:
        costs = {"perPod": self.per_pod, "perContainer": self.per_container}
        return {cost: amount for cost, amount in costs.items() if amount}


@dataclasses.dataclass(frozen=True, slots=True)
class Device:
    """One device that claims can be given.

    Attribute and capacity names without a domain belong to the driver's domain. `consumes` says how much of which
    counter set of the pool the device takes when it is allocated: counter set -> counter -> quantity.
    """

    name: str
    attributes: Mapping[str, AttributeValue] = dataclasses.field(default_factory=dict)
    capacity: Mapping[str, Capacity | str | int] = dataclasses.field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    consumes: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    allow_multiple_allocations: bool | None = None
    node_resources: Mapping[str, NodeResource] = dataclasses.field(default_factory=dict)
    """By resource of the node: cpu, memory, hugepages-2Mi."""
    binds_to_node: bool | None = None
    binding_conditions: tuple[str, ...] = ()
    binding_failure_conditions: tuple[str, ...] = ()
    node_name: str = ""
    """Where the device can be used; this and the next two only in pools with `per_device_nodes`, exactly one set."""
    node_selector: Object | None = None
    all_nodes: bool = False
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Further fields of the API's Device, as they are written there."""

    def to_api(self, server_minor: int = NEWEST) -> Object:
        """The Device of `resource.k8s.io/v1`, as the API server 1.`server_minor` has it.

        Raises ValueError for a value the API has no form for.
        """
        device: Object = {"name": self.name}
        if self.attributes:
            device["attributes"] = {
                key: attribute_to_api(key, value) for key, value in self.attributes.items()
            }
        if self.capacity:
            device["capacity"] = {key: _capacity(value) for key, value in self.capacity.items()}
        if self.consumes:
            device["consumesCounters"] = [
                {"counterSet": counter_set, "counters": _counters(counters)}
                for counter_set, counters in self.consumes.items()
            ]
        for key, place in (
            ("nodeName", self.node_name),
            ("nodeSelector", self.node_selector),
            ("allNodes", self.all_nodes),
        ):
            if place:
                device[key] = place
        if self.taints:
            device["taints"] = [taint.to_api() for taint in self.taints]
        for key, value in (
            ("bindsToNode", self.binds_to_node),
            ("bindingConditions", list(self.binding_conditions) or None),
            ("bindingFailureConditions", list(self.binding_failure_conditions) or None),
            ("allowMultipleAllocations", self.allow_multiple_allocations),
        ):
            if value is not None:
                device[key] = value
        return {**device, **_node_resources(self.node_resources, server_minor), **self.extra}


@dataclasses.dataclass(frozen=True, slots=True)
class Pool:
    """A named group of devices that one driver instance publishes as a whole.

    `counter_sets`: name -> counter -> quantity, shared by the devices that consume them. Where the devices can be
    used: on the driver's own node unless `all_nodes` or `node_selector` (a core/v1 NodeSelector) says otherwise.
    """

    name: str
    devices: tuple[Device, ...] = ()
    counter_sets: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    all_nodes: bool = False
    node_selector: Object | None = None
    per_device_nodes: bool = False
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Further fields of the API's ResourceSliceSpec, as they are written there, in every slice."""
    generation: int = 0
    """0 lets the publisher count; a larger number than the published one is taken over."""

    @classmethod
    def of(cls, name: str, devices: Iterable[Device], **more: Any) -> "Pool":
        return cls(name, tuple(devices), **more)


def attribute_to_api(name: str, value: AttributeValue) -> Object:
    """A DeviceAttribute, e.g. {"int": 5}. Raises ValueError for a value the API has no form for."""
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int):
        return {"int": value}
    if isinstance(value, Version):
        return {"version": value.text}
    if isinstance(value, str):
        if len(value.encode()) > MAX_ATTRIBUTE_STRING:
            raise ValueError(f"attribute {name}: {value!r} is longer than {MAX_ATTRIBUTE_STRING} bytes")
        return {"string": value}
    kinds = {type(element) for element in value}
    for kind, key in ((bool, "bools"), (int, "ints"), (str, "strings"), (Version, "versions")):
        if kinds == {kind}:
            return {key: [element.text if isinstance(element, Version) else element for element in value]}
    raise ValueError(f"attribute {name}: {value!r} is not a bool, int, str, Version or a list of one of them")


def _capacity(value: Capacity | str | int) -> Object:
    return value.to_api() if isinstance(value, Capacity) else {"value": str(value)}


def _node_resources(resources: Mapping[str, NodeResource], server_minor: int) -> Object:
    """What an older server has no form for is written in that of newer ones: it drops it, and says so."""
    newer: dict[str, Object] = {}
    older: dict[str, Object] = {}
    for name, resource in resources.items():
        mapping, overhead = resource.mapping(), resource.overhead()
        if mapping and server_minor < _NODE_RESOURCES_SINCE:
            older[name] = resource.older_mapping()
            mapping = {}
        if mapping or overhead:
            parts = {"mapping": mapping, "overhead": overhead}
            newer[name] = {part: content for part, content in parts.items() if content}
    fields = {"nodeAllocatableResourceMappings": older, "nodeAllocatableResources": newer}
    return {field: content for field, content in fields.items() if content}


def _counters(counters: Mapping[str, str]) -> Object:
    return {name: {"value": str(value)} for name, value in counters.items()}


def counter_sets_to_api(counter_sets: Mapping[str, Mapping[str, str]]) -> list[Object]:
    """`sharedCounters` of a ResourceSlice."""
    return [{"name": name, "counters": _counters(counters)} for name, counters in counter_sets.items()]

"""Which ResourceSlices must exist for a pool, and what has to change to get there. Pure.

Decides how a pool is cut into slices (API limits), how slices are recognised (their index is in their name), when a
new generation is needed, and what counts as different. The scheduler uses a pool only when it sees as many slices of
the highest generation as each of them announces; every rule here follows from that.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from dray.api.meta import Object
from dray.sdk.compare import keep_time_added, same
from dray.sdk.devices import NEWEST, Device, Pool, counter_sets_to_api
from dray.sdk.errors import PublishError

MAX_DEVICES: Final = 128
MAX_SPECIAL_DEVICES: Final = 64
"""Per slice, when a device has taints, consumes counters or has list attributes."""
MAX_COUNTER_SETS: Final = 8
MAX_GENERATE_NAME: Final = 253 - 5
_MIN_INDEX_DIGITS: Final = 5
_SPLIT_COUNTERS_SINCE: Final = 35
"""The minor version of Kubernetes from which counter sets have slices of their own."""
_IDENTITY: Final = ("driver", "pool", "nodeName")
"""What a slice's spec says of itself; the rest is content."""

Content = dict[str, Any]
"""The parts of a slice's spec that follow from the pool alone: devices, sharedCounters, node fields."""


@dataclasses.dataclass(frozen=True, slots=True)
class Placement:
    """Where the slices of a pool say their devices are, and who owns the slices."""

    driver: str
    owner_name: str
    """Part of the generated names; the node or the controller."""
    owner: Object | None
    """An owner reference with its UID."""
    node_name: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class PoolPlan:
    """The writes that bring a pool up to date, to be made in this order."""

    pool: str
    generation: int
    delete: tuple[Object, ...] = ()
    update: tuple[Object, ...] = ()
    create: tuple[Object, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.delete or self.update or self.create)


def contents(pool: Pool, server_minor: int = NEWEST) -> list[Content]:
    """The slices of `pool` in order, without names and generation; one empty slice when there are no devices.

    As the API server 1.`server_minor` wants them: before 1.35 counter sets stand in the slices of the devices that
    consume them, instead of slices of their own. Raises PublishError for a pool that cannot be published.
    """
    check(pool)
    if server_minor < _SPLIT_COUNTERS_SINCE and pool.counter_sets:
        parts = _combined(pool, server_minor)
    else:
        parts = [
            {"sharedCounters": counter_sets_to_api(dict(group))}
            for group in _chunks(list(pool.counter_sets.items()), MAX_COUNTER_SETS)
        ]
        parts += [
            {"devices": [device.to_api(server_minor) for device in group]}
            for group in _chunks(pool.devices, _device_limit(pool.devices))
        ]
    placed: Content = dict(pool.extra)
    if pool.node_selector is not None:
        placed["nodeSelector"] = pool.node_selector
    elif pool.all_nodes:
        placed["allNodes"] = True
    elif pool.per_device_nodes:
        placed["perDeviceNodeSelection"] = True
    return [{**placed, **part} for part in parts or [{}]]


def check(pool: Pool) -> None:
    """Raises PublishError for mistakes that no retry can cure."""
    names: set[str] = set()
    for device in pool.devices:
        if device.name in names:
            raise PublishError(f"pool {pool.name!r}: device {device.name!r} is defined twice")
        names.add(device.name)
        for counter_set, counters in device.consumes.items():
            defined = pool.counter_sets.get(counter_set)
            if defined is None:
                raise PublishError(
                    f"pool {pool.name!r}: device {device.name!r} consumes counter set {counter_set!r}, "
                    "which the pool does not define"
                )
            for counter in counters.keys() - defined.keys():
                raise PublishError(
                    f"pool {pool.name!r}: device {device.name!r} consumes counter {counter!r}, "
                    f"which counter set {counter_set!r} does not have"
                )


def _device_limit(devices: Iterable[Device]) -> int:
    special = any(device.taints or device.consumes or _has_lists(device) for device in devices)
    return MAX_SPECIAL_DEVICES if special else MAX_DEVICES


def _has_lists(device: Device) -> bool:
    return any(isinstance(value, (list, tuple)) for value in device.attributes.values())


def _chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _combined(pool: Pool, server_minor: int) -> list[Content]:
    """Slices that hold counter sets together with every device that consumes them."""
    limit = _device_limit(pool.devices)
    parts: list[Content] = []
    room = 0
    for counter_sets, devices in _linked_groups(pool):
        if len(devices) > limit or len(counter_sets) > MAX_COUNTER_SETS:
            raise PublishError(
                f"pool {pool.name!r}: {len(devices)} devices share counter sets {', '.join(counter_sets)}; "
                f"before Kubernetes 1.35 they must fit into one slice of {limit}"
            )
        used = len(parts[-1].get("sharedCounters", [])) if parts else 0
        if not parts or len(devices) > room or used + len(counter_sets) > MAX_COUNTER_SETS:
            parts.append({})
            room = limit
        room -= len(devices)
        sets = counter_sets_to_api({name: pool.counter_sets[name] for name in counter_sets})
        if sets:
            parts[-1].setdefault("sharedCounters", []).extend(sets)
        parts[-1].setdefault("devices", []).extend(device.to_api(server_minor) for device in devices)
    return parts


def _linked_groups(pool: Pool) -> list[tuple[list[str], list[Device]]]:
    """Counter sets that some device joins, with all their devices; devices without counters one by one."""
    groups: list[tuple[list[str], list[Device]]] = [([name], []) for name in pool.counter_sets]
    for device in pool.devices:
        linked = [group for group in groups if set(group[0]) & device.consumes.keys()]
        if not linked:
            groups.append(([], [device]))
            continue
        first, *others = linked
        for other in others:
            first[0].extend(other[0])
            first[1].extend(other[1])
            groups.remove(other)
        first[1].append(device)
    return groups


def plan(
    pool: str,
    generation: int,
    desired: Sequence[Content],
    existing: Iterable[Object],
    placement: Placement,
) -> PoolPlan:
    """The writes that turn the slices `existing` of `pool` into `desired`.

    `generation` is what the driver asks for; 0 lets the plan decide: the pool keeps its generation while at most one
    slice changes and none is new, since a single write is seen whole or not at all.
    """
    existing = list(existing)
    current = max((_generation(obj) for obj in existing), default=0)
    matched, obsolete = _match(existing, current, len(desired))
    changed = [
        index
        for index, obj in matched.items()
        if not _is_current(obj, desired[index], current, len(desired), placement)
    ]
    missing = [index for index in range(len(desired)) if index not in matched]
    if generation <= current:
        generation = current if not missing and len(changed) <= 1 else current + 1
    to_update = sorted(changed if generation == current else matched)
    return PoolPlan(
        pool,
        generation,
        delete=tuple(obsolete),
        update=tuple(
            _updated(matched[index], _spec(pool, generation, desired, index, placement))
            for index in to_update
        ),
        create=tuple(
            _created(_spec(pool, generation, desired, index, placement), index, len(desired), placement)
            for index in missing
        ),
    )


def _match(existing: Iterable[Object], current: int, count: int) -> tuple[dict[int, Object], list[Object]]:
    matched: dict[int, Object] = {}
    obsolete = []
    for obj in existing:
        index = index_of(obj["metadata"]["name"], count)
        if _generation(obj) < current or index is None or index in matched:
            obsolete.append(obj)
        else:
            matched[index] = obj
    return matched, obsolete


def index_digits(count: int) -> int:
    """How many hex digits the index in a slice name has when the pool has `count` slices."""
    return max(_MIN_INDEX_DIGITS, math.ceil(max(count - 1, 1).bit_length() / 4))


def index_of(name: str, count: int) -> int | None:
    """The index that a slice name begins with, or None when it is no slice of a pool of `count` slices."""
    prefix = name.partition("-")[0]
    if len(prefix) != index_digits(count) or any(digit not in "0123456789abcdef" for digit in prefix):
        return None
    index = int(prefix, 16)
    return index if index < count else None


def _generation(obj: Object) -> int:
    return int(obj["spec"]["pool"].get("generation") or 0)


def _is_current(obj: Object, content: Content, generation: int, count: int, placement: Placement) -> bool:
    spec = obj["spec"]
    pool = spec["pool"]
    return (
        pool.get("resourceSliceCount") == count
        and pool.get("generation", 0) == generation
        and (spec.get("nodeName") or "") == placement.node_name
        and same(_content(spec), content)
    )


def _spec(pool: str, generation: int, desired: Sequence[Content], index: int, placement: Placement) -> Object:
    spec: Object = {
        "driver": placement.driver,
        "pool": {"name": pool, "generation": generation, "resourceSliceCount": len(desired)},
    }
    if placement.node_name:
        spec["nodeName"] = placement.node_name
    return {**spec, **desired[index]}


def _updated(obj: Object, spec: Object) -> Object:
    return {**obj, "spec": keep_time_added(obj["spec"], spec)}


def _created(spec: Object, index: int, count: int, placement: Placement) -> Object:
    prefix = f"{index:0{index_digits(count)}x}-{placement.driver}-{placement.owner_name}"
    metadata: Object = {"generateName": prefix[: MAX_GENERATE_NAME - 1] + "-"}
    if placement.owner is not None:
        metadata["ownerReferences"] = [placement.owner]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": metadata,
        "spec": spec,
    }


def content_of(obj: Object) -> Content:
    """What a slice says beside its name, driver and place in the pool."""
    return _content(obj["spec"])


def _content(spec: Mapping[str, Any]) -> Content:
    return {key: value for key, value in spec.items() if key not in _IDENTITY}


def dropped_fields(written: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of spec and device fields that `written` has and `stored`, the server's answer to it, lost."""
    lost = {
        key for key in _content(written) if not same(written[key], stored.get(key)) and not stored.get(key)
    }
    stored_devices = {device["name"]: device for device in stored.get("devices") or ()}
    for device in written.get("devices") or ():
        kept = stored_devices.get(device["name"], {})
        for key, value in device.items():
            lost |= _lost_in(key, value, kept.get(key))
    return tuple(sorted(lost))


def _lost_in(key: str, value: Any, kept: Any) -> set[str]:
    if same(value, kept):
        return set()
    if kept in (None, [], {}):
        return {key}
    if key in ("attributes", "capacity") and isinstance(kept, Mapping):
        return {
            f"{key}.{member}"
            for name, content in value.items()
            for member in content
            if member not in kept.get(name, {})
        }
    return set()


GATES: Final[Mapping[str, str]] = {
    "taints": "DRADeviceTaints",
    "consumesCounters": "DRAPartitionableDevices",
    "sharedCounters": "DRAPartitionableDevices",
    "perDeviceNodeSelection": "DRAPartitionableDevices",
    "nodeName": "DRAPartitionableDevices",
    "nodeSelector": "DRAPartitionableDevices",
    "allNodes": "DRAPartitionableDevices",
    "bindsToNode": "DRADeviceBindingConditions",
    "bindingConditions": "DRADeviceBindingConditions",
    "bindingFailureConditions": "DRADeviceBindingConditions",
    "allowMultipleAllocations": "DRAConsumableCapacity",
    "capacity.requestPolicy": "DRAConsumableCapacity",
    "nodeAllocatableResourceMappings": "DRANodeAllocatableResources",
    "nodeAllocatableResources": "DRANodeAllocatableResources",
    "skipNodeOperations": "DRAOptionalNodeOperations",
    "partitionTypeAttribute": "DRAPartitionableDevicesType",
    "attributes.bools": "DRAListTypeAttributes",
    "attributes.ints": "DRAListTypeAttributes",
    "attributes.strings": "DRAListTypeAttributes",
    "attributes.versions": "DRAListTypeAttributes",
}
"""Field -> the feature gate without which an API server drops it."""

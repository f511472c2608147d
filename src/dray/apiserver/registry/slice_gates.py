"""Fields of a ResourceSlice that belong to features: silently left out where the feature is off.

A field stays when the stored slice used the feature already.
"""

from collections.abc import Callable

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.validation.lists import items_of
from dray.api.validation.resource.device import LIST_TYPES

_PARTITION_FIELDS = ("sharedCounters", "perDeviceNodeSelection")
_DEVICE_PARTITION_FIELDS = ("consumesCounters", "nodeName", "nodeSelector", "allNodes")
_BINDING_FIELDS = ("bindsToNode", "bindingConditions", "bindingFailureConditions")


def drop_disabled_slice_fields(features: FeatureGates, spec: Object, old: Object | None) -> None:
    """Changes `spec`, a slice's spec of the hub version; `old` is the stored one on update."""
    before = old or {}
    for gate, rule in _RULES.items():
        if not features.enabled(gate) and not rule.uses(before):
            rule.drop(spec)
    if not _binding_enabled(features) and not _any_device(before, *_BINDING_FIELDS):
        _drop_from_devices(spec, *_BINDING_FIELDS)


def _binding_enabled(features: FeatureGates) -> bool:
    return features.enabled("DRADeviceBindingConditions") and features.enabled("DRAResourceClaimDeviceStatus")


class _Rule:
    """What a gate covers: whether a slice uses it, and how to take it out."""

    def __init__(self, uses: Callable[[Object], bool], drop: Callable[[Object], None]) -> None:
        self.uses = uses
        self.drop = drop


def _any_device(spec: Object, *fields: str) -> bool:
    return any(device.get(field) for device in items_of(spec.get("devices")) for field in fields)


def _drop_from_devices(spec: Object, *fields: str) -> None:
    for device in items_of(spec.get("devices")):
        for field in fields:
            device.pop(field, None)


def _device_rule(*fields: str) -> _Rule:
    return _Rule(lambda spec: _any_device(spec, *fields), lambda spec: _drop_from_devices(spec, *fields))


def _uses_partitions(spec: Object) -> bool:
    return any(spec.get(field) for field in _PARTITION_FIELDS) or _any_device(spec, *_DEVICE_PARTITION_FIELDS)


def _drop_partitions(spec: Object) -> None:
    for field in _PARTITION_FIELDS:
        spec.pop(field, None)
    _drop_from_devices(spec, *_DEVICE_PARTITION_FIELDS)


def _uses_shared_capacity(spec: Object) -> bool:
    if _any_device(spec, "allowMultipleAllocations"):
        return True
    return any((capacity or {}).get("requestPolicy") for capacity in _capacities(spec))


def _drop_shared_capacity(spec: Object) -> None:
    _drop_from_devices(spec, "allowMultipleAllocations")
    for capacity in _capacities(spec):
        if capacity:
            capacity.pop("requestPolicy", None)


def _capacities(spec: Object) -> list[Object]:
    return [
        value for device in items_of(spec.get("devices")) for value in (device.get("capacity") or {}).values()
    ]


def _attributes(spec: Object) -> list[Object]:
    return [
        value
        for device in items_of(spec.get("devices"))
        for value in (device.get("attributes") or {}).values()
    ]


def _uses_lists(spec: Object) -> bool:
    return any(
        (attribute or {}).get(kind) is not None for attribute in _attributes(spec) for kind in LIST_TYPES
    )


def _drop_lists(spec: Object) -> None:
    for attribute in _attributes(spec):
        for kind in LIST_TYPES:
            (attribute or {}).pop(kind, None)


def _consumptions(spec: Object) -> list[Object]:
    devices = items_of(spec.get("devices"))
    return [one for device in devices for one in items_of(device.get("consumesCounters"))]


def _drop_groups(spec: Object) -> None:
    for consumption in _consumptions(spec):
        consumption.pop("compatibilityGroups", None)


def _spec_rule(field: str) -> _Rule:
    return _Rule(lambda spec: bool(spec.get(field)), lambda spec: spec.pop(field, None))


_RULES = {
    "DRADeviceTaints": _device_rule("taints"),
    "DRAPartitionableDevices": _Rule(_uses_partitions, _drop_partitions),
    "DRAConsumableCapacity": _Rule(_uses_shared_capacity, _drop_shared_capacity),
    "DRAListTypeAttributes": _Rule(_uses_lists, _drop_lists),
    "DRANodeAllocatableResources": _device_rule(
        "nodeAllocatableResourceMappings", "nodeAllocatableResources"
    ),
    "DRADeviceCompatibilityGroups": _Rule(
        lambda spec: any(one.get("compatibilityGroups") for one in _consumptions(spec)), _drop_groups
    ),
    "DRAOptionalNodeOperations": _spec_rule("skipNodeOperations"),
    "DRAPartitionableDevicesType": _spec_rule("partitionTypeAttribute"),
}

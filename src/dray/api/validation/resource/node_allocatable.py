"""What a device says of resources of its node that it is part of, or that its use costs (DRANodeAllocatableResources).

Kubernetes 1.36 has `nodeAllocatableResourceMappings`, 1.37 has `nodeAllocatableResources` instead.
"""

from typing import Any

from dray.api.fields import FieldError, Path, invalid, not_found, required
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.resource.naming import shown_key

HUGE_PAGES = "hugepages-"
_NO_RESOURCE = "must be a node allocatable resource name"


def is_native_resource(name: str) -> bool:
    """Resources of Kubernetes itself, as opposed to extended ones."""
    return "/" not in name or "kubernetes.io/" in name


def is_node_allocatable(name: str) -> bool:
    """Those that 1.37 lets devices count against."""
    return name in ("cpu", "memory") or name.startswith(HUGE_PAGES)


def validate_node_allocatable_mappings(device: Object, path: Path) -> list[FieldError]:
    """1.36."""
    errors: list[FieldError] = []
    for name, mapping in (device.get("nodeAllocatableResourceMappings") or {}).items():
        at = path.child("nodeAllocatableResourceMappings").key(shown_key(name))
        if not is_native_resource(name):
            errors.append(invalid(at, name, _NO_RESOURCE))
        errors += _validate_mapping(mapping or {}, device.get("capacity") or {}, at)
    return errors


def _validate_mapping(mapping: Object, capacity: Object, path: Path) -> list[FieldError]:
    multiplier, key = mapping.get("allocationMultiplier"), mapping.get("capacityKey")
    if multiplier is None and key is None:
        return [required(path, "at least one of allocationMultiplier or capacityKey must be set")]
    errors = _positive(multiplier, path.child("allocationMultiplier"))
    if key is not None and not key:
        errors.append(invalid(path.child("capacityKey"), key, "must not be empty"))
    elif key is not None and key not in capacity:
        errors.append(not_found(path.child("capacityKey"), key))
    return errors


def validate_node_allocatable_resources(device: Object, path: Path) -> list[FieldError]:
    """1.37."""
    errors: list[FieldError] = []
    for name, resource in (device.get("nodeAllocatableResources") or {}).items():
        at = path.child("nodeAllocatableResources").key(name)
        if not is_node_allocatable(name):
            errors.append(invalid(at, name, _NO_RESOURCE))
        mapping, overhead = (resource or {}).get("mapping"), (resource or {}).get("overhead")
        if mapping is None and overhead is None:
            errors.append(required(at, "at least one of mapping or overhead must be set"))
        if mapping is not None:
            errors += _validate_part(mapping, device.get("capacity") or {}, at.child("mapping"))
        if overhead is not None:
            errors += validate_overhead(overhead, at.child("overhead"))
    return errors


def _validate_part(mapping: Object, capacity: Object, path: Path) -> list[FieldError]:
    """What the device is of the resource: by what it consumes of a capacity, or as a whole."""
    key, of_capacity = mapping.get("capacityKey"), mapping.get("capacityMultiplier")
    of_device = mapping.get("deviceMultiplier")
    errors: list[FieldError] = []
    if key is not None:
        at = path.child("capacityKey")
        if not key:
            errors.append(invalid(at, "", "capacityKey must not be an empty string"))
        elif key not in capacity:
            errors.append(not_found(at, key))
        at = path.child("capacityMultiplier")
        if of_capacity is None:
            errors.append(required(at, "capacityMultiplier is required when capacityKey is set"))
        errors += _positive(of_capacity, at)
    errors += _positive(of_device, path.child("deviceMultiplier"))
    if key is None and of_capacity is not None:
        text = "capacityKey is required when capacityMultiplier is set"
        errors.append(required(path.child("capacityKey"), text))
    if key is None and of_device is None:
        errors.append(invalid(path, "", "must specify one of: `capacityKey`, `deviceMultiplier`"))
    if key is not None and of_device is not None:
        text = "must specify exactly one of: `capacityKey`, `deviceMultiplier`"
        errors.append(invalid(path, "{capacityKey, deviceMultiplier}", text))
    return errors


def validate_overhead(overhead: Object, path: Path) -> list[FieldError]:
    """For a device, and for what a pod pays."""
    amounts = {name: overhead.get(name) for name in ("perPod", "perContainer")}
    if all(amount is None for amount in amounts.values()):
        return [invalid(path, "", "at least one of perPod or perContainer must be set")]
    return [
        invalid(path.child(name), str(amount), "must be non-negative")
        for name, amount in amounts.items()
        if amount is not None and parse_quantity(amount).sign() < 0
    ]


def _positive(multiplier: Any, path: Path) -> list[FieldError]:
    if multiplier is None or parse_quantity(multiplier).sign() > 0:
        return []
    return [invalid(path, str(multiplier), "must be positive")]

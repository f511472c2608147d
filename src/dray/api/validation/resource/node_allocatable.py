"""Mappings from a device to the node resources that it takes (alpha, gate DRANodeAllocatableResources)."""

from dray.api.fields import FieldError, Path, invalid, not_found, required
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.resource.naming import shown_key


def is_native_resource(name: str) -> bool:
    """Resources of Kubernetes itself, as opposed to extended ones."""
    return "/" not in name or "kubernetes.io/" in name


def validate_node_allocatable_mappings(device: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, mapping in (device.get("nodeAllocatableResourceMappings") or {}).items():
        at = path.child("nodeAllocatableResourceMappings").key(shown_key(name))
        if not is_native_resource(name):
            errors.append(invalid(at, name, "must be a node allocatable resource name"))
        errors += _validate_mapping(mapping or {}, device.get("capacity") or {}, at)
    return errors


def _validate_mapping(mapping: Object, capacity: Object, path: Path) -> list[FieldError]:
    multiplier, key = mapping.get("allocationMultiplier"), mapping.get("capacityKey")
    if multiplier is None and key is None:
        return [required(path, "at least one of allocationMultiplier or capacityKey must be set")]
    errors: list[FieldError] = []
    if multiplier is not None and parse_quantity(multiplier).sign() <= 0:
        errors.append(invalid(path.child("allocationMultiplier"), str(multiplier), "must be positive"))
    if key is not None and not key:
        errors.append(invalid(path.child("capacityKey"), key, "must not be empty"))
    elif key is not None and key not in capacity:
        errors.append(not_found(path.child("capacityKey"), key))
    return errors

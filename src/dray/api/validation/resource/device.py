"""One device of a slice: attributes, capacity, counters, its own nodes, taints, binding conditions."""

import dataclasses
from typing import Any

from dray.api import names
from dray.api.fields import FieldError, Path, invalid, required, too_long
from dray.api.meta import Object
from dray.api.semver import is_semver
from dray.api.validation.lists import each, each_unique, items_of
from dray.api.validation.node_selector import validate_node_selector
from dray.api.validation.resource.binding import validate_binding_conditions
from dray.api.validation.resource.capacity import validate_capacity
from dray.api.validation.resource.counters import validate_counter_consumption
from dray.api.validation.resource.internal import FORMS
from dray.api.validation.resource.naming import check_name, shown_key, validate_qualified_name
from dray.api.validation.resource.node_allocatable import (
    validate_node_allocatable_mappings,
    validate_node_allocatable_resources,
)
from dray.api.validation.resource.taints import validate_taint
from dray.api.validation.sameness import same

ATTRIBUTES_AND_CAPACITIES_MAX = 32
ATTRIBUTE_VALUES_MAX = 48
ATTRIBUTE_TEXT_MAX_BYTES = 64
TAINTS_MAX = 16
COUNTER_CONSUMPTIONS_MAX = 2

LIST_TYPES = ("ints", "bools", "strings", "versions")
_TYPES = ("int", "bool", "string", "version", *LIST_TYPES)
_PER_DEVICE_FIELDS = ("nodeName", "nodeSelector", "allNodes")
_PER_DEVICE_TEXT = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to "
    "true in the ResourceSlice spec"
)
_NOT_PER_DEVICE_TEXT = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the "
    "ResourceSlice spec"
)


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceRules:
    """What the slice says about all its devices."""

    per_device_nodes: bool
    """Each device names its own nodes (spec.perDeviceNodeSelection)."""
    exact_ranges: bool = False
    """Gate DRAFractionalCapacityRange: fractions of a capacity count."""
    is_137: bool = False
    """Rules that came with 1.37 without a gate hold too."""


def uses_small_slice_feature(device: Object) -> bool:
    """Whether the device has what halves the number of devices a slice may hold."""
    if device.get("taints") or device.get("consumesCounters"):
        return True
    attributes = (device.get("attributes") or {}).values()
    return any((value or {}).get(kind) is not None for value in attributes for kind in LIST_TYPES)


def validate_device(device: Object, old: Object | None, path: Path, rules: DeviceRules) -> list[FieldError]:
    """`old` is the stored device of the same name, if there is one."""
    errors = check_name(device.get("name") or "", path.child("name"), names.dns_label)
    errors += _validate_amounts(device, path)
    errors += _validate_attributes(device.get("attributes") or {}, path.child("attributes"), rules)
    errors += _validate_capacities(device, old, path.child("capacity"), rules)
    errors += _validate_taints(device, old, path.child("taints"))
    errors += each_unique(
        items_of(device.get("consumesCounters")),
        path.child("consumesCounters"),
        validate_counter_consumption,
        key=lambda consumption: consumption.get("counterSet") or "",
        most=COUNTER_CONSUMPTIONS_MAX,
    )
    errors += _validate_device_nodes(device, path, rules)
    errors += validate_binding_conditions(device, path)
    errors += validate_node_allocatable_mappings(device, path)
    return errors + validate_node_allocatable_resources(device, path)


def _validate_amounts(device: Object, path: Path) -> list[FieldError]:
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    errors: list[FieldError] = []
    if (total := len(attributes) + len(capacity)) > ATTRIBUTES_AND_CAPACITIES_MAX:
        limit = ATTRIBUTES_AND_CAPACITIES_MAX
        text = f"the total number of attributes and capacities must not exceed {limit}"
        errors.append(invalid(path, total, text))
    values = sum(_count_values(attribute or {}) for attribute in attributes.values())
    if values > ATTRIBUTE_VALUES_MAX:
        text = f"the total number of attribute values must not exceed {ATTRIBUTE_VALUES_MAX}"
        errors.append(invalid(path, values, text))
    return errors


def _count_values(attribute: Object) -> int:
    listed = sum(len(attribute.get(kind) or ()) for kind in LIST_TYPES)
    return listed or 1


def _validate_attributes(attributes: Object, path: Path, rules: DeviceRules) -> list[FieldError]:
    errors: list[FieldError] = []
    for key, attribute in attributes.items():
        errors += validate_qualified_name(key, path, one_slash=rules.is_137)
        errors += _validate_attribute(attribute or {}, path.key(shown_key(key)))
    return errors


def _validate_attribute(attribute: Object, path: Path) -> list[FieldError]:
    kinds = [kind for kind in _TYPES if attribute.get(kind) is not None]
    if not kinds:
        return [invalid(path, "", "exactly one value must be specified")]
    errors: list[FieldError] = []
    for kind in kinds:
        errors += _validate_value(kind, attribute[kind], path.child(kind))
    if len(kinds) > 1:
        shown = FORMS.show("DeviceAttribute", attribute)
        errors.append(invalid(path, shown, "exactly one value must be specified"))
    return errors


def _validate_value(kind: str, value: Any, path: Path) -> list[FieldError]:
    if kind in LIST_TYPES:
        if not value:
            return [invalid(path, [], "must not be empty if specified")]
        return each(value, path, lambda item, at: _validate_value(kind[:-1], item, at))
    if kind == "string":
        return _validate_text(value, path)
    if kind == "version":
        errors: list[FieldError] = []
        if not is_semver(value):
            errors.append(invalid(path, value, "must be a string compatible with semver.org spec 2.0.0"))
        return errors + _validate_text(value, path)
    return []


def _validate_text(value: str, path: Path) -> list[FieldError]:
    if names.byte_length(value) > ATTRIBUTE_TEXT_MAX_BYTES:
        return [too_long(path, ATTRIBUTE_TEXT_MAX_BYTES)]
    return []


def _validate_capacities(
    device: Object, old: Object | None, path: Path, rules: DeviceRules
) -> list[FieldError]:
    if rules.is_137 and old is not None and _same_capacity(device, old):
        return []
    shared = bool(device.get("allowMultipleAllocations"))
    errors: list[FieldError] = []
    for key, capacity in (device.get("capacity") or {}).items():
        errors += validate_qualified_name(key, path, one_slash=rules.is_137)
        at = path.key(shown_key(key))
        errors += validate_capacity(
            capacity or {}, at, shared=shared, exact=rules.exact_ranges, is_137=rules.is_137
        )
    return errors


def _same_capacity(device: Object, old: Object) -> bool:
    return all(same(device.get(field), old.get(field)) for field in ("capacity", "allowMultipleAllocations"))


def _validate_taints(device: Object, old: Object | None, path: Path) -> list[FieldError]:
    """Taints that did not change are not looked at again."""
    taints = device.get("taints")
    if old is not None and same(taints, old.get("taints")):
        return []
    return each(items_of(taints), path, lambda taint, at: validate_taint(taint, None, at), most=TAINTS_MAX)


def _validate_device_nodes(device: Object, path: Path, rules: DeviceRules) -> list[FieldError]:
    present = [field for field in _PER_DEVICE_FIELDS if device.get(field) is not None]
    if not rules.per_device_nodes:
        return [invalid(path, None, _NOT_PER_DEVICE_TEXT)] if present else []
    errors: list[FieldError] = []
    chosen: list[str] = []
    if (node_name := device.get("nodeName")) is not None:
        at = path.child("nodeName")
        if node_name:
            chosen.append("nodeName")
            errors += check_name(node_name, at, names.dns_subdomain)
        else:
            errors.append(invalid(at, "", "must not be empty"))
    if (selector := device.get("nodeSelector")) is not None:
        chosen.append("nodeSelector")
        errors += validate_node_selector(selector, path.child("nodeSelector"), strict_values=True)
    if (all_nodes := device.get("allNodes")) is not None:
        if all_nodes:
            chosen.append("allNodes")
        else:
            at = path.child("allNodes")
            errors.append(invalid(at, all_nodes, "must be either unset or set to true"))
    if not chosen:
        errors.append(required(path, _PER_DEVICE_TEXT))
    elif len(chosen) > 1:
        shown = "{" + ", ".join(f"`{field}`" for field in chosen) + "}"
        errors.append(invalid(path, shown, _PER_DEVICE_TEXT))
    return errors

"""ResourceSlice: a driver's devices on a node or reachable from several. Devices are in `device.py`."""

import dataclasses
from typing import Any

from dray.api import names
from dray.api.fields import FieldError, Path, invalid, required, too_many
from dray.api.meta import Object
from dray.api.validation.lists import each_unique, items_of
from dray.api.validation.meta import immutable
from dray.api.validation.node_selector import validate_node_selector
from dray.api.validation.resource.counters import validate_counter_set
from dray.api.validation.resource.device import DeviceRules, uses_small_slice_feature, validate_device
from dray.api.validation.resource.internal import FORMS
from dray.api.validation.resource.later import validate_partition_type, validate_skipped_operations
from dray.api.validation.resource.naming import check_name, validate_driver, validate_pool

DEVICES_MAX = 128
DEVICES_MAX_WITH_FEATURES = 64
"""Where any device has taints, consumes counters or lists attribute values."""
COUNTER_SETS_MAX = 8
SPEC = Path("spec")

_NODE_FIELDS = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")


@dataclasses.dataclass(frozen=True, slots=True)
class SliceRules:
    """Gates that change what a slice may say."""

    exact_ranges: bool = False
    """Gate DRAFractionalCapacityRange: fractions of a capacity count."""
    is_137: bool = False
    """Rules that came with 1.37 without a gate hold too."""


def validate_slice_spec(spec: Object, old: Object | None, rules: SliceRules) -> list[FieldError]:
    """`old` is the stored spec on update."""
    errors = _validate_driver_and_pool(spec)
    if old is not None:
        errors += _validate_identity(spec, old)
    errors += _validate_nodes(spec)
    if spec.get("devices") is not None and spec.get("sharedCounters") is not None:
        errors.append(invalid(SPEC, "", "only one of `sharedCounters` or `devices` is allowed"))
    errors += _validate_devices(spec, old, rules)
    errors += each_unique(
        items_of(spec.get("sharedCounters")),
        SPEC.child("sharedCounters"),
        validate_counter_set,
        key=lambda counter_set: counter_set.get("name") or "",
        most=COUNTER_SETS_MAX,
    )
    errors += validate_partition_type(spec)
    return errors + validate_skipped_operations(
        spec.get("skipNodeOperations"), SPEC.child("skipNodeOperations")
    )


def _validate_identity(new: Object, old: Object) -> list[FieldError]:
    """The identity of a slice: what it is of, and where. Other ways of naming nodes may change."""
    new_pool, old_pool = new.get("pool") or {}, old.get("pool") or {}
    at = SPEC.child("pool", "name")
    errors = immutable(new_pool.get("name") or "", old_pool.get("name") or "", at)
    errors += immutable(new.get("driver") or "", old.get("driver") or "", SPEC.child("driver"))
    return errors + immutable(new.get("nodeName"), old.get("nodeName"), SPEC.child("nodeName"))


def _validate_driver_and_pool(spec: Object) -> list[FieldError]:
    pool = spec.get("pool") or {}
    at = SPEC.child("pool")
    errors = validate_driver(spec.get("driver") or "", SPEC.child("driver"))
    errors += validate_pool(pool.get("name") or "", at.child("name"))
    if (count := pool.get("resourceSliceCount") or 0) <= 0:
        errors.append(invalid(at.child("resourceSliceCount"), count, "must be greater than zero"))
    if (generation := pool.get("generation") or 0) < 0:
        errors.append(invalid(at.child("generation"), generation, "must be greater than or equal to zero"))
    return errors


def _validate_nodes(spec: Object) -> list[FieldError]:
    """Exactly one way of saying which nodes reach the devices."""
    chosen: list[str] = []
    errors: list[FieldError] = []
    if (node_name := spec.get("nodeName")) is not None:
        at = SPEC.child("nodeName")
        if node_name:
            chosen.append("nodeName")
            errors += check_name(node_name, at, names.dns_subdomain)
        else:
            errors.append(invalid(at, "", "must be either unset or set to a non-empty string"))
    if (selector := spec.get("nodeSelector")) is not None:
        chosen.append("nodeSelector")
        errors += _validate_slice_selector(selector, SPEC.child("nodeSelector"))
    for flag in ("allNodes", "perDeviceNodeSelection"):
        if (value := spec.get(flag)) is not None:
            if value:
                chosen.append(flag)
            else:
                errors.append(invalid(SPEC.child(flag), value, "must be either unset or set to true"))
    return errors + _validate_choice(chosen)


def _validate_choice(chosen: list[str]) -> list[FieldError]:
    text = f"exactly one of {', '.join(f'`{field}`' for field in _NODE_FIELDS)} is required"
    if not chosen:
        return [required(SPEC, text)]
    if len(chosen) > 1:
        return [invalid(SPEC, quoted_set(chosen), f"{text}, but multiple fields are set")]
    return []


def quoted_set(fields: list[str]) -> str:
    """How a message shows the several fields that were set."""
    return "{" + ", ".join(f"`{field}`" for field in fields) + "}"


def _validate_slice_selector(selector: Object, path: Path) -> list[FieldError]:
    errors = validate_node_selector(selector, path, strict_values=True)
    terms: Any = selector.get("nodeSelectorTerms")
    if len(terms or ()) != 1:
        at = path.child("nodeSelectorTerms")
        shown = FORMS.show("[]NodeSelectorTerm", terms)
        errors.append(invalid(at, shown, "must have exactly one node selector term"))
    return errors


def _validate_devices(spec: Object, old: Object | None, rules: SliceRules) -> list[FieldError]:
    devices = items_of(spec.get("devices"))
    at = SPEC.child("devices")
    small = any(uses_small_slice_feature(device) for device in devices)
    most = DEVICES_MAX_WITH_FEATURES if small else DEVICES_MAX
    if len(devices) > most:
        return [too_many(at, len(devices), most)]
    before = {device.get("name") or "": device for device in items_of((old or {}).get("devices"))}
    of_device = DeviceRules(bool(spec.get("perDeviceNodeSelection")), rules.exact_ranges, rules.is_137)
    return each_unique(
        devices,
        at,
        lambda device, item: validate_device(device, before.get(device.get("name") or ""), item, of_device),
        key=lambda device: device.get("name") or "",
    )

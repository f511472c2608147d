"""What later releases let a slice and an allocation say; the fields exist only behind their gates."""

from dray.api import names
from dray.api.attributes import find_attribute
from dray.api.fields import FieldError, Path, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.lists import each_unique, items_of
from dray.api.validation.resource.internal import FORMS
from dray.api.validation.resource.naming import check_name, validate_fully_qualified_name

_OPERATIONS = ("*", "NodePrepareResources", "NodeUnprepareResources")
GROUPS_MAX = 2
SPEC = Path("spec")


def validate_skipped_operations(operations: list[str] | None, path: Path) -> list[FieldError]:
    """What is prepared must be unprepared: the one may only be left out with the other."""
    skipped = operations or []
    errors: list[FieldError] = []
    if "NodePrepareResources" in skipped and not {"NodeUnprepareResources", "*"} & set(skipped):
        text = "NodePrepareResources cannot be skipped unless NodeUnprepareResources is also skipped"
        errors.append(invalid(path, skipped, text))
    return errors + each_unique(skipped, path, _validate_operation)


def _validate_operation(operation: str, path: Path) -> list[FieldError]:
    return [] if operation in _OPERATIONS else [not_supported(path, operation, _OPERATIONS)]


def validate_compatibility_groups(groups: list[str] | None, path: Path) -> list[FieldError]:
    return each_unique(
        groups or [], path, lambda group, at: check_name(group, at, names.dns_label), most=GROUPS_MAX
    )


def validate_partition_type(spec: Object) -> list[FieldError]:
    """The attribute that tells the kinds of partitions apart: every device that draws on counters has it, as a text."""
    name = spec.get("partitionTypeAttribute")
    if name is None:
        return []
    at, devices = SPEC.child("partitionTypeAttribute"), items_of(spec.get("devices"))
    if not any(device.get("consumesCounters") for device in devices):
        text = "may only be set on a slice which declares devices that consume counters"
        return [invalid(at, name, text)]
    if errors := validate_fully_qualified_name(name, at, one_slash=True):
        return errors
    driver = spec.get("driver") or ""
    return [
        error
        for index, device in enumerate(devices)
        if device.get("consumesCounters")
        for error in _validate_type(
            find_attribute(device, name, driver),
            SPEC.child("devices").index(index).child("attributes").key(name),
        )
    ]


def _validate_type(attribute: Object | None, path: Path) -> list[FieldError]:
    if attribute is None:
        text = "device consumes counters and `partitionTypeAttribute` names this attribute, so it must be set"
        return [required(path, text)]
    if attribute.get("string") is None:
        text = "must be a string value because `partitionTypeAttribute` names this attribute"
        return [invalid(path, FORMS.show("DeviceAttribute", attribute), text)]
    return []

"""Fields that came after the reproduced release, each behind the gate that brought it: unknown while that is off."""

from collections.abc import Mapping
from typing import Any, Final

_SET: Final = {"lt": "set"}
_SKIPPED: Final = ("DRAOptionalNodeOperations", "skipNodeOperations", "[]s", "", _SET)

_RESOURCE: Final[Mapping[str, tuple[tuple[str, str, str, str, Mapping[str, Any]], ...]]] = {
    "ResourceSliceSpec": (
        ("DRAPartitionableDevicesType", "partitionTypeAttribute", "s", "p", {}),
        _SKIPPED,
    ),
    "DeviceRequestAllocationResult": (_SKIPPED,),
    "DeviceCounterConsumption": (
        ("DRADeviceCompatibilityGroups", "compatibilityGroups", "[]s", "", {"lt": "atomic"}),
    ),
}
"""By type of resource.k8s.io, in every version: gate, name, type code, flags and extras (as in the package data)."""


_DROPPED: Final[Mapping[tuple[str, str], str]] = {("Device", "nodeAllocatableResourceMappings"): "1.37"}
"""Fields of types of resource.k8s.io that a later release has no more."""


def dropped_field(package: str, name: str, field: str) -> str:
    """The release that dropped the field, or ""."""
    return _DROPPED.get((name, field), "") if package.startswith("resource/") else ""


def later_fields(package: str, name: str) -> Mapping[str, tuple[str, str, str, Mapping[str, Any]]]:
    """Field -> gate, type code, flags, extras."""
    rows = _RESOURCE.get(name, ()) if package.startswith("resource/") else ()
    return {field: (gate, code, flags, extras) for gate, field, code, flags, extras in rows}

"""Types and fields that came after the reproduced release: unknown until the gate or the release that brought them is there.

Written in the form of the package data, which `dray.api.schema.registry` explains.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Row: TypeAlias = tuple[str, str, str, str, Mapping[str, Any]]
"""Gate, name, type code, flags, extras."""

_SET: Final = {"lt": "set"}
_ATOMIC: Final = {"lt": "atomic"}
_SKIPPED: Final[Row] = ("DRAOptionalNodeOperations", "skipNodeOperations", "[]s", "", _SET)
_DERIVED: Final[Row] = (
    "DRADerivedAttributes",
    "derivedAttributes",
    "[].DeviceDerivedAttribute",
    "",
    _ATOMIC,
)


def _node_resources(version: str) -> Row:
    go_type = f"map[v1.ResourceName]{version}.NodeAllocatableResource"
    return ("1.37", "nodeAllocatableResources", "{}.NodeAllocatableResource", "", {"go": go_type})


_RESOURCE: Final[Mapping[str, tuple[Row, ...]]] = {
    "ResourceSliceSpec": (
        ("DRAPartitionableDevicesType", "partitionTypeAttribute", "s", "p", {}),
        _SKIPPED,
    ),
    "DeviceRequestAllocationResult": (_SKIPPED,),
    "DeviceCounterConsumption": (
        ("DRADeviceCompatibilityGroups", "compatibilityGroups", "[]s", "", _ATOMIC),
    ),
    "ResourcePoolStatusRequestSpec": (
        ("DRAPartitionableDevicesType", "defaultPartitionTypeAttribute", "s", "p", {}),
    ),
    "PoolStatus": (
        ("DRAPartitionableDevicesType", "partitionSummary", "[].PartitionTypeStatus", "", _ATOMIC),
        ("DRAPartitionableDevicesType", "shareableSummary", ".ShareableSummaryStatus", "p", {}),
    ),
    "resource/v1.Device": (_node_resources("v1"),),
    "resource/v1beta2.Device": (_node_resources("v1beta2"),),
    "resource/v1beta1.BasicDevice": (_node_resources("v1beta1"),),
    "ExactDeviceRequest": (_DERIVED,),
    "DeviceSubRequest": (_DERIVED,),
    # Flat: an empty list makes an `exactly`, so that it is told from none.
    "resource/v1beta1.DeviceRequest": ((*_DERIVED[:3], "e", _ATOMIC),),
}
"""By type of resource.k8s.io: in every version, or in the one that is named with it."""

_CONDITIONS: Final = {"lt": "map", "lk": ["type"], "mk": "type", "ms": "merge"}
_BY_NAME: Final = {"lt": "map", "lk": ["name"], "mk": "name", "ms": "merge"}
_BY_CLAIM: Final = {"lt": "map", "lk": ["resourceClaimName"], "mk": "resourceClaimName", "ms": "merge"}
_EVERYWHERE: Final = ("v1", "v1beta2", "v1beta1")

_TYPES: Final[Mapping[str, tuple[tuple[str, ...], Mapping[str, Any]]]] = {
    "DeviceTaintRule": (
        ("v1",),
        {
            "kinds": [["resource.k8s.io", "v1", "DeviceTaintRule"]],
            "fields": [
                ["kind", "s", ""],
                ["apiVersion", "s", ""],
                ["metadata", "meta/v1.ObjectMeta", ""],
                ["spec", ".DeviceTaintRuleSpec", "rk"],
                ["status", ".DeviceTaintRuleStatus", ""],
            ],
        },
    ),
    "DeviceTaintRuleSpec": (
        ("v1",),
        {"fields": [["deviceSelector", ".DeviceTaintSelector", "p"], ["taint", ".DeviceTaint", "r"]]},
    ),
    "DeviceTaintRuleStatus": (
        ("v1",),
        {"fields": [["conditions", "[]meta/v1.Condition", "", _CONDITIONS]]},
    ),
    "DeviceTaintSelector": (
        ("v1",),
        {"fields": [["driver", "s", "p"], ["pool", "s", "p"], ["device", "s", "p"]]},
    ),
    "DeviceDerivedAttribute": (
        _EVERYWHERE,
        {"fields": [["name", "s", "rk"], ["expression", "s", "rk"]]},
    ),
    "NodeAllocatableResource": (
        _EVERYWHERE,
        {
            "fields": [
                ["mapping", ".NodeAllocatableMapping", "p"],
                ["overhead", ".NodeAllocatableOverhead", "p"],
            ]
        },
    ),
    "NodeAllocatableMapping": (
        _EVERYWHERE,
        {
            "fields": [
                ["capacityKey", "s", "p"],
                ["capacityMultiplier", "q", "p"],
                ["deviceMultiplier", "q", "p"],
            ]
        },
    ),
    "NodeAllocatableOverhead": (
        _EVERYWHERE,
        {"fields": [["perPod", "q", "p"], ["perContainer", "q", "p"]]},
    ),
    "PartitionTypeStatus": (
        ("v1alpha3",),
        {
            "fields": [
                ["attribute", "s", "r"],
                ["type", "s", "r"],
                ["total", "i", "rp"],
                ["allocatable", "i", "rp"],
            ]
        },
    ),
    "ShareableSummaryStatus": (
        ("v1alpha3",),
        {
            "fields": [
                ["fullyAvailableDevices", "i", "rp"],
                ["partiallyAvailableDevices", "i", "rp"],
                ["capacity", "[].ShareableCapacityStatus", "", _ATOMIC],
            ]
        },
    ),
    "ShareableCapacityStatus": (
        ("v1alpha3",),
        {
            "fields": [
                ["name", "s", "r"],
                ["total", "q", "rp"],
                ["consumed", "q", "rp"],
                ["available", "q", "rp"],
            ]
        },
    ),
}
"""Types of resource.k8s.io, each with the versions of the group that have it, by name."""

_KINDS: Final[Mapping[tuple[str, str], str]] = {
    ("resource.k8s.io/v1", "DeviceTaintRule"): "1.37",
    ("scheduling.k8s.io/v1beta1", "PodGroup"): "1.37",
    ("scheduling.k8s.io/v1beta1", "Workload"): "1.37",
    ("scheduling.k8s.io/v1alpha3", "PodGroup"): "1.37",
    ("scheduling.k8s.io/v1alpha3", "Workload"): "1.37",
}

_DROPPED: Final[Mapping[tuple[str, str], str]] = {
    ("Device", "nodeAllocatableResourceMappings"): "1.37",
    ("BasicDevice", "nodeAllocatableResourceMappings"): "1.37",
}
"""Fields of types of resource.k8s.io that a later release has no more."""

_CORE_TYPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "NodeAllocatableMappedResources": {"fields": [["name", "s", "rk"], ["quantity", "q", "rkp"]]},
    "NodeAllocatableOverheadResources": {
        "fields": [["name", "s", "rk"], ["perPod", "q", "p"], ["perContainer", "q", "p"]]
    },
}
"""New types of core/v1."""

_CHANGED: Final[Mapping[tuple[str, str], Mapping[str, tuple[Any, ...] | None]]] = {
    ("core/v1", "Pod"): {},
    ("core/v1", "PodStatus"): {
        "nodeAllocatableResourceClaimStatuses": ("[].NodeAllocatableResourceClaimStatus", "", _BY_CLAIM)
    },
    ("core/v1", "NodeAllocatableResourceClaimStatus"): {
        "resources": None,
        "mapping": ("[].NodeAllocatableMappedResources", "", _BY_NAME),
        "overhead": ("[].NodeAllocatableOverheadResources", "", _BY_NAME),
    },
}
"""Types that 1.37 has otherwise, and those that lead to them: type code, flags and extras of a field, None if dropped."""

CHANGED_BY: Final = "1.37"
"""The release that changed types rather than adding to them."""


def is_changed(package: str, name: str) -> bool:
    """Whether the type is another one from CHANGED_BY on, be it by a type that it leads to."""
    return (package, name) in _CHANGED


def changed_rows(package: str, name: str, rows: list[list[Any]]) -> list[list[Any]]:
    """The fields of a type as CHANGED_BY has them."""
    changes = _CHANGED[package, name]
    kept = [row for row in rows if row[0] not in changes]
    return kept + [[field, *change] for field, change in changes.items() if change is not None]


def dropped_field(package: str, name: str, field: str) -> str:
    """The release that dropped the field, or ""."""
    return _DROPPED.get((name, field), "") if package.startswith("resource/") else ""


def later_types(package: str) -> dict[str, dict[str, Any]]:
    """The types that later releases added to a package such as `resource/v1`."""
    if package == "core/v1":
        return {name: dict(stored) for name, stored in _CORE_TYPES.items()}
    group, _, version = package.partition("/")
    if group != "resource":
        return {}
    return {name: dict(stored) for name, (versions, stored) in _TYPES.items() if version in versions}


def kind_brought_by(api_version: str, kind: str) -> str:
    """The release that brought a kind in a version, or "" for what the reproduced one has."""
    return _KINDS.get((api_version, kind), "")


def later_fields(package: str, name: str) -> Mapping[str, tuple[str, str, str, Mapping[str, Any]]]:
    """Field -> gate, type code, flags, extras."""
    if not package.startswith("resource/"):
        return {}
    rows = (*_RESOURCE.get(name, ()), *_RESOURCE.get(f"{package}.{name}", ()))
    return {field: (gate, code, flags, extras) for gate, field, code, flags, extras in rows}

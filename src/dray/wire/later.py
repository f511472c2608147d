"""Fields of messages that came after Kubernetes 1.36, beside those of the package data.

A client of a later release may send them to any server; whether they exist here is for the structure of the kind to
say. Those of derivedAttributes are not among them: their numbers are not known here. Source: the API of 1.37.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Final

_META: Final = "k8s.io.apimachinery.pkg.apis.meta.v1."
_QUANTITY: Final = "k8s.io.apimachinery.pkg.api.resource.Quantity"

_ALL: Final = ("v1", "v1beta2", "v1beta1")
_FIELDS: Final = (
    (_ALL, "ResourceSliceSpec", "9 partitionTypeAttribute o string"),
    (_ALL, "ResourceSliceSpec", "10 skipNodeOperations r string"),
    (_ALL, "DeviceRequestAllocationResult", "11 skipNodeOperations r string"),
    (_ALL, "DeviceCounterConsumption", "3 compatibilityGroups r string"),
    (("v1", "v1beta2"), "Device", "14 nodeAllocatableResources map .NodeAllocatableResource"),
    (("v1beta1",), "BasicDevice", "14 nodeAllocatableResources map .NodeAllocatableResource"),
    (_ALL, "NodeAllocatableResource", "3 mapping o .NodeAllocatableMapping"),
    (_ALL, "NodeAllocatableResource", "4 overhead o .NodeAllocatableOverhead"),
    (_ALL, "NodeAllocatableMapping", "1 capacityKey o string"),
    (_ALL, "NodeAllocatableMapping", f"2 capacityMultiplier o {_QUANTITY}"),
    (_ALL, "NodeAllocatableMapping", f"3 deviceMultiplier o {_QUANTITY}"),
    (_ALL, "NodeAllocatableOverhead", f"1 perPod o {_QUANTITY}"),
    (_ALL, "NodeAllocatableOverhead", f"2 perContainer o {_QUANTITY}"),
    (("v1",), "DeviceTaintRule", f"1 metadata o {_META}ObjectMeta"),
    (("v1",), "DeviceTaintRule", "2 spec o .DeviceTaintRuleSpec"),
    (("v1",), "DeviceTaintRule", "3 status o .DeviceTaintRuleStatus"),
    (("v1",), "DeviceTaintRuleSpec", "1 deviceSelector o .DeviceTaintSelector"),
    (("v1",), "DeviceTaintRuleSpec", "2 taint o .DeviceTaint"),
    (("v1",), "DeviceTaintRuleStatus", f"1 conditions r {_META}Condition"),
    (("v1",), "DeviceTaintSelector", "2 driver o string"),
    (("v1",), "DeviceTaintSelector", "3 pool o string"),
    (("v1",), "DeviceTaintSelector", "4 device o string"),
    (("v1alpha3",), "ResourcePoolStatusRequestSpec", "4 defaultPartitionTypeAttribute o string"),
    (("v1alpha3",), "PoolStatus", "11 partitionSummary r .PartitionTypeStatus"),
    (("v1alpha3",), "PoolStatus", "13 shareableSummary o .ShareableSummaryStatus"),
    (("v1alpha3",), "PartitionTypeStatus", "1 type o string"),
    (("v1alpha3",), "PartitionTypeStatus", "2 total o int32"),
    (("v1alpha3",), "PartitionTypeStatus", "3 allocatable o int32"),
    (("v1alpha3",), "PartitionTypeStatus", "4 attribute o string"),
    (("v1alpha3",), "ShareableSummaryStatus", "1 fullyAvailableDevices o int32"),
    (("v1alpha3",), "ShareableSummaryStatus", "2 partiallyAvailableDevices o int32"),
    (("v1alpha3",), "ShareableSummaryStatus", "3 capacity r .ShareableCapacityStatus"),
    (("v1alpha3",), "ShareableCapacityStatus", "1 name o string"),
    (("v1alpha3",), "ShareableCapacityStatus", f"2 total o {_QUANTITY}"),
    (("v1alpha3",), "ShareableCapacityStatus", f"3 consumed o {_QUANTITY}"),
    (("v1alpha3",), "ShareableCapacityStatus", f"4 available o {_QUANTITY}"),
)
"""Versions of resource.k8s.io, message, and its field: number, JSON name, label, type; `.Type` is one of the version."""

_CORE_FIELDS: Final = (
    ("NodeAllocatableResourceClaimStatus", "4 mapping r .NodeAllocatableMappedResources"),
    ("NodeAllocatableResourceClaimStatus", "5 overhead r .NodeAllocatableOverheadResources"),
    ("NodeAllocatableMappedResources", "1 name o string"),
    ("NodeAllocatableMappedResources", f"2 quantity o {_QUANTITY}"),
    ("NodeAllocatableOverheadResources", "1 name o string"),
    ("NodeAllocatableOverheadResources", f"2 perPod o {_QUANTITY}"),
    ("NodeAllocatableOverheadResources", f"3 perContainer o {_QUANTITY}"),
)
"""The same of the core group's v1."""


@functools.cache
def later_messages() -> Mapping[str, Mapping[str, tuple[str, str, str]]]:
    """Full message name -> field number -> JSON name, label, type: as in the package data."""
    messages: dict[str, dict[str, tuple[str, str, str]]] = {}
    for message, number, field in _rows():
        messages.setdefault(message, {})[number] = field
    return messages


def _rows() -> Iterator[tuple[str, str, tuple[str, str, str]]]:
    for versions, message, row in _FIELDS:
        for version in versions:
            yield _row(f"k8s.io.api.resource.{version}", message, row)
    for message, row in _CORE_FIELDS:
        yield _row("k8s.io.api.core.v1", message, row)


def _row(package: str, message: str, row: str) -> tuple[str, str, tuple[str, str, str]]:
    number, name, label, kind = row.split()
    return f"{package}.{message}", number, (name, label, f"{package}{kind}" if kind[0] == "." else kind)

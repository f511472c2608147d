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


@functools.cache
def later_messages() -> Mapping[str, Mapping[str, tuple[str, str, str]]]:
    """Full message name -> field number -> JSON name, label, type: as in the package data."""
    messages: dict[str, dict[str, tuple[str, str, str]]] = {}
    for message, number, field in _rows():
        messages.setdefault(message, {})[number] = field
    return messages


def _rows() -> Iterator[tuple[str, str, tuple[str, str, str]]]:
    for versions, message, row in _FIELDS:
        number, name, label, kind = row.split()
        for version in versions:
            package = f"k8s.io.api.resource.{version}"
            yield (
                f"{package}.{message}",
                number,
                (name, label, f"{package}{kind}" if kind[0] == "." else kind),
            )

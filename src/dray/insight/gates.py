"""Feature gates as far as a snapshot shows them: which are on, which are off, which nobody may know.

The facts come from `kubernetes_feature_enabled` of the API server's metrics. Where those could not be read nothing is
assumed of any gate: the allocator then reckons with everything on that the newest release has on.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping

from dray.allocation import Features
from dray.api.features import FeatureGates
from dray.api.releases import BASELINE, LATER, RELEASES, Stage, known_gates, reaches
from dray.insight.snapshot import Snapshot

_FEATURES = {
    "DRAAdminAccess": ("admin_access",),
    "DRAConsumableCapacity": ("consumable_capacity",),
    "DRADeviceBindingConditions": ("device_binding_and_status",),
    "DRAResourceClaimDeviceStatus": ("device_binding_and_status",),
    "DRADeviceTaints": ("device_taints",),
    "DRAPartitionableDevices": ("partitionable_devices",),
    "DRAPrioritizedList": ("prioritized_list",),
}
"""What the allocator loses where a gate is off."""
_OPTIONAL = {
    "DRADerivedAttributes": "derived_attributes",
    "DRADeviceCompatibilityGroups": "compatibility_groups",
    "DRAFractionalCapacityRange": "fractional_capacity_range",
    "DRAListTypeAttributes": "list_type_attributes",
    "DRAOptionalNodeOperations": "optional_node_operations",
}
"""What it gains where one is on that is off by default."""


@dataclasses.dataclass(frozen=True, slots=True)
class Gates:
    """`reported`: what the server itself says, by name; None where it could not be asked."""

    reported: Mapping[str, bool] | None
    release: str = BASELINE
    """The server's, or the one nearest to it that is known."""

    def is_off(self, name: str) -> bool:
        """Known to be off. A gate that the server does not list is one that it does not know yet, unless it was let go as settled."""
        if self.reported is None:
            return False
        if name in self.reported:
            return not self.reported[name]
        gate = known_gates(self.release).get(name)
        return gate is None or gate.stage is not Stage.GA

    def off(self) -> Iterator[str]:
        """Of the gates that allocation depends on, those known to be off."""
        return (name for name in _FEATURES if self.is_off(name))

    def features(self) -> Features:
        lost = {feature for name in self.off() for feature in _FEATURES[name]}
        on = {feature for name, feature in _OPTIONAL.items() if (self.reported or {}).get(name)}
        is_137 = reaches(self.release, "1.37")
        changed = {**dict.fromkeys(lost, False), **dict.fromkeys(on, True), "release_137": is_137}
        return dataclasses.replace(Features(), **changed)

    def as_settings(self) -> FeatureGates:
        """What a server with these gates makes of an object."""
        known = {**LATER, **known_gates(self.release)}
        told = {name: on for name, on in (self.reported or {}).items() if name in known}
        return FeatureGates(told, self.release)


_OF_FIELD = {
    "adminAccess": "DRAAdminAccess",
    "allNodes": "DRAPartitionableDevices",
    "allowMultipleAllocations": "DRAConsumableCapacity",
    "bindingConditions": "DRADeviceBindingConditions",
    "bindingFailureConditions": "DRADeviceBindingConditions",
    "bindsToNode": "DRADeviceBindingConditions",
    "capacity": "DRAConsumableCapacity",
    "consumesCounters": "DRAPartitionableDevices",
    "derivedAttributes": "DRADerivedAttributes",
    "distinctAttribute": "DRAConsumableCapacity",
    "extendedResourceName": "DRAExtendedResource",
    "firstAvailable": "DRAPrioritizedList",
    "nodeAllocatableResourceMappings": "DRANodeAllocatableResources",
    "nodeAllocatableResources": "DRANodeAllocatableResources",
    "perDeviceNodeSelection": "DRAPartitionableDevices",
    "requestPolicy": "DRAConsumableCapacity",
    "resourceClaims": "DynamicResourceAllocation",
    "sharedCounters": "DRAPartitionableDevices",
    "taints": "DRADeviceTaints",
    "tolerations": "DRADeviceTaints",
}


def gate_of_field(path: str) -> str:
    """The gate without which an API server leaves out a field of resource.k8s.io, or "". `path` as `spec.devices.requests[gpu].capacity`."""
    return _OF_FIELD.get(path.rpartition(".")[2].partition("[")[0], "")


def gates_of(snapshot: Snapshot) -> Gates:
    return Gates(snapshot.server.get("gates"), _nearest(snapshot.server.get("version") or ""))


def _nearest(version: str) -> str:
    """Of the releases that are known, the newest that the server's version reaches; "" is an unknown version."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    own = (int(found[1]), int(found[2])) if found else (0, 0)
    return next((each for each in reversed(RELEASES) if tuple(map(int, each.split("."))) <= own), BASELINE)


def with_gate(features: Features, name: str) -> Features:
    """The features as they would be with one gate turned on."""
    return dataclasses.replace(features, **dict.fromkeys(_FEATURES[name], True))

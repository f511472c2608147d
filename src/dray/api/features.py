"""Feature gates as a value: name -> on or off, with the defaults of the release dray reproduces."""

import dataclasses
from collections.abc import Mapping

DEFAULTS: Mapping[str, bool] = {
    "DynamicResourceAllocation": True,
    "DRAAdminAccess": True,
    "DRAPrioritizedList": True,
    "DRAConsumableCapacity": True,
    "DRADeviceBindingConditions": True,
    "DRADeviceTaints": True,
    "DRADeviceTaintRules": False,
    "DRAExtendedResource": True,
    "DRAPartitionableDevices": True,
    "DRAResourceClaimDeviceStatus": True,
    "DRAResourceClaimGranularStatusAuthorization": True,
    "DRASchedulerFilterTimeout": True,
    "DRAListTypeAttributes": False,
    "DRANodeAllocatableResources": False,
    "DRAResourcePoolStatus": False,
    "DRAWorkloadResourceClaims": False,
    "ResourceHealthStatus": True,
    "ResourceHealthStatusMessage": True,
}


@dataclasses.dataclass(frozen=True, slots=True)
class FeatureGates:
    overrides: Mapping[str, bool] = dataclasses.field(default_factory=dict)

    def enabled(self, name: str) -> bool:
        """Raises KeyError for a gate that does not exist."""
        return self.overrides[name] if name in self.overrides else DEFAULTS[name]

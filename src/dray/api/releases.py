"""The releases of Kubernetes that dray can stand for, and the feature gates of each: stage, default, lock, dependencies.

The release reproduced is the first; the others differ from it by what `_IN_137` and `LATER` say.
Source: kubernetes 1.36 pkg/features/kube_features.go and component-base/featuregate; of 1.37 the gates of DRA.
"""

import dataclasses
import enum
import functools
import importlib.resources
from collections.abc import Mapping
from typing import Final

import dray

BASELINE: Final = "1.36"
RELEASES: Final = (BASELINE, "1.37")
_GIT_VERSIONS: Final = {BASELINE: dray.KUBERNETES_VERSION, "1.37": "v1.37.0"}


class Stage(enum.Enum):
    ALPHA = "ALPHA"
    BETA = "BETA"
    GA = "GA"
    DEPRECATED = "DEPRECATED"


@dataclasses.dataclass(frozen=True, slots=True)
class Gate:
    stage: Stage
    default: bool
    needs: tuple[str, ...] = ()
    """Gates that must be on where this one is."""
    locked: bool = False
    """Nobody may turn it off any more."""


def _alpha(*needs: str) -> Gate:
    return Gate(Stage.ALPHA, default=False, needs=needs)


def _beta(*needs: str, default: bool = True) -> Gate:
    return Gate(Stage.BETA, default, needs)


_DRA: Final = "DynamicResourceAllocation"
_LOCKED: Final = Gate(Stage.GA, default=True, locked=True)

_HEEDED: Final[Mapping[str, Gate]] = {
    _DRA: _LOCKED,
    "DRAAdminAccess": Gate(Stage.GA, default=True, needs=(_DRA,), locked=True),
    "DRAPrioritizedList": Gate(Stage.GA, default=True, needs=(_DRA,)),
    "DRAConsumableCapacity": _beta(_DRA),
    "DRADeviceBindingConditions": _beta(_DRA, "DRAResourceClaimDeviceStatus"),
    "DRADeviceTaints": _beta(_DRA),
    "DRADeviceTaintRules": _beta(_DRA, "DRADeviceTaints", default=False),
    "DRAExtendedResource": _beta(_DRA),
    "DRAPartitionableDevices": _beta(_DRA),
    "DRAResourceClaimDeviceStatus": _beta(),
    "DRAResourceClaimGranularStatusAuthorization": _beta(_DRA, "DRAResourceClaimDeviceStatus"),
    "DRASchedulerFilterTimeout": _beta(_DRA),
    "DRAListTypeAttributes": _alpha(_DRA),
    "DRANodeAllocatableResources": _alpha(_DRA),
    "DRAResourcePoolStatus": _alpha(_DRA),
    "DRAWorkloadResourceClaims": _alpha(_DRA, "GenericWorkload"),
    "GenericWorkload": _alpha(),
    "GangScheduling": _alpha("GenericWorkload"),
    "WorkloadAwarePreemption": _alpha("GenericWorkload"),
    "KubeletPodResourcesDynamicResources": _LOCKED,
    "KubeletPodResourcesGet": _LOCKED,
    "DeclarativeValidation": _LOCKED,
    "DeclarativeValidationBeta": _beta(),
    "DeclarativeValidationTakeover": Gate(Stage.BETA, default=False),
    "ResourceHealthStatus": _beta(),
    "ResourceHealthStatusMessage": _beta("ResourceHealthStatus"),
}
"""Gates that something here asks about, or that those need."""

LATER: Final[Mapping[str, Gate]] = {
    "DRADerivedAttributes": _alpha(_DRA),
    "DRADeviceCompatibilityGroups": _alpha(_DRA, "DRAPartitionableDevices"),
    "DRAFractionalCapacityRange": _beta("DRAConsumableCapacity", default=False),
    "DRAOptionalNodeOperations": _alpha(_DRA),
    "DRAPartitionableDevicesType": _alpha(_DRA, "DRAPartitionableDevices", "DRAResourcePoolStatus"),
}
"""Gates of 1.37: no part of 1.36, so neither AllAlpha nor metrics know them, but a flag may turn them on."""

_IN_137: Final[Mapping[str, Gate]] = {
    "DRADeviceTaints": Gate(Stage.GA, default=True, needs=(_DRA,)),
    "DRADeviceTaintRules": Gate(Stage.GA, default=True, needs=(_DRA, "DRADeviceTaints")),
    "DRAExtendedResource": Gate(Stage.GA, default=True, needs=(_DRA,), locked=True),
    "DRAPrioritizedList": Gate(Stage.GA, default=True, needs=(_DRA,), locked=True),
    "DRAResourceClaimDeviceStatus": _LOCKED,
    "DRAWorkloadResourceClaims": _beta(_DRA, "GenericWorkload", default=False),
    "GenericWorkload": _beta(default=False),
}
"""What 1.37 says otherwise of gates that 1.36 has."""


@functools.cache
def heeded_gates(release: str) -> Mapping[str, Gate]:
    """The gates of a release that something here asks about."""
    return _HEEDED if release == BASELINE else {**_HEEDED, **_IN_137, **LATER}


@functools.cache
def known_gates(release: str = BASELINE) -> Mapping[str, Gate]:
    """Every gate of a release: what a flag may name, whether anything here heeds it or not."""
    listed = importlib.resources.files("dray.api").joinpath("data/feature_gates.txt").read_text()
    rows = (line.split() for line in listed.splitlines() if line)
    return {
        **{name: Gate(Stage(stage), state == "on") for name, stage, state in rows},
        **heeded_gates(release),
    }


def git_version(release: str) -> str:
    """The full version that a component of the release tells of itself: `v1.36.2`."""
    return _GIT_VERSIONS[release]


def reaches(release: str, other: str) -> bool:
    """Whether `release` is `other` or a later one."""
    return RELEASES.index(release) >= RELEASES.index(other)

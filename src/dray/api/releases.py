"""The releases of Kubernetes that dray can stand for, and the feature gates of each: stage, default, lock, dependencies.

One release is reproduced; those before it are stood for as kube-apiserver 1.36 emulates them, and 1.37 differs by what
`_IN_137` and `LATER` say. Source: kubernetes 1.36 pkg/features/kube_features.go and component-base/featuregate,
`kubernetes_feature_enabled` of a kube-apiserver for each release (data/feature_gates/); of 1.37 the gates of DRA.
"""

import dataclasses
import enum
import functools
import importlib.resources
from collections.abc import Mapping
from typing import Final

import dray

BASELINE: Final = "1.36"
RELEASES: Final = ("1.34", "1.35", BASELINE, "1.37")
_LATER_VERSIONS: Final = {"1.37": "v1.37.0"}


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
    "WorkloadAwarePreemption": _alpha("GangScheduling"),
    "TopologyAwareWorkloadScheduling": _alpha("GenericWorkload"),
    "KubeletPodResourcesDynamicResources": _LOCKED,
    "KubeletPodResourcesGet": _LOCKED,
    "MatchLabelKeysInPodAffinity": _LOCKED,
    "MatchLabelKeysInPodTopologySpread": _beta(),
    "MatchLabelKeysInPodTopologySpreadSelectorMerge": _beta("MatchLabelKeysInPodTopologySpread"),
    "MaxUnavailableStatefulSet": _beta(default=False),
    "MutablePodResourcesForSuspendedJobs": _beta(),
    "MutableSchedulingDirectivesForSuspendedJobs": _beta(),
    "DeploymentReplicaSetTerminatingReplicas": _beta(),
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
_LOCKED_BEFORE: Final[Mapping[str, frozenset[str]]] = {
    "1.34": frozenset({"MatchLabelKeysInPodAffinity"}),
    "1.35": frozenset({_DRA, "MatchLabelKeysInPodAffinity"}),
}


@functools.cache
def heeded_gates(release: str) -> Mapping[str, Gate]:
    """The gates of a release that something here asks about."""
    if release == BASELINE:
        return _HEEDED
    if reaches(release, BASELINE):
        return {**_HEEDED, **_IN_137, **LATER}
    listed, locked = _listed(release), _LOCKED_BEFORE[release]
    return {
        name: dataclasses.replace(listed[name], needs=gate.needs, locked=name in locked)
        for name, gate in _HEEDED.items()
        if name in listed
    }


@functools.cache
def known_gates(release: str = BASELINE) -> Mapping[str, Gate]:
    """Every gate of a release: what a flag may name, whether anything here heeds it or not."""
    return {**_listed(min(release, BASELINE, key=RELEASES.index)), **heeded_gates(release)}


@functools.cache
def _listed(release: str) -> Mapping[str, Gate]:
    """What the package data says of a release: stages and defaults."""
    data = importlib.resources.files("dray.api").joinpath(f"data/feature_gates/{release}.txt")
    rows = (line.split() for line in data.read_text().splitlines() if line)
    return {name: Gate(Stage(stage), state == "on") for name, stage, state in rows}


def release_before(release: str) -> str:
    """`1.35` of `1.36`: what a control plane must be able to be rolled back to."""
    major, minor = release.split(".")
    return f"{major}.{int(minor) - 1}"


def git_version(release: str) -> str:
    """The full version of a component that stands for the release: a later one's, or `v1.36.2`, which emulates."""
    return _LATER_VERSIONS.get(release, dray.KUBERNETES_VERSION)


def reaches(release: str, other: str) -> bool:
    """Whether `release` is `other` or a later one."""
    return RELEASES.index(release) >= RELEASES.index(other)

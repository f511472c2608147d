"""Feature gates as a value: name -> on or off, with the defaults of the release dray reproduces.

Source: kubernetes 1.36 pkg/features/kube_features.go and component-base/featuregate.
"""

import dataclasses
import enum
import functools
import importlib.resources
import re
from collections.abc import Mapping
from typing import Final


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
    "DRADeviceCompatibilityGroups": _alpha(_DRA, "DRAPartitionableDevices"),
    "DRAFractionalCapacityRange": _beta("DRAConsumableCapacity", default=False),
    "DRAOptionalNodeOperations": _alpha(_DRA),
    "DRAPartitionableDevicesType": _alpha(_DRA, "DRAPartitionableDevices"),
}
"""Gates of 1.37: no part of 1.36, so neither AllAlpha nor metrics know them, but a flag may turn them on."""

EFFECTIVE: Final = frozenset(_HEEDED)
DEFAULTS: Final[Mapping[str, bool]] = {name: gate.default for name, gate in _HEEDED.items()}
_WHOLE_STAGE: Final = {"AllAlpha": Stage.ALPHA, "AllBeta": Stage.BETA}
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_SEPARATOR: Final = re.compile(r"\s*,\s*")


class FeatureGateError(ValueError):
    """A gate that does not exist, that is locked, or that needs another; the text is upstream's."""


@functools.cache
def known_gates() -> Mapping[str, Gate]:
    """Every gate of the release: what a flag may name, whether anything here heeds it or not."""
    listed = importlib.resources.files("dray.api").joinpath("data/feature_gates.txt").read_text()
    rows = (line.split() for line in listed.splitlines() if line)
    return {**{name: Gate(Stage(stage), state == "on") for name, stage, state in rows}, **_HEEDED}


@dataclasses.dataclass(frozen=True, slots=True)
class FeatureGates:
    overrides: Mapping[str, bool] = dataclasses.field(default_factory=dict)

    def enabled(self, name: str) -> bool:
        """Raises KeyError for a gate that does not exist."""
        if name in self.overrides:
            return self.overrides[name]
        if name in DEFAULTS:
            return DEFAULTS[name]
        return LATER[name].default if name in LATER else known_gates()[name].default

    def later(self) -> frozenset[str]:
        """The gates of later releases that are on."""
        return frozenset(name for name in LATER if self.overrides.get(name))


def parse_feature_gates(text: str) -> FeatureGates:
    """From `NAME=BOOL,...`, as the flag `--feature-gates` of every Kubernetes component takes it.

    AllAlpha and AllBeta stand for the gates of that stage that are not named themselves. Raises FeatureGateError.
    """
    named, known = parse_switches(text), {**known_gates(), **LATER}
    for name, value in named.items():
        gate = known.get(name)
        if gate is None:
            raise FeatureGateError(f"unrecognized feature gate: {name}")
        if gate.locked and value != gate.default:
            raise FeatureGateError(
                f"cannot set feature gate {name} to {_go(value)}, feature is locked to {_go(gate.default)}"
            )
    gates = FeatureGates({**_of_stages(named), **named})
    _check_needs(gates)
    return gates


def parse_switches(text: str) -> dict[str, bool]:
    """`NAME=BOOL,...` with Go's spellings of booleans; the last of equal names counts. Raises FeatureGateError."""
    found: dict[str, bool] = {}
    for entry in filter(None, _SEPARATOR.split(text.strip())):
        name, equals, value = entry.partition("=")
        if not equals:
            raise FeatureGateError(f"missing bool value for {name}")
        try:
            found[name.strip()] = parse_bool(value)
        except ValueError as error:
            raise FeatureGateError(f"invalid value of {name}={value}, err: {error}") from None
    return found


def parse_bool(text: str) -> bool:
    """Go's spellings of booleans. Raises ValueError in Go's words."""
    if text not in _TRUE | _FALSE:
        raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')
    return text in _TRUE


def _of_stages(named: Mapping[str, bool]) -> dict[str, bool]:
    stages = {_WHOLE_STAGE[name]: on for name, on in named.items() if name in _WHOLE_STAGE}
    return {
        name: stages[gate.stage] for name, gate in _HEEDED.items() if gate.stage in stages and not gate.locked
    }


def _check_needs(gates: FeatureGates) -> None:
    for name, gate in {**_HEEDED, **LATER}.items():
        off = [need for need in gate.needs if not gates.enabled(need)]
        if gates.enabled(name) and off:
            raise FeatureGateError(
                f"{name} is enabled, but depends on features that are disabled: [{' '.join(off)}]"
            )


def _go(value: bool) -> str:
    return "true" if value else "false"

"""Feature gates as a value: name -> on or off, with the defaults of the release that is stood for.

The gates themselves are in `dray.api.releases`. Source of the flags' texts: kubernetes 1.36 component-base/featuregate.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from dray.api.releases import (
    BASELINE,
    LATER,
    RELEASES,
    Stage,
    heeded_gates,
    known_gates,
    reaches,
    release_before,
)

_WHOLE_STAGE: Final = {"AllAlpha": Stage.ALPHA, "AllBeta": Stage.BETA}
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_SEPARATOR: Final = re.compile(r"\s*,\s*")
_COMPONENT: Final = "kube"
"""The one component of those that such flags may name here."""


class FeatureGateError(ValueError):
    """A gate that does not exist, that is locked, or that needs another; the text is upstream's."""


@dataclasses.dataclass(frozen=True, slots=True)
class FeatureGates:
    overrides: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    release: str = BASELINE
    """The release of Kubernetes that is stood for, one of RELEASES."""

    def enabled(self, name: str) -> bool:
        """Raises KeyError for a gate that no release has."""
        if name in self.overrides:
            return self.overrides[name]
        gate = heeded_gates(self.release).get(name) or known_gates(self.release).get(name)
        if gate is None:
            # One of another release is off; a name that no release has is a mistake here.
            return not (LATER.get(name) or known_gates()[name])
        return gate.default

    def reaches(self, release: str) -> bool:
        """Whether what `release` brought is there, as far as it has no gate of its own."""
        return reaches(self.release, release)

    def later(self) -> frozenset[str]:
        """What brings fields that the baseline has not: gates of later releases that are on, and later releases.

        A release brings the fields of all its gates: where a gate is off they are read, and left out.
        """
        after = RELEASES[RELEASES.index(BASELINE) + 1 :]
        reached = frozenset(filter(self.reaches, after))
        gates = LATER if reached else (name for name in LATER if self.overrides.get(name))
        return reached | frozenset(gates)


def parse_feature_gates(text: str, release: str = BASELINE) -> FeatureGates:
    """From `NAME=BOOL,...`, as the flag `--feature-gates` of every Kubernetes component takes it.

    AllAlpha and AllBeta stand for the gates of that stage that are not named themselves. Gates of later releases
    may be named too. Raises FeatureGateError.
    """
    named = parse_switches(_of_component(text))
    _refuse(problem for name, value in named.items() if (problem := _problem(name, value, release)))
    gates = FeatureGates({**_of_stages(named, release), **named}, release)
    _refuse(_unmet_needs(gates))
    return gates


def parse_release(text: str) -> str:
    """From `MAJOR.MINOR` or `kube=MAJOR.MINOR`, as `--emulated-version` takes it; "" is the baseline.

    Raises FeatureGateError.
    """
    component, _, version = text.strip().rpartition("=")
    if component not in ("", _COMPONENT):
        raise FeatureGateError(f"component not registered: {component}")
    if not version:
        return BASELINE
    release = version.removeprefix("v")
    if re.fullmatch(r"\d+\.\d+\.\d+", release):
        raise FeatureGateError(f"patch version not allowed, got: {_COMPONENT}={version}")
    if not re.fullmatch(r"\d+\.\d+", release):
        raise FeatureGateError(f'could not parse "{version}" as version')
    if release not in RELEASES:
        raise FeatureGateError(f"emulation version {release} is not between [{RELEASES[0]}, {RELEASES[-1]}]")
    return release


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


def _of_component(text: str) -> str:
    """The same switches without the component before each, which all of them have or none."""
    entries = [entry for entry in _SEPARATOR.split(text.strip()) if entry]
    named = [entry.partition(":") for entry in entries if ":" in entry.partition("=")[0]]
    for component, _, _ in named:
        if component != _COMPONENT:
            raise FeatureGateError(f"component not registered: {component}")
    if named and len(named) < len(entries):
        raise FeatureGateError(
            f"set {_COMPONENT} feature gates with default empty prefix or {_COMPONENT}: prefix consistently, "
            "do not mix use"
        )
    return ",".join(switch for _, _, switch in named) if named else text


def _of_stages(named: Mapping[str, bool], release: str) -> dict[str, bool]:
    stages = {_WHOLE_STAGE[name]: on for name, on in named.items() if name in _WHOLE_STAGE}
    return {
        name: stages[gate.stage]
        for name, gate in heeded_gates(release).items()
        if gate.stage in stages and not gate.locked
    }


def _refuse(problems: Iterable[str]) -> None:
    """All of them at once, in an order that does not change. Raises FeatureGateError if there are any."""
    found = sorted(problems)
    if found:
        raise FeatureGateError(found[0] if len(found) == 1 else f"[{', '.join(found)}]")


def _problem(name: str, value: bool, release: str) -> str:
    """Why a gate may not be set to a value; "" if it may."""
    nameable = {**LATER, **known_gates(release)} if reaches(release, BASELINE) else known_gates(release)
    if name in _WHOLE_STAGE:
        return ""
    gate = nameable.get(name)
    if gate is not None:
        is_stuck = gate.locked and value != gate.default
        why = f"feature is locked to {_go(gate.default)}" if is_stuck else ""
    elif name in LATER or name in known_gates():
        before = release_before(release)
        why = f"feature is PreAlpha at emulated version {release}, min compatibility version {before}"
    else:
        return f"unrecognized feature gate: {name}"
    return f"cannot set feature gate {name} to {_go(value)}, {why}" if why else ""


def _unmet_needs(gates: FeatureGates) -> Iterator[str]:
    for name, gate in {**LATER, **heeded_gates(gates.release)}.items():
        off = [need for need in gate.needs if not gates.enabled(need)]
        if gates.enabled(name) and off:
            yield f"{name} is enabled, but depends on features that are disabled: [{' '.join(off)}]"


def _go(value: bool) -> str:
    return "true" if value else "false"

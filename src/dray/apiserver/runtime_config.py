"""Which API versions and resources are served: `--runtime-config`, as kube-apiserver reads it.

Keys: `api/all`, `api/ga`, `api/beta`, `api/alpha` (every version of that maturity, the later named here over the earlier),
`GROUP/VERSION` and `GROUP/VERSION/RESOURCE` (the core group's name is empty: `/v1`); the more precise key decides.
Unlike in kube-apiserver, which leaves alpha and beta versions out unless they are asked for, everything in the catalog
is served unless a key turns it off: that is as if `api/all=true` came first.
Source: kubernetes apiserver/pkg/server/resourceconfig/helpers.go and options/api_enablement.go, 1.36.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Final

from dray.api.features import parse_bool
from dray.apiserver.registry.kind import Kind

_MATURITY: Final = {
    "api/all": re.compile(".*"),
    "api/ga": re.compile(r"v\d+"),
    "api/beta": re.compile(r"v\d+beta\d+"),
    "api/alpha": re.compile(r"v\d+alpha\d+"),
}


class RuntimeConfigError(ValueError):
    """The flag names what is not there, or a value that is no boolean; the text is upstream's."""


def parse_runtime_config(text: str, kinds: Iterable[Kind]) -> dict[str, bool]:
    """Raises RuntimeConfigError."""
    given = _read(text)
    if given == {"api/all": "false"}:
        raise RuntimeConfigError("invalid runtime-config with only api/all=false")
    places = {key: _place(key) for key in given if key not in _MATURITY}
    _check_places(places.values(), kinds)
    config: dict[str, bool] = {}
    for key, value in given.items():
        config[key] = _whole(key, value) if key in _MATURITY else _switch(key, value)
    return config


def served(kinds: Iterable[Kind], config: Mapping[str, bool]) -> tuple[Kind, ...]:
    """The kinds with the versions that `config` leaves; a kind without any is gone."""
    if not config:
        return tuple(kinds)
    left = ((kind, tuple(each for each in kind.versions if _is_on(kind, each, config))) for kind in kinds)
    return tuple(dataclasses.replace(kind, versions=versions) for kind, versions in left if versions)


def _read(text: str) -> dict[str, str]:
    """`KEY[=VALUE],...`; the last of equal keys counts."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _place(key: str) -> tuple[str, str]:
    """The group and version a key is about."""
    parts = key.split("/")
    if len(parts) not in (2, 3):
        raise RuntimeConfigError(f"runtime-config invalid key {key}")
    if len(parts) == 3 and parts[2] != parts[2].lower():
        raise RuntimeConfigError(
            f'invalid key {key}: group/version/resource and resource is always lowercase plural, not "{parts[2]}"'
        )
    return parts[0], parts[1]


def _check_places(places: Iterable[tuple[str, str]], kinds: Iterable[Kind]) -> None:
    present = {(kind.resource.group, version) for kind in kinds for version in kind.versions}
    groups = {group for group, _ in present}
    unknown = sorted({_shown(place) for place in places if place[0] not in groups})
    if unknown:
        raise RuntimeConfigError(f"unknown api groups {','.join(unknown)}")
    for place in places:
        if place not in present:
            raise RuntimeConfigError(f"group version {_shown(place)} that has not been registered")


def _shown(place: tuple[str, str]) -> str:
    group, version = place
    return f"{group}/{version}" if group else version


def _whole(key: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise RuntimeConfigError(f"invalid value {key}={value}")
    return value == "true"


def _switch(key: str, value: str) -> bool:
    """A key alone turns its version on."""
    if not value:
        return True
    try:
        return parse_bool(value)
    except ValueError as error:
        raise RuntimeConfigError(f"invalid value of {key}: {value}, err: {error}") from None


def _is_on(kind: Kind, version: str, config: Mapping[str, bool]) -> bool:
    place = f"{kind.resource.group}/{version}"
    for key in (f"{place}/{kind.resource.plural}", place):
        if key in config:
            return config[key]
    is_on = True
    for key, versions in _MATURITY.items():
        if key in config and versions.fullmatch(version):
            is_on = config[key]
    return is_on

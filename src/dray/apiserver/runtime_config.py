"""Which API versions and resources are served: `--runtime-config`, as kube-apiserver reads it.

Keys: `api/all`, `api/ga`, `api/beta`, `api/alpha` (every version of that maturity), `GROUP/VERSION` (`v1` is the core
group's) and `GROUP/VERSION/RESOURCE`; the more precise key decides. Everything in the catalog is served unless a key
turns it off: kube-apiserver leaves alpha and beta versions out by default, which only costs users a restart.
Source: kubernetes apiserver/pkg/server/resourceconfig/helpers.go, 1.36.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Final

from dray.api.features import FeatureGateError, parse_switches
from dray.apiserver.registry.kind import Kind

_MATURITY: Final = re.compile(r"v\d+(alpha|beta)?\d*")
_WHOLE: Final = ("api/all", "api/ga", "api/beta", "api/alpha")


class RuntimeConfigError(ValueError):
    """The flag names a group that is not served, or a value that is no boolean."""


def parse_runtime_config(text: str, kinds: Iterable[Kind]) -> dict[str, bool]:
    """Raises RuntimeConfigError in upstream's words."""
    try:
        config = {key.removesuffix("/"): on for key, on in parse_switches(_with_values(text)).items()}
    except FeatureGateError as error:
        raise RuntimeConfigError(str(error)) from None
    groups = {kind.resource.group for kind in kinds}
    unknown = sorted({_group(key) for key in config if key not in _WHOLE} - groups)
    if unknown:
        raise RuntimeConfigError(f"unknown api groups {','.join(unknown)}")
    return config


def served(kinds: Iterable[Kind], config: Mapping[str, bool]) -> tuple[Kind, ...]:
    """The kinds with the versions that `config` leaves; a kind without any is gone."""
    if not config:
        return tuple(kinds)
    left = ((kind, tuple(each for each in kind.versions if _is_on(kind, each, config))) for kind in kinds)
    return tuple(dataclasses.replace(kind, versions=versions) for kind, versions in left if versions)


def _with_values(text: str) -> str:
    """A key alone turns its version on."""
    parts = (part.strip() for part in text.split(","))
    return ",".join(part if "=" in part else f"{part}=true" for part in parts if part)


def _group(key: str) -> str:
    return "" if _MATURITY.fullmatch(key.partition("/")[0]) else key.partition("/")[0]


def _is_on(kind: Kind, version: str, config: Mapping[str, bool]) -> bool:
    group = kind.resource.group
    api_version = f"{group}/{version}" if group else version
    maturity = {"alpha": "api/alpha", "beta": "api/beta"}.get(_maturity(version), "api/ga")
    for key in (f"{api_version}/{kind.resource.plural}", api_version, maturity, "api/all"):
        if key in config:
            return config[key]
    return True


def _maturity(version: str) -> str:
    found = _MATURITY.fullmatch(version)
    return (found[1] or "") if found else ""

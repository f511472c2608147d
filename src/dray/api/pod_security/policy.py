"""What a namespace demands of its pods: a level and a release for each of enforcing, auditing and warning."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Final

from dray.api.fields import FieldError, Path, invalid

PREFIX: Final = "pod-security.kubernetes.io/"
PRIVILEGED: Final = "privileged"
BASELINE: Final = "baseline"
RESTRICTED: Final = "restricted"
LEVELS: Final = (PRIVILEGED, BASELINE, RESTRICTED)
"""From what allows everything to what allows least."""
LATEST: Final = "latest"
_VERSION: Final = re.compile(r"v1\.(0|[1-9][0-9]*)")
_LABELS: Final = Path("metadata.labels")


@dataclasses.dataclass(frozen=True, slots=True)
class Demand:
    level: str = PRIVILEGED
    version: str = LATEST
    """`latest` or `v1.N`."""

    @property
    def minor(self) -> int | None:
        """None: the newest rules."""
        return None if self.version == LATEST else int(self.version.partition(".")[2])

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    enforce: Demand = Demand()
    audit: Demand = Demand()
    warn: Demand = Demand()

    @property
    def allows_everything(self) -> bool:
        return self.enforce.level == self.audit.level == self.warn.level == PRIVILEGED


def stricter(level: str, other: str) -> bool:
    return LEVELS.index(level) > LEVELS.index(other)


def read_policy(labels: Mapping[str, str]) -> tuple[Policy, list[FieldError]]:
    """What is wrong is told, and then read so that nothing gets in that a good label might have kept out.

    Who enforces a level is warned of it, too, unless the labels say otherwise.
    """
    if not any(key.startswith(PREFIX) for key in labels):
        return Policy(), []
    errors: list[FieldError] = []
    found = {mode: _read(labels, mode, errors) for mode in ("enforce", "audit", "warn")}
    enforce, warn = found["enforce"], found["warn"]
    is_good = labels.get(f"{PREFIX}enforce") in LEVELS
    if is_good and f"{PREFIX}warn" not in labels and stricter(enforce.level, warn.level):
        version = warn.version if f"{PREFIX}warn-version" in labels else enforce.version
        found["warn"] = Demand(enforce.level, version)
    return Policy(**found), errors


def _read(labels: Mapping[str, str], mode: str, errors: list[FieldError]) -> Demand:
    level, version = labels.get(f"{PREFIX}{mode}", PRIVILEGED), labels.get(f"{PREFIX}{mode}-version", LATEST)
    if level not in LEVELS:
        path = _LABELS.key(f"{PREFIX}{mode}")
        errors.append(invalid(path, level, f"must be one of {', '.join(LEVELS)}"))
        level = RESTRICTED if mode == "enforce" else PRIVILEGED
    if version != LATEST and _VERSION.fullmatch(version) is None:
        path = _LABELS.key(f"{PREFIX}{mode}-version")
        errors.append(invalid(path, version, 'must be "latest" or "v1.x"'))
        version = LATEST
    return Demand(level, version)

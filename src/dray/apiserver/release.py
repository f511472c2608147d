"""The release of Kubernetes that the server stands for, as `/version` tells it."""

import platform
import sys
from typing import Final

from dray.api.meta import Object
from dray.api.releases import git_version, release_before

_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def version_document(release: str) -> Object:
    """metav1 version.Info; `gitVersion` must be a semantic version, since clients compare it with theirs."""
    major, minor, _ = git_version(release).removeprefix("v").split(".")
    machine = platform.machine()
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": release.partition(".")[2],
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": release_before(release).partition(".")[2],
        "gitVersion": git_version(release),
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": f"{sys.implementation.name} {platform.python_version()}",
        "platform": f"{sys.platform}/{_MACHINES.get(machine, machine)}",
    }

"""What a pod that names its operating system cannot ask for, because that system has no such thing."""

from collections.abc import Iterator
from typing import Final

from dray.api.fields import FieldError, Path, forbidden
from dray.api.meta import Object
from dray.api.validation.lists import items_of

_NOT_ON_WINDOWS: Final = (
    "securityContext.appArmorProfile", "securityContext.seLinuxOptions", "hostUsers", "hostPID", "hostIPC",
    "securityContext.seccompProfile", "securityContext.fsGroup", "securityContext.fsGroupChangePolicy",
    "securityContext.sysctls", "shareProcessNamespace", "securityContext.runAsUser", "securityContext.runAsGroup",
    "securityContext.supplementalGroups", "securityContext.supplementalGroupsPolicy",
    "securityContext.seLinuxChangePolicy",
)  # fmt: skip
_NOT_IN_CONTAINERS: Final = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
    "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup",
)  # fmt: skip
_FLAGS: Final = ("hostPID", "hostIPC")
"""Set when true; the others when they are there at all."""


def validate_for_system(spec: Object, path: Path) -> list[FieldError]:
    """In the order in which Kubernetes tells it."""
    system = (spec.get("os") or {}).get("name")
    if system == "linux":
        return list(_not_on_linux(spec, path))
    return list(_not_on_windows(spec, path)) if system == "windows" else []


def _not_on_linux(spec: Object, path: Path) -> Iterator[FieldError]:
    for context, at in [(spec.get("securityContext"), path.child("securityContext")), *_contexts(spec, path)]:
        if (context or {}).get("windowsOptions") is not None:
            yield forbidden(at.child("windowsOptions"), "windows options cannot be set for a linux pod")


def _not_on_windows(spec: Object, path: Path) -> Iterator[FieldError]:
    text = "cannot be set for a windows pod"
    for name in _NOT_ON_WINDOWS:
        first, _, second = name.partition(".")
        value = (spec.get(first) or {}).get(second) if second else spec.get(first)
        if value if first in _FLAGS or second == "sysctls" else value is not None:
            yield forbidden(path.child(*name.split(".")), text)
    for context, at in _contexts(spec, path):
        for name in _NOT_IN_CONTAINERS:
            if context.get(name) is not None:
                yield forbidden(at.child(name), text)


def _contexts(spec: Object, path: Path) -> Iterator[tuple[Object, Path]]:
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(items_of(spec.get(field))):
            if container.get("securityContext") is not None:
                yield container["securityContext"], path.child(field).index(index).child("securityContext")

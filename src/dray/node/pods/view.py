"""A pod as the node sees it at one moment: its containers by role, each with what the runtime knows. Pure values."""

import dataclasses
import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dray.api.meta import Object, name_of, namespace_of, uid_of
from dray.node.runtime.protocol import Container, ContainerState, PodIdentity


class Role(enum.Enum):
    INIT = "init"
    SIDECAR = "sidecar"
    """An init container that keeps running (`restartPolicy: Always`)."""
    MAIN = "main"
    EPHEMERAL = "ephemeral"
    """Added to the pod while it runs, to look into it: it is started once, whatever the others do."""

    @property
    def is_initial(self) -> bool:
        """Begins before the main containers may."""
        return self in (Role.INIT, Role.SIDECAR)


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container does not run now, for its status."""

    reason: str
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerView:
    """One container of the pod's spec."""

    spec: Mapping[str, Any]
    role: Role
    current: Container | None = None
    """The newest attempt."""
    previous: Container | None = None
    """The attempt before it, when it is still known."""
    waiting: Waiting | None = None
    """What keeps it from starting; shown instead of an exited attempt."""
    started: bool = False
    """Runs, and its startup probe has succeeded."""
    ready: bool = False
    """Started, and its readiness probe succeeds."""
    messages: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Container id -> termination message."""
    health: Sequence[Object] = ()
    """Its `allocatedResourcesStatus`."""
    held: Mapping[str, Any] | None = None
    """Resources that the newest attempt still has, where it must end before it has those of the spec."""

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def is_running(self) -> bool:
        return self.current is not None and self.current.state is ContainerState.RUNNING

    @property
    def exited(self) -> Container | None:
        """The newest attempt, if it has ended."""
        if self.current is not None and self.current.state is ContainerState.EXITED:
            return self.current
        return None

    def with_current(self, container: Container) -> "ContainerView":
        return dataclasses.replace(self, current=container)

    @property
    def succeeded(self) -> bool:
        return self.exited is not None and self.exited.exit_code == 0


def container_specs(pod: Mapping[str, Any]) -> Iterator[tuple[Role, Mapping[str, Any]]]:
    """Init containers in their order, then the main ones, then the ephemeral ones."""
    for spec in pod["spec"].get("initContainers") or ():
        yield (Role.SIDECAR if spec.get("restartPolicy") == "Always" else Role.INIT), spec
    for spec in pod["spec"]["containers"]:
        yield Role.MAIN, spec
    for spec in pod["spec"].get("ephemeralContainers") or ():
        yield Role.EPHEMERAL, spec


def attempts_of(name: str, containers: Iterable[Container]) -> list[Container]:
    """The known attempts of one container, newest first."""
    found = [container for container in containers if container.name == name]
    return sorted(found, key=lambda container: container.attempt, reverse=True)


def identity_of(pod: Mapping[str, Any]) -> PodIdentity:
    return PodIdentity(namespace_of(pod), name_of(pod), uid_of(pod))


def field_path(pod: Mapping[str, Any], container: str) -> str:
    """How events name a container of the pod."""
    lists = ("initContainers", "ephemeralContainers")
    found = (key for key in lists for spec in pod["spec"].get(key) or () if spec["name"] == container)
    return f"spec.{next(found, 'containers')}{{{container}}}"


def format_pod(pod: Mapping[str, Any]) -> str:
    """How the kubelet's messages name a pod."""
    return f"{name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"

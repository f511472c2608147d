"""What the node agent needs of whatever runs containers: the seam that `process` implements, and a CRI client can.

The shape is that of the CRI: a pod has a sandbox, a sandbox has containers, a container is created, started, stopped
and removed. The runtime remembers all of them across restarts of the agent; the agent remembers nothing about
containers that it cannot read back from here. Times are UTC.
"""

import asyncio
import dataclasses
import datetime as dt
import enum
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol


class RuntimeFailure(Exception):
    """The runtime could not do what was asked; the text is shown to the user in an event."""


class ImageFailure(RuntimeFailure):
    """No program can be run for an image. `reason` is the container's waiting reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StartFailure(RuntimeFailure):
    """A created container could not start; it is left behind, exited."""


@dataclasses.dataclass(frozen=True, slots=True)
class PodIdentity:
    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class SandboxConfig:
    pod: PodIdentity
    attempt: int
    hostname: str
    host_network: bool = False
    address: str = ""
    """Of the pod's sandbox before this one; the pod keeps it where that can be."""


class SandboxState(enum.StrEnum):
    READY = "Ready"
    NOT_READY = "NotReady"


@dataclasses.dataclass(frozen=True, slots=True)
class Sandbox:
    id: str
    pod: PodIdentity
    attempt: int
    state: SandboxState
    created: dt.datetime
    ip: str
    hostname: str


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """`source` of the node at `destination` in the container."""

    source: Path
    destination: str
    read_only: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """The user a container runs as; None where the image decides."""

    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerConfig:
    name: str
    attempt: int
    image: str
    command: Sequence[str]
    """As in the pod: replaces what the image would run."""
    arguments: Sequence[str]
    environment: Mapping[str, str]
    """In order; what the runtime itself adds comes on top."""
    working_directory: str
    mounts: Sequence[Mount]
    cdi_devices: Sequence[str]
    """Qualified names, in the order in which they apply."""
    identity: Identity
    log_path: Path
    termination_log: tuple[Path, str] | None = None
    """The file that takes the termination message, and its path inside."""
    privileged: bool = False
    terminal: bool = False
    stdin: bool = False
    stdin_once: bool = False
    stop_signal: str = ""
    """`SIGTERM` where empty."""


class ContainerState(enum.StrEnum):
    CREATED = "Created"
    RUNNING = "Running"
    EXITED = "Exited"


@dataclasses.dataclass(frozen=True, slots=True)
class Container:
    """What the runtime knows of a container now."""

    id: str
    """`<runtime>://<unique>`, as in a pod's status."""
    sandbox: str
    pod: PodIdentity
    name: str
    attempt: int
    image: str
    image_id: str
    state: ContainerState
    created: dt.datetime
    log_path: Path
    started: dt.datetime | None = None
    finished: dt.datetime | None = None
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    termination_log: Path | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """What a container has used so far, and holds now."""

    cpu_seconds: float
    memory_bytes: int


class Session(Protocol):
    """A running exec or attach. `stdout` and `stderr` end when the program's streams do; close it in any case."""

    def stdout(self) -> AsyncIterator[bytes]: ...

    def stderr(self) -> AsyncIterator[bytes]: ...

    async def write(self, data: bytes) -> None: ...

    def close_stdin(self) -> None: ...

    def resize(self, width: int, height: int) -> None: ...

    async def wait(self) -> int:
        """The exit code: of the program for exec, of the container for attach."""
        ...

    async def close(self) -> None:
        """End it: an exec's program is killed, an attach leaves the container alone."""
        ...


class Runtime(Protocol):
    name: str
    """In container ids and in the node's `containerRuntimeVersion`."""
    version: str
    pulls_images: bool

    async def start(self, on_change: Callable[[str], None]) -> None:
        """Take up what ran before. `on_change(pod uid)` is called whenever a container of the pod ended."""
        ...

    async def stop(self, *, keep_containers: bool) -> None:
        """Let go. Without `keep_containers`, everything that runs is ended first."""
        ...

    def sandboxes(self) -> Sequence[Sandbox]: ...

    def containers(self, pod_uid: str = "") -> Sequence[Container]: ...

    async def run_sandbox(self, config: SandboxConfig) -> Sandbox: ...

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill whatever still runs in it."""
        ...

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Forget it and its containers, logs included."""
        ...

    async def resolve_image(self, image: str, command: Sequence[str]) -> str:
        """The id of the image if a container could be made from it now. Raises ImageFailure."""
        ...

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> Container: ...

    async def start_container(self, container_id: str) -> Container:
        """Raises StartFailure."""
        ...

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        """Ask it to stop, kill it after `grace_seconds`, return when it has ended. Cancelling kills nothing."""
        ...

    async def remove_container(self, container_id: str) -> None: ...

    async def execute(
        self, container_id: str, command: Sequence[str], *, stdin: bool = False, terminal: bool = False
    ) -> Session:
        """Raises RuntimeFailure when the program cannot be started."""
        ...

    async def attach(self, container_id: str, *, stdin: bool = False) -> Session: ...

    def usage(self, container_id: str) -> Usage | None:
        """None for a container that does not run, or where nothing is known about it."""
        ...

    async def dial(self, sandbox_id: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A TCP connection with a port of the pod, as from inside it. Raises RuntimeFailure."""
        ...

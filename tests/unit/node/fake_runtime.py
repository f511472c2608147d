"""A runtime without processes, for virtual time: containers run until a script, a signal or a test ends them."""

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from dray.kits.clock import Clock
from dray.node.runtime.protocol import (
    Container,
    ContainerConfig,
    ContainerState,
    ImageFailure,
    RuntimeFailure,
    Sandbox,
    SandboxConfig,
    SandboxState,
    Session,
    StartFailure,
    Usage,
)


class FakeRuntime:
    name = "fake"
    version = "1"
    pulls_images = False

    def __init__(self, clock: Clock, logs: Path) -> None:
        self.lives: dict[str, Sequence[tuple[float, int]]] = {}
        """Container name -> (seconds, exit code) of each attempt; attempts beyond it run for ever."""
        self.deaf: set[str] = set()
        """Containers that ignore TERM."""
        self.stop_code = 143
        """How containers end that are told to stop."""
        self.missing_images: set[str] = set()
        self.unstartable: set[str] = set()
        self.stopped: list[tuple[str, float]] = []
        """(container name, grace) of every stop."""
        self.configs: dict[str, ContainerConfig] = {}
        self._clock = clock
        self._logs = logs
        self._sandboxes: dict[str, Sandbox] = {}
        self._containers: dict[str, Container] = {}
        self._ends: dict[str, asyncio.Event] = {}
        self._on_change: Callable[[str], None] = lambda uid: None

    async def start(self, on_change: Callable[[str], None]) -> None:
        self._on_change = on_change

    async def stop(self, *, keep_containers: bool) -> None:
        if not keep_containers:
            for container in self._containers:
                self.end(container, 137)

    def sandboxes(self) -> Sequence[Sandbox]:
        return list(self._sandboxes.values())

    def containers(self, pod_uid: str = "") -> Sequence[Container]:
        return [each for each in self._containers.values() if pod_uid in ("", each.pod.uid)]

    async def run_sandbox(self, config: SandboxConfig) -> Sandbox:
        made = Sandbox(
            f"sandbox-{config.pod.uid}-{config.attempt}",
            config.pod,
            config.attempt,
            SandboxState.READY,
            self._clock.now(),
            "10.0.0.1",
            config.hostname,
        )
        self._sandboxes[made.id] = made
        return made

    async def stop_sandbox(self, sandbox_id: str) -> None:
        for container in [each for each in self._containers.values() if each.sandbox == sandbox_id]:
            self.end(container.id, 137)
        old = self._sandboxes[sandbox_id]
        self._sandboxes[sandbox_id] = dataclasses.replace(old, state=SandboxState.NOT_READY)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self.stop_sandbox(sandbox_id)
        self._containers = {key: each for key, each in self._containers.items() if each.sandbox != sandbox_id}
        del self._sandboxes[sandbox_id]

    async def resolve_image(self, image: str, command: Sequence[str]) -> str:
        if image in self.missing_images:
            raise ImageFailure("ErrImagePull", "there is no such image")
        return f"sha256:{image}"

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> Container:
        made = Container(
            id=f"fake://{self._sandboxes[sandbox_id].pod.uid}-{config.name}-{config.attempt}",
            sandbox=sandbox_id,
            pod=self._sandboxes[sandbox_id].pod,
            name=config.name,
            attempt=config.attempt,
            image=config.image,
            image_id="sha256:1",
            state=ContainerState.CREATED,
            created=self._clock.now(),
            log_path=self._logs / "log",
        )
        self._containers[made.id] = made
        self._ends[made.id] = asyncio.Event()
        self.configs[config.name] = config
        return made

    async def start_container(self, container_id: str) -> Container:
        made = self._containers[container_id]
        started = dataclasses.replace(made, state=ContainerState.RUNNING, started=self._clock.now())
        self._containers[container_id] = started
        if made.name in self.unstartable:
            self.end(container_id, 128)
            raise StartFailure("no such program")
        lives = self.lives.get(made.name, ())
        if made.attempt < len(lives):
            seconds, code = lives[made.attempt]
            asyncio.get_running_loop().call_later(seconds, self.end, container_id, code)
        return started

    def end(self, container_id: str, code: int) -> None:
        container = self._containers.get(container_id)
        if container is None or container.state is not ContainerState.RUNNING:
            return
        self._containers[container_id] = dataclasses.replace(
            container,
            state=ContainerState.EXITED,
            finished=self._clock.now(),
            exit_code=code,
            reason="Completed" if code == 0 else "Error",
        )
        self._ends[container_id].set()
        self._on_change(container.pod.uid)

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        container = self._containers[container_id]
        if container.state is not ContainerState.RUNNING:
            return
        self.stopped.append((container.name, round(grace_seconds, 3)))
        if container.name in self.deaf:
            try:
                async with asyncio.timeout(grace_seconds):
                    await self._ends[container_id].wait()
            except TimeoutError:
                self.end(container_id, 137)
        else:
            self.end(container_id, self.stop_code)

    async def remove_container(self, container_id: str) -> None:
        self.end(container_id, 137)
        del self._containers[container_id]

    async def execute(
        self, container_id: str, command: Sequence[str], *, stdin: bool = False, terminal: bool = False
    ) -> Session:
        raise RuntimeFailure("this runtime runs nothing")

    def usage(self, container_id: str) -> Usage | None:
        return None

    async def dial(self, sandbox_id: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raise RuntimeFailure("nobody listens here")

    async def attach(self, container_id: str, *, stdin: bool = False) -> Session:
        raise RuntimeFailure("this runtime runs nothing")

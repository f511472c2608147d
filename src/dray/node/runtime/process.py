"""Containers as process trees of this machine: rootless, without images, on Linux and macOS.

Decides how sandboxes and containers map to directories and processes, and how a restarted agent takes them up again:
containers that still run are adopted, since their supervisors have kept their logs and will keep their exit codes;
killing them would turn every restart of the agent into an outage of its pods, DRA drivers included. What ran before
the machine was booted is over.

Not done, on purpose: images are not pulled (`images`), resources are not limited, the network is the machine's own,
and files are not confined, only renamed (`shim.namespace`).
"""

import asyncio
import dataclasses
import functools
import hashlib
import logging
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import dray
from dray.cdi.cache import CdiCache
from dray.kits.clock import Clock
from dray.node.runtime import records
from dray.node.runtime.addresses import PodAddresses, dial
from dray.node.runtime.box import Box
from dray.node.runtime.images import check_name, entrypoint_of, full_name
from dray.node.runtime.launch import Isolation, default_path, prepare_launch
from dray.node.runtime.protocol import (
    Container,
    ContainerConfig,
    ContainerState,
    RuntimeFailure,
    Sandbox,
    SandboxConfig,
    SandboxState,
    Session,
    Usage,
)
from dray.node.runtime.records import Traits
from dray.node.runtime.session import AttachSession, start_exec

log = logging.getLogger("dray.node.runtime")

_PROBE: Final = (
    "import sys; sys.path[:0] = [sys.argv[1]]; from dray.node.runtime.shim.namespace import probe; probe()"
)


@functools.cache
def probe_isolation() -> Isolation:
    """What this machine allows the present user; asked once a process, by trying (10 ms)."""
    if sys.platform != "linux":
        return Isolation.TRANSLATED
    source = str(Path(dray.__file__).parent.parent)
    tried = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _PROBE, source], capture_output=True, timeout=30, check=False
    )
    if tried.returncode == 0:
        return Isolation.VIEW
    lines = tried.stderr.decode(errors="replace").strip().splitlines()
    log.info("Containers get no view of files of their own here: %s", lines[-1] if lines else "unknown error")
    return Isolation.TRANSLATED


class ProcessRuntime:
    """Keeps its state below `directory`. `node_address`: of pods, unless `pod_cidr` offers better."""

    name = "dray"
    version = dray.__version__
    pulls_images = False

    def __init__(
        self,
        directory: Path,
        cdi: CdiCache,
        clock: Clock,
        *,
        node_address: str = "127.0.0.1",
        pod_cidr: str = "",
        isolation: Isolation | None = None,
    ) -> None:
        self._sandbox_directory = directory / "sandboxes"
        self._container_directory = directory / "containers"
        self._cdi = cdi
        self._clock = clock
        self._addresses = PodAddresses(node_address, pod_cidr)
        self._isolation = isolation
        self._sandboxes: dict[str, Sandbox] = {}
        self._boxes: dict[str, Box] = {}
        self._configs: dict[str, ContainerConfig] = {}
        self._on_change: Callable[[str], None] = lambda uid: None
        self._stopping = False

    @property
    def isolation(self) -> Isolation:
        if self._isolation is None:
            self._isolation = probe_isolation()
        return self._isolation

    async def start(self, on_change: Callable[[str], None]) -> None:
        for directory in (self._sandbox_directory, self._container_directory):
            directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        for sandbox in records.load_sandboxes(self._sandbox_directory):
            self._sandboxes[sandbox.id] = sandbox
        self._addresses.restore(sandbox.ip for sandbox in self._sandboxes.values())
        for directory in sorted(self._container_directory.iterdir()):
            self._recover(directory)
        self._on_change = on_change

    def _recover(self, directory: Path) -> None:
        loaded = records.load_container(directory)
        if loaded is None or loaded.container.sandbox not in self._sandboxes:
            # Cut off while it was made or removed: its supervisor ends with the directory.
            shutil.rmtree(directory, ignore_errors=True)
            return
        box = Box(directory, loaded.container, loaded.traits, self._clock, self._ended)
        self._boxes[box.container.id] = box
        box.recover(same_boot=loaded.same_boot)

    async def stop(self, *, keep_containers: bool) -> None:
        self._stopping = True
        if not keep_containers:
            await asyncio.gather(*(box.kill() for box in self._boxes.values()))
            for sandbox in list(self._sandboxes.values()):
                self._mark_stopped(sandbox)
        for box in self._boxes.values():
            box.let_go()

    def _ended(self, box: Box) -> None:
        if not self._stopping:
            self._on_change(box.container.pod.uid)

    def sandboxes(self) -> Sequence[Sandbox]:
        return list(self._sandboxes.values())

    def containers(self, pod_uid: str = "") -> Sequence[Container]:
        found = (box.container for box in self._boxes.values())
        return [container for container in found if not pod_uid or container.pod.uid == pod_uid]

    async def run_sandbox(self, config: SandboxConfig) -> Sandbox:
        sandbox = Sandbox(
            id=secrets.token_hex(32),
            pod=config.pod,
            attempt=config.attempt,
            state=SandboxState.READY,
            created=self._clock.now(),
            ip=self._addresses.take(host_network=config.host_network, wanted=config.address),
            hostname=config.hostname,
        )
        records.save_sandbox(self._sandbox_directory, sandbox)
        self._sandboxes[sandbox.id] = sandbox
        return sandbox

    async def stop_sandbox(self, sandbox_id: str) -> None:
        sandbox = self._sandbox(sandbox_id)
        await asyncio.gather(*(box.kill() for box in self._boxes_of(sandbox_id)))
        self._mark_stopped(sandbox)

    def _mark_stopped(self, sandbox: Sandbox) -> None:
        if sandbox.state is SandboxState.READY:
            stopped = dataclasses.replace(sandbox, state=SandboxState.NOT_READY)
            self._sandboxes[sandbox.id] = stopped
            self._addresses.give_back(sandbox.ip)
            records.save_sandbox(self._sandbox_directory, stopped)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self.stop_sandbox(sandbox_id)
        for box in self._boxes_of(sandbox_id):
            await self.remove_container(box.container.id)
        self._sandboxes.pop(sandbox_id)
        (self._sandbox_directory / f"{sandbox_id}.json").unlink(missing_ok=True)

    def _boxes_of(self, sandbox_id: str) -> list[Box]:
        return [box for box in self._boxes.values() if box.container.sandbox == sandbox_id]

    async def resolve_image(self, image: str, command: Sequence[str]) -> str:
        check_name(image)
        program = (command or entrypoint_of(image))[0]
        found = shutil.which(program, path=default_path()) or program
        digest = hashlib.sha256(f"{image}\n{found}".encode()).hexdigest()
        return f"sha256:{digest}"

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> Container:
        sandbox = self._sandbox(sandbox_id)
        key = secrets.token_hex(32)
        container = Container(
            id=f"{self.name}://{key}",
            sandbox=sandbox_id,
            pod=sandbox.pod,
            name=config.name,
            attempt=config.attempt,
            image=full_name(config.image),
            image_id=await self.resolve_image(config.image, config.command),
            state=ContainerState.CREATED,
            created=self._clock.now(),
            log_path=config.log_path,
            termination_log=config.termination_log[0] if config.termination_log else None,
        )
        # Found out now, before anything is on record: a device that cannot be had fails the creation.
        prepare_launch(config, sandbox.hostname, self._cdi, self.isolation)
        traits = Traits(
            sandbox.hostname, config.stop_signal, config.terminal, config.stdin, config.stdin_once
        )
        config.log_path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        box = Box(self._container_directory / key, container, traits, self._clock, self._ended)
        box.create()
        self._boxes[container.id] = box
        self._configs[container.id] = config
        return container

    async def start_container(self, container_id: str) -> Container:
        box = self._box(container_id)
        config = self._configs.pop(container_id, None)
        if config is None:
            raise RuntimeFailure(f"container {box.container.name} was started before")
        launch = prepare_launch(config, box.traits.hostname, self._cdi, self.isolation)
        if launch.unsupported:
            log.warning(
                "Container %s of %s: its CDI devices ask for %s, which this runtime does not do",
                config.name, box.container.pod, ", ".join(launch.unsupported),
            )  # fmt: skip
        await box.start(launch.spec)
        return box.container

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        await self._box(container_id).stop(grace_seconds)

    async def remove_container(self, container_id: str) -> None:
        box = self._boxes.pop(container_id)
        self._configs.pop(container_id, None)
        await box.kill()
        box.let_go()
        shutil.rmtree(box.directory, ignore_errors=True)
        for path in box.container.log_path.parent.glob(f"{box.container.log_path.name}*"):
            path.unlink(missing_ok=True)

    async def execute(
        self, container_id: str, command: Sequence[str], *, stdin: bool = False, terminal: bool = False
    ) -> Session:
        box = self._running(container_id)
        return await start_exec(box.directory, box.command, command, stdin=stdin, terminal=terminal)

    async def attach(self, container_id: str, *, stdin: bool = False) -> Session:
        box = self._running(container_id)
        traits = box.traits
        return AttachSession(
            box.directory,
            box.command,
            box.ended,
            terminal=traits.terminal,
            stdin=stdin and traits.stdin,
            stdin_once=traits.stdin_once,
        )

    def usage(self, container_id: str) -> Usage | None:
        box = self._boxes.get(container_id)
        return box.usage() if box is not None else None

    async def dial(self, sandbox_id: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await dial(self._sandbox(sandbox_id).ip, port)

    def _sandbox(self, sandbox_id: str) -> Sandbox:
        try:
            return self._sandboxes[sandbox_id]
        except KeyError:
            raise RuntimeFailure(f"there is no sandbox {sandbox_id}") from None

    def _box(self, container_id: str) -> Box:
        try:
            return self._boxes[container_id]
        except KeyError:
            raise RuntimeFailure(f"there is no container {container_id}") from None

    def _running(self, container_id: str) -> Box:
        box = self._box(container_id)
        if box.container.state is not ContainerState.RUNNING:
            raise RuntimeFailure(f"container {box.container.name} of {box.container.pod} is not running")
        return box


def end_leftovers(directory: Path) -> int:
    """Kill every container whose records lie below `directory`; returns how many were running.

    For tearing a node down when its agent was killed and is not coming back. The agent must not be running.
    """
    ended = 0
    for path in sorted((directory / "containers").glob("*")):
        ended += _end_leftover(path)
        shutil.rmtree(path, ignore_errors=True)
    for path in sorted((directory / "sandboxes").glob("*.json")):
        path.unlink(missing_ok=True)
    return ended


def _end_leftover(directory: Path) -> bool:
    from dray.node.runtime.processes import end_strays, is_alive, view_marker

    loaded = records.load_container(directory)
    state = records.read_json(directory / "state")
    if loaded is None or state is None or not loaded.same_boot:
        return False
    running = is_alive(int(state["supervisor"]), int(state["ticks"]))
    if running:
        # The supervisor knows its own best; whatever it leaves is found by its view and session.
        os.kill(int(state["supervisor"]), 9)
    key = loaded.container.id.rpartition("/")[2]
    return bool(end_strays(view_marker(key), int(state["main"]), int(state["ticks"]))) or running

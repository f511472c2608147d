"""One container of the process runtime as the node agent holds it: its directory, its supervisor, its end.

The supervisor is a process of its own that outlives this object. Everything the agent tells it goes through the named
pipe `control`; what happened to it is read from the files it leaves. See `shim.supervisor`.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import dray
from dray.kits.clock import Clock
from dray.node.runtime import records
from dray.node.runtime.pipes import readable
from dray.node.runtime.processes import ExitWatch, end_strays, is_alive, usage_of, view_marker
from dray.node.runtime.protocol import Container, ContainerState, RuntimeFailure, StartFailure, Usage
from dray.node.runtime.records import Traits
from dray.node.runtime.shim.descendants import descendants

log = logging.getLogger("dray.node.runtime")

START_SECONDS: Final = 30.0
KILL_SECONDS: Final = 15.0
_SOURCE: Final = str(Path(dray.__file__).parent.parent)
_SUPERVISOR: Final = (
    f"import sys; sys.path[:0] = [{_SOURCE!r}]; from dray.node.runtime.shim.supervisor import main; main()"
)
_READY: Final = 3


class Box:
    def __init__(
        self,
        directory: Path,
        container: Container,
        traits: Traits,
        clock: Clock,
        on_end: Callable[["Box"], object],
    ) -> None:
        self.directory = directory
        self.container = container
        self.traits = traits
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._clock = clock
        self._on_end = on_end
        self._watch: ExitWatch | None = None
        self._state: dict[str, Any] = {}

    @property
    def key(self) -> str:
        """The part of the container's id that is unique on this node."""
        return self.container.id.rpartition("/")[2]

    def create(self) -> None:
        for part in ("", "root", "exec", "attach"):
            (self.directory / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        records.save_container(self.directory, self.container, self.traits)

    def recover(self, *, same_boot: bool) -> None:
        """Find out what became of the container while no agent was looking, and watch it if it runs."""
        self._state = records.read_json(self.directory / "state") or {}
        if not self._state:
            return
        self.container = records.with_start(self.container, self._state)
        if same_boot and self._is_supervised():
            with contextlib.suppress(ProcessLookupError):
                self._watch = ExitWatch(self._state["supervisor"], self._finish)
                return
        self._finish(strays=same_boot)

    def _is_supervised(self) -> bool:
        return is_alive(int(self._state["supervisor"]), int(self._state["ticks"]))

    def usage(self) -> Usage | None:
        """Of the program and all it started that still runs; what those used that ended counts where they were awaited."""
        if self.container.state is not ContainerState.RUNNING or not self._state:
            return None
        return usage_of(descendants(int(self._state["supervisor"])))

    async def start(self, spec: dict[str, Any]) -> None:
        """Run the program. Raises StartFailure when it cannot be run; the container has then exited."""
        spec["marker"] = view_marker(self.key)
        records.write_json(self.directory / "spec", spec)
        receiver, sender = os.pipe()
        try:
            pid = self._spawn(sender)
        finally:
            os.close(sender)
        # A supervisor that fails at once is gone before it can be watched, and then has left its `exit`.
        self._watch = ExitWatch(pid, self._finish)
        try:
            async with asyncio.timeout(START_SECONDS):
                answer = await _read_line(receiver)
        except TimeoutError:
            self._watch.kill()
            answer = {"error": f"the container's supervisor did not answer within {START_SECONDS:.0f} s"}
        finally:
            os.close(receiver)
        if error := answer.get("error"):
            await asyncio.shield(self.ended)
            raise StartFailure(error)
        self._state = records.read_json(self.directory / "state") or {}
        if self.container.state is not ContainerState.EXITED:
            self.container = records.with_start(self.container, self._state)

    def _spawn(self, ready: int) -> int:
        arguments = [sys.executable, "-I", "-S", "-c", _SUPERVISOR, str(self.directory)]
        complaints = os.open(
            self.directory / "supervisor.err", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600
        )
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        actions = [
            (os.POSIX_SPAWN_DUP2, null, 0),
            (os.POSIX_SPAWN_DUP2, null, 1),
            (os.POSIX_SPAWN_DUP2, complaints, 2),
            (os.POSIX_SPAWN_DUP2, ready, _READY),
        ]
        try:
            return os.posix_spawn(sys.executable, arguments, os.environ, file_actions=actions)
        finally:
            os.close(complaints)
            os.close(null)

    def command(self, line: str) -> None:
        """Send one line to the supervisor. Raises RuntimeFailure when it does not listen."""
        try:
            control = os.open(self.directory / "control", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            raise RuntimeFailure(
                f"container {self.container.name} of {self.container.pod} is not running"
            ) from None
        try:
            os.write(control, line.encode() + b"\n")
        except OSError as error:
            raise RuntimeFailure(f"container {self.container.name} takes no commands: {error}") from None
        finally:
            os.close(control)

    async def stop(self, grace_seconds: float) -> None:
        if self.container.state is not ContainerState.RUNNING:
            return
        if grace_seconds > 0:
            with contextlib.suppress(RuntimeFailure):
                self.command(f"signal {_signal_number(self.traits.stop_signal)}")
            if await self._ends_within(grace_seconds):
                return
        await self.kill()

    async def kill(self) -> None:
        """End every process of the container now."""
        if self.container.state is not ContainerState.RUNNING:
            return
        with contextlib.suppress(RuntimeFailure):
            self.command("kill")
        if not await self._ends_within(KILL_SECONDS):
            log.warning(
                "Container %s of %s does not end; killing its supervisor",
                self.container.name,
                self.container.pod,
            )
            if self._watch is not None:
                self._watch.kill()
            await asyncio.shield(self.ended)

    async def _ends_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(self.ended)
        except TimeoutError:
            return False
        return True

    def _finish(self, *, strays: bool = True) -> None:
        """The supervisor is gone: learn how the container ended."""
        ended = records.read_json(self.directory / "exit")
        if ended is None:
            self._state = self._state or records.read_json(self.directory / "state") or {}
            self._complain()
            if strays and self._state:
                end_strays(view_marker(self.key), int(self._state["main"]), int(self._state["ticks"]))
            ended_at = self._clock.now()
            self.container = records.with_exit(self.container, None, ended_at)
            records.write_json(
                self.directory / "exit",
                {"code": self.container.exit_code, "finished": int(ended_at.timestamp() * 1e9)},
            )
        else:
            self.container = records.with_exit(self.container, ended, self._clock.now())
        if not self.ended.done():
            self.ended.set_result(self.container.exit_code)
        self._on_end(self)

    def _complain(self) -> None:
        with contextlib.suppress(OSError):
            if text := (self.directory / "supervisor.err").read_text(errors="replace").strip():
                log.error(
                    "The supervisor of container %s of %s died: %s",
                    self.container.name,
                    self.container.pod,
                    text,
                )

    def let_go(self) -> None:
        """Stop watching; the container runs on."""
        if self._watch is not None:
            self._watch.cancel()


async def _read_line(descriptor: int) -> dict[str, Any]:
    """The supervisor's one line of JSON; an error when it ended without one."""
    os.set_blocking(descriptor, False)
    received = b""
    while not received.endswith(b"\n"):
        await readable(descriptor)
        data = os.read(descriptor, 4096)
        if not data:
            return {"error": "the container's supervisor could not start"}
        received += data
    return dict(json.loads(received))


def _signal_number(name: str) -> int:
    try:
        return signal.Signals[name or "SIGTERM"].value
    except KeyError:
        return signal.SIGTERM.value

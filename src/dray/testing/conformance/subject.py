"""The driver under test, as a program: how it is started, ended, and what it says.

A driver is told where it runs by the environment that drivers in DaemonSets have (NODE_NAME, KUBECONFIG, CDI_ROOT,
KUBELET_REGISTRAR_DIRECTORY_PATH, KUBELET_PLUGINS_DIRECTORY_PATH, POD_UID), and by placeholders in its command for
drivers that only take flags: {node} {kubeconfig} {registry} {plugins} {cdi} {pod_uid} {root}.
"""

import asyncio
import contextlib
import dataclasses
import os
import re
import shlex
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dray.testing.conformance.verdicts import Violation

PLACEHOLDERS: Final = ("node", "kubeconfig", "registry", "plugins", "cdi", "pod_uid", "root")
_PLACEHOLDER: Final = re.compile("{(" + "|".join(PLACEHOLDERS) + ")}")
_LOG_LINES: Final = 12


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    command: tuple[str, ...]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """In addition to what every driver gets."""
    parameters: Any = None
    """Opaque configuration for every claim, for drivers that do not work without."""
    ready_seconds: float = 30.0
    """How long it may take from the start until it is registered and has published."""
    stop_seconds: float = 30.0
    """A pod's grace period."""

    def __str__(self) -> str:
        return shlex.join(self.command)


class Instance:
    """One running process of the driver."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, stop_seconds: float) -> None:
        self._process = process
        self._log = log
        self._stop_seconds = stop_seconds

    @classmethod
    async def start(cls, subject: Subject, places: Mapping[str, str], log: Path) -> "Instance":
        """`places` has a value for each placeholder. Raises Violation when the program cannot be run."""
        command = [_PLACEHOLDER.sub(lambda found: places[found[1]], part) for part in subject.command]
        environment = {
            **os.environ,
            "NODE_NAME": places["node"],
            "NAMESPACE": "default",
            "KUBECONFIG": places["kubeconfig"],
            "CDI_ROOT": places["cdi"],
            "KUBELET_REGISTRAR_DIRECTORY_PATH": places["registry"],
            "KUBELET_PLUGINS_DIRECTORY_PATH": places["plugins"],
            "POD_UID": places["pod_uid"],
            **subject.environment,
        }
        output = log.open("ab")
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            raise Violation(f"the program {command[0]!r} cannot be started: {error}") from None
        finally:
            output.close()
        return cls(process, log, subject.stop_seconds)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative after a signal."""
        return self._process.returncode

    async def stop(self) -> int:
        """SIGTERM, as kubelets end pods; the exit code. Raises Violation when it outlasts the grace period."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._stop_seconds):
                return await self._process.wait()
        except TimeoutError:
            await self.kill()
            raise Violation(f"it still ran {self._stop_seconds:.0f} s after SIGTERM") from None

    async def kill(self) -> None:
        """SIGKILL to it and its children: no chance to clean up."""
        self._signal(signal.SIGKILL)
        await self._process.wait()

    def _signal(self, number: int) -> None:
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            # It leads a session of its own, so the group is exactly what it started.
            os.killpg(self._process.pid, number)

    def last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:])

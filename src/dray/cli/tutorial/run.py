"""Runs the tutorial's steps in a shell, as a reader would, and judges what comes out.

Commands are run exactly as the page prints them, but for one thing: `-f https://...` is read from dray's own copy of
that manifest, since the tutorial must work without a network.
"""

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import sys
import time
from collections.abc import Iterator

from dray.cli.tutorial.pattern import Difference, find_difference, find_missing
from dray.cli.tutorial.steps import MANIFEST_URL, Edition, Step

MANIFESTS = pathlib.Path(__file__).parent / "manifests"
POLL_SECONDS = 0.1
COMMAND_TIMEOUT_SECONDS = 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    step: Step
    output: str
    difference: Difference | None
    seconds: float

    @property
    def is_right(self) -> bool:
        return self.difference is None


def manifest_path(edition: Edition, file: str) -> pathlib.Path:
    """dray's copy of one of the page's manifests."""
    name = file.rpartition("/")[2]
    for directory in (edition, "common"):
        if (path := MANIFESTS / directory / name).exists():
            return path
    raise FileNotFoundError(f"no manifest {file} for edition {edition}")


def local_command(command: str, edition: Edition) -> str:
    """The command with the page's URLs replaced by paths."""
    words = command.split(" ")
    return " ".join(
        str(manifest_path(edition, word.removeprefix(f"{MANIFEST_URL}/")))
        if word.startswith(MANIFEST_URL)
        else word
        for word in words
    )


@contextlib.contextmanager
def shell_environment(
    kubeconfig: pathlib.Path, scratch: pathlib.Path, *, built_in: bool
) -> Iterator[dict[str, str]]:
    """An environment in which `kubectl` is the real one on PATH, or the one built into dray.

    kubectl's discovery cache goes to `scratch`: the cluster is thrown away, and what is known of it must be, too.
    """
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "KUBECACHEDIR": str(scratch / "kube-cache")}
    if built_in:
        directory = scratch / "bin"
        directory.mkdir(parents=True, exist_ok=True)
        script = directory / "kubectl"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dray.cli.main kubectl "$@"\n')
        script.chmod(0o755)
        environment["PATH"] = f"{directory}{os.pathsep}{environment.get('PATH', '')}"
    yield environment


def has_real_kubectl() -> bool:
    return shutil.which("kubectl") is not None


async def run_step(step: Step, edition: Edition, environment: dict[str, str]) -> Outcome:
    """Run until the output is as expected or the step's patience ends; the last output counts."""
    started = time.monotonic()
    command = local_command(step.command, edition)
    while True:
        output = await run_command(command, environment)
        difference = _judge(step, output)
        elapsed = time.monotonic() - started
        if difference is None or elapsed >= step.wait_seconds:
            return Outcome(step, output, difference, elapsed)
        await asyncio.sleep(POLL_SECONDS)


def _judge(step: Step, output: str) -> Difference | None:
    # kubectl's remark on its own age is about the reader's machine, not about the cluster.
    relevant = "\n".join(
        line for line in output.splitlines() if not line.startswith("WARNING: version difference")
    )
    return (find_missing if step.in_part else find_difference)(step.expected, relevant)


async def run_command(command: str, environment: dict[str, str]) -> str:
    """stdout and stderr of a shell command, in the order in which they came."""
    process = await asyncio.create_subprocess_shell(
        command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        _kill_group(process.pid)
        await process.wait()
        return f"(no end after {COMMAND_TIMEOUT_SECONDS:.0f} s; stopped)"
    except asyncio.CancelledError:
        _kill_group(process.pid)
        raise
    return output.decode(errors="replace")


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)

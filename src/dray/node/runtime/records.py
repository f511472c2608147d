"""What the process runtime keeps on disk about sandboxes and containers, so that a new agent finds them again.

    sandboxes/<id>.json            the sandbox, with the boot it was made in
    containers/<id>/config         what the container is, written when it is created
    containers/<id>/state, exit    written by the container's supervisor

Anything of an earlier boot of the machine is over: its processes are gone and their numbers mean nothing.
"""

import contextlib
import dataclasses
import datetime as dt
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dray.node.runtime.protocol import (
    Container,
    ContainerState,
    PodIdentity,
    Sandbox,
    SandboxState,
)

UNKNOWN_EXIT_CODE = 255
"""Of a container whose end nobody saw."""


def boot_id() -> str:
    """What tells this run of the machine from every other; "" where the system does not say."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace `path` in one step; readable by its owner only."""
    temporary = path.with_name(f".{path.name}")
    with open(temporary, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump(content, file)
    temporary.rename(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """None when the file is missing or was cut off by a crash."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def save_sandbox(directory: Path, sandbox: Sandbox) -> None:
    record = dataclasses.asdict(sandbox)
    record.update(created=sandbox.created.isoformat(), boot=boot_id())
    write_json(directory / f"{sandbox.id}.json", record)


def load_sandboxes(directory: Path) -> Iterator[Sandbox]:
    """Every sandbox on record; those of an earlier boot are not ready."""
    for path in sorted(directory.glob("*.json")):
        record = read_json(path)
        if record is None:
            path.unlink(missing_ok=True)
            continue
        boot = record.pop("boot")
        state = SandboxState(record["state"]) if boot == boot_id() else SandboxState.NOT_READY
        record.update(
            pod=PodIdentity(**record["pod"]),
            state=state,
            created=dt.datetime.fromisoformat(record["created"]),
        )
        yield Sandbox(**record)


@dataclasses.dataclass(frozen=True, slots=True)
class Traits:
    """What the runtime needs to know of a container beyond what it tells others."""

    hostname: str
    stop_signal: str
    terminal: bool
    stdin: bool
    stdin_once: bool


def save_container(directory: Path, container: Container, traits: Traits) -> None:
    record = {
        "id": container.id,
        "sandbox": container.sandbox,
        "pod": dataclasses.asdict(container.pod),
        "name": container.name,
        "attempt": container.attempt,
        "image": container.image,
        "image_id": container.image_id,
        "created": container.created.isoformat(),
        "log_path": str(container.log_path),
        "termination_log": str(container.termination_log) if container.termination_log else None,
        "traits": dataclasses.asdict(traits),
        "boot": boot_id(),
    }
    write_json(directory / "config", record)


@dataclasses.dataclass(frozen=True, slots=True)
class Loaded:
    container: Container
    traits: Traits
    same_boot: bool


def load_container(directory: Path) -> Loaded | None:
    """The container as it was created; None when the record is unusable."""
    record = read_json(directory / "config")
    if record is None:
        return None
    termination_log = record["termination_log"]
    container = Container(
        id=record["id"],
        sandbox=record["sandbox"],
        pod=PodIdentity(**record["pod"]),
        name=record["name"],
        attempt=record["attempt"],
        image=record["image"],
        image_id=record["image_id"],
        state=ContainerState.CREATED,
        created=dt.datetime.fromisoformat(record["created"]),
        log_path=Path(record["log_path"]),
        termination_log=Path(termination_log) if termination_log else None,
    )
    return Loaded(container, Traits(**record["traits"]), record["boot"] == boot_id())


def with_start(container: Container, state: Mapping[str, Any]) -> Container:
    """`container` as its supervisor's `state` says it started."""
    started = from_nanoseconds(state.get("started") or 0)
    return dataclasses.replace(container, state=ContainerState.RUNNING, started=started or container.created)


def with_exit(container: Container, ended: Mapping[str, Any] | None, now: dt.datetime) -> Container:
    """`container` as it ended; `ended` None when its supervisor could not say."""
    if ended is None:
        message = "The container's supervisor ended without saying how the container did"
        return dataclasses.replace(
            container, state=ContainerState.EXITED, finished=now, exit_code=UNKNOWN_EXIT_CODE,
            reason="Unknown", message=message,
        )  # fmt: skip
    code = int(ended["code"])
    error = ended.get("error")
    reason = "StartError" if error else ("Completed" if code == 0 else "Error")
    return dataclasses.replace(
        container,
        state=ContainerState.EXITED,
        finished=from_nanoseconds(ended["finished"]),
        exit_code=code,
        reason=reason,
        message=error or "",
    )


def from_nanoseconds(moment: int) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(moment / 1e9, dt.UTC) if moment else None

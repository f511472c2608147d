"""Short ways to write pods, containers and what a runtime says of them."""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dray.api.meta import Object
from dray.node.pods.view import ContainerView, Role
from dray.node.runtime.protocol import Container, ContainerState, PodIdentity, Sandbox, SandboxState

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
IDENTITY = PodIdentity("default", "pod", "uid-pod")


def pod(
    *containers: Object, init: tuple[Object, ...] = (), status: Object | None = None, **spec: Any
) -> Object:
    meta = {"name": "pod", "namespace": "default", "uid": "uid-pod", **spec.pop("metadata", {})}
    spec = {"nodeName": "node", "containers": list(containers or (container(),)), **spec}
    if init:
        spec["initContainers"] = list(init)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status or {}}


def container(name: str = "main", **more: Any) -> Object:
    return {"name": name, "image": "busybox", **more}


def sidecar(name: str, **more: Any) -> Object:
    return container(name, restartPolicy="Always", **more)


def sandbox(state: SandboxState = SandboxState.READY, attempt: int = 0) -> Sandbox:
    return Sandbox(f"sandbox-{attempt}", IDENTITY, attempt, state, START, "10.0.0.1", "pod")


def running(name: str = "main", attempt: int = 0, sandbox: str = "sandbox-0") -> Container:
    return Container(
        id=f"fake://{name}-{attempt}",
        sandbox=sandbox,
        pod=IDENTITY,
        name=name,
        attempt=attempt,
        image="busybox",
        image_id="sha256:1",
        state=ContainerState.RUNNING,
        created=START,
        started=START,
        log_path=Path("/nowhere"),
    )


def exited(code: int = 0, name: str = "main", attempt: int = 0, sandbox: str = "sandbox-0") -> Container:
    return dataclasses.replace(
        running(name, attempt, sandbox),
        state=ContainerState.EXITED,
        exit_code=code,
        reason="Completed" if code == 0 else "Error",
        finished=START + dt.timedelta(seconds=5),
    )


def view(
    current: Container | None = None,
    role: Role = Role.MAIN,
    name: str = "main",
    spec: Mapping[str, Any] | None = None,
    **more: Any,
) -> ContainerView:
    is_running = current is not None and current.state is ContainerState.RUNNING
    defaults = {"started": is_running, "ready": is_running}
    return ContainerView(spec or container(name), role, current, **{**defaults, **more})

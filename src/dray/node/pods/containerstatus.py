"""One entry of a pod's `containerStatuses`, as the kubelet writes it. Pure."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dray.api.meta import Object, format_time
from dray.node.pods.view import ContainerView, Role
from dray.node.runtime.protocol import Container, ContainerState
from dray.node.volumes.podvolumes import mounted_volumes

EPOCH: Final = "1970-01-01T00:00:00Z"
"""The start of a container whose program never ran."""
UNLOCATED: Final[Mapping[str, Any]] = {
    "exitCode": 137,
    "reason": "ContainerStatusUnknown",
    "message": "The container could not be located when the pod was terminated",
    "startedAt": None,
    "finishedAt": None,
}
"""The end of a container that should have run before the pod ended, and of which nothing is known."""


def unlocated_containers(containers: Sequence[ContainerView]) -> frozenset[str]:
    """Names of those of a pod that ended whose turn had come and that wait all the same, for a start or for another
    one. Main ones if one of them ever ran, or none has to wait for others; of the initial ones the first, and all
    before the last that ever ended."""
    initial = [view for view in containers if view.role.is_initial]
    main = [view for view in containers if view.role is Role.MAIN]
    ended = [place for place, view in enumerate(initial) if view.exited or view.previous]
    begun = initial[: max(ended, default=0) + 1]
    if not initial or any(view.current is not None for view in main):
        begun += main
    return frozenset(view.name for view in begun if view.current is None or view.waiting is not None)


def container_status(view: ContainerView, default_waiting: str) -> Object:
    """`default_waiting`: the reason of a container of which nothing is known yet."""
    current = view.current
    shown_waiting = view.waiting is not None and not view.is_running
    status: Object = {"name": view.name}
    if current is None or current.state is ContainerState.CREATED or shown_waiting:
        waiting: Object = {"reason": default_waiting}
        if view.waiting is not None:
            waiting = {"reason": view.waiting.reason}
            if view.waiting.message:
                waiting["message"] = view.waiting.message
        status["state"] = {"waiting": waiting}
        last = view.exited or view.previous
    else:
        status["state"] = _state(view, current)
        last = view.previous
    status["lastState"] = _last_state(view, last)
    status["ready"] = _is_ready(view)
    latest = current or view.previous
    status["restartCount"] = latest.attempt if latest is not None else 0
    status["image"] = current.image if current is not None else view.spec.get("image", "")
    status["imageID"] = current.image_id if current is not None else ""
    if current is not None:
        status["containerID"] = current.id
    if view.role is not Role.EPHEMERAL:
        status["started"] = view.is_running if view.role is Role.INIT else view.started
    if current is not None:
        status.update(_resources(view))
    if mounts := list(mounted_volumes(view.spec)):
        status["volumeMounts"] = mounts
    if view.health and view.role is Role.MAIN:
        status["allocatedResourcesStatus"] = list(view.health)
    return status


def _is_ready(view: ContainerView) -> bool:
    """Nobody waits for an ephemeral container."""
    if view.role is Role.INIT:
        return view.succeeded
    return view.ready and view.role is not Role.EPHEMERAL


def _resources(view: ContainerView) -> Object:
    """What it has, and what it is to have."""
    resources = view.spec.get("resources") or {}
    held = resources if view.held is None else view.held
    shown: Object = {"resources": {key: value for key, value in held.items() if value}}
    if resources.get("requests"):
        shown["allocatedResources"] = resources["requests"]
    return shown


def _state(view: ContainerView, container: Container) -> Object:
    if container.state is ContainerState.RUNNING:
        return {"running": {"startedAt": _time(container.started)}}
    return {"terminated": _terminated(view, container)}


def _last_state(view: ContainerView, last: Container | None) -> Object:
    return {"terminated": _terminated(view, last)} if last is not None and last.finished else {}


def _terminated(view: ContainerView, container: Container) -> Object:
    state: Object = {"exitCode": container.exit_code, "reason": container.reason}
    message = view.messages.get(container.id) or container.message
    if message:
        state["message"] = message
    state.update(
        startedAt=_time(container.started), finishedAt=_time(container.finished), containerID=container.id
    )
    return state


def _time(moment: dt.datetime | None) -> str:
    return EPOCH if moment is None else format_time(moment)

"""The conditions the kubelet writes into a pod's status, with its reasons and words. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dray.api.meta import Object
from dray.api.pods import find_condition
from dray.api.restart_rules import may_restart_all
from dray.node.pods.phase import Phase
from dray.node.pods.restart import restarts_all
from dray.node.pods.view import ContainerView, Role

ORDER = (
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
    "AllContainersRestarting",
    "PodResizePending",
    "PodResizeInProgress",
)
PASSING = ("PodResizePending", "PodResizeInProgress")
"""Those that are only there while they are true."""


def pod_conditions(
    pod: Mapping[str, Any],
    containers: Sequence[ContainerView],
    phase: Phase,
    *,
    has_sandbox: bool,
    now: str,
    passing: Sequence[Object] = (),
) -> list[Object]:
    """In the kubelet's order, `passing` ones last. A condition whose status stays keeps its transition time; `now` is
    for the others."""
    containers_ready = _containers_ready(containers, phase)
    wanted = [
        {"type": "PodReadyToStartContainers", "status": _status(has_sandbox)},
        _initialized(containers, phase),
        _ready(pod, containers_ready),
        containers_ready,
        {"type": "PodScheduled", "status": "True"},
        *_restarting(containers, phase),
        *passing,
    ]
    return [_timed(pod, condition, now) for condition in wanted]


def _status(value: bool) -> str:
    return "True" if value else "False"


def _timed(pod: Mapping[str, Any], condition: Object, now: str) -> Object:
    generation = pod["metadata"].get("generation")
    before = find_condition(pod, condition["type"])
    moment = before.get("lastTransitionTime") if before and before["status"] == condition["status"] else None
    timed: Object = {"type": condition["type"]}
    if generation:
        timed["observedGeneration"] = generation
    timed.update(status=condition["status"], lastProbeTime=None, lastTransitionTime=moment or now)
    timed.update((key, condition[key]) for key in ("reason", "message") if condition.get(key))
    return timed


def _initialized(containers: Sequence[ContainerView], phase: Phase) -> Object:
    if phase == "Succeeded":
        return {"type": "Initialized", "status": "True", "reason": "PodCompleted"}
    initial = [view for view in containers if view.role.is_initial]
    main_ran = any(view.role is Role.MAIN and view.current is not None for view in containers)
    incomplete = [view.name for view in initial if not _is_initialized(view)]
    if main_ran or not incomplete:
        return {"type": "Initialized", "status": "True"}
    return {
        "type": "Initialized",
        "status": "False",
        "reason": "ContainersNotInitialized",
        "message": f"containers with incomplete status: {_list(incomplete)}",
    }


def _is_initialized(view: ContainerView) -> bool:
    """What comes after it may start: an init container has succeeded, a sidecar has started."""
    return view.started if view.role is Role.SIDECAR else view.succeeded


def _containers_ready(containers: Sequence[ContainerView], phase: Phase) -> Object:
    condition: Object = {"type": "ContainersReady", "status": "False"}
    if phase in ("Succeeded", "Failed"):
        return {**condition, "reason": "PodCompleted" if phase == "Succeeded" else "PodFailed"}
    unready = [view.name for view in containers if view.role in (Role.SIDECAR, Role.MAIN) and not view.ready]
    if not unready:
        return {**condition, "status": "True"}
    return {
        **condition,
        "reason": "ContainersNotReady",
        "message": f"containers with unready status: {_list(unready)}",
    }


def _restarting(containers: Sequence[ContainerView], phase: Phase) -> Iterator[Object]:
    """Only for a pod that may begin anew: whether it is about to."""
    if not any(may_restart_all(view.spec) for view in containers):
        return
    condition: Object = {"type": "AllContainersRestarting", "status": "False"}
    if phase in ("Succeeded", "Failed"):
        condition["reason"] = "PodCompleted" if phase == "Succeeded" else "PodFailed"
    elif any(view.exited and restarts_all(view.spec, view.exited.exit_code) for view in containers):
        condition["status"] = "True"
    yield condition


def _ready(pod: Mapping[str, Any], containers_ready: Object) -> Object:
    if containers_ready["status"] != "True":
        return {**containers_ready, "type": "Ready"}
    messages = list(_gate_messages(pod))
    if messages:
        return {
            "type": "Ready",
            "status": "False",
            "reason": "ReadinessGatesNotReady",
            "message": ", ".join(messages),
        }
    return {"type": "Ready", "status": "True"}


def _gate_messages(pod: Mapping[str, Any]) -> list[str]:
    messages = []
    for gate in pod["spec"].get("readinessGates") or ():
        kind = gate["conditionType"]
        condition = find_condition(pod, kind)
        if condition is None:
            messages.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif condition["status"] != "True":
            messages.append(
                f'the status of pod readiness gate "{kind}" is not "True", but {condition["status"]}'
            )
    return messages


def _list(names: Sequence[str]) -> str:
    return f"[{' '.join(names)}]"

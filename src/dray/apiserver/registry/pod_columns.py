"""What a table says of a pod. `pod_state` is the one-word answer to "how is it", as kubectl users know it."""

import dataclasses
import datetime as dt

from dray.api.duration import age
from dray.api.meta import Object, parse_time
from dray.api.pods import condition_status
from dray.api.validation.lists import items_of
from dray.apiserver.registry.columns import AGE, NAME, NONE, find, wide
from dray.apiserver.registry.kind import Column

_TERMINAL = ("Succeeded", "Failed")


@dataclasses.dataclass(slots=True)
class _Restarts:
    """How often containers were restarted, and when the last one ended."""

    count: int = 0
    last: str = ""

    def add(self, status: Object) -> None:
        self.count += status.get("restartCount") or 0
        ended = find(status, "lastState", "terminated", "finishedAt", default="")
        if ended and (not self.last or parse_time(ended) > parse_time(self.last)):
            self.last = ended

    def text(self, now: dt.datetime) -> str:
        return f"{self.count} ({age(self.last, now)} ago)" if self.count and self.last else str(self.count)


@dataclasses.dataclass(slots=True)
class PodState:
    """The cells of a pod that are derived together."""

    reason: str
    ready: int
    total: int
    restarts: _Restarts


def pod_state(pod: Object) -> PodState:
    status = pod.get("status") or {}
    sidecars = {
        container.get("name")
        for container in items_of(find(pod, "spec", "initContainers", default=()))
        if container.get("restartPolicy") == "Always"
    }
    state = PodState(
        reason=status.get("reason") or status.get("phase") or "",
        ready=0,
        total=len(find(pod, "spec", "containers", default=())) + len(sidecars),
        restarts=_Restarts(),
    )
    if find_gate(status):
        state.reason = "SchedulingGated"
    initialising = _read_init_containers(pod, state, sidecars)
    if not initialising or condition_status(pod, "Initialized") == "True":
        _read_containers(pod, state, sidecars)
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            state.reason = "Unknown"
        elif status.get("phase") not in _TERMINAL:
            state.reason = "Terminating"
    return state


def find_gate(status: Object) -> bool:
    """Whether the pod is kept from scheduling by its gates."""
    return any(
        condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated"
        for condition in status.get("conditions") or ()
    )


def _read_init_containers(pod: Object, state: PodState, sidecars: set[str | None]) -> bool:
    """Count restarts up to the first init container that is not done; whether there is one."""
    for index, status in enumerate(find(pod, "status", "initContainerStatuses", default=())):
        state.restarts.add(status)
        ended = find(status, "state", "terminated")
        if ended is not None and not ended.get("exitCode"):
            continue
        if status.get("name") in sidecars and status.get("started"):
            state.ready += bool(status.get("ready"))
            continue
        waiting = find(status, "state", "waiting", "reason", default="")
        if ended is not None:
            state.reason = f"Init:{_ended_reason(ended)}"
        elif waiting and waiting != "PodInitializing":
            state.reason = f"Init:{waiting}"
        else:
            state.reason = f"Init:{index}/{len(find(pod, 'spec', 'initContainers', default=()))}"
        return True
    return False


def _read_containers(pod: Object, state: PodState, sidecars: set[str | None]) -> None:
    """The reason of the first container that has one; restarts of what runs beside each other."""
    state.restarts = _Restarts()
    for status in find(pod, "status", "initContainerStatuses", default=()):
        if status.get("name") in sidecars:
            state.restarts.add(status)
    running, failure = False, ""
    for status in reversed(find(pod, "status", "containerStatuses", default=())):
        state.restarts.add(status)
        waiting = find(status, "state", "waiting", "reason", default="")
        ended = find(status, "state", "terminated")
        if waiting:
            state.reason = waiting
        elif ended is not None:
            state.reason = _ended_reason(ended)
            failure = state.reason if ended.get("exitCode") else failure
        elif status.get("ready") and find(status, "state", "running") is not None:
            running = True
            state.ready += 1
    if state.reason == "Completed":
        if running:
            state.reason = "Running" if condition_status(pod, "Ready") == "True" else "NotReady"
        elif failure:
            state.reason = failure


def _ended_reason(ended: Object) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode') or 0}"


def _ready(pod: Object, now: dt.datetime) -> str:
    state = pod_state(pod)
    return f"{state.ready}/{state.total}"


def _address(pod: Object, now: dt.datetime) -> str:
    for address in find(pod, "status", "podIPs", default=()):
        return address.get("ip") or NONE
    return NONE


def _gates(pod: Object, now: dt.datetime) -> str:
    gates = items_of(find(pod, "spec", "readinessGates"))
    if not gates:
        return NONE
    passed = sum(condition_status(pod, gate.get("conditionType") or "") == "True" for gate in gates)
    return f"{passed}/{len(gates)}"


COLUMNS = (
    NAME,
    Column("Ready", _ready, description="Containers that are ready, of all."),
    Column(
        "Status",
        lambda pod, now: pod_state(pod).reason,
        description="What the pod is doing, or what is wrong with it.",
    ),
    Column(
        "Restarts",
        lambda pod, now: pod_state(pod).restarts.text(now),
        description="How often containers were restarted, and when last.",
    ),
    AGE,
    wide("IP", _address, "Address of the pod."),
    wide("Node", lambda pod, now: find(pod, "spec", "nodeName") or NONE, "Node that runs the pod."),
    wide(
        "Nominated Node",
        lambda pod, now: find(pod, "status", "nominatedNodeName") or NONE,
        "Node that will run the pod once room is made.",
    ),
    wide("Readiness Gates", _gates, "Conditions others set that are true, of all the pod waits for."),
)

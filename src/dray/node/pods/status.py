"""The whole status of a pod as the kubelet reports it, and the patch that brings the API server's copy up to date. Pure."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from dray.api.meta import Object
from dray.api.pods import is_terminal
from dray.node.pods.conditions import ORDER, PASSING, pod_conditions
from dray.node.pods.containerstatus import UNLOCATED, container_status, unlocated_containers
from dray.node.pods.phase import Phase, pod_phase
from dray.node.pods.resources import pod_resources
from dray.node.pods.view import ContainerView, Role

_IP_LISTS: Final = ("hostIPs", "podIPs")
_OWNED: Final = (
    "observedGeneration",
    "phase",
    "reason",
    "message",
    "hostIP",
    "hostIPs",
    "podIP",
    "podIPs",
    "startTime",
    "initContainerStatuses",
    "containerStatuses",
    "ephemeralContainerStatuses",
    "resources",
    "allocatedResources",
)
"""Fields of the status that the node writes; all others belong to somebody else and are left alone."""


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """Why the node itself ended the pod."""

    reason: str
    message: str
    is_rejection: bool = False
    """The node never took the pod: there is nothing to say of its containers."""


@dataclasses.dataclass(frozen=True, slots=True)
class Circumstances:
    """What a status says beyond the containers."""

    now: str
    start_time: str
    host_ip: str
    pod_ip: str
    """"" as long as the pod has no sandbox."""
    has_sandbox: bool
    terminated: bool = False
    """The pod was stopped: nothing of it will run again."""
    released: bool = True
    """No device is held for it. Until then a phase that tells others to take its devices is held back."""
    failure: Failure | None = None
    passing: Sequence[Object] = ()
    """Conditions that are only told while they are true."""


def pod_status(pod: Mapping[str, Any], containers: Sequence[ContainerView], facts: Circumstances) -> Object:
    """The fields of the status that the node owns."""
    before = pod.get("status") or {}
    phase: Phase = "Failed" if facts.failure else pod_phase(pod, containers, terminated=facts.terminated)
    is_held = is_terminal(pod) or (phase in ("Succeeded", "Failed") and not facts.released)
    status: Object = {}
    if generation := pod["metadata"].get("generation"):
        status["observedGeneration"] = generation
    if facts.failure is not None and facts.failure.is_rejection:
        verdict = {"reason": facts.failure.reason, "message": facts.failure.message}
        return {**status, "phase": phase, **verdict, "startTime": facts.start_time}
    status["phase"] = before.get("phase") or "Pending" if is_held else phase
    unlocated = unlocated_containers(containers) if facts.terminated else frozenset()
    status["conditions"] = pod_conditions(
        pod,
        containers,
        _phase_for_conditions(pod, containers, phase, facts),
        has_sandbox=facts.has_sandbox,
        now=facts.now,
        passing=facts.passing,
    )
    if is_held:
        status.update((key, before[key]) for key in ("reason", "message") if key in before)
    elif facts.failure is not None:
        status.update(reason=facts.failure.reason, message=facts.failure.message)
    status.update(hostIP=facts.host_ip, hostIPs=[{"ip": facts.host_ip}])
    if facts.pod_ip:
        status.update(podIP=facts.pod_ip, podIPs=[{"ip": facts.pod_ip}])
    status["startTime"] = facts.start_time
    status.update(_container_statuses(containers, unlocated if facts.released else ()))
    status.update(pod_resources(containers))
    return status


def _phase_for_conditions(
    pod: Mapping[str, Any], containers: Sequence[ContainerView], phase: Phase, facts: Circumstances
) -> Phase:
    """A pod that was deleted before all of it ran is told to be unready, as before, and not to have failed."""
    ran = all(view.current is not None for view in containers if view.role is Role.MAIN)
    return phase if ran or facts.failure else pod_phase(pod, containers, terminated=False)


def _container_statuses(containers: Sequence[ContainerView], unlocated: Collection[str]) -> Object:
    """`unlocated`: names of containers that should have run and did not, now that the pod has ended."""
    initial = [view for view in containers if view.role.is_initial]
    default = "PodInitializing" if initial else "ContainerCreating"
    statuses: Object = {}
    if initial:
        statuses["initContainerStatuses"] = [container_status(view, default) for view in initial]
    statuses["containerStatuses"] = _by_name(containers, Role.MAIN, default)
    if ephemeral := _by_name(containers, Role.EPHEMERAL, default):
        statuses["ephemeralContainerStatuses"] = ephemeral
    for status in (*statuses.get("initContainerStatuses", ()), *statuses["containerStatuses"]):
        if status["name"] in unlocated:
            status["state"] = {"terminated": dict(UNLOCATED)}
    return statuses


def _by_name(containers: Sequence[ContainerView], role: Role, default_waiting: str) -> list[Object]:
    """As the kubelet orders all but the initial ones, which stand as they run."""
    found = [container_status(view, default_waiting) for view in containers if view.role is role]
    return sorted(found, key=lambda status: str(status["name"]))


def status_patch(pod: Mapping[str, Any], wanted: Mapping[str, Any]) -> Object | None:
    """A strategic merge patch from the pod's present status to `wanted`; None when nothing differs."""
    present = pod.get("status") or {}
    changes: Object = {}
    for key in _OWNED:
        if key in _IP_LISTS:
            continue
        if key in wanted and present.get(key) != wanted[key]:
            changes[key] = wanted[key]
        elif key not in wanted and key in present and key in ("reason", "message"):
            changes[key] = None
    for key in _IP_LISTS:
        changes.update(_ip_changes(key, present.get(key) or [], wanted.get(key) or []))
    if conditions := _condition_changes(present.get("conditions") or (), wanted.get("conditions") or ()):
        changes["$setElementOrder/conditions"] = [{"type": kind} for kind in _order(present, wanted)]
        changes["conditions"] = conditions
    if not changes:
        return None
    return {"metadata": {"uid": pod["metadata"]["uid"]}, "status": changes}


def _ip_changes(key: str, present: Sequence[Object], wanted: Sequence[Object]) -> Object:
    if not wanted or list(present) == list(wanted):
        return {}
    gone = [{"$patch": "delete", "ip": entry["ip"]} for entry in present if entry not in wanted]
    return {f"$setElementOrder/{key}": list(wanted), key: [*gone, *wanted]}


def _condition_changes(present: Sequence[Object], wanted: Sequence[Object]) -> list[Object]:
    before = {condition["type"]: condition for condition in present}
    changes = []
    for condition in wanted:
        old = before.get(condition["type"])
        if old == condition:
            continue
        change = dict(condition) if old is None else _changed_members(old, condition)
        if change:
            changes.append({"type": condition["type"], **change})
    kept = {condition["type"] for condition in wanted}
    return changes + [{"$patch": "delete", "type": each} for each in PASSING if each in before.keys() - kept]


def _changed_members(old: Mapping[str, Any], new: Mapping[str, Any]) -> Object:
    change: Object = {key: value for key, value in new.items() if old.get(key) != value}
    # Members others wrote, such as the scheduler's, stay unless the node knows better.
    change.update((key, None) for key in ("reason", "message") if key in old and key not in new)
    return change


def _order(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The node's conditions first, in its order, then those of others as they are."""
    others = [
        condition["type"] for condition in present.get("conditions") or () if condition["type"] not in ORDER
    ]
    return [*(condition["type"] for condition in wanted["conditions"]), *others]

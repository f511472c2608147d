"""The phase of a pod from its containers. Pure; the rules and their order are the kubelet's."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dray.node.pods.restart import restarts
from dray.node.pods.view import ContainerView, Role

Phase = Literal["Pending", "Running", "Succeeded", "Failed"]


def pod_phase(pod: Mapping[str, Any], containers: Sequence[ContainerView], *, terminated: bool) -> Phase:
    """`terminated`: the pod was stopped and nothing will run again, whatever its restart policy says."""
    initial = _initial_phase(pod, containers, terminated=terminated)
    if initial is not None:
        return initial
    main = [view for view in containers if view.role is Role.MAIN]
    if any(view.current is None for view in main):
        return "Failed" if terminated else "Pending"
    if any(view.is_running for view in main):
        return "Running"
    ended = [view.exited for view in main if view.exited is not None]
    if len(ended) < len(main):
        return "Failed" if terminated else "Pending"
    again = not terminated and any(
        restarts(pod, view.spec, view.role, view.exited.exit_code) for view in main if view.exited is not None
    )
    if again:
        return "Running"
    return "Succeeded" if all(container.exit_code == 0 for container in ended) else "Failed"


def _initial_phase(
    pod: Mapping[str, Any], containers: Sequence[ContainerView], *, terminated: bool
) -> Phase | None:
    """The phase while init containers decide it; None once they do not."""
    if any(view.role is Role.MAIN and view.current is not None for view in containers):
        return None
    for view in containers:
        if view.role is Role.INIT and view.exited is not None and view.exited.exit_code != 0:
            if terminated or not restarts(pod, view.spec, view.role, view.exited.exit_code):
                return "Failed"
            return "Pending"
        if view.role is Role.INIT and not view.succeeded:
            return "Failed" if terminated else "Pending"
        if view.role is Role.SIDECAR and not view.started:
            return "Failed" if terminated else "Pending"
    return None

"""What to do next for a pod that is meant to run: start this, restart that, kill those. Pure.

Read as a table:

    no sandbox, or containers from an earlier one only      make a sandbox (unless the pod is over)
    a container ended, and its rule says so of all          make a sandbox again: every container begins anew
    init containers not done                                the first that is not done: start it, wait for it, or the
                                                            pod has failed; sidecars are started and passed
    a sidecar ended                                         start it again
    main container never started in this sandbox            start it
    main container ended, and its policy says so            start it again, after its back-off
    runs, and its liveness or startup probe has failed      kill it (it then counts as ended)
    runs, and its image was changed in the pod              kill it and start it again, whatever its policy
    runs, and wants to begin anew with other resources      the same
    an ephemeral container never ran                        start it, whatever the others do
    all main containers ended for good                      the pod is over
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from dray.node.pods.restart import restarts, restarts_all
from dray.node.pods.view import ContainerView, Role
from dray.node.runtime.images import full_name
from dray.node.runtime.protocol import Sandbox, SandboxState

FailedProbes = Mapping[str, tuple[str, Mapping[str, Any]]]
"""Container name -> (`liveness` or `startup`, the probe)."""
KILLED: Final = 137


@dataclasses.dataclass(frozen=True, slots=True)
class Kill:
    container: ContainerView
    message: str
    probe: Mapping[str, Any] | None = None
    """The probe that failed; it may have a grace period of its own."""
    again: bool = False
    """It is among those to start, whatever its end."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    new_sandbox: bool = False
    """With the containers of the one before ended at once."""
    cause: ContainerView | None = None
    """The container whose end has every container begin anew; it may still be in back-off."""
    over: bool = False
    """Nothing will ever run again: the pod has succeeded or failed."""
    start: Sequence[ContainerView] = ()
    """In order; each may still be in back-off."""
    kill: Sequence[Kill] = ()


def plan_pod(
    pod: Mapping[str, Any],
    sandbox: Sandbox | None,
    containers: Sequence[ContainerView],
    failed_probes: FailedProbes,
    outgrown: Collection[str] = (),
) -> Plan:
    """`failed_probes`: of containers to be killed. `outgrown`: ids of those that must begin anew to be resized."""
    if _is_over(pod, containers):
        return Plan(over=True)
    if sandbox is None or sandbox.state is not SandboxState.READY:
        return Plan(new_sandbox=True)
    present = [_in_sandbox(view, sandbox) for view in containers]
    cause = next(
        (view for view in present if view.exited and restarts_all(view.spec, view.exited.exit_code)), None
    )
    if cause is not None:
        return Plan(new_sandbox=True, cause=cause)
    ephemeral = [view for view in containers if view.role is Role.EPHEMERAL and view.current is None]
    kills = [*_replacements(present, outgrown), *_failures(pod, present, failed_probes, outgrown)]
    again = [kill.container for kill in kills if kill.again]
    return Plan(start=[*ephemeral, *_due(pod, present), *again], kill=kills)


def _replacements(containers: Sequence[ContainerView], outgrown: Collection[str]) -> list[Kill]:
    changed = [
        Kill(view, f"Container {view.name} definition changed, will be restarted", again=True)
        for view in containers
        if _is_changed(view)
    ]
    resized = [
        Kill(view, f"Container {view.name} resize requires restart", again=True)
        for view in containers
        if _is_outgrown(view, outgrown) and not _is_changed(view)
    ]
    return changed + resized


def _is_outgrown(view: ContainerView, outgrown: Collection[str]) -> bool:
    return view.current is not None and view.is_running and view.current.id in outgrown


def _is_changed(view: ContainerView) -> bool:
    if view.role is not Role.MAIN or view.current is None or not view.is_running:
        return False
    return full_name(view.current.image) != full_name(view.spec.get("image", ""))


def _failures(
    pod: Mapping[str, Any],
    containers: Sequence[ContainerView],
    failed: FailedProbes,
    outgrown: Collection[str],
) -> list[Kill]:
    """What its exit code will be does not matter: a container that failed is started again unless it never is."""
    doomed = [
        view
        for view in containers
        if view.is_running and view.name in failed and not (_is_changed(view) or _is_outgrown(view, outgrown))
    ]
    kills = []
    for view in doomed:
        kind, probe = failed[view.name]
        again = restarts(pod, view.spec, view.role, KILLED)
        message = f"Container {view.name} failed {kind} probe"
        if view.role is Role.SIDECAR:
            message = f"Init container {view.name} failed {kind} probe"
        elif again:
            message += ", will be restarted"
        elif all(other in doomed for other in containers if other.is_running):
            message = f"Stopping container {view.name}"
        kills.append(Kill(view, message, probe, again))
    return kills


def _due(pod: Mapping[str, Any], present: Sequence[ContainerView]) -> list[ContainerView]:
    """The initial and main containers whose turn it is."""
    initial = [view for view in present if view.role.is_initial]
    main = [view for view in present if view.role is Role.MAIN]
    if any(view.current is not None for view in main):
        sidecars = [view for view in initial if view.role is Role.SIDECAR and not view.is_running]
        return [*sidecars, *_startable(pod, main)]
    todo = _initialization(initial)
    return _startable(pod, main) if todo is None else todo


def _in_sandbox(view: ContainerView, sandbox: Sandbox) -> ContainerView:
    """The container without attempts that ran in an earlier sandbox: those are over, not ended."""
    if view.current is not None and view.current.sandbox != sandbox.id:
        return dataclasses.replace(view, current=None)
    return view


def _initialization(initial: Sequence[ContainerView]) -> list[ContainerView] | None:
    """What to start now before the main containers may; None when they may."""
    starting: list[ContainerView] = []
    for view in initial:
        if view.role is Role.SIDECAR:
            if not view.is_running:
                starting.append(view)
            if not view.started:
                return starting
        elif view.succeeded:
            continue
        else:
            return starting if view.is_running else [*starting, view]
    # A sidecar that runs but was passed over is restarted with the main containers.
    return starting or None


def _startable(pod: Mapping[str, Any], main: Sequence[ContainerView]) -> list[ContainerView]:
    return [view for view in main if _is_startable(pod, view)]


def _is_startable(pod: Mapping[str, Any], view: ContainerView) -> bool:
    if view.is_running:
        return False
    if view.exited is None:
        return True
    return restarts(pod, view.spec, view.role, view.exited.exit_code)


def _is_over(pod: Mapping[str, Any], containers: Sequence[ContainerView]) -> bool:
    """Every main container has ended for good, or an init container has failed for good."""
    for view in containers:
        ended = view.exited
        failed = view.role is Role.INIT and ended is not None and ended.exit_code != 0
        if failed and ended is not None and not restarts(pod, view.spec, view.role, ended.exit_code):
            return True
    main = [view for view in containers if view.role is Role.MAIN]
    return all(
        view.exited is not None and not restarts(pod, view.spec, view.role, view.exited.exit_code)
        for view in main
    )

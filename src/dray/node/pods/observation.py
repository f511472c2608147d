"""What the runtime, the probes and the devices say of a pod's containers at one moment."""

from collections.abc import Mapping, Sequence
from typing import Any

from dray.api.meta import Object, is_deleting, uid_of
from dray.node.dra.containers import resource_health
from dray.node.pods.messages import termination_message
from dray.node.pods.restart import restarts
from dray.node.pods.services import NodeServices
from dray.node.pods.view import ContainerView, Role, Waiting, attempts_of, container_specs
from dray.node.probes.prober import Prober
from dray.node.runtime.protocol import Container, ContainerState, Runtime, Sandbox, SandboxState


def sandboxes_of(runtime: Runtime, pod_uid: str) -> list[Sandbox]:
    """Newest first."""
    own = [sandbox for sandbox in runtime.sandboxes() if sandbox.pod.uid == pod_uid]
    return sorted(own, key=lambda sandbox: sandbox.attempt, reverse=True)


def newest_sandbox(runtime: Runtime, pod_uid: str) -> Sandbox | None:
    return next(iter(sandboxes_of(runtime, pod_uid)), None)


def observe(
    services: NodeServices, pod: Object, prober: Prober, waiting: Mapping[str, Waiting]
) -> list[ContainerView]:
    """One view for each container of the pod's spec. `waiting`: container name -> why it does not run."""
    containers = services.runtime.containers(uid_of(pod))
    sandbox = newest_sandbox(services.runtime, uid_of(pod))
    views = []
    for role, spec in container_specs(pod):
        attempts = attempts_of(spec["name"], containers)
        current = attempts[0] if attempts and _counts(attempts[0], role, sandbox) else None
        views.append(_view(services, pod, role, spec, current, attempts, prober, waiting))
    return views


def _counts(container: Container, role: Role, sandbox: Sandbox | None) -> bool:
    """Whether the attempt is the one that matters now. In a sandbox made anew, all but ephemeral ones are yet to begin."""
    if sandbox is None or sandbox.state is not SandboxState.READY or role is Role.EPHEMERAL:
        return True
    return container.sandbox == sandbox.id


def _view(
    services: NodeServices,
    pod: Object,
    role: Role,
    spec: Mapping[str, Any],
    current: Container | None,
    attempts: Sequence[Container],
    prober: Prober,
    waiting: Mapping[str, Waiting],
) -> ContainerView:
    earlier = [each for each in attempts if each is not current]
    return ContainerView(
        spec=spec,
        role=role,
        current=current,
        previous=earlier[0] if earlier else None,
        waiting=waiting.get(spec["name"]) if _is_to_run(pod, role, spec, current) else None,
        started=current is not None and prober.has_started(current.id),
        ready=current is not None and prober.is_ready(current.id),
        messages={each.id: termination_message(each, spec) for each in attempts if each.finished},
        health=resource_health(pod, spec, services.claims.find, services.health.health_of) if current else (),
    )


def _is_to_run(pod: Object, role: Role, spec: Mapping[str, Any], current: Container | None) -> bool:
    """Whether a start lies before the container. Of one that has ended for good, the end is shown and nothing else."""
    if is_deleting(pod):
        return False
    if current is None or current.state is ContainerState.CREATED:
        return True
    ended = current.state is ContainerState.EXITED
    return ended and restarts(pod, spec, role, current.exit_code or 0)

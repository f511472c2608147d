"""What the runtime, the probes and the devices say of a pod's containers at one moment."""

from collections.abc import Mapping, Sequence
from typing import Any

from dray.api.meta import Object, uid_of
from dray.node.dra.containers import resource_health
from dray.node.pods.messages import termination_message
from dray.node.pods.services import NodeServices
from dray.node.pods.view import ContainerView, Role, Waiting, attempts_of, container_specs
from dray.node.probes.prober import Prober
from dray.node.runtime.protocol import Container, ContainerState, Runtime, Sandbox


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
    return [
        _view(services, pod, role, spec, attempts_of(spec["name"], containers), prober, waiting)
        for role, spec in container_specs(pod)
    ]


def _view(
    services: NodeServices,
    pod: Object,
    role: Role,
    spec: Mapping[str, Any],
    attempts: Sequence[Container],
    prober: Prober,
    waiting: Mapping[str, Waiting],
) -> ContainerView:
    current = attempts[0] if attempts else None
    running = current is not None and current.state is ContainerState.RUNNING
    return ContainerView(
        spec=spec,
        role=role,
        current=current,
        previous=attempts[1] if len(attempts) > 1 else None,
        waiting=None if running else waiting.get(spec["name"]),
        started=current is not None and prober.has_started(current.id),
        ready=current is not None and prober.is_ready(current.id),
        messages={each.id: termination_message(each, spec) for each in attempts if each.finished},
        health=resource_health(pod, spec, services.claims.find, services.health.health_of) if running else (),
    )

"""What the workers of all pods on a node share, and what they may ask about one another."""

import asyncio
import dataclasses
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from dray.api.meta import Object
from dray.client.events import EventKind, EventRecorder
from dray.client.protocol import Client
from dray.kits.clock import Clock
from dray.node.config import NodeConfig
from dray.node.dra.health import HealthMonitor
from dray.node.dra.preparation import ClaimPreparation
from dray.node.metrics import NodeMetrics
from dray.node.objects import ReferencedObjects
from dray.node.pods.reporter import StatusReporter
from dray.node.pods.status import Failure
from dray.node.pods.view import field_path
from dray.node.probes.actions import ProbeActions
from dray.node.runtime.protocol import Runtime
from dray.node.volumes.podvolumes import PodVolumes

Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True, slots=True)
class NodeServices:
    config: NodeConfig
    client: Client
    clock: Clock
    runtime: Runtime
    volumes: PodVolumes
    objects: ReferencedObjects
    claims: ClaimPreparation
    health: HealthMonitor
    recorder: EventRecorder
    reporter: StatusReporter
    actions: ProbeActions
    metrics: NodeMetrics
    allocatable: Mapping[str, str]

    def tell(self, pod: Object, kind: EventKind, reason: str, message: str, container: str = "") -> None:
        """An event about the pod, or about one of its containers."""
        path = field_path(pod, container) if container else ""
        self.recorder.event(pod, kind, reason, message, field_path=path)


class Peers(Protocol):
    """What one pod must know of the others of its node."""

    def admission_failure(self, pod: Object) -> Failure | None: ...

    def must_outlive_others(self, pod: Object) -> bool:
        """Whether a deleted pod goes on for now, since others that are deleted too need it for their own end."""
        ...

    def is_hopeless(self, driver: str, pod_uid: str) -> bool:
        """Whether a driver is gone, and nothing on the node but the pod itself could bring it back."""
        ...


async def uninterrupted(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` to its end even if the caller is cancelled meanwhile; the cancellation follows."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise

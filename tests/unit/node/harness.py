"""Workers of pods on virtual time: a runtime without processes, an API server without rules, drivers without sockets."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from dray.api.meta import Object
from dray.api.resources import EVENTS, PODS
from dray.client.events import EventRecorder
from dray.client.informer import Informer
from dray.kits.clock import LoopClock
from dray.kits.tasks import TaskSet
from dray.node.config import NodeConfig
from dray.node.dra.checkpoint import Checkpoint
from dray.node.dra.health import HealthMonitor
from dray.node.dra.preparation import ClaimPreparation
from dray.node.metrics import NodeMetrics
from dray.node.objects import ReferencedObjects
from dray.node.plugins.drivers import Drivers
from dray.node.pods.reporter import StatusReporter
from dray.node.pods.services import NodeServices
from dray.node.pods.table import PodTable
from dray.node.probes.actions import Outcome, ProbeError, Target
from dray.node.tokens import ServiceAccountTokens
from dray.node.volumes.podvolumes import PodVolumes
from dray.testing.memory_client import MemoryClient
from tests.unit.node.builders import pod
from tests.unit.node.fake_runtime import FakeRuntime


class FakeActions:
    """Answers probes and hooks by the first word of their command; a sleep takes its time."""

    def __init__(self) -> None:
        self.answers: dict[str, bool] = {}
        """Word -> success; others succeed."""
        self.broken: set[str] = set()
        self.ran: list[tuple[str, float]] = []

    async def run(self, handler: Object, target: Target, timeout: float | None) -> Outcome:
        if "sleep" in handler:
            await asyncio.sleep(handler["sleep"]["seconds"])
            word = "sleep"
        else:
            word = handler["exec"]["command"][0]
        self.ran.append((word, asyncio.get_running_loop().time()))
        if word in self.broken:
            raise ProbeError("cannot be run")
        return Outcome(self.answers.get(word, True), "said so")

    run_hook = run

    async def close(self) -> None: ...


class Node:
    def __init__(self, root: Path) -> None:
        self.clock = LoopClock()
        self.client = MemoryClient(clock=self.clock)
        self.runtime = FakeRuntime(self.clock, root)
        self.actions = FakeActions()
        config = NodeConfig(name="node", root=root)
        config.paths.create()
        metrics = NodeMetrics()
        self.drivers = Drivers(config.paths, metrics)
        objects = ReferencedObjects(self.client, self.clock)
        self.reporter = StatusReporter(self.client)
        actions: Any = self.actions
        self.services = NodeServices(
            config=config,
            client=self.client,
            clock=self.clock,
            runtime=self.runtime,
            volumes=PodVolumes(
                config.paths, self.client, objects, ServiceAccountTokens(self.client, self.clock)
            ),
            objects=objects,
            claims=ClaimPreparation(
                self.client, self.drivers, Checkpoint(config.paths.claim_checkpoint), metrics
            ),
            health=HealthMonitor(
                config.paths.health_checkpoint, self.drivers, self.clock, lambda driver: None
            ),
            recorder=EventRecorder(self.client, "kubelet", self.clock, "node"),
            reporter=self.reporter,
            actions=actions,
            metrics=metrics,
            allocatable={"cpu": "4", "pods": "10"},
        )
        self.table = PodTable(self.services, self.drivers)
        self._tasks = TaskSet("test")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Node"]:
        await self.runtime.start(self.table.container_ended)
        self._tasks.start(self.services.recorder.run(), "events")
        informer = Informer(self.client, PODS)
        informer.add_handler(on_add=self.table.seen, on_update=self.table.changed, on_delete=self.table.gone)
        self._tasks.start(informer.run(), "pods")
        await informer.wait_synced()
        try:
            yield self
        finally:
            await self.table.stop()
            await self._tasks.stop()
            await self.reporter.stop()

    @contextlib.asynccontextmanager
    async def watching(self, see: Callable[[Object], None]) -> AsyncIterator[None]:
        """Every state of every pod is shown to `see`, as it comes."""
        informer = Informer(self.client, PODS)
        informer.add_handler(on_add=see, on_update=lambda old, new: see(new))
        task = self._tasks.start(informer.run(), "watching")
        await informer.wait_synced()
        yield
        task.cancel()

    def put(self, *containers: Object, **spec: Any) -> Object:
        return self.client.put(pod(*containers, **spec))

    def delete(self, grace: float = 30) -> None:
        """Ask for the pod's end, now."""
        found = self.pod()
        now = self.clock.now()
        end = (now + dt.timedelta(seconds=grace)).strftime("%Y-%m-%dT%H:%M:%SZ")
        meta = {**found["metadata"], "deletionTimestamp": end, "deletionGracePeriodSeconds": grace}
        self.client.put({**found, "metadata": meta})

    def pod(self) -> Object:
        found = self.client.find(PODS, "pod", "default")
        assert found is not None
        return found

    @property
    def is_gone(self) -> bool:
        return self.client.find(PODS, "pod", "default") is None

    def events(self) -> list[tuple[str, str]]:
        return [(event["reason"], event["message"]) for event in self.client.all(EVENTS)]

    def reasons(self) -> list[str]:
        return [reason for reason, _ in self.events()]


def status_of(found: Object, name: str = "main") -> Object:
    lists = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    entries = [entry for key in lists for entry in found["status"].get(key, [])]
    return next(dict(entry) for entry in entries if entry["name"] == name)


def waiting(found: Object, name: str = "main") -> str:
    return str(((status_of(found, name)["state"]).get("waiting") or {}).get("reason", ""))

"""The node agent: registers its node, keeps its lease, runs its pods, serves their drivers, answers for their logs.

Only puts the parts together. What a pod needs is a `PodWorker`'s, what a driver needs the `PluginWatcher`'s. An agent
that is killed ends no container: the next one takes them up again. One that is stopped ends them all.
"""

import asyncio
from collections.abc import Mapping

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.pod_groups import CLAIMS_GATE
from dray.api.releases import git_version
from dray.api.resources import NODES, PODS
from dray.cdi.cache import CdiCache
from dray.client.events import EventRecorder
from dray.client.informer import Informer
from dray.client.protocol import Client, Selection
from dray.kits.clock import Clock
from dray.kits.metrics import Registry
from dray.kits.tasks import TaskSet
from dray.node import machine
from dray.node.config import NodeConfig
from dray.node.dra.checkpoint import Checkpoint
from dray.node.dra.health import HealthMonitor
from dray.node.dra.preparation import ClaimPreparation
from dray.node.metrics import NodeMetrics
from dray.node.noderecord import NodeRecord
from dray.node.objects import ReferencedObjects
from dray.node.plugins.drivers import Drivers
from dray.node.plugins.registration import PluginWatcher
from dray.node.plugins.slices import SliceWiper
from dray.node.pods.reporter import StatusReporter
from dray.node.pods.services import NodeServices
from dray.node.pods.table import PodTable
from dray.node.probes.actions import ProbeActions
from dray.node.runtime.process import ProcessRuntime
from dray.node.runtime.protocol import Runtime
from dray.node.serving.pages import Pages
from dray.node.serving.podresources import PodResources, serve_pod_resources
from dray.node.serving.server import NodeServer
from dray.node.tokens import ServiceAccountTokens
from dray.node.volumes.podvolumes import PodVolumes


class NodeAgent:
    """`runtime` None takes the process runtime."""

    def __init__(
        self,
        config: NodeConfig,
        client: Client,
        *,
        clock: Clock,
        features: FeatureGates,
        runtime: Runtime | None = None,
        registry: Registry | None = None,
    ) -> None:
        self.config = config
        self.features = features
        self.ready = asyncio.Event()
        paths = config.paths
        paths.create()
        self.metrics = NodeMetrics(registry)
        self.drivers = Drivers(paths, self.metrics)
        self.runtime: Runtime = runtime or ProcessRuntime(
            paths.runtime,
            CdiCache(paths.cdi_directories),
            clock,
            node_address=config.address,
            pod_cidr=config.pod_cidr,
        )
        capacity = machine.capacity(config)
        self._services = self._make_services(client, clock, capacity)
        self.pods = PodTable(self._services, self.drivers)
        self.metrics.running_pods_now = self.pods.running_count
        info = machine.node_info(
            f"{self.runtime.name}://{self.runtime.version}", git_version(features.release)
        )
        self._record = NodeRecord(
            config,
            client,
            clock,
            capacity,
            info,
            self._services.recorder,
            machine.declared_features(features),
        )
        self._plugins = PluginWatcher(paths.plugins_registry, self.drivers, self.metrics)
        self._wiper = SliceWiper(client, config.name, self.drivers, self._plugins.settled)
        self._own_node = Informer(client, NODES, Selection(fields=f"metadata.name={config.name}"))
        self._informer = Informer(client, PODS, Selection(fields=f"spec.nodeName={config.name}"))
        self._pod_resources = PodResources(self.pods, self._services.claims.find, clock)
        pages = Pages(config, self.runtime, self.pods, self.metrics, clock)
        self._server = NodeServer(config, self.runtime, self.pods, pages)
        self._tasks = TaskSet(f"node/{config.name}")

    def _make_services(self, client: Client, clock: Clock, capacity: Mapping[str, str]) -> NodeServices:
        config, paths = self.config, self.config.paths
        objects = ReferencedObjects(client, clock)
        return NodeServices(
            config=config,
            client=client,
            clock=clock,
            runtime=self.runtime,
            volumes=PodVolumes(paths, client, objects, ServiceAccountTokens(client, clock)),
            objects=objects,
            claims=ClaimPreparation(
                client,
                self.drivers,
                Checkpoint(paths.claim_checkpoint),
                self.metrics,
                with_groups=self.features.enabled(CLAIMS_GATE),
            ),
            health=HealthMonitor(
                paths.health_checkpoint, self.drivers, clock, lambda driver: self.pods.health_changed(driver)
            ),
            recorder=EventRecorder(client, "kubelet", clock, config.name),
            reporter=StatusReporter(client),
            actions=ProbeActions(self.runtime),
            metrics=self.metrics,
            allocatable=capacity,
        )

    @property
    def port(self) -> int:
        """Of the node's server, once it is ready."""
        return self._server.port

    async def run(self) -> None:
        """Until cancelled; then every container of the node is ended."""
        services = self._services
        try:
            await self.runtime.start(self.pods.container_ended)
            await self._server.start()
            recording = self._tasks.start(services.recorder.run(), "events")
            self.pods.node = await self._record.register(self._server.port)
            self._start_loops()
            self._own_node.add_handler(
                on_add=self._node_seen, on_update=lambda old, new: self._node_seen(new)
            )
            self._informer.add_handler(
                on_add=self.pods.seen, on_update=self.pods.changed, on_delete=self.pods.gone
            )
            following = self._tasks.start(self._informer.run(), "pods")
            await self._informer.wait_synced()
            self._tasks.start(self.pods.sweep_for_ever(), "sweep")
            self.ready.set()
            await asyncio.gather(following, recording)
        finally:
            self.ready.clear()
            await self.pods.stop()
            await self._tasks.stop()
            await services.reporter.stop()
            await services.actions.close()
            await self._server.stop()
            await self.runtime.stop(keep_containers=False)

    def _node_seen(self, node: Object) -> None:
        """Labels that others put on the node decide which pods it takes."""
        self.pods.node = node

    def _start_loops(self) -> None:
        for name, loop in (
            ("node", self._own_node.run()),
            ("lease", self._record.renew_lease_for_ever()),
            ("status", self._record.report_status_for_ever()),
            ("wiper", self._wiper.run()),
            ("health", self._services.health.run()),
            ("plugins", self._plugins.run()),
            (
                "pod-resources",
                serve_pod_resources(self.config.paths.pod_resources_socket, self._pod_resources),
            ),
        ):
            self._tasks.start(loop, name)

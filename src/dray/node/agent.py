"""The node agent: registers its node, keeps its lease, runs its pods, answers for their logs.

Everything a pod needs is a `PodWorker`'s; everything a driver needs the registries'. Killing the agent ends no container:
the next one takes them up again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Final

from dray.api import errors
from dray.api.features import FeatureGates
from dray.api.meta import Object, format_micro_time, format_time, is_deleting, name_of, uid_of
from dray.api.resources import LEASES, NODES, PODS
from dray.cdi.cache import CdiCache
from dray.client.events import EventRecorder
from dray.client.informer import Informer
from dray.client.protocol import Client, PatchType, Selection, Unreachable
from dray.kits.clock import Clock
from dray.kits.tasks import TaskSet
from dray.node import machine
from dray.node.checkpoint import Checkpoint
from dray.node.claims import DraManager, UnprepareFailure
from dray.node.config import LEASE_RENEW_SECONDS, LEASE_SECONDS, STATUS_REPORT_SECONDS, NodeConfig
from dray.node.drivers import PluginRegistry, wipe_slices
from dray.node.objects import ReferencedObjects
from dray.node.runtime.process import ProcessRuntime
from dray.node.runtime.protocol import Runtime
from dray.node.server import NodeServer
from dray.node.tokens import ServiceAccountTokens
from dray.node.volumes.podvolumes import PodVolumes
from dray.node.worker import PodWorker

log = logging.getLogger("dray.node")

LEASE_NAMESPACE: Final = "kube-node-lease"
NOT_READY_TAINT: Final = "node.kubernetes.io/not-ready"
RETRY_SECONDS: Final = 1.0
ORPHAN_CHECK_SECONDS: Final = 20.0
REGISTRY_VOLUME: Final = "plugins_registry"


class NodeAgent:
    def __init__(self, config: NodeConfig, client: Client, *, clock: Clock, features: FeatureGates) -> None:
        self.config = config
        self.client = client
        self.clock = clock
        self.features = features
        self.ready = asyncio.Event()
        paths = config.paths
        paths.create()
        self.cdi = CdiCache(paths.cdi_directories)
        self.runtime: Runtime = ProcessRuntime(
            paths.runtime, self.cdi, clock, node_address=config.address, pod_cidr=config.pod_cidr
        )
        self.objects = ReferencedObjects(client, clock)
        self.volumes = PodVolumes(paths, client, self.objects, ServiceAccountTokens(client, clock))
        self.plugins = PluginRegistry(paths.plugins_registry, paths.host, client, config.name)
        self.claims = DraManager(client, self.plugins, Checkpoint(paths.claim_checkpoint))
        self.recorder = EventRecorder(client, "kubelet", clock, config.name)
        self.allocatable: Mapping[str, str] = machine.capacity(config)
        self.pods = Informer(client, PODS, Selection(fields=f"spec.nodeName={config.name}"))
        self.workers: dict[str, PodWorker] = {}
        self._tasks = TaskSet(f"node/{config.name}")
        self._server = NodeServer(self)

    async def run(self) -> None:
        """Until cancelled; then every container of the node is ended."""
        try:
            await self.runtime.start(self._container_ended)
            await self._server.start()
            self._tasks.start(self.recorder.run(), "events")
            await self._register()
            self._tasks.start(self._renew_lease(), "lease")
            self._tasks.start(self._report_status(), "status")
            self._tasks.start(self._begin_plugins(), "plugins")
            self.pods.add_handler(
                on_add=self._seen, on_update=lambda _, pod: self._seen(pod), on_delete=self._gone
            )
            following = self._tasks.start(self.pods.run(), "pods")
            await self.pods.wait_synced()
            self._tasks.start(self._sweep(), "sweep")
            self.ready.set()
            await following
        finally:
            self.ready.clear()
            await self._tasks.stop()
            await self._server.stop()
            await self.runtime.stop(keep_containers=False)

    async def _begin_plugins(self) -> None:
        """Slices of drivers that are not there any more would attract pods: those of none that is known are wiped."""
        if not self.claims.drivers_in_use():
            wiping = self._tasks.start(wipe_slices(self.client, self.config.name), "wipe")
            await wiping
        await self.plugins.run()

    # --- the node object ---

    async def _register(self) -> None:
        while True:
            try:
                node = await self._ensure_node()
                await self._patch_status(node)
                await self._ensure_lease()
                return
            except (errors.StatusError, Unreachable) as error:
                log.warning("Node %s is not registered yet: %s", self.config.name, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _ensure_node(self) -> Object:
        try:
            return await self.client.get(NODES, self.config.name)
        except errors.NotFound:
            annotations = {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
            meta = {
                "name": self.config.name,
                "labels": machine.node_labels(self.config),
                "annotations": annotations,
            }
            spec: Object = (
                {"podCIDR": self.config.pod_cidr, "podCIDRs": [self.config.pod_cidr]}
                if self.config.pod_cidr
                else {}
            )
            if self.config.taints:
                spec["taints"] = [dict(taint) for taint in self.config.taints]
            node = {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": spec}
            return await self.client.create(NODES, node)

    async def _patch_status(self, node: Object) -> None:
        now = format_time(self.clock.now())
        status = {
            "capacity": dict(self.allocatable),
            "allocatable": dict(self.allocatable),
            "conditions": machine.conditions(now, node),
            "addresses": [
                {"type": "InternalIP", "address": self.config.address},
                {"type": "Hostname", "address": self.config.name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._server.port}},
            "nodeInfo": machine.node_info(f"{self.runtime.name}://{self.runtime.version}"),
            "declaredFeatures": ["ExtendWebSocketsToKubelet"],
        }
        await self.client.patch(
            NODES, self.config.name, {"status": status}, patch_type=PatchType.STRATEGIC, subresource="status"
        )

    async def _report_status(self) -> None:
        while True:
            await asyncio.sleep(STATUS_REPORT_SECONDS)
            with contextlib.suppress(errors.StatusError, Unreachable):
                await self._patch_status(await self._ensure_node())

    async def _ensure_lease(self) -> None:
        node = await self.client.get(NODES, self.config.name)
        lease = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {
                "name": self.config.name,
                "namespace": LEASE_NAMESPACE,
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Node", "name": name_of(node), "uid": uid_of(node)}
                ],
            },
            "spec": self._lease_spec(),
        }
        try:
            await self.client.create(LEASES, lease, LEASE_NAMESPACE)
        except errors.AlreadyExists:
            await self._patch_lease()

    def _lease_spec(self) -> Object:
        now = format_micro_time(self.clock.now())
        return {"holderIdentity": self.config.name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now}

    async def _patch_lease(self) -> None:
        await self.client.patch(LEASES, self.config.name, {"spec": self._lease_spec()}, LEASE_NAMESPACE)

    async def _renew_lease(self) -> None:
        while True:
            await asyncio.sleep(LEASE_RENEW_SECONDS)
            try:
                await self._patch_lease()
            except errors.NotFound:
                await self._register()
            except (errors.StatusError, Unreachable) as error:
                log.warning("The lease of node %s was not renewed: %s", self.config.name, error)

    # --- pods ---

    def _seen(self, pod: Object) -> None:
        uid = uid_of(pod)
        worker = self.workers.get(uid)
        if worker is not None:
            worker.update(pod)
            return
        worker = self.workers[uid] = PodWorker(self, pod)
        self._tasks.start(self._work(uid, worker), f"pod/{name_of(pod)}")

    async def _work(self, uid: str, worker: PodWorker) -> None:
        try:
            await worker.run()
        finally:
            self.workers.pop(uid, None)

    def _gone(self, pod: Object) -> None:
        """Deleted by force: what still runs of it ends without grace."""
        worker = self.workers.get(uid_of(pod))
        if worker is not None:
            meta = {**pod["metadata"], "deletionGracePeriodSeconds": 0}
            meta.setdefault("deletionTimestamp", format_time(self.clock.now()))
            worker.update({**pod, "metadata": meta})

    def _container_ended(self, pod_uid: str) -> None:
        if worker := self.workers.get(pod_uid):
            worker.wake()

    async def _sweep(self) -> None:
        """Ends what belongs to no pod any more: containers and prepared claims that outlived their pod."""
        while True:
            for uid in {each.pod.uid for each in self.runtime.sandboxes()} - set(self.workers):
                for sandbox in [each for each in self.runtime.sandboxes() if each.pod.uid == uid]:
                    await self.runtime.remove_sandbox(sandbox.id)
                self.volumes.remove(uid)
            for uid in self.claims.prepared_pods() - set(self.workers):
                with contextlib.suppress(UnprepareFailure):
                    await self.claims.unprepare(uid, lambda driver: self.may_return(driver, ""))
            self.objects.forget_old()
            await asyncio.sleep(ORPHAN_CHECK_SECONDS)

    # --- drivers among the pods ---

    def may_return(self, driver: str, pod_uid: str) -> bool:
        """Whether a missing driver could come back by itself: some pod that stays on the node looks like one."""
        return any(
            uid != pod_uid and not is_deleting(worker.pod) and _looks_like_driver(worker.pod)
            for uid, worker in self.workers.items()
        )

    def must_wait_for_users(self, pod: Object) -> bool:
        """A deleted driver pod waits while pods that are being deleted, too, still hold devices."""
        if not _looks_like_driver(pod):
            return False
        holders = self.claims.prepared_pods()
        return any(
            uid != uid_of(pod) and uid in holders and is_deleting(worker.pod)
            for uid, worker in self.workers.items()
        )


def _looks_like_driver(pod: Object) -> bool:
    """It mounts the directory in which drivers register."""
    volumes = pod["spec"].get("volumes") or ()
    return any(REGISTRY_VOLUME in ((volume.get("hostPath") or {}).get("path") or "") for volume in volumes)

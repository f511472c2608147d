"""All pods of the node: a worker for each, and what they must know of one another.

Pods come from the API server; a pod that runs here and is not known there is ended, whatever it holds is given back.
Decides which pods bring DRA drivers, since those are special at their end: a driver's pod stops after the pods that
need it to give their devices back, and a driver without a pod to bring it back is not waited for.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Final

from dray.api.meta import Object, is_deleting, name_of, namespace_of, parse_time, uid_of
from dray.kits.tasks import TaskSet
from dray.node.dra.preparation import UnprepareFailure
from dray.node.plugins.drivers import Drivers
from dray.node.pods.admission import admission_failure
from dray.node.pods.observation import sandboxes_of
from dray.node.pods.release import release_claims
from dray.node.pods.resizing import accounted
from dray.node.pods.services import NodeServices
from dray.node.pods.stages import Stage
from dray.node.pods.status import Failure
from dray.node.pods.stopping import MINIMUM_SECONDS
from dray.node.pods.worker import PodWorker
from dray.node.runtime.protocol import ContainerState, RuntimeFailure

log = logging.getLogger("dray.node.pods")

SWEEP_SECONDS: Final = 20.0
GIVE_UP_SECONDS: Final = 10.0
"""How long a missing driver is waited for whose pod was seen to go."""
GIVE_UP_UNSEEN_SECONDS: Final = 60.0
"""The same when no driver's pod was seen to go: it may have been started by hand."""
NEIGHBOUR_SECONDS: Final = 1.0
"""How long a deleted driver pod waits for pods of its namespace to be deleted, too: one call deletes them in turn."""
RELEASE_SECONDS: Final = 15.0
"""How long after its grace period a deleted pod may keep its driver alive."""
REGISTRY_VOLUME: Final = "plugins_registry"


class PodTable:
    """Implements `Peers`. `node`: this node as the API shows it, for admission."""

    def __init__(self, services: NodeServices, drivers: Drivers) -> None:
        self.node: Object = {"metadata": {"name": services.config.name}}
        self._services = services
        self._drivers = drivers
        self._workers: dict[str, PodWorker] = {}
        self._missing_since: dict[str, float] = {}
        self._driver_pods_ended = False
        self._tasks = TaskSet(f"pods/{services.config.name}")
        drivers.listen(self._driver_changed)

    # --- what others tell it ---

    def seen(self, pod: Object) -> None:
        uid = uid_of(pod)
        if (worker := self._workers.get(uid)) is not None:
            worker.update(pod)
            return
        worker = self._workers[uid] = PodWorker(self._services, self, pod)
        self._tasks.start(self._work(uid, worker), name_of(pod))

    def changed(self, old: Object, new: Object) -> None:
        """An object changed; under one name, it may be another one."""
        if uid_of(old) != uid_of(new):
            self.gone(old)
        self.seen(new)

    def gone(self, pod: Object) -> None:
        if (worker := self._workers.get(uid_of(pod))) is not None:
            worker.removed()

    def container_ended(self, pod_uid: str) -> None:
        if (worker := self._workers.get(pod_uid)) is not None:
            worker.wake()

    def health_changed(self, driver: str) -> None:
        for uid in {
            uid for claim in self._services.claims.claims() if driver in claim.drivers for uid in claim.pods
        }:
            if (worker := self._workers.get(uid)) is not None:
                worker.wake()

    def _driver_changed(self, driver: str) -> None:
        if self._drivers.is_registered(driver):
            self._missing_since.pop(driver, None)
        for worker in self._workers.values():
            if worker.pod["spec"].get("resourceClaims"):
                worker.driver_changed()

    async def _work(self, uid: str, worker: PodWorker) -> None:
        try:
            await worker.run()
        finally:
            self._driver_pods_ended |= _brings_driver(worker.pod)
            self._workers.pop(uid, None)
            self._room_made()

    def _room_made(self) -> None:
        """Whoever waits for room to be resized looks again."""
        for worker in self._workers.values():
            if worker.waits_for_room:
                worker.wake()

    # --- looking ---

    def workers(self) -> list[PodWorker]:
        return list(self._workers.values())

    def find(self, namespace: str, name: str) -> Object | None:
        """The pod of that name; the newest where an earlier one is still ending."""
        found = [
            worker.pod
            for worker in self._workers.values()
            if (namespace_of(worker.pod), name_of(worker.pod)) == (namespace, name)
        ]
        return found[-1] if found else None

    def active(self) -> list[Object]:
        """Pods that run, or are about to, or are being stopped."""
        return [worker.pod for worker in self._active()]

    def _active(self) -> list[PodWorker]:
        return [
            worker
            for worker in self._workers.values()
            if worker.was_admitted and worker.stage in (Stage.RUNNING, Stage.STOPPING)
        ]

    def running_count(self) -> int:
        return sum(worker.stage is Stage.RUNNING and worker.was_admitted for worker in self._workers.values())

    def _others(self, pod: Object) -> Iterator[PodWorker]:
        return (worker for uid, worker in self._workers.items() if uid != uid_of(pod))

    # --- what a pod may ask about the others ---

    def admission_failure(self, pod: Object) -> Failure | None:
        """Against what the other pods are granted, not what they ask for by now."""
        others = [worker.granted for worker in self._active() if uid_of(worker.pod) != uid_of(pod)]
        counted = [accounted(other) for other in others]
        return admission_failure(accounted(pod), counted, self.node, self._services.allocatable)

    def must_outlive_others(self, pod: Object) -> bool:
        if not _brings_driver(pod):
            return False
        holders = self._services.claims.pods()
        return any(
            uid_of(worker.pod) in holders and self._is_soon_gone(worker.pod, pod)
            for worker in self._others(pod)
        )

    def _is_soon_gone(self, holder: Object, driver_pod: Object) -> bool:
        """Whether a pod that holds devices is about to give them back, so that a driver's pod should wait for it."""
        now = self._services.clock.now()
        if is_deleting(holder):
            late = (now - parse_time(holder["metadata"]["deletionTimestamp"])).total_seconds()
            return late < RELEASE_SECONDS
        if namespace_of(holder) != namespace_of(driver_pod):
            return False
        meta = driver_pod["metadata"]
        grace = float(meta.get("deletionGracePeriodSeconds") or 0)
        return (now - parse_time(meta["deletionTimestamp"])).total_seconds() + grace < NEIGHBOUR_SECONDS

    def is_hopeless(self, driver: str, pod_uid: str) -> bool:
        if self._drivers.is_registered(driver):
            return False
        now = self._services.clock.monotonic()
        since = self._missing_since.setdefault(driver, now)
        may_return = any(
            uid != pod_uid and worker.stage is Stage.RUNNING and _brings_driver(worker.pod)
            for uid, worker in self._workers.items()
        )
        if may_return:
            self._missing_since[driver] = now
            return False
        patience = GIVE_UP_SECONDS if self._driver_pods_ended else GIVE_UP_UNSEEN_SECONDS
        return now - since >= patience

    # --- what belongs to nobody ---

    async def sweep_for_ever(self) -> None:
        """To be called once every pod that the API server knows has been seen."""
        while True:
            await self.sweep()
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """End containers, and unprepare claims, of pods that are gone without a goodbye."""
        running = {sandbox.pod.uid for sandbox in self._services.runtime.sandboxes()}
        for uid in running - set(self._workers):
            await self._end_orphan(uid)
        for uid in self._services.claims.pods() - set(self._workers):
            try:
                await release_claims(self._services, self, uid)
            except UnprepareFailure as failure:
                log.warning("Claims of pod %s, which is gone, are still prepared: %s", uid, failure)
        self._services.objects.forget_old()

    async def _end_orphan(self, uid: str) -> None:
        runtime = self._services.runtime
        alive = [each for each in runtime.containers(uid) if each.state is ContainerState.RUNNING]
        log.info("Pod %s is not known to the API server any more; %d containers are ended", uid, len(alive))
        await asyncio.gather(*(runtime.stop_container(each.id, MINIMUM_SECONDS) for each in alive))
        for sandbox in sandboxes_of(runtime, uid):
            await runtime.remove_sandbox(sandbox.id)
            self._services.volumes.remove(sandbox.pod)

    async def stop(self) -> None:
        """Stop looking after the pods, and end what they run, with little grace: somebody waits for this machine."""
        await self._tasks.stop()
        runtime = self._services.runtime
        running = [each for each in runtime.containers() if each.state is ContainerState.RUNNING]
        with contextlib.suppress(RuntimeFailure):
            await asyncio.gather(*(runtime.stop_container(each.id, MINIMUM_SECONDS) for each in running))


def _brings_driver(pod: Object) -> bool:
    """It mounts the directory in which drivers register."""
    volumes = pod["spec"].get("volumes") or ()
    return any(REGISTRY_VOLUME in ((volume.get("hostPath") or {}).get("path") or "") for volume in volumes)

"""Keeps as many pods of each ReplicaSet as it asks for; adopts orphans that match, lets go of pods that no longer do."""

from typing import ClassVar

from dray.api import errors
from dray.api.meta import (
    Object,
    ObjectKey,
    controller_of,
    format_time,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    owner_reference,
    uid_of,
)
from dray.api.pods import is_ready, is_terminal
from dray.api.resources import PODS, REPLICA_SETS
from dray.api.selectors import selects
from dray.client.protocol import PatchType
from dray.controllers.base import Context, Controller, index_by_owner
from dray.controllers.pod_templates import (
    PodControl,
    deletion_order,
    is_active,
    pod_from,
    seconds_until_available,
)

BURST = 500
FAILURE = "ReplicaFailure"


class ReplicaSets(Controller):
    name: ClassVar[str] = "replicaset-controller"
    workers: ClassVar[int] = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.sets = self.watch(REPLICA_SETS)
        self.pods = index_by_owner(self.watch_owned(PODS, "ReplicaSet"))
        self.pods.add_handler(on_add=self._orphan_seen, on_update=lambda _, new: self._orphan_seen(new))
        self.control = PodControl(self.client, self.pods, self.recorder)

    def _orphan_seen(self, pod: Object) -> None:
        if controller_of(pod) is not None:
            return
        for replica_set in self.sets.cache.list():
            if namespace_of(replica_set) == namespace_of(pod) and _selects(replica_set, pod):
                self._enqueue(replica_set)

    async def sync(self, key: ObjectKey) -> None:
        replica_set = self.sets.cache.get(key)
        if replica_set is None:
            return
        if is_deleting(replica_set):
            await self._report(replica_set, None)
            return
        pods = [pod for pod in await self._claim_pods(replica_set) if is_active(pod)]
        try:
            await self._scale(replica_set, pods)
        except errors.StatusError as error:
            how = "FailedCreate" if len(pods) < _wanted(replica_set) else "FailedDelete"
            await self._report(replica_set, (how, str(error)))
            raise
        await self._report(replica_set, None)

    async def _claim_pods(self, replica_set: Object) -> list[Object]:
        owned = self.control.pods_of(replica_set)
        kept = [pod for pod in owned if _selects(replica_set, pod)]
        for pod in owned:
            if pod not in kept and not is_deleting(pod):
                await self._patch_owners(pod, {"$patch": "delete", "uid": uid_of(replica_set)})
        for pod in self.pods.cache.list():
            if self._is_adoptable(replica_set, pod):
                kept.append(await self._patch_owners(pod, owner_reference(replica_set)))
        return kept

    def _is_adoptable(self, replica_set: Object, pod: Object) -> bool:
        if namespace_of(pod) != namespace_of(replica_set) or controller_of(pod) is not None:
            return False
        return is_active(pod) and _selects(replica_set, pod)

    async def _patch_owners(self, pod: Object, reference: Object) -> Object:
        patch = {"metadata": {"uid": uid_of(pod), "ownerReferences": [reference]}}
        return await self.client.patch(
            PODS, name_of(pod), patch, namespace_of(pod), patch_type=PatchType.STRATEGIC
        )

    async def _scale(self, replica_set: Object, pods: list[Object]) -> None:
        missing = _wanted(replica_set) - len(pods)
        if missing > 0:
            template = replica_set["spec"]["template"]
            new = [pod_from(template, replica_set, labels={}) for _ in range(min(missing, BURST))]
            await self.control.create(replica_set, new)
        elif missing < 0:
            await self.control.delete(replica_set, sorted(pods, key=deletion_order)[: min(-missing, BURST)])

    async def _report(self, replica_set: Object, failure: tuple[str, str] | None) -> None:
        """`failure`: why pods could not be created or deleted, as reason and message."""
        current = self.sets.cache.get(ObjectKey(namespace_of(replica_set), name_of(replica_set)))
        if current is None or uid_of(current) != uid_of(replica_set):
            return
        status = self._status(current, failure)
        if status != current.get("status"):
            await self.client.update(REPLICA_SETS, {**current, "status": status}, subresource="status")

    def _status(self, replica_set: Object, failure: tuple[str, str] | None) -> Object:
        owned = self.control.pods_of(replica_set)
        pods = [pod for pod in owned if is_active(pod)]
        min_ready = int(replica_set["spec"].get("minReadySeconds") or 0)
        waits = [seconds_until_available(pod, min_ready, self.clock) for pod in pods]
        for wait in waits:
            if wait:
                self.queue.add_after(ObjectKey(namespace_of(replica_set), name_of(replica_set)), wait)
        template_labels = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
        counts = {
            "fullyLabeledReplicas": sum(template_labels.items() <= labels_of(pod).items() for pod in pods),
            "readyReplicas": sum(is_ready(pod) for pod in pods),
            "availableReplicas": waits.count(0.0),
            "observedGeneration": replica_set["metadata"].get("generation", 0),
        }
        status: Object = {"replicas": len(pods)} | {key: value for key, value in counts.items() if value}
        status["terminatingReplicas"] = sum(is_deleting(pod) and not is_terminal(pod) for pod in owned)
        conditions = self._conditions(replica_set, failure)
        return status | ({"conditions": conditions} if conditions else {})

    def _conditions(self, replica_set: Object, failure: tuple[str, str] | None) -> list[Object]:
        present: list[Object] = (replica_set.get("status") or {}).get("conditions") or []
        others = [each for each in present if each["type"] != FAILURE]
        if failure is None:
            return others
        if len(others) < len(present):
            # The first failure is told until there is none.
            return present
        reason, message = failure
        since = format_time(self.clock.now())
        told = {"type": FAILURE, "status": "True", "reason": reason, "message": message}
        return [*others, {**told, "lastTransitionTime": since}]


def _wanted(replica_set: Object) -> int:
    return int(replica_set["spec"].get("replicas", 1))


def _selects(replica_set: Object, pod: Object) -> bool:
    return selects(replica_set["spec"]["selector"], labels_of(pod))

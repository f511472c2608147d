"""Moves each Deployment to its present template: one ReplicaSet per template, the new one up, the old ones down.

RollingUpdate keeps at least `replicas - maxUnavailable` pods available and at most `replicas + maxSurge` in all; Recreate
takes all old pods away first. Source: kubernetes pkg/controller/deployment, 1.36.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from dray.api import errors
from dray.api.meta import (
    Object,
    ObjectKey,
    annotations_of,
    format_time,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    owner_reference,
    replace_at,
    uid_of,
)
from dray.api.resources import DEPLOYMENTS, REPLICA_SETS
from dray.controllers.base import OWNER_INDEX, Context, Controller, ignore_missing, index_by_owner
from dray.controllers.pod_templates import scaled_value, template_hash, workload_condition

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAX = "deployment.kubernetes.io/max-replicas"


class Deployments(Controller):
    name: ClassVar[str] = "deployment-controller"
    workers: ClassVar[int] = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.deployments = self.watch(DEPLOYMENTS)
        self.sets = index_by_owner(self.watch_owned(REPLICA_SETS, "Deployment"))

    async def sync(self, key: ObjectKey) -> None:
        deployment = self.deployments.cache.get(key)
        if deployment is None:
            return
        if not is_deleting(deployment) and not deployment["spec"].get("paused"):
            deployment = await self._roll(deployment)
        await self._report(deployment)

    def _sets_of(self, deployment: Object) -> list[Object]:
        return self.sets.cache.by_index(OWNER_INDEX, uid_of(deployment))

    async def _roll(self, deployment: Object) -> Object:
        new = await self._find_or_create_new(deployment)
        if new is None:
            return deployment
        old = [each for each in self._sets_of(deployment) if uid_of(each) != uid_of(new)]
        if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
            await self._recreate(deployment, new, old)
        else:
            await self._roll_step(deployment, new, old)
        await self._prune(deployment, old)
        return await self._note_revision(deployment, new)

    async def _find_or_create_new(self, deployment: Object) -> Object | None:
        sets = self._sets_of(deployment)
        digest = template_hash(
            deployment["spec"]["template"], int((deployment.get("status") or {}).get("collisionCount") or 0)
        )
        for each in sets:
            if labels_of(each).get(HASH_LABEL) == digest:
                return each
        revision = 1 + max((_revision(each) for each in sets), default=0)
        total = _total(sets)
        surge, _ = _limits(deployment)
        room = max(0, _desired(deployment) + surge - total)
        recreate = (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"
        replicas = 0 if recreate and total else min(_desired(deployment), room)
        try:
            created = await self.client.create(
                REPLICA_SETS, _replica_set(deployment, digest, revision, replicas), namespace_of(deployment)
            )
        except errors.Forbidden:
            return None
        await self.sets.wait_seen(created)
        self._tell_scaled(deployment, created, 0, replicas)
        return created

    def _tell_scaled(self, deployment: Object, replica_set: Object, before: int, after: int) -> None:
        if before != after:
            how = "up" if after > before else "down"
            message = f"Scaled {how} replica set {name_of(replica_set)} from {before} to {after}"
            self.recorder.event(deployment, "Normal", "ScalingReplicaSet", message)

    async def _recreate(self, deployment: Object, new: Object, old: Sequence[Object]) -> None:
        for each in old:
            await self._scale(deployment, each, 0)
        if not any((each.get("status") or {}).get("replicas") for each in old):
            await self._scale(deployment, new, _desired(deployment))

    async def _roll_step(self, deployment: Object, new: Object, old: Sequence[Object]) -> None:
        desired = _desired(deployment)
        surge, unavailable = _limits(deployment)
        total = _total([new, *old])
        if _wanted(new) > desired:
            await self._scale(deployment, new, desired)
        elif _wanted(new) < desired and desired + surge > total:
            await self._scale(deployment, new, min(desired, _wanted(new) + desired + surge - total))
        minimum = desired - unavailable
        starting = _wanted(new) - _available(new)
        removable = max(0, total - minimum - starting)
        for each in sorted(old, key=_available):
            # Pods that are not available cost nothing to remove.
            broken = min(_wanted(each) - _available(each), removable)
            cut = min(_wanted(each), max(broken, 0) or removable)
            if cut > 0:
                await self._scale(deployment, each, _wanted(each) - cut)
                removable -= cut

    async def _scale(self, deployment: Object, replica_set: Object, replicas: int) -> None:
        before = _wanted(replica_set)
        if before == replicas:
            return
        surge, _ = _limits(deployment)
        changed = replace_at(replica_set, ("spec", "replicas"), replicas)
        annotations = {
            **annotations_of(replica_set),
            DESIRED: str(_desired(deployment)),
            MAX: str(_desired(deployment) + surge),
        }
        updated = await self.client.update(
            REPLICA_SETS, replace_at(changed, ("metadata", "annotations"), annotations)
        )
        self._tell_scaled(deployment, replica_set, before, replicas)
        await self.sets.wait_seen(updated)

    async def _prune(self, deployment: Object, old: Sequence[Object]) -> None:
        limit = int(deployment["spec"].get("revisionHistoryLimit", 10))
        empty = [each for each in old if not _wanted(each) and not (each.get("status") or {}).get("replicas")]
        for each in sorted(empty, key=_revision)[: max(0, len(empty) - limit)]:
            await ignore_missing(self.client.delete(REPLICA_SETS, name_of(each), namespace_of(each)))

    async def _note_revision(self, deployment: Object, new: Object) -> Object:
        revision = str(_revision(new))
        if annotations_of(deployment).get(REVISION) == revision:
            return deployment
        annotations = {**annotations_of(deployment), REVISION: revision}
        updated = await self.client.update(
            DEPLOYMENTS, replace_at(deployment, ("metadata", "annotations"), annotations)
        )
        await self.deployments.wait_seen(updated)
        return updated

    async def _report(self, deployment: Object) -> None:
        status = self._status(deployment)
        if status != deployment.get("status"):
            await self.client.update(DEPLOYMENTS, {**deployment, "status": status}, subresource="status")

    def _status(self, deployment: Object) -> Object:
        sets = self._sets_of(deployment)
        digest = template_hash(
            deployment["spec"]["template"], int((deployment.get("status") or {}).get("collisionCount") or 0)
        )
        new = [each for each in sets if labels_of(each).get(HASH_LABEL) == digest]
        total, available = _sum(sets, "replicas"), _sum(sets, "availableReplicas")
        counts = {
            "observedGeneration": deployment["metadata"].get("generation", 0),
            "replicas": total,
            "updatedReplicas": _sum(new, "replicas"),
            "readyReplicas": _sum(sets, "readyReplicas"),
            "availableReplicas": available,
            "unavailableReplicas": max(0, _desired(deployment) - available),
        }
        status: Object = {key: value for key, value in counts.items() if value}
        status["conditions"] = self._conditions(deployment, status, new)
        return status

    def _conditions(self, deployment: Object, status: Object, new: Sequence[Object]) -> list[Object]:
        now = format_time(self.clock.now())
        _, unavailable = _limits(deployment)
        desired = _desired(deployment)
        enough = status.get("availableReplicas", 0) >= desired - unavailable
        texts = {
            True: ("True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
            False: ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
        }
        name = name_of(new[0]) if new else ""
        complete = (
            status.get("updatedReplicas", 0) == desired
            and status.get("replicas", 0) == desired
            and status.get("availableReplicas", 0) == desired
        )
        progress = (
            ("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
            if complete
            else ("True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
        )
        wanted = [workload_condition("Available", *texts[enough], now)]
        if name:
            wanted.append(workload_condition("Progressing", *progress, now))
        old = {each["type"]: each for each in (deployment.get("status") or {}).get("conditions") or ()}
        return [_keep_times(old.get(each["type"]), each) for each in wanted]


def _keep_times(old: Object | None, new: Object) -> Object:
    if old is None:
        return new
    if all(old.get(field) == new[field] for field in ("status", "reason", "message")):
        return old
    return {**new, "lastTransitionTime": old["lastTransitionTime"]} if old["status"] == new["status"] else new


def _replica_set(deployment: Object, digest: str, revision: int, replicas: int) -> Object:
    template = deployment["spec"]["template"]
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: digest}
    selector = deployment["spec"]["selector"]
    surge, _ = _limits(deployment)
    spec: dict[str, Any] = {
        "replicas": replicas,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}},
        "template": replace_at(template, ("metadata", "labels"), labels),
    }
    if deployment["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    return {
        "apiVersion": REPLICA_SETS.api_version,
        "kind": REPLICA_SETS.kind,
        "metadata": {
            "name": f"{name_of(deployment)}-{digest}",
            "namespace": namespace_of(deployment),
            "labels": labels,
            "annotations": {
                REVISION: str(revision),
                DESIRED: str(_desired(deployment)),
                MAX: str(_desired(deployment) + surge),
            },
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": spec,
    }


def _limits(deployment: Object) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) as numbers of pods; never both zero."""
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0, _desired(deployment)
    rolling = strategy.get("rollingUpdate") or {}
    desired = _desired(deployment)
    surge = scaled_value(rolling.get("maxSurge", "25%"), desired, 1, round_up=True)
    unavailable = scaled_value(rolling.get("maxUnavailable", "25%"), desired, 1, round_up=False)
    return (surge, unavailable) if surge or unavailable else (0, 1)


def _desired(deployment: Object) -> int:
    return int(deployment["spec"].get("replicas", 1))


def _wanted(replica_set: Object) -> int:
    return int(replica_set["spec"].get("replicas", 1))


def _available(replica_set: Object) -> int:
    return int((replica_set.get("status") or {}).get("availableReplicas") or 0)


def _total(sets: Sequence[Object]) -> int:
    return sum(_wanted(each) for each in sets)


def _sum(sets: Sequence[Object], field: str) -> int:
    return sum(int((each.get("status") or {}).get(field) or 0) for each in sets)


def _revision(replica_set: Object) -> int:
    text = annotations_of(replica_set).get(REVISION, "0")
    return int(text) if text.isdigit() else 0

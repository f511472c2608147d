"""Moves each Deployment to its present template: one ReplicaSet per template, the new one up, the old ones down.

RollingUpdate keeps at least `replicas - maxUnavailable` pods available and at most `replicas + maxSurge` in all; Recreate
takes all old pods away first. Going back to a template makes its ReplicaSet the newest revision again. Source: kubernetes
pkg/controller/deployment, 1.36.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from dray.api import errors
from dray.api.meta import (
    Object,
    ObjectKey,
    annotations_of,
    is_deleting,
    key_of,
    name_of,
    namespace_of,
    replace_at,
    uid_of,
)
from dray.api.resources import DEPLOYMENTS, REPLICA_SETS
from dray.controllers.base import OWNER_INDEX, Context, Controller, ignore_missing, index_by_owner
from dray.controllers.deployment_scaling import is_rescaled, rescaled, size_of_new, sizes_of_old
from dray.controllers.deployment_sets import (
    REVISION,
    created,
    desired,
    followed,
    is_recreated,
    new_of,
    revision,
    size_annotations,
    summed,
    wanted,
)
from dray.controllers.deployment_status import (
    CREATED,
    FOUND,
    NOT_CREATED,
    PROGRESSING,
    condition_of,
    deadline,
    is_complete,
    noted,
    paused_or_resumed,
    rollout_status,
    seconds_to_deadline,
    status_of,
)
from dray.controllers.pod_templates import is_namespace_ending


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
        if is_deleting(deployment):
            await self._report_counts(deployment)
            return
        told = paused_or_resumed(deployment, self.clock.now())
        if told is not None:
            deployment = await self._write(deployment, told)
        if deployment["spec"].get("paused") or is_rescaled(deployment, self._sets_of(deployment)):
            deployment = await self._follow(deployment)
            new, old = self._split(deployment)
            await self._resize(deployment, rescaled(deployment, new, old))
            await self._report_counts(deployment)
            return
        if is_recreated(deployment):
            deployment = await self._recreate(deployment)
        else:
            deployment = await self._roll(deployment)
        await self._report_rollout(deployment)

    def _sets_of(self, deployment: Object) -> list[Object]:
        return self.sets.cache.by_index(OWNER_INDEX, uid_of(deployment))

    def _split(self, deployment: Object) -> tuple[Object | None, list[Object]]:
        """The ReplicaSet of the present template, if there is one, and the others."""
        sets = self._sets_of(deployment)
        new = new_of(deployment, sets)
        return new, [each for each in sets if new is None or uid_of(each) != uid_of(new)]

    # --- strategies ---

    async def _roll(self, deployment: Object) -> Object:
        deployment = await self._ensure_new(deployment)
        new, old = self._split(deployment)
        if new is None:
            return deployment
        # One step at a time: what the first did shows in the statuses that the next is reckoned from.
        if await self._resize(deployment, {name_of(new): size_of_new(deployment, new, old)}):
            return deployment
        if await self._resize(deployment, sizes_of_old(deployment, new, old)):
            return deployment
        await self._prune(deployment, old)
        return deployment

    async def _recreate(self, deployment: Object) -> Object:
        deployment = await self._follow(deployment)
        _, old = self._split(deployment)
        if await self._resize(deployment, {name_of(each): 0 for each in old}):
            return deployment
        if summed(old, "replicas") or summed(old, "terminatingReplicas"):
            return deployment
        deployment = await self._ensure_new(deployment)
        new, old = self._split(deployment)
        if new is not None:
            await self._resize(deployment, {name_of(new): desired(deployment)})
            await self._prune(deployment, old)
        return deployment

    # --- the ReplicaSet of the present template ---

    async def _ensure_new(self, deployment: Object) -> Object:
        new, old = self._split(deployment)
        if new is not None:
            return await self._follow(deployment)
        replicas = size_of_new(deployment, None, old)
        wish = created(deployment, old, replicas)
        try:
            new = await self.client.create(REPLICA_SETS, wish, namespace_of(deployment))
        except errors.AlreadyExists:
            return await self._collided(deployment, name_of(wish))
        except errors.StatusError as error:
            if isinstance(error, errors.Forbidden) and is_namespace_ending(error):
                return deployment
            await self._tell_not_created(deployment, name_of(wish), error)
            raise
        await self.sets.wait_seen(new)
        self._tell_scaled(deployment, new, 0, replicas)
        return await self._note(deployment, new, CREATED, "Created new")

    async def _collided(self, deployment: Object, name: str) -> Object:
        """The name is taken: by ours that the cache does not show yet, or by a stranger, for whom we make way."""
        present = await self.client.get(REPLICA_SETS, name, namespace_of(deployment))
        owners = (present["metadata"].get("ownerReferences")) or ()
        if any(owner.get("controller") and owner["uid"] == uid_of(deployment) for owner in owners):
            await self.sets.wait_seen(present)
            return await self._follow(deployment)
        status = deployment.get("status") or {}
        changed = {**status, "collisionCount": int(status.get("collisionCount") or 0) + 1}
        return await self._write(deployment, changed)

    async def _tell_not_created(self, deployment: Object, name: str, error: errors.StatusError) -> None:
        message = f'Failed to create new replica set "{name}": {error}'
        self.recorder.event(deployment, "Warning", NOT_CREATED, message)
        if deadline(deployment) is not None:
            await self._write(deployment, noted(deployment, "False", NOT_CREATED, message, self.clock.now()))

    async def _follow(self, deployment: Object) -> Object:
        """Let the ReplicaSet of the present template, if there is one, be the newest revision."""
        new, old = self._split(deployment)
        if new is None:
            return deployment
        wish = followed(deployment, new, old)
        if wish != new:
            new = await self.client.update(REPLICA_SETS, wish)
            await self.sets.wait_seen(new)
        return await self._note(deployment, new, FOUND, "Found new")

    async def _note(self, deployment: Object, new: Object, reason: str, how: str) -> Object:
        """Tell the revision, and how its ReplicaSet came about where that is news."""
        number = str(revision(new))
        annotations = {**annotations_of(deployment), REVISION: number}
        status = deployment.get("status") or {}
        is_news = reason == CREATED or condition_of(deployment, PROGRESSING) is None
        if deadline(deployment) is not None and is_news:
            message = f'{how} replica set "{name_of(new)}"'
            status = noted(deployment, "True", reason, message, self.clock.now())
        elif annotations_of(deployment).get(REVISION) == number:
            return deployment
        return await self._write(replace_at(deployment, ("metadata", "annotations"), annotations), status)

    # --- sizes ---

    async def _resize(self, deployment: Object, sizes: Mapping[str, int]) -> bool:
        """Whether any ReplicaSet had another size."""
        changed = False
        for each in self._sets_of(deployment):
            size = sizes.get(name_of(each), wanted(each))
            changed |= size != wanted(each)
            await self._scale(deployment, each, size)
        return changed

    async def _scale(self, deployment: Object, replica_set: Object, replicas: int) -> None:
        annotations = {**annotations_of(replica_set), **size_annotations(deployment)}
        before = wanted(replica_set)
        if before == replicas and (not replicas or annotations == annotations_of(replica_set)):
            return
        changed = replace_at(replica_set, ("spec", "replicas"), replicas)
        updated = await self.client.update(
            REPLICA_SETS, replace_at(changed, ("metadata", "annotations"), annotations)
        )
        self._tell_scaled(deployment, replica_set, before, replicas)
        await self.sets.wait_seen(updated)

    def _tell_scaled(self, deployment: Object, replica_set: Object, before: int, after: int) -> None:
        if before != after:
            how = "up" if after > before else "down"
            message = f"Scaled {how} replica set {name_of(replica_set)} from {before} to {after}"
            self.recorder.event(deployment, "Normal", "ScalingReplicaSet", message)

    async def _prune(self, deployment: Object, old: Sequence[Object]) -> None:
        if not is_complete(deployment, deployment.get("status") or {}):
            return
        limit = int(deployment["spec"].get("revisionHistoryLimit", 10))
        empty = [each for each in old if not wanted(each) and not summed([each], "replicas")]
        for each in sorted(empty, key=revision)[: max(0, len(old) - limit)]:
            await ignore_missing(self.client.delete(REPLICA_SETS, name_of(each), namespace_of(each)))

    # --- status ---

    async def _report_counts(self, deployment: Object) -> None:
        sets = self._sets_of(deployment)
        await self._write(deployment, status_of(deployment, sets, new_of(deployment, sets), self.clock.now()))

    async def _report_rollout(self, deployment: Object) -> None:
        sets, now = self._sets_of(deployment), self.clock.now()
        status = rollout_status(deployment, sets, new_of(deployment, sets), now)
        await self._write(deployment, status)
        left = seconds_to_deadline(deployment, status, now)
        if left is not None:
            # Times are in whole seconds: a second later it is over for certain.
            self.queue.add_after(key_of(deployment), max(0.0, left) + 1)

    async def _write(self, deployment: Object, status: Object) -> Object:
        """Write status and annotations if they are not as the server has them; returns the newest version."""
        known = self.deployments.cache.get(key_of(deployment))
        same = known is not None and annotations_of(known) == annotations_of(deployment)
        if same and status == deployment.get("status"):
            return deployment
        updated = await self.client.update(
            DEPLOYMENTS, {**deployment, "status": status}, subresource="status"
        )
        await self.deployments.wait_seen(updated)
        return updated

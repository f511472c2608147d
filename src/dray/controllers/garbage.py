"""Deletes what nobody owns any more, and carries out foreground and orphan deletions.

The loop keeps the graph of owner references of every resource it watches. An object whose owners are all gone is
deleted; "gone" is proved by a live read when the owner was never seen, so that a reference to something this loop does
not watch deletes nothing by mistake. An owner deleted in the foreground waits for its blocking dependents; with
"orphan" its dependents lose the reference instead. Source: kubernetes pkg/controller/garbagecollector, 1.36.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from dray.api import errors
from dray.api import resources as api
from dray.api.features import FeatureGates
from dray.api.meta import (
    Object,
    ObjectKey,
    finalizers_of,
    is_deleting,
    name_of,
    namespace_of,
    replace_at,
    uid_of,
)
from dray.api.pod_groups import pod_groups_in, workloads_in
from dray.api.resources import Resource
from dray.client.informer import Informer
from dray.client.protocol import PatchType
from dray.client.workqueue import WorkQueue, work
from dray.controllers.base import Context, Controller, ignore_missing
from dray.kits.tasks import TaskSet

log = logging.getLogger("dray.controllers")

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
WATCHED: Sequence[Resource] = (
    api.PODS,
    api.NODES,
    api.DAEMON_SETS,
    api.DEPLOYMENTS,
    api.REPLICA_SETS,
    api.STATEFUL_SETS,
    api.CONTROLLER_REVISIONS,
    api.JOBS,
    api.CRON_JOBS,
    api.RESOURCE_CLAIMS,
    api.RESOURCE_CLAIM_TEMPLATES,
    api.RESOURCE_SLICES,
    api.DEVICE_CLASSES,
    api.CONFIG_MAPS,
    api.SECRETS,
    api.SERVICES,
    api.SERVICE_ACCOUNTS,
    api.LEASES,
    api.ROLES,
    api.ROLE_BINDINGS,
    api.CSI_NODES,
    api.ENDPOINT_SLICES,
    api.HORIZONTAL_POD_AUTOSCALERS,
    api.INGRESSES,
    api.NETWORK_POLICIES,
    api.PERSISTENT_VOLUME_CLAIMS,
    api.POD_DISRUPTION_BUDGETS,
)


def _of_groups(features: FeatureGates) -> tuple[Resource, ...]:
    """What is watched besides where it is served."""
    if not features.enabled("GenericWorkload"):
        return ()
    return pod_groups_in(features), workloads_in(features)


class _Node(NamedTuple):
    resource: Resource
    key: ObjectKey


class GarbageCollector(Controller):
    name: ClassVar[str] = "generic-garbage-collector"
    workers: ClassVar[int] = 10

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        watched = (*WATCHED, *_of_groups(context.features))
        self._kinds: dict[tuple[str, str], Resource] = {(r.group, r.kind): r for r in watched}
        self._nodes: dict[str, _Node] = {}
        """Every watched object by uid."""
        self._dependents: dict[str, set[str]] = {}
        """Owner uid -> uids of the objects that refer to it."""
        self._uids: WorkQueue[str] = WorkQueue()
        self._informers: dict[Resource, Informer] = {}
        for resource in watched:
            self._follow(resource)

    def _follow(self, resource: Resource) -> None:
        informer = self._informers[resource] = self.informer(resource)
        informer.add_handler(
            on_add=lambda obj: self._seen(resource, obj),
            on_update=lambda old, new: self._updated(resource, old, new),
            on_delete=lambda obj: self._gone(obj),
        )

    def _seen(self, resource: Resource, obj: Object) -> None:
        uid = uid_of(obj)
        self._nodes[uid] = _Node(resource, _key(obj))
        for owner in _owners(obj):
            self._dependents.setdefault(owner["uid"], set()).add(uid)
        if _owners(obj) or _is_special(obj):
            self._uids.add(uid)

    def _updated(self, resource: Resource, old: Object, new: Object) -> None:
        if _owners(old) != _owners(new):
            for owner in _owners(old):
                self._forget_dependent(owner["uid"], uid_of(old))
            self._seen(resource, new)
        elif _is_special(new):
            self._uids.add(uid_of(new))

    def _gone(self, obj: Object) -> None:
        uid = uid_of(obj)
        self._nodes.pop(uid, None)
        for dependent in self._dependents.pop(uid, ()):
            self._uids.add(dependent)
        for owner in _owners(obj):
            self._forget_dependent(owner["uid"], uid)
            # An owner deleted in the foreground may have waited for this one.
            self._uids.add(owner["uid"])

    def _forget_dependent(self, owner: str, uid: str) -> None:
        members = self._dependents.get(owner)
        if members is not None:
            members.discard(uid)
            if not members:
                del self._dependents[owner]

    def background(self, tasks: TaskSet) -> None:
        tasks.start(work(self._uids, self.workers, self._process_uid), "objects")

    async def sync(self, key: ObjectKey) -> None:
        """Objects are queued by uid, in a queue of their own."""

    async def _process_uid(self, uid: str) -> None:
        try:
            await self._sync_uid(uid)
        except errors.NotFound:
            self._uids.forget(uid)
        except Exception as error:
            if not isinstance(error, errors.Conflict):
                log.warning("%s: object %s will be retried: %s", self.name, uid, error)
            self._uids.retry(uid)
        else:
            self._uids.forget(uid)

    async def _sync_uid(self, uid: str) -> None:
        node = self._nodes.get(uid)
        obj = self._informers[node.resource].cache.get(node.key) if node else None
        if node is None or obj is None:
            return
        if is_deleting(obj):
            await self._finish_deletion(node, obj)
            return
        owners = _owners(obj)
        if not owners:
            return
        living = [owner for owner in owners if await self._exists(owner, node.key.namespace)]
        waiting = [owner for owner in living if self._is_foreground(owner)]
        if not living or len(waiting) == len(living):
            await self._delete(node, obj, foreground=bool(waiting) and bool(self._dependents.get(uid)))
        elif len(living) < len(owners) or waiting:
            await self._drop_owners(
                node, obj, [each for each in owners if each not in living or each in waiting]
            )

    async def _delete(self, node: _Node, obj: Object, *, foreground: bool) -> None:
        deletion = self.client.delete(
            node.resource,
            name_of(obj),
            namespace_of(obj),
            propagation_policy="Foreground" if foreground else "Background",
            uid=uid_of(obj),
        )
        await ignore_missing(deletion)

    def _is_foreground(self, owner: Mapping[str, str]) -> bool:
        node = self._nodes.get(owner["uid"])
        obj = self._informers[node.resource].cache.get(node.key) if node else None
        return obj is not None and is_deleting(obj) and FOREGROUND in finalizers_of(obj)

    async def _exists(self, owner: Mapping[str, str], namespace: str) -> bool:
        if owner["uid"] in self._nodes:
            return True
        group = owner["apiVersion"].rpartition("/")[0]
        resource = self._kinds.get((group, owner["kind"]))
        if resource is None:
            # Not a kind this loop can judge: leave its dependents alone.
            return True
        try:
            live = await self.client.get(resource, owner["name"], namespace if resource.namespaced else "")
        except errors.NotFound:
            return False
        return uid_of(live) == owner["uid"]

    async def _drop_owners(self, node: _Node, obj: Object, dropped: Sequence[Mapping[str, str]]) -> None:
        patch = {
            "metadata": {
                "uid": uid_of(obj),
                "ownerReferences": [{"$patch": "delete", "uid": owner["uid"]} for owner in dropped],
            }
        }
        await self.client.patch(
            node.resource, name_of(obj), patch, namespace_of(obj), patch_type=PatchType.STRATEGIC
        )

    async def _finish_deletion(self, node: _Node, obj: Object) -> None:
        finalizers = finalizers_of(obj)
        dependents = [self._nodes[uid] for uid in self._dependents.get(uid_of(obj), ()) if uid in self._nodes]
        if ORPHAN in finalizers:
            for dependent in dependents:
                await self._orphan(dependent, obj)
            await self._drop_finalizer(node, obj, ORPHAN)
        elif FOREGROUND in finalizers:
            blocking = [dependent for dependent in dependents if self._blocks(dependent, uid_of(obj))]
            for dependent in dependents:
                self._uids.add(uid_of(self._object(dependent) or {"metadata": {}}))
            if not blocking:
                await self._drop_finalizer(node, obj, FOREGROUND)

    def _object(self, node: _Node) -> Object | None:
        return self._informers[node.resource].cache.get(node.key)

    async def _orphan(self, dependent: _Node, owner: Object) -> None:
        obj = self._object(dependent)
        if obj is not None:
            await self._drop_owners(dependent, obj, [{"uid": uid_of(owner)}])

    def _blocks(self, dependent: _Node, owner_uid: str) -> bool:
        obj = self._object(dependent)
        return obj is not None and any(
            owner["uid"] == owner_uid and owner.get("blockOwnerDeletion") for owner in _owners(obj)
        )

    async def _drop_finalizer(self, node: _Node, obj: Object, finalizer: str) -> None:
        kept = [each for each in finalizers_of(obj) if each != finalizer]
        await ignore_missing(
            self.client.update(node.resource, replace_at(obj, ("metadata", "finalizers"), kept))
        )


def _key(obj: Object) -> ObjectKey:
    return ObjectKey(namespace_of(obj), name_of(obj))


def _owners(obj: Object) -> list[Object]:
    return obj["metadata"].get("ownerReferences") or []


def _is_special(obj: Object) -> bool:
    return is_deleting(obj) and any(each in (FOREGROUND, ORPHAN) for each in finalizers_of(obj))

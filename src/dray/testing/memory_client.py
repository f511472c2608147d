"""The smallest API server that a loop can be tested against: one dict, one history, no rules.

It keeps resource versions, uids, finalizers, deletion timestamps, generateName, status writes, label and field
selectors of the simple `key=value` form, and watches. It validates and defaults nothing: tests of behaviour that
depends on the API's rules use the real server through `dray.apiserver.local`.
"""

import asyncio
import contextlib
import copy
import datetime as dt
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

from dray.api import errors
from dray.api.meta import Object, ObjectKey, finalizers_of, format_time, is_deleting, key_of, labels_of
from dray.api.resources import Resource
from dray.client.protocol import EVERYTHING, ObjectList, PatchType, Selection, WatchEvent
from dray.kits.clock import Clock, SystemClock

Reaction = Callable[[str, Resource, str, Object], None]
"""Called before each write with verb, resource, subresource and object; may raise a StatusError."""


class MemoryClient:
    def __init__(self, *objects: Object, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.writes: list[tuple[str, str, str, str]] = []
        """Every accepted write: verb, plural, subresource, name."""
        self.reactions: list[Reaction] = []
        self._objects: dict[str, dict[ObjectKey, Object]] = {}
        self._history: list[tuple[int, str, Literal["ADDED", "MODIFIED", "DELETED"], Object]] = []
        self._changed = asyncio.Event()
        self._revision = 1
        self._serial = itertools.count(1)
        for obj in objects:
            self.put(obj)

    def put(self, obj: Object) -> Object:
        """Place `obj` as it is, whatever was there; the resource is guessed from its kind."""
        return self._store(_plural(obj["kind"]), copy.deepcopy(obj))

    def all(self, resource: Resource) -> list[Object]:
        return list(self._objects.get(resource.plural, {}).values())

    def find(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        return self._objects.get(resource.plural, {}).get(ObjectKey(namespace, name))

    async def get(
        self, resource: Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> Object:
        await asyncio.sleep(0)
        found = self.find(resource, name, namespace)
        if found is None:
            raise errors.not_found(resource.group, resource.plural, name)
        return found

    async def list(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        limit: int = 0,
        continue_token: str = "",
        resource_version: str = "",
    ) -> ObjectList:
        await asyncio.sleep(0)
        items = [obj for obj in self.all(resource) if _selected(obj, selection)]
        return ObjectList(items, str(self._revision))

    def watch(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        resource_version: str = "",
        send_initial_events: bool = False,
        timeout_seconds: int | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        start = self._revision if send_initial_events or not resource_version else int(resource_version)
        initial = (
            [obj for obj in self.all(resource) if _selected(obj, selection)] if send_initial_events else None
        )
        return _entered(self._events(resource, selection, start, initial))

    async def _events(
        self, resource: Resource, selection: Selection, start: int, initial: Sequence[Object] | None
    ) -> AsyncGenerator[WatchEvent, None]:
        for obj in initial or ():
            yield WatchEvent("ADDED", obj)
        if initial is not None:
            meta = {"resourceVersion": str(start), "annotations": {"k8s.io/initial-events-end": "true"}}
            yield WatchEvent("BOOKMARK", {"kind": resource.kind, "metadata": meta})
        position = next((i for i, entry in enumerate(self._history) if entry[0] > start), len(self._history))
        while True:
            while position < len(self._history):
                _, plural, kind, obj = self._history[position]
                position += 1
                if plural == resource.plural and _selected(obj, selection):
                    yield WatchEvent(kind, obj)
            self._changed.clear()
            await self._changed.wait()

    async def create(
        self, resource: Resource, obj: Object, namespace: str = "", *, name: str = "", subresource: str = ""
    ) -> Object:
        await asyncio.sleep(0)
        if subresource:
            return self._post_subresource(resource, obj, namespace, name, subresource)
        obj = copy.deepcopy(obj)
        meta = obj.setdefault("metadata", {})
        if resource.namespaced:
            meta.setdefault("namespace", namespace)
        if not meta.get("name"):
            meta["name"] = f"{meta['generateName']}{next(self._serial):05d}"
        self._react("create", resource, "", obj)
        if self.find(resource, meta["name"], meta.get("namespace", "")) is not None:
            raise errors.already_exists(resource.group, resource.plural, meta["name"])
        obj.setdefault("apiVersion", resource.api_version)
        obj.setdefault("kind", resource.kind)
        return self._store(resource.plural, obj)

    def _post_subresource(
        self, resource: Resource, obj: Object, namespace: str, name: str, subresource: str
    ) -> Object:
        target = self.find(resource, name, namespace)
        if target is None:
            raise errors.not_found(resource.group, resource.plural, name)
        self._react("create", resource, subresource, target)
        if subresource == "binding":
            bound = copy.deepcopy(target)
            bound["spec"]["nodeName"] = obj["target"]["name"]
            condition = {"type": "PodScheduled", "status": "True"}
            others = [
                c for c in bound.setdefault("status", {}).get("conditions", []) if c["type"] != "PodScheduled"
            ]
            bound["status"]["conditions"] = [*others, condition]
            self._store(resource.plural, bound)
        elif subresource == "eviction":
            self._delete(resource, target)
        elif subresource == "token":
            life = dt.timedelta(seconds=obj["spec"].get("expirationSeconds") or 3600)
            end = format_time(self.clock.now() + life)
            obj = {**obj, "status": {"token": f"token-{next(self._serial)}", "expirationTimestamp": end}}
        return obj

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        await asyncio.sleep(0)
        key = key_of(obj)
        old = self.find(resource, key.name, key.namespace)
        if old is None:
            raise errors.not_found(resource.group, resource.plural, key.name)
        self._react("update", resource, subresource, obj)
        # A reaction may have been somebody else's write: then this one conflicts.
        old = self.find(resource, key.name, key.namespace) or old
        version = obj["metadata"].get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            why = (
                "the object has been modified; please apply your changes to the latest version and try again"
            )
            raise errors.conflict(resource.group, resource.plural, key.name, why)
        return self._replace(resource, old, copy.deepcopy(obj), subresource)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str = "",
        *,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
    ) -> Object:
        await asyncio.sleep(0)
        old = self.find(resource, name, namespace)
        if old is None and patch_type is PatchType.APPLY:
            return await self.create(resource, patch, namespace)
        if old is None:
            raise errors.not_found(resource.group, resource.plural, name)
        self._react("patch", resource, subresource, old)
        return self._replace(
            resource, old, _merge(old, patch, patch_type is PatchType.STRATEGIC), subresource
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        grace_period_seconds: int | None = None,
        propagation_policy: Literal["Background", "Foreground", "Orphan"] | None = None,
        uid: str = "",
        resource_version: str = "",
    ) -> Object:
        await asyncio.sleep(0)
        old = self.find(resource, name, namespace)
        if old is None:
            raise errors.not_found(resource.group, resource.plural, name)
        self._react("delete", resource, "", old)
        if uid and uid != old["metadata"]["uid"]:
            raise errors.conflict(
                resource.group, resource.plural, name, "the UID in the precondition differs"
            )
        graceful = (
            resource.plural == "pods"
            and grace_period_seconds != 0
            and (old.get("spec") or {}).get("nodeName")
        )
        if graceful:
            return self._mark_deleted(resource, old, grace_period_seconds or 30)
        return self._delete(resource, old)

    async def delete_collection(self, resource: Resource, selection: Selection = EVERYTHING) -> None:
        for obj in [obj for obj in self.all(resource) if _selected(obj, selection)]:
            await self.delete(resource, obj["metadata"]["name"], obj["metadata"].get("namespace", ""))

    def _react(self, verb: str, resource: Resource, subresource: str, obj: Object) -> None:
        for reaction in self.reactions:
            reaction(verb, resource, subresource, obj)
        self.writes.append((verb, resource.plural, subresource, obj["metadata"].get("name", "")))

    def _replace(self, resource: Resource, old: Object, new: Object, subresource: str) -> Object:
        if subresource == "status":
            status, annotations = new.get("status", {}), new["metadata"].get("annotations")
            new = {**copy.deepcopy(old), "status": status}
            if annotations is not None:
                # As on a server, which takes metadata together with a status.
                new["metadata"]["annotations"] = annotations
        elif subresource == "" and "status" in old and resource.plural in _WITH_STATUS:
            new["status"] = old["status"]
        for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
            if field in old["metadata"]:
                new["metadata"][field] = old["metadata"][field]
        # Of a pod with a grace period its node has the last word.
        has_time = resource.plural == "pods" and new["metadata"].get("deletionGracePeriodSeconds")
        if is_deleting(new) and not finalizers_of(new) and not has_time:
            return self._remove(resource, new)
        return self._store(resource.plural, new)

    def _mark_deleted(self, resource: Resource, old: Object, grace: int) -> Object:
        new = copy.deepcopy(old)
        new["metadata"].setdefault("deletionTimestamp", format_time(self.clock.now()))
        new["metadata"].setdefault("deletionGracePeriodSeconds", grace)
        return self._store(resource.plural, new)

    def _delete(self, resource: Resource, old: Object) -> Object:
        return self._mark_deleted(resource, old, 0) if finalizers_of(old) else self._remove(resource, old)

    def _remove(self, resource: Resource, old: Object) -> Object:
        del self._objects[resource.plural][key_of(old)]
        gone = copy.deepcopy(old)
        self._record(resource.plural, "DELETED", gone)
        return gone

    def _store(self, plural: str, obj: Object) -> Object:
        meta = obj["metadata"]
        meta.setdefault("uid", f"uid-{next(self._serial)}")
        meta.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        existed = key_of(obj) in self._objects.setdefault(plural, {})
        self._record(plural, "MODIFIED" if existed else "ADDED", obj)
        self._objects[plural][key_of(obj)] = obj
        return obj

    def _record(self, plural: str, kind: Literal["ADDED", "MODIFIED", "DELETED"], obj: Object) -> None:
        self._revision += 1
        obj["metadata"]["resourceVersion"] = str(self._revision)
        self._history.append((self._revision, plural, kind, obj))
        self._changed.set()


_WITH_STATUS = {
    "pods",
    "nodes",
    "resourceclaims",
    "namespaces",
    "daemonsets",
    "deployments",
    "replicasets",
    "jobs",
}


@contextlib.asynccontextmanager
async def _entered(events: AsyncGenerator[WatchEvent, None]) -> AsyncIterator[AsyncIterator[WatchEvent]]:
    try:
        yield events
    finally:
        await events.aclose()


def _plural(kind: str) -> str:
    plural = kind.lower()
    if plural == "endpoints":
        return plural
    return plural + ("es" if plural.endswith("s") else "s")


def _selected(obj: Object, selection: Selection) -> bool:
    if selection.namespace and obj["metadata"].get("namespace") != selection.namespace:
        return False
    labels = labels_of(obj)
    return all(_matches(labels.get, term) for term in _terms(selection.labels)) and all(
        _matches(lambda path: _at(obj, path), term) for term in _terms(selection.fields)
    )


def _terms(selector: str) -> list[str]:
    return [term for term in selector.split(",") if term]


def _matches(read: Callable[[str], Any], term: str) -> bool:
    if "!=" in term:
        key, value = term.split("!=", 1)
        return (read(key) or "") != value
    key, value = term.replace("==", "=").split("=", 1)
    return (read(key) or "") == value


def _at(obj: Object, path: str) -> Any:
    value: Any = obj
    for part in path.split("."):
        value = (value or {}).get(part)
    return value


def _merge(target: Any, patch: Any, strategic: bool) -> Any:
    """Merge patch; with `strategic`, lists of conditions and claim statuses merge by their key as Pods' do."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            merged.pop(key, None)
        elif strategic and key in _MERGE_KEYS and isinstance(merged.get(key), list):
            merged[key] = _merge_list(merged[key], value, _MERGE_KEYS[key])
        else:
            merged[key] = _merge(merged.get(key), value, strategic)
    return merged


_MERGE_KEYS = {
    "conditions": "type",
    "resourceClaimStatuses": "name",
    "ownerReferences": "uid",
    "reservedFor": "uid",
    "addresses": "type",
}


def _merge_list(old: "list[Object]", changes: "list[Object]", key: str) -> "list[Object]":
    merged = {entry[key]: entry for entry in old}
    for change in changes:
        if change.get("$patch") == "delete":
            merged.pop(change[key], None)
        else:
            both = {**merged.get(change[key], {}), **change}
            merged[change[key]] = {name: value for name, value in both.items() if value is not None}
    return list(merged.values())

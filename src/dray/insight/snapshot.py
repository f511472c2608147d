"""What the questions are asked about: the objects of a cluster at one moment, and what of it could not be read.

A snapshot is a value. Whoever makes one (from the API, from a file, in a test) says which kinds are in it; a kind that
could not be read is in `unknown` with the reason, so that answers can tell "there is none" from "nobody may know".

Refuses to know: where objects come from; clocks (`now` arrives with the objects).
"""

import datetime as dt
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dray.api.meta import Object, ObjectKey, key_of, uid_of
from dray.api.pods import claim_keys_of
from dray.api.resources import (
    DAEMON_SETS,
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    EVENTS,
    NODES,
    POD_GROUPS,
    PODS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_QUOTAS,
    RESOURCE_SLICES,
    Resource,
)

API_VERSION = "insight.dray/v1"
KIND = "Snapshot"


class NoSnapshot(Exception):
    """A document is no snapshot; the text says what it is instead and what to do."""


class Snapshot:
    """Objects by kind, as v1 of `resource.k8s.io` where that is theirs. Never changed; `replace` makes another."""

    def __init__(
        self,
        now: dt.datetime,
        objects: Mapping[str, Sequence[Object]],
        unknown: Mapping[str, str] | None = None,
        *,
        server: Mapping[str, Any] | None = None,
    ) -> None:
        self.now = now
        self.objects = objects
        """By plural name."""
        self.unknown: Mapping[str, str] = unknown or {}
        """Plural name -> why objects of that kind could not be read."""
        self.server: Mapping[str, Any] = server or {}
        """`version`; `resource`: the versions of resource.k8s.io that are served; `gates`: name -> on or off, where the
        server tells; `kubelets`: node -> what its kubelet tells; `dropped` and `writers`: what was seen in annotations and managed fields before a redaction took
        them out."""
        self._by_key: dict[str, Mapping[ObjectKey, Object]] = {}

    def of(self, resource: Resource) -> Sequence[Object]:
        return self.objects.get(resource.plural, ())

    def knows(self, resource: Resource) -> bool:
        return resource.plural in self.objects and resource.plural not in self.unknown

    @property
    def nodes(self) -> Sequence[Object]:
        return self.of(NODES)

    @property
    def pods(self) -> Sequence[Object]:
        return self.of(PODS)

    @property
    def claims(self) -> Sequence[Object]:
        return self.of(RESOURCE_CLAIMS)

    @property
    def templates(self) -> Sequence[Object]:
        return self.of(RESOURCE_CLAIM_TEMPLATES)

    @property
    def classes(self) -> Sequence[Object]:
        return self.of(DEVICE_CLASSES)

    @property
    def slices(self) -> Sequence[Object]:
        return self.of(RESOURCE_SLICES)

    @property
    def taint_rules(self) -> Sequence[Object]:
        return self.of(DEVICE_TAINT_RULES)

    @property
    def quotas(self) -> Sequence[Object]:
        return self.of(RESOURCE_QUOTAS)

    @property
    def groups(self) -> Sequence[Object]:
        """PodGroups."""
        return self.of(POD_GROUPS)

    @property
    def daemon_sets(self) -> Sequence[Object]:
        return self.of(DAEMON_SETS)

    def find(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        known = self._by_key.get(resource.plural)
        if known is None:
            known = self._by_key[resource.plural] = {key_of(obj): obj for obj in self.of(resource)}
        return known.get(ObjectKey(namespace, name))

    @functools.cached_property
    def claim_by_uid(self) -> Mapping[str, Object]:
        """By what the allocator calls a claim: its UID, or its name where it never had one."""
        return {uid_of(claim) or str(key_of(claim)): claim for claim in self.claims}

    @functools.cached_property
    def pods_by_claim(self) -> Mapping[ObjectKey, Sequence[Object]]:
        """The pods that mean a claim, whether they have it yet or not."""
        found: dict[ObjectKey, list[Object]] = {}
        for pod in self.pods:
            for key in dict.fromkeys(claim_keys_of(pod)):
                found.setdefault(key, []).append(pod)
        return found

    @functools.cached_property
    def pods_by_node(self) -> Mapping[str, Sequence[Object]]:
        found: dict[str, list[Object]] = {}
        for pod in self.pods:
            if node := pod["spec"].get("nodeName"):
                found.setdefault(node, []).append(pod)
        return found

    def events_of(self, obj: Object) -> list[Object]:
        """The events about an object, oldest first."""
        uid, key = uid_of(obj), key_of(obj)
        found = [event for event in self.of(EVENTS) if _is_about(event, obj["kind"], uid, key)]
        return sorted(found, key=event_time)

    def replace(self, resource: Resource, objects: Iterable[Object]) -> "Snapshot":
        """The same cluster with other objects of one kind."""
        changed = {**self.objects, resource.plural: list(objects)}
        return Snapshot(self.now, changed, self.unknown, server=self.server)


def _is_about(event: Object, kind: str, uid: str, key: ObjectKey) -> bool:
    about = event.get("involvedObject") or {}
    if about.get("kind") != kind or about.get("name") != key.name:
        return False
    if about.get("namespace", "") not in ("", key.namespace):
        return False
    return not uid or not about.get("uid") or about["uid"] == uid


def event_time(event: Object) -> str:
    """When an event was last seen, as the text it is written in."""
    series = event.get("series") or {}
    times = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event["metadata"].get("creationTimestamp"),
    )
    return next((str(time) for time in times if time), "")


def to_document(snapshot: Snapshot) -> Object:
    """A snapshot as one JSON object."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "now": snapshot.now.isoformat(),
        "server": dict(snapshot.server),
        "unknown": dict(snapshot.unknown),
        "objects": {plural: list(items) for plural, items in snapshot.objects.items()},
    }


def from_document(document: Any) -> Snapshot:
    """Raises NoSnapshot."""
    if not isinstance(document, dict) or document.get("kind") != KIND:
        kind = document.get("kind") if isinstance(document, dict) else type(document).__name__
        raise NoSnapshot(
            f"this is no snapshot but {kind or 'an object without a kind'}; make one with: dray snapshot capture"
        )
    if document.get("apiVersion") != API_VERSION:
        raise NoSnapshot(
            f"the snapshot is of version {document.get('apiVersion')}, this dray reads {API_VERSION}; capture it anew"
        )
    now = dt.datetime.fromisoformat(document["now"])
    return Snapshot(now, document["objects"], document.get("unknown"), server=document.get("server"))

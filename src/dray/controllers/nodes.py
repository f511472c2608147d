"""Watches over nodes: one that stops renewing its lease becomes Unknown, is tainted, and loses its pods.

A node is healthy while its lease or its status moves; after a grace period without either, its Ready condition is
set to Unknown. Taints follow the conditions. Pods that do not tolerate a NoExecute taint are deleted, at once or after
their tolerationSeconds. Source: kubernetes pkg/controller/nodelifecycle and tainteviction, 1.36.
"""

import asyncio
import contextlib
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dray.api import errors
from dray.api.meta import (
    Object,
    ObjectKey,
    format_time,
    is_deleting,
    key_of,
    name_of,
    namespace_of,
    parse_time,
    replace_at,
    uid_of,
)
from dray.api.placement import tolerates
from dray.api.pods import condition_status
from dray.api.resources import LEASES, NODES, PODS
from dray.client.protocol import PatchType, Selection
from dray.controllers.base import Context, Controller, ignore_missing
from dray.controllers.disruption import mark_disrupted
from dray.kits.tasks import TaskSet

GRACE_SECONDS = 50.0
PERIOD_SECONDS = 5.0
NODE_LEASES = "kube-node-lease"
UNKNOWN_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
CONDITION_TAINTS: Mapping[tuple[str, str], str] = {
    ("Ready", "False"): "node.kubernetes.io/not-ready",
    ("Ready", "Unknown"): "node.kubernetes.io/unreachable",
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
}
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
EVICTING = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
OURS = {*CONDITION_TAINTS.values(), UNSCHEDULABLE}


class NodeLifecycle(Controller):
    name: ClassVar[str] = "node-controller"
    workers: ClassVar[int] = 4

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.nodes = self.watch(NODES)
        self.pods = self.informer(PODS)
        self.leases = self.context.informers.of(LEASES, Selection(NODE_LEASES))
        self._seen: dict[str, tuple[Any, float]] = {}
        """Node -> its latest sign of life, and when this loop first saw that sign, on its own clock."""
        self._registered: dict[str, str] = {}
        """By name, the uid of each node that was told of; anew after each start, as upstream."""

    def background(self, tasks: TaskSet) -> None:
        tasks.start(self._check_for_ever(), "heartbeats")

    async def _check_for_ever(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            for key in self.nodes.cache.keys():  # noqa: SIM118 - a cache, not a dict
                self.queue.add(key)

    async def sync(self, key: ObjectKey) -> None:
        node = self.nodes.cache.get(key)
        if node is None:
            self._seen.pop(key.name, None)
            self._tell_removed(key.name)
            return
        self._register(node)
        if self._silent_seconds(node) > GRACE_SECONDS and condition_status(node, "Ready") != "Unknown":
            was_ready = condition_status(node, "Ready") == "True"
            node = await self._mark_unknown(node)
            if was_ready:
                await self._mark_pods(name_of(node))
        await self._sync_taints(node)

    def _register(self, node: Object) -> None:
        if self._registered.get(name_of(node)) != uid_of(node):
            self._registered[name_of(node)] = uid_of(node)
            text = f"Node {name_of(node)} event: Registered Node {name_of(node)} in Controller"
            self.recorder.event(node, "Normal", "RegisteredNode", text)

    def _tell_removed(self, name: str) -> None:
        uid = self._registered.pop(name, None)
        if uid is not None:
            reference = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
            text = f"Node {name} event: Removing Node {name} from Controller"
            self.recorder.event_about(reference, "Normal", "RemovingNode", text)

    def _silent_seconds(self, node: Object) -> float:
        lease = self.leases.cache.find(name_of(node), NODE_LEASES)
        renewed = (lease or {}).get("spec", {}).get("renewTime")
        heartbeats = [c.get("lastHeartbeatTime") for c in (node.get("status") or {}).get("conditions") or ()]
        sign = (renewed, heartbeats)
        now = self.clock.monotonic()
        seen = self._seen.get(name_of(node))
        if seen is None or seen[0] != sign:
            self._seen[name_of(node)] = (sign, now)
            return 0.0
        return now - seen[1]

    async def _mark_unknown(self, node: Object) -> Object:
        now = format_time(self.clock.now())
        conditions = {c["type"]: c for c in (node.get("status") or {}).get("conditions") or ()}
        for kind in UNKNOWN_CONDITIONS:
            never = {"type": kind, "lastHeartbeatTime": node["metadata"].get("creationTimestamp")}
            reason, message = (
                ("NodeStatusUnknown", "Kubelet stopped posting node status.")
                if kind in conditions
                else ("NodeStatusNeverUpdated", "Kubelet never posted node status.")
            )
            conditions[kind] = {
                **conditions.get(kind, never),
                "status": "Unknown",
                "reason": reason,
                "message": message,
                "lastTransitionTime": now,
            }
        changed = replace_at(node, ("status", "conditions"), list(conditions.values()))
        self.recorder.event(
            node, "Normal", "NodeNotReady", f"Node {name_of(node)} status is now: NodeNotReady"
        )
        return await self.client.update(NODES, changed, subresource="status")

    async def _mark_pods(self, node: str) -> None:
        """No pod of a node that fell silent counts as ready: nobody can tell."""
        for pod in self.pods.cache.list():
            if pod["spec"].get("nodeName") != node or condition_status(pod, "Ready") != "True":
                continue
            condition = {
                "type": "Ready",
                "status": "False",
                "lastTransitionTime": format_time(self.clock.now()),
            }
            patch = {"metadata": {"uid": uid_of(pod)}, "status": {"conditions": [condition]}}
            with contextlib.suppress(errors.NotFound, errors.Conflict):
                await self.client.patch(
                    PODS,
                    name_of(pod),
                    patch,
                    namespace_of(pod),
                    patch_type=PatchType.STRATEGIC,
                    subresource="status",
                )
                self.recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready")

    async def _sync_taints(self, node: Object) -> None:
        present = list((node.get("spec") or {}).get("taints") or ())
        wanted = _wanted_taints(node)
        kept = [taint for taint in present if taint["key"] not in OURS or _identity(taint) in wanted]
        known = {_identity(taint) for taint in kept}
        now = format_time(self.clock.now())
        added = [
            {"key": key, "effect": effect, "timeAdded": now}
            for key, effect in wanted
            if (key, effect) not in known
        ]
        if added or len(kept) < len(present):
            await self.client.update(NODES, replace_at(node, ("spec", "taints"), kept + added))


def _identity(taint: Mapping[str, str]) -> tuple[str, str]:
    return taint["key"], taint["effect"]


def _wanted_taints(node: Object) -> list[tuple[str, str]]:
    wanted: list[tuple[str, str]] = []
    for condition in (node.get("status") or {}).get("conditions") or ():
        key = CONDITION_TAINTS.get((condition["type"], condition["status"]))
        if key:
            wanted.append((key, "NoSchedule"))
            if key in EVICTING:
                wanted.append((key, "NoExecute"))
    if (node.get("spec") or {}).get("unschedulable"):
        wanted.append((UNSCHEDULABLE, "NoSchedule"))
    return wanted


class TaintEviction(Controller):
    name: ClassVar[str] = "taint-eviction-controller"
    account: ClassVar[str] = "node-controller"
    workers: ClassVar[int] = 4

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.nodes = self.informer(NODES)
        self.pods = self.informer(PODS)
        self._begun: dict[ObjectKey, tuple[str, dt.datetime]] = {}
        """By pod whose end is set: its uid, and since when it has been so. Not every taint says when it was added."""
        self.pods.add_handler(
            on_add=self._consider, on_update=lambda _, new: self._consider(new), on_delete=self._enqueue
        )
        self.nodes.add_handler(on_add=self._node_changed, on_update=self._node_updated)

    def _consider(self, pod: Object) -> None:
        node = self.nodes.cache.find(pod["spec"].get("nodeName") or "")
        if node is not None and _no_execute(node) and not is_deleting(pod):
            self._enqueue(pod)

    def _node_updated(self, old: Object, new: Object) -> None:
        if _no_execute(old) != _no_execute(new):
            self._node_changed(new)

    def _node_changed(self, node: Object) -> None:
        for pod in self.pods.cache.list():
            if pod["spec"].get("nodeName") == name_of(node) and not is_deleting(pod):
                self._enqueue(pod)

    async def sync(self, key: ObjectKey) -> None:
        pod = self.pods.cache.get(key)
        if pod is None:
            self._call_off(key)
            return
        if is_deleting(pod):
            return
        node = self.nodes.cache.find(pod["spec"].get("nodeName") or "")
        due = None if node is None else self._seconds_left(pod, _no_execute(node))
        if due is None:
            self._call_off(key)
            return
        if due > 0:
            self.queue.add_after(key, due)
            return
        self._begun.pop(key, None)
        self.recorder.event(
            pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {key.namespace}/{key.name}"
        )
        message = "Taint manager: deleting due to NoExecute taint"
        await ignore_missing(
            mark_disrupted(self.client, pod, "DeletionByTaintManager", message, self.clock.now())
        )
        with contextlib.suppress(errors.NotFound):
            deleted = await self.client.delete(PODS, key.name, key.namespace, uid=uid_of(pod))
            await self.pods.wait_seen(deleted)

    def _seconds_left(self, pod: Object, taints: Sequence[Object]) -> float | None:
        """Until eviction: 0 at once, None never."""
        due: list[float] = []
        for taint in taints:
            covering = [each for each in pod["spec"].get("tolerations") or () if tolerates(each, taint)]
            if not covering:
                return 0.0
            limits = [
                each["tolerationSeconds"] for each in covering if each.get("tolerationSeconds") is not None
            ]
            if limits:
                added = parse_time(taint["timeAdded"]) if taint.get("timeAdded") else self._since(pod)
                due.append(max(0.0, min(limits) - (self.clock.now() - added).total_seconds()))
        if due:
            self._since(pod)
        return min(due, default=None)

    def _since(self, pod: Object) -> dt.datetime:
        """When the end of this very pod was set; now, if it was not."""
        key = key_of(pod)
        uid, since = self._begun.get(key, ("", self.clock.now()))
        if uid != uid_of(pod):
            since = self.clock.now()
            self._begun[key] = (uid_of(pod), since)
        return since

    def _call_off(self, key: ObjectKey) -> None:
        if self._begun.pop(key, None) is not None:
            reference = {"apiVersion": "v1", "kind": "Pod", "name": key.name, "namespace": key.namespace}
            message = f"Cancelling deletion of Pod {key.namespace}/{key.name}"
            self.recorder.event_about(reference, "Normal", "TaintManagerEviction", message)


def _no_execute(node: Object) -> list[Object]:
    return [taint for taint in (node.get("spec") or {}).get("taints") or () if taint["effect"] == "NoExecute"]

"""Removes pods that no node will ever finish: on nodes that are gone, and deleted before they had one.

Pods whose node does not exist are marked Failed (condition DisruptionTarget) and deleted without grace. Finished pods
beyond a threshold go oldest first. Source: kubernetes pkg/controller/podgc, 1.36.
"""

import asyncio
from typing import ClassVar

from dray.api import errors
from dray.api.meta import Object, ObjectKey, is_deleting, name_of, namespace_of, uid_of
from dray.api.pods import is_terminal
from dray.api.resources import NODES, PODS
from dray.controllers.base import Context, Controller, ignore_missing
from dray.controllers.disruption import mark_disrupted
from dray.kits.tasks import TaskSet

PERIOD_SECONDS = 20.0
QUARANTINE_SECONDS = 40.0
"""How long a node must be missing before its pods are given up."""
TERMINATED_THRESHOLD = 12500


class PodGarbageCollector(Controller):
    name: ClassVar[str] = "pod-garbage-collector"
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.pods = self.informer(PODS)
        self.nodes = self.informer(NODES)
        self._missing_since: dict[str, float] = {}
        self.pods.add_handler(
            on_add=self._consider_unscheduled, on_update=lambda _, new: self._consider_unscheduled(new)
        )

    def _consider_unscheduled(self, pod: Object) -> None:
        """A deleted pod that never had a node has no kubelet to confirm its end."""
        if is_deleting(pod) and not pod["spec"].get("nodeName"):
            self._enqueue(pod)

    def background(self, tasks: TaskSet) -> None:
        tasks.start(self._sweep_for_ever(), "sweep")

    async def sync(self, key: ObjectKey) -> None:
        pod = self.pods.cache.get(key)
        if pod is not None and is_deleting(pod) and not pod["spec"].get("nodeName"):
            await self._remove(pod)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            await self.sweep()

    async def sweep(self) -> None:
        """One round over all pods."""
        for pod in self.pods.cache.list():
            node = pod["spec"].get("nodeName")
            if node and await self._is_node_gone(node):
                await self._give_up(pod)
        finished = [pod for pod in self.pods.cache.list() if is_terminal(pod)]
        for pod in sorted(finished, key=_created)[: max(0, len(finished) - TERMINATED_THRESHOLD)]:
            await self._remove(pod)

    async def _is_node_gone(self, node: str) -> bool:
        now = self.clock.monotonic()
        if self.nodes.cache.find(node) is not None:
            self._missing_since.pop(node, None)
            return False
        if now - self._missing_since.setdefault(node, now) < QUARANTINE_SECONDS:
            return False
        try:
            await self.client.get(NODES, node)
        except errors.NotFound:
            return True
        return False

    async def _give_up(self, pod: Object) -> None:
        if not is_terminal(pod):
            message = "PodGC: node no longer exists"
            await ignore_missing(
                mark_disrupted(self.client, pod, "DeletionByPodGC", message, self.clock.now(), phase="Failed")
            )
        await self._remove(pod)

    async def _remove(self, pod: Object) -> None:
        await ignore_missing(
            self.client.delete(PODS, name_of(pod), namespace_of(pod), grace_period_seconds=0, uid=uid_of(pod))
        )


def _created(pod: Object) -> str:
    return str(pod["metadata"].get("creationTimestamp"))

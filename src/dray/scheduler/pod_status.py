"""What the scheduler writes into a waiting pod's status: why it is not scheduled, and which node it is promised to.

Writes happen in the background, the newest per pod wins, and nothing is written that the pod says already. A failed write
is logged and forgotten: the next attempt writes again.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from dray.api import errors
from dray.api.meta import Object, format_time, key_of, uid_of
from dray.api.resources import PODS
from dray.client.protocol import Client, PatchType, Unreachable
from dray.kits.clock import Clock
from dray.kits.tasks import TaskSet

log = logging.getLogger("dray.scheduler")

UNSCHEDULABLE = "Unschedulable"
SCHEDULER_ERROR = "SchedulerError"
WRITERS = 8


class PodStatusWriter:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._waiting: OrderedDict[str, tuple[Object, Object]] = OrderedDict()
        self._busy: set[str] = set()
        self._available = asyncio.Event()

    def not_scheduled(
        self,
        pod: Object,
        reason: str,
        message: str,
        nominated_node: str | None = None,
        *,
        is_promised: bool = False,
    ) -> None:
        """Say that `pod` is not scheduled. `nominated_node`: promise it to this node; "" takes a promise back.

        `is_promised`: the scheduler promised a node that this version of `pod` may not show yet.
        """
        status: Object = {}
        condition = self._condition(pod, reason, message)
        if condition is not None:
            status["conditions"] = [condition]
        promised = (pod.get("status") or {}).get("nominatedNodeName") or ""
        if nominated_node is not None and (is_promised or nominated_node != promised):
            status["nominatedNodeName"] = nominated_node or None
        if status:
            self._waiting[uid_of(pod)] = (pod, status)
            self._available.set()

    def _condition(self, pod: Object, reason: str, message: str) -> Object | None:
        """The condition to merge into the pod's; None when the pod says the same already."""
        generation = pod["metadata"].get("generation")
        present = find_condition(pod, "PodScheduled")
        said: Mapping[str, Any] = {"status": "False", "reason": reason, "message": message}
        if present is not None and all(present.get(name) == value for name, value in said.items()):
            return None
        changed = present is None or present.get("status") != "False"
        since = format_time(self._clock.now()) if changed else (present or {}).get("lastTransitionTime")
        condition: Object = {
            "type": "PodScheduled",
            **said,
            "lastProbeTime": None,
            "lastTransitionTime": since,
        }
        if generation:
            condition["observedGeneration"] = generation
        return condition

    def forget(self, uid: str) -> None:
        """The pod needs no such news any more."""
        self._waiting.pop(uid, None)

    async def run(self) -> None:
        """Write until cancelled."""
        tasks = TaskSet("scheduler-pod-status")
        try:
            for number in range(WRITERS):
                tasks.start(self._write_all(), str(number))
            await asyncio.Event().wait()
        finally:
            await tasks.stop()

    async def _write_all(self) -> None:
        while True:
            uid = next((uid for uid in self._waiting if uid not in self._busy), None)
            if uid is None:
                self._available.clear()
                await self._available.wait()
                continue
            self._busy.add(uid)
            try:
                await self._write(*self._waiting.pop(uid))
            finally:
                self._busy.discard(uid)
                self._available.set()

    async def _write(self, pod: Object, status: Object) -> None:
        key = key_of(pod)
        patch = {"metadata": {"uid": uid_of(pod)}, "status": status}
        try:
            await self._client.patch(
                PODS, key.name, patch, key.namespace, patch_type=PatchType.STRATEGIC, subresource="status"
            )
        except (errors.NotFound, errors.Conflict) as error:
            log.debug("Pod %s is gone, its status was not written: %s", key, error)
        except (errors.StatusError, Unreachable) as error:
            log.warning("Status of pod %s was not written: %s", key, error)


def find_condition(obj: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition["type"] == kind:
            found: Mapping[str, Any] = condition
            return found
    return None

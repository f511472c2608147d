"""Answers ResourcePoolStatusRequests: how many devices the pools of a driver have, and how many of them claims hold.

A question is answered once, from the slices of each pool's newest generation. A pool that is just being published gets
some time to become whole; after that the answer says what is missing. (1.36 drops such questions without an answer.)
Nor does it answer where a pool has generation 0, which no answer can say; here the question fails.
Old questions are removed. How pools are counted is in `pool_counts`. Source: KEP-5677, Kubernetes 1.36.2 and 1.37.
"""

import asyncio
from typing import ClassVar

from dray.api import errors
from dray.api.meta import Object, ObjectKey, format_time, name_of, parse_time, uid_of
from dray.api.pods import find_condition
from dray.api.resources import (
    DEVICE_TAINT_RULES,
    RESOURCE_CLAIMS,
    RESOURCE_POOL_STATUS_REQUESTS,
    RESOURCE_SLICES,
)
from dray.controllers.base import Context, Controller, RetryAfter, ignore_missing
from dray.controllers.pool_counts import counted, is_incomplete, summed
from dray.kits.tasks import TaskSet

PATIENCE_SECONDS = 10.0
"""How long a question waits for the slices of a pool to be complete."""
CLEANUP_SECONDS = 600.0
ANSWERED_SECONDS = 3600.0
"""How long an answer is kept."""
PENDING_SECONDS = 24 * 3600.0
"""How long a question without answer is kept."""
DEFAULT_LIMIT = 100


class PoolStatusRequests(Controller):
    name: ClassVar[str] = "resourcepoolstatusrequest-controller"
    gate: ClassVar[str] = "DRAResourcePoolStatus"
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.requests = self.watch(RESOURCE_POOL_STATUS_REQUESTS)
        self.slices = self.informer(RESOURCE_SLICES)
        self.claims = self.informer(RESOURCE_CLAIMS)
        self.sums = "DRAPartitionableDevicesType" in context.features.later()
        """Whether to answer as 1.37 does: its release is stood for, or the gate is on that brought the summaries."""
        with_rules = self.sums and context.features.enabled("DRADeviceTaintRules")
        self.rules = self.informer(DEVICE_TAINT_RULES) if with_rules else None

    def background(self, tasks: TaskSet) -> None:
        tasks.start(self._clean_up_for_ever(), "cleanup")

    async def _clean_up_for_ever(self) -> None:
        while True:
            await asyncio.sleep(CLEANUP_SECONDS)
            for request in self.requests.cache.list():
                if self._is_old(request):
                    self.queue.add(ObjectKey("", name_of(request)))

    def _is_old(self, request: Object) -> bool:
        answer = find_condition(request, "Complete") or find_condition(request, "Failed")
        since = answer["lastTransitionTime"] if answer else request["metadata"]["creationTimestamp"]
        limit = ANSWERED_SECONDS if answer else PENDING_SECONDS
        return self._seconds_since(since) > limit

    def _seconds_since(self, moment: str) -> float:
        return (self.clock.now() - parse_time(moment)).total_seconds()

    async def sync(self, key: ObjectKey) -> None:
        request = self.requests.cache.get(key)
        if request is None:
            return
        if self._is_old(request):
            await ignore_missing(
                self.client.delete(RESOURCE_POOL_STATUS_REQUESTS, key.name, uid=uid_of(request))
            )
        elif request.get("status") is None:
            await self._answer(request)

    async def _answer(self, request: Object) -> None:
        pools = self._pools(request["spec"])
        shown = pools[: request["spec"].get("limit") or DEFAULT_LIMIT]
        left = PATIENCE_SECONDS - self._seconds_since(request["metadata"]["creationTimestamp"])
        if left > 0 and any(is_incomplete(pool) for pool in shown):
            raise RetryAfter(min(left, 1.0))
        flawed = sum("validationError" in pool for pool in shown)
        message = f"Calculated status for {len(shown)} pools" + (f" ({flawed} incomplete)" if flawed else "")
        complete = self._condition("Complete", "CalculationComplete", message)
        answer = {"poolCount": len(pools), "pools": shown, "conditions": [complete]}
        try:
            await self._write(request, answer)
        except errors.Invalid as refusal:
            failed = self._condition("Failed", "CalculationFailed", str(refusal))
            await self._write(request, {"poolCount": 0, "conditions": [failed]})

    def _pools(self, spec: Object) -> list[Object]:
        slices, claims = self.slices.cache.list(), self.claims.cache.list()
        if not self.sums:
            return counted(spec, slices, claims)
        return summed(spec, slices, claims, self.rules.cache.list() if self.rules else ())

    def _condition(self, kind: str, reason: str, message: str) -> Object:
        return {
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastTransitionTime": format_time(self.clock.now()),
        }

    async def _write(self, request: Object, status: Object) -> None:
        written = await self.client.update(
            RESOURCE_POOL_STATUS_REQUESTS, {**request, "status": status}, subresource="status"
        )
        await self.requests.wait_seen(written)

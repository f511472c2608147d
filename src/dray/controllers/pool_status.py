"""Answers ResourcePoolStatusRequests: how many devices the pools of a driver have, and how many of them claims hold.

A question is answered once, from the slices of each pool's newest generation. A pool that is just being published gets
some time to become whole; after that the answer says what is missing. (1.36 drops such questions without an answer.)
Old questions are removed. Every device counts once, whatever partitions or shares of it are left, as in 1.36.
Source: KEP-5677, Kubernetes 1.36.2.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import ClassVar

from dray.api.meta import Object, ObjectKey, format_time, name_of, parse_time, uid_of
from dray.api.pods import find_condition
from dray.api.resources import RESOURCE_CLAIMS, RESOURCE_POOL_STATUS_REQUESTS, RESOURCE_SLICES
from dray.controllers.base import Context, Controller, RetryAfter, ignore_missing
from dray.kits.tasks import TaskSet

PATIENCE_SECONDS = 10.0
"""How long a question waits for the slices of a pool to be complete."""
CLEANUP_SECONDS = 600.0
ANSWERED_SECONDS = 3600.0
"""How long an answer is kept."""
PENDING_SECONDS = 24 * 3600.0
"""How long a question without answer is kept."""
ERROR_LIMIT = 256
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
        pools = pool_statuses(request["spec"], self.slices.cache.list(), self.claims.cache.list())
        incomplete = sum("validationError" in pool for pool in pools)
        left = PATIENCE_SECONDS - self._seconds_since(request["metadata"]["creationTimestamp"])
        if incomplete and left > 0:
            raise RetryAfter(min(left, 1.0))
        condition = {
            "type": "Complete",
            "status": "True",
            "reason": "CalculationComplete",
            "message": f"Calculated status for {len(pools)} pools"
            + (f" ({incomplete} incomplete)" if incomplete else ""),
            "lastTransitionTime": format_time(self.clock.now()),
        }
        shown = pools[: request["spec"].get("limit") or DEFAULT_LIMIT]
        status = {"poolCount": len(pools), "pools": shown, "conditions": [condition]}
        answered = await self.client.update(
            RESOURCE_POOL_STATUS_REQUESTS, {**request, "status": status}, subresource="status"
        )
        await self.requests.wait_seen(answered)


def pool_statuses(spec: Object, slices: Iterable[Object], claims: Iterable[Object]) -> list[Object]:
    """One status per pool that `spec` asks about, by name."""
    pools: defaultdict[str, list[Object]] = defaultdict(list)
    for entry in slices:
        if entry["spec"]["driver"] == spec["driver"]:
            pools[entry["spec"]["pool"]["name"]].append(entry["spec"])
    taken = _taken(spec["driver"], claims)
    wanted = spec.get("poolName")
    return [_pool_status(name, pools[name], taken[name]) for name in sorted(pools) if wanted in (None, name)]


def _taken(driver: str, claims: Iterable[Object]) -> Counter[str]:
    """By pool, how many results claims hold; those with admin access too."""
    taken: Counter[str] = Counter()
    for claim in claims:
        allocation = (claim.get("status") or {}).get("allocation") or {}
        results = (allocation.get("devices") or {}).get("results") or ()
        taken.update(result["pool"] for result in results if result["driver"] == driver)
    return taken


def _pool_status(name: str, specs: list[Object], taken: int) -> Object:
    generation = max(spec["pool"].get("generation") or 0 for spec in specs)
    newest = [spec for spec in specs if (spec["pool"].get("generation") or 0) == generation]
    driver, announced = newest[0]["driver"], newest[0]["pool"]["resourceSliceCount"]
    status: Object = {"driver": driver, "poolName": name, "generation": generation}
    nodes = {spec.get("nodeName") for spec in newest}
    if len(nodes) == 1 and (node := nodes.pop()):
        status["nodeName"] = node
    if len(newest) < announced:
        seen = f"observed {len(newest)}/{announced} slices at generation {generation}"
        error = f"pool {driver}/{name} is incomplete: {seen}"
        return {**status, "validationError": error[:ERROR_LIMIT]}
    total = sum(len(spec.get("devices") or ()) for spec in newest)
    return {
        **status,
        "resourceSliceCount": announced,
        "totalDevices": total,
        "allocatedDevices": taken,
        "availableDevices": max(0, total - taken),
        "unavailableDevices": 0,
    }

"""Keeps the counts of each PodDisruptionBudget, by which evictions are let through or refused.

Pods of a Deployment or ReplicaSet are expected as their owner asks for them; those of other owners, and of none, as they
are. An eviction that led to no deletion within two minutes is forgotten. Source: kubernetes pkg/controller/disruption, 1.36.
"""

import datetime as dt
from collections.abc import Sequence
from typing import ClassVar

from dray.api.meta import (
    Object,
    ObjectKey,
    controller_of,
    format_time,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    parse_time,
    uid_of,
)
from dray.api.pods import find_condition, is_ready, is_terminal
from dray.api.resources import DEPLOYMENTS, POD_DISRUPTION_BUDGETS, PODS, REPLICA_SETS
from dray.api.selectors import selects
from dray.controllers.base import Context, Controller
from dray.controllers.pod_templates import scaled_value

DISRUPTION_TIMEOUT = dt.timedelta(minutes=2)


class DisruptionBudgets(Controller):
    name: ClassVar[str] = "disruption-controller"
    component: ClassVar[str] = "controllermanager"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.budgets = self.watch(POD_DISRUPTION_BUDGETS)
        self.sets = self.informer(REPLICA_SETS)
        self.deployments = self.informer(DEPLOYMENTS)
        self.pods = self.informer(PODS)
        self.pods.add_handler(
            on_add=self._pod_changed, on_update=self._pod_updated, on_delete=self._pod_changed
        )
        for owners in (self.sets, self.deployments):
            owners.add_handler(on_update=self._owner_updated)

    def _pod_updated(self, old: Object, new: Object) -> None:
        self._pod_changed(new)
        if labels_of(old) != labels_of(new):
            self._pod_changed(old)

    def _pod_changed(self, pod: Object) -> None:
        for budget in self.budgets.cache.list():
            if namespace_of(budget) == namespace_of(pod) and _covers(budget, pod):
                self._enqueue(budget)

    def _owner_updated(self, old: Object, new: Object) -> None:
        if old["spec"].get("replicas") != new["spec"].get("replicas"):
            for budget in self.budgets.cache.list():
                if namespace_of(budget) == namespace_of(new):
                    self._enqueue(budget)

    async def sync(self, key: ObjectKey) -> None:
        budget = self.budgets.cache.get(key)
        if budget is None:
            return
        pods = [
            pod
            for pod in self.pods.cache.list()
            if namespace_of(pod) == key.namespace and not is_terminal(pod) and _covers(budget, pod)
        ]
        if not pods:
            self.recorder.event(budget, "Normal", "NoPods", "No matching pods found")
        status = self._status(budget, pods)
        if status.get("disruptedPods"):
            self.queue.add_after(key, DISRUPTION_TIMEOUT.total_seconds())
        if status != budget.get("status"):
            updated = await self.client.update(
                POD_DISRUPTION_BUDGETS, {**budget, "status": status}, subresource="status"
            )
            await self.budgets.wait_seen(updated)

    def _status(self, budget: Object, pods: Sequence[Object]) -> Object:
        expected, desired = self._expected(budget, pods)
        disrupted = self._disrupted(budget, pods)
        healthy = sum(
            is_ready(pod) and not is_deleting(pod) and name_of(pod) not in disrupted for pod in pods
        )
        allowed = max(0, healthy - desired) if expected else 0
        status: Object = {
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
            "disruptionsAllowed": allowed,
            "observedGeneration": budget["metadata"].get("generation", 0),
            "conditions": [self._condition(budget, is_allowed=allowed > 0)],
        }
        return status | ({"disruptedPods": disrupted} if disrupted else {})

    def _condition(self, budget: Object, *, is_allowed: bool) -> Object:
        old = find_condition(budget, "DisruptionAllowed") or {}
        since = old.get("lastTransitionTime")
        if old.get("status") != str(is_allowed) or not since:
            since = format_time(self.clock.now())
        return {
            "type": "DisruptionAllowed",
            "status": str(is_allowed),
            "reason": "SufficientPods" if is_allowed else "InsufficientPods",
            "message": "",
            "lastTransitionTime": since,
            "observedGeneration": budget["metadata"].get("generation", 0),
        }

    def _expected(self, budget: Object, pods: Sequence[Object]) -> tuple[int, int]:
        """(pods that should be there, pods that have to be healthy)"""
        spec = budget["spec"]
        most = spec.get("maxUnavailable")
        if most is not None:
            expected = self._asked_for(pods)
            return expected, max(0, expected - scaled_value(most, expected, 0, round_up=True))
        least = spec.get("minAvailable")
        expected = self._asked_for(pods) if isinstance(least, str) else len(pods)
        return expected, scaled_value(least, expected, 0, round_up=True)

    def _asked_for(self, pods: Sequence[Object]) -> int:
        by_owner: dict[str, int] = {}
        for pod in pods:
            owner = controller_of(pod)
            if owner is None:
                by_owner[uid_of(pod)] = 1
            elif owner["kind"] == "ReplicaSet":
                uid, replicas = self._scale_of(ObjectKey(namespace_of(pod), owner["name"]), owner["uid"])
                by_owner[uid] = replicas
            else:
                by_owner[owner["uid"]] = by_owner.get(owner["uid"], 0) + 1
        return sum(by_owner.values())

    def _scale_of(self, key: ObjectKey, uid: str) -> tuple[str, int]:
        """Who decides how many pods there are, a Deployment where one stands behind the set, and how many."""
        replica_set = self.sets.cache.get(key)
        if replica_set is None or uid_of(replica_set) != uid:
            return uid, 0
        owner = controller_of(replica_set)
        deployment = self.deployments.cache.find(owner["name"], key.namespace) if owner else None
        scaled = deployment if deployment is not None else replica_set
        return uid_of(scaled), int(scaled["spec"].get("replicas", 1))

    def _disrupted(self, budget: Object, pods: Sequence[Object]) -> dict[str, str]:
        """Evictions that were let through and whose pods are still to be deleted."""
        now, waiting = self.clock.now(), {name_of(pod) for pod in pods if not is_deleting(pod)}
        return {
            name: when
            for name, when in ((budget.get("status") or {}).get("disruptedPods") or {}).items()
            if name in waiting and now - parse_time(when) < DISRUPTION_TIMEOUT
        }


def _covers(budget: Object, pod: Object) -> bool:
    selector = budget["spec"].get("selector")
    return selector is not None and selects(selector, labels_of(pod))

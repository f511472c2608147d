"""From watches to the cluster view: what each kind of change means, in the order in which it came.

Watches call back at any time, attempts want an unmoving picture; so changes are posted here and absorbed by the
scheduling task between two attempts. The same box takes the results of bindings.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from dray.api import errors
from dray.api.features import FeatureGates
from dray.api.meta import Object, is_deleting, uid_of
from dray.api.pod_groups import pod_groups_in
from dray.api.resources import (
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    NAMESPACES,
    NODES,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    Resource,
)
from dray.client.informer import Informer
from dray.client.protocol import Client, Selection
from dray.scheduler.binding import Binder
from dray.scheduler.breath import Breath
from dray.scheduler.cluster_view import ClusterView, holds_its_node
from dray.scheduler.pod_view import is_terminal
from dray.scheduler.queue import SchedulingQueue

log = logging.getLogger("dray.scheduler")

LIVING_PODS = Selection(fields="status.phase!=Succeeded,status.phase!=Failed")


class Intake:
    def __init__(self) -> None:
        self._posted: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._arrived = asyncio.Event()

    def post(self, apply: Callable[..., object], *arguments: Any) -> None:
        """Have `apply` called by the scheduling task."""
        self._posted.append((apply, arguments))
        self._arrived.set()

    async def absorb(self, breath: Breath) -> None:
        """Apply everything that was posted."""
        while self._posted:
            apply, arguments = self._posted.popleft()
            try:
                apply(*arguments)
            except Exception:
                # One object that nobody understands must not stop all the others.
                log.exception("A change could not be taken in by %s", getattr(apply, "__name__", apply))
            if breath.is_due:
                await breath.take()

    async def wait(self, seconds: float | None) -> None:
        """Return when something was posted, or after `seconds`."""
        if self._posted:
            return
        self._arrived.clear()
        try:
            await asyncio.wait_for(self._arrived.wait(), seconds)
        except TimeoutError:
            return


class PodIntake:
    """Where a pod belongs: in the queue, on its node, or nowhere."""

    def __init__(
        self,
        view: ClusterView,
        queue: SchedulingQueue,
        is_ours: Callable[[Object], bool],
        on_gone: Callable[[str], object],
    ) -> None:
        self._view = view
        self._queue = queue
        self._is_ours = is_ours
        self._on_gone = on_gone

    def changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            assert old is not None
            self._left(old)
            return
        if not is_terminal(new):
            self._view.join_group(new)
        if holds_its_node(new):
            self._queue.remove(uid_of(new))
            self._view.assigned_pod_changed(old, new)
        elif is_terminal(new) or new["spec"].get("nodeName"):
            self._left(new)
        elif self._is_ours(new):
            if is_deleting(new):
                self._on_gone(uid_of(new))
            self._queue.put(new)
            self._view.renominate(new)

    def _left(self, pod: Object) -> None:
        uid = uid_of(pod)
        self._on_gone(uid)
        self._queue.remove(uid)
        self._view.end_nomination(uid)
        self._view.groups.leave(uid)
        self._view.pod_left(uid)


class Watches:
    """The informers of the scheduler, wired to the view."""

    def __init__(
        self, client: Client, intake: Intake, view: ClusterView, pods: PodIntake, binder: Binder
    ) -> None:
        self._client = client
        self._intake = intake
        self._binder = binder
        self._view = view
        self._pods = pods
        self.claims: Informer | None = None

    async def informers(self, gates: FeatureGates) -> list[Informer]:
        """One per kind of object; those of devices only where the server knows them."""
        view = self._view
        informers = [
            self._follow(NODES, view.node_changed),
            self._follow(PODS, self._pods.changed, LIVING_PODS),
            self._follow(NAMESPACES, view.namespace_changed),
        ]
        if gates.enabled("GenericWorkload"):
            groups = pod_groups_in(gates)
            if await self._is_served(groups):
                informers.append(self._follow(groups, view.group_changed))
            else:
                log.warning("The API server does not serve %s: gangs wait for ever", groups.qualified)
        if not await self._is_served(RESOURCE_CLAIMS):
            log.warning("The API server does not serve %s: no devices are scheduled", RESOURCE_CLAIMS.group)
            return informers
        self.claims = self._follow(RESOURCE_CLAIMS, self._claim_changed)
        informers += [
            self.claims,
            self._follow(DEVICE_CLASSES, view.class_changed),
            self._follow(RESOURCE_SLICES, view.slice_changed),
        ]
        if gates.enabled("DRADeviceTaintRules"):
            informers.append(self._follow(DEVICE_TAINT_RULES, view.taint_rule_changed))
        return informers

    async def _is_served(self, resource: Resource) -> bool:
        try:
            await self._client.list(resource, limit=1)
        except errors.NotFound:
            return False
        return True

    def _follow(
        self,
        resource: Resource,
        changed: Callable[[Object | None, Object | None], object],
        selection: Selection | None = None,
    ) -> Informer:
        informer = Informer(self._client, resource, selection or Selection())
        post = self._intake.post
        informer.add_handler(
            on_add=lambda obj: post(changed, None, obj),
            on_update=lambda old, new: post(changed, old, new),
            on_delete=lambda obj: post(changed, obj, None),
        )
        return informer

    def _claim_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            assert old is not None
            self._view.claim_removed(old)
            self._binder.claim_changed(old)
        else:
            self._view.claim_changed(new)
            self._binder.claim_changed(new)

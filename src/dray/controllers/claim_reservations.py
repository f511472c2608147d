"""Releases ResourceClaims: drops reservations of pods that are done, deallocates what nobody uses, lets go of what is deleted.

This is the safety of the whole system: a device becomes free only here, and only when its last consumer provably ended.
A consumer that is missing from the cache is looked up live before it is dropped; consumers of unknown kinds are kept.
Source: kubernetes pkg/controller/resourceclaim, 1.36.
"""

from typing import ClassVar

from dray.api import errors
from dray.api.meta import (
    Object,
    ObjectKey,
    controller_of,
    finalizers_of,
    is_deleting,
    name_of,
    namespace_of,
    replace_at,
    uid_of,
    without,
)
from dray.api.pod_groups import CLAIMS_GATE, pod_groups_in, reserves_group
from dray.api.pods import CLAIM_FINALIZER, claim_keys_of, is_done_with_claims
from dray.api.resources import PODS, RESOURCE_CLAIMS
from dray.client.informer import Informer
from dray.controllers.base import Context, Controller, ignore_missing
from dray.controllers.group_claims import group_claim_keys


class ClaimReservations(Controller):
    name: ClassVar[str] = "resource-claim-controller"
    component: ClassVar[str] = "resource_claim"
    workers: ClassVar[int] = 10

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.pods = self.informer(PODS)
        self.claims = self.watch(RESOURCE_CLAIMS)
        self.pods.add_handler(on_update=lambda _, pod: self._pod_changed(pod), on_delete=self._enqueue_claims)
        self.groups = (
            self.informer(pod_groups_in(context.features)) if context.features.enabled(CLAIMS_GATE) else None
        )
        if self.groups is not None:
            self.groups.add_handler(on_delete=self._group_is_gone)

    def _pod_changed(self, pod: Object) -> None:
        if is_done_with_claims(pod):
            self._enqueue_claims(pod)

    def _enqueue_claims(self, pod: Object) -> None:
        for key in claim_keys_of(pod):
            self.queue.add(key)

    def _group_is_gone(self, group: Object) -> None:
        for key in group_claim_keys(group):
            self.queue.add(key)

    async def sync(self, key: ObjectKey) -> None:
        claim = self.claims.cache.get(key)
        if claim is None:
            return
        reserved = (claim.get("status") or {}).get("reservedFor") or []
        kept = [consumer for consumer in reserved if await self._is_in_use(claim, consumer)]
        if len(kept) < len(reserved):
            claim = await self._drop_reservations(claim, kept)
        elif not kept and is_deleting(claim) and CLAIM_FINALIZER in finalizers_of(claim):
            claim = await self._deallocate(claim)
        if not kept:
            await self._delete_unused(claim)

    async def _is_in_use(self, claim: Object, consumer: Object) -> bool:
        if self.groups is not None and reserves_group(consumer):
            return await self._is_group_there(self.groups, claim, consumer)
        if consumer.get("resource") != "pods" or consumer.get("apiGroup"):
            return True
        pod = self.pods.cache.find(consumer["name"], namespace_of(claim))
        if pod is not None:
            return uid_of(pod) == str(consumer["uid"]) and not is_done_with_claims(pod)
        try:
            live = await self.client.get(PODS, consumer["name"], namespace_of(claim))
        except errors.NotFound:
            return False
        return uid_of(live) == str(consumer["uid"])

    async def _is_group_there(self, groups: Informer, claim: Object, consumer: Object) -> bool:
        """A group is never done before it is deleted: more pods may join it."""
        group = groups.cache.find(consumer["name"], namespace_of(claim))
        if group is None:
            try:
                group = await self.client.get(groups.resource, consumer["name"], namespace_of(claim))
            except errors.NotFound:
                return False
        return uid_of(group) == str(consumer["uid"])

    async def _drop_reservations(self, claim: Object, kept: list[Object]) -> Object:
        if kept:
            return await self._write_status(replace_at(claim, ("status", "reservedFor"), kept))
        claim = without(claim, ("status", "reservedFor"))
        if CLAIM_FINALIZER in finalizers_of(claim):
            return await self._deallocate(claim)
        return await self._write_status(claim)

    async def _deallocate(self, claim: Object) -> Object:
        """First the allocation goes, then the finalizer that protected it: never the other way round."""
        status = claim.get("status") or {}
        stored = self.claims.cache.get(ObjectKey(namespace_of(claim), name_of(claim)))
        if status.get("allocation") or stored is None or stored.get("status") != status:
            claim = await self._write_status(without(claim, ("status", "allocation")))
        finalizers = [each for each in finalizers_of(claim) if each != CLAIM_FINALIZER]
        return await self.client.update(
            RESOURCE_CLAIMS, replace_at(claim, ("metadata", "finalizers"), finalizers)
        )

    async def _write_status(self, claim: Object) -> Object:
        return await self.client.update(RESOURCE_CLAIMS, claim, subresource="status")

    async def _delete_unused(self, claim: Object) -> None:
        """A generated claim whose pod has ended goes at once; one whose pod is gone is the garbage collector's."""
        owner = controller_of(claim)
        if is_deleting(claim) or owner is None or owner["kind"] != "Pod" or owner["apiVersion"] != "v1":
            return
        pod = self.pods.cache.find(owner["name"], namespace_of(claim))
        if pod is not None and (uid_of(pod) != owner["uid"] or is_done_with_claims(pod)):
            await ignore_missing(
                self.client.delete(RESOURCE_CLAIMS, name_of(claim), namespace_of(claim), uid=uid_of(claim))
            )

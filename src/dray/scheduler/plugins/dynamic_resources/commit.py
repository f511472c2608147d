"""PreBind: write the chosen devices into the claims and reserve the claims for the pod.

The order is a contract with everybody who reads claims: the finalizer first, by a normal update, so that an allocated
claim can never vanish unnoticed; then allocation and reservation in one status update. A conflict re-reads the claim
and judges anew. Undoing removes only the pod's own reservation: the allocation stays and is used by the next attempt,
or released by a pod that cannot use it.
"""

import asyncio
import dataclasses
import logging
import random

from dray.api import errors
from dray.api.meta import (
    Object,
    ObjectKey,
    finalizers_of,
    format_time,
    is_deleting,
    key_of,
    name_of,
    namespace_of,
    replace_at,
    uid_of,
)
from dray.api.node_claims import STATUS as NODE_ALLOCATABLE
from dray.api.pod_groups import group_consumer
from dray.api.resources import PODS, RESOURCE_CLAIMS
from dray.client.protocol import Client, PatchType, Unreachable
from dray.kits.clock import Clock
from dray.scheduler.assume import allocation_of, is_reserved_for, reservations_of
from dray.scheduler.plugins.dynamic_resources.node_allocatable import status_of
from dray.scheduler.plugins.dynamic_resources.plan import Choice, Settings
from dray.scheduler.plugins.dynamic_resources.sharing import Team, same_devices
from dray.scheduler.pod_view import PodView

log = logging.getLogger("dray.scheduler")

EXTENDED = "extendedResourceClaimStatus"
FINALIZER = "resource.kubernetes.io/delete-protection"
CONFLICT_TRIES = 5
CONFLICT_DELAY_SECONDS = 0.01
UNANSWERED_DELAY_SECONDS = 5.0


class CommitError(Exception):
    """The claims could not be written as planned; the text is upstream's."""


@dataclasses.dataclass(slots=True)
class Reservation:
    """What one pod is about to be given, and how far that has been written."""

    pod: PodView
    node: str
    choice: Choice
    shared: list[Object]
    """Claims that had their devices before."""
    team: Team | None = None
    """The pods of its group that are placed together with this one."""
    of_group: frozenset[ObjectKey] = frozenset()
    """Claims that are reserved for the group."""
    written: dict[str, Object] = dataclasses.field(default_factory=dict)
    """Claims by UID as the API returned them last."""
    uncertain: list[Object] = dataclasses.field(default_factory=list)
    """Claims of which no answer told whether the write took effect."""
    created: Object | None = None
    """The claim for extended resources, once it exists in the API."""
    told: set[str] = dataclasses.field(default_factory=set)
    """The fields of the pod's status that were, or may have been, written."""

    @property
    def held(self) -> list[tuple[str, Object]]:
        """UIDs and allocations that count as taken until the reservation is settled."""
        held = [(uid_of(claim), allocation) for claim, allocation in self.choice.allocations]
        if self.choice.special is not None and self.choice.special_allocation is not None:
            held.append((uid_of(self.choice.special.claim), self.choice.special_allocation))
        return held

    @property
    def claims(self) -> list[Object]:
        """All claims of the pod, each in its newest version."""
        planned = [claim for claim, _ in self.choice.allocations] + self.shared
        claims = [self.written.get(uid_of(claim), claim) for claim in planned]
        if self.created is not None:
            claims.append(self.written.get(uid_of(self.created), self.created))
        return claims

    def consumer(self, claim: Object) -> Object:
        """The entry of reservedFor: for the pod, or for its group where the claim is the group's."""
        if self.team is not None and self.team.group is not None and key_of(claim) in self.of_group:
            return group_consumer(self.team.group)
        return {"resource": PODS.plural, "name": self.pod.key.name, "uid": self.pod.uid}

    def is_reserved(self, claim: Object) -> bool:
        return is_reserved_for(claim, self.consumer(claim)["uid"])

    @property
    def needs_writing(self) -> bool:
        return bool(self.choice.allocations or self.shared or self.choice.special)


class Committer:
    def __init__(self, client: Client, clock: Clock, settings: Settings) -> None:
        self._client = client
        self._clock = clock
        self._settings = settings

    async def commit(self, reservation: Reservation) -> None:
        """Write everything; `reservation.written` tells what was. Raises CommitError."""
        pod = reservation.pod
        entries: list[tuple[Object, Object | None]] = [*reservation.choice.allocations]
        entries += [(claim, None) for claim in reservation.shared if not reservation.is_reserved(claim)]
        if reservation.choice.special is not None:
            created = await self._create_special(reservation)
            entries.append((created, reservation.choice.special_allocation))
        for claim, allocation in entries:
            try:
                reservation.written[uid_of(claim)] = await self._bind_in_turn(claim, allocation, reservation)
            except Unreachable as error:
                reservation.uncertain.append(claim)
                raise CommitError(f"add reservation to claim {key_of(claim)}: {error}") from error
        if status := _status_for(reservation):
            reservation.told = set(status)
            await self.patch_pod(pod, status)

    async def _create_special(self, reservation: Reservation) -> Object:
        assert reservation.choice.special is not None
        claim = reservation.choice.special.claim
        meta = {key: value for key, value in claim["metadata"].items() if key not in ("name", "uid")}
        body = {key: value for key, value in claim.items() if key != "status"} | {"metadata": meta}
        try:
            created = await self._client.create(RESOURCE_CLAIMS, body, namespace_of(claim))
        except (errors.StatusError, Unreachable) as error:
            raise CommitError(
                f"create claim for extended resources {namespace_of(claim)}/{meta['generateName']}: {error}"
            ) from error
        reservation.created = created
        return created

    async def _bind_in_turn(
        self, claim: Object, allocation: Object | None, reservation: Reservation
    ) -> Object:
        """Pods of a group that share a claim write it one after the other; most find nothing left to write."""
        team = reservation.team
        if team is None:
            return await self._bind(claim, allocation, reservation)
        async with team.lock(claim):
            written = await self._bind(team.newest(claim), allocation, reservation)
            team.wrote(written)
            return written

    async def _bind(self, claim: Object, allocation: Object | None, reservation: Reservation) -> Object:
        what = "allocation and reservation" if allocation is not None else "reservation"
        conflict: errors.Conflict | None = None
        try:
            for number in range(CONFLICT_TRIES):
                if number:
                    # Others write claims too, at times in step with us: spread out.
                    await asyncio.sleep(CONFLICT_DELAY_SECONDS * (1 + 0.1 * random.random()))
                    claim = await self._reread(claim)
                try:
                    return await self._write(claim, allocation, reservation)
                except errors.Conflict as error:
                    conflict = error
        except errors.StatusError as error:
            raise CommitError(f"add {what} to claim {key_of(claim)}: {error}") from error
        raise CommitError(f"add {what} to claim {key_of(claim)}: {conflict}") from conflict

    async def _reread(self, claim: Object) -> Object:
        found = await self._client.get(RESOURCE_CLAIMS, name_of(claim), namespace_of(claim))
        if uid_of(found) != uid_of(claim):
            raise CommitError(f"claim {key_of(claim)} got deleted in the meantime")
        return found

    async def _write(self, claim: Object, allocation: Object | None, reservation: Reservation) -> Object:
        key = key_of(claim)
        if is_deleting(claim):
            raise CommitError(f"claim {key} got deleted in the meantime")
        present = allocation_of(claim)
        if allocation is not None and present is not None:
            # One of the group came first with what was chosen for all of them.
            if reservation.team is None or not same_devices(present, allocation):
                raise CommitError(f"claim {key} got allocated elsewhere in the meantime")
            allocation = None
        if allocation is not None:
            claim = await self._add_finalizer(claim)
        elif present is None:
            raise CommitError(f"claim {key} got deallocated elsewhere in the meantime")
        elif reservation.is_reserved(claim):
            return claim
        chosen = allocation if allocation is not None else present
        assert chosen is not None
        if self._settings.binding_conditions and "allocationTimestamp" not in chosen:
            chosen = {**chosen, "allocationTimestamp": format_time(self._clock.now())}
        status = {
            **(claim.get("status") or {}),
            "allocation": chosen,
            "reservedFor": [*reservations_of(claim), reservation.consumer(claim)],
        }
        return await self._client.update(RESOURCE_CLAIMS, {**claim, "status": status}, subresource="status")

    async def _add_finalizer(self, claim: Object) -> Object:
        if FINALIZER in finalizers_of(claim):
            return claim
        protected = replace_at(claim, ("metadata", "finalizers"), [*finalizers_of(claim), FINALIZER])
        try:
            return await self._client.update(RESOURCE_CLAIMS, protected)
        except errors.Conflict:
            raise
        except errors.StatusError as error:
            raise CommitError(f"add finalizer to claim {key_of(claim)}: {error}") from error

    async def patch_pod(self, pod: PodView, status: Object) -> None:
        """Patch the pod's status, provided it is still the same pod. Raises CommitError.

        Lists are replaced, whatever an earlier attempt has left in them: some releases merge them by name.
        """
        patch = {"metadata": {"uid": pod.uid}, "status": status}
        try:
            await self._client.patch(
                PODS,
                pod.key.name,
                patch,
                pod.key.namespace,
                patch_type=PatchType.MERGE,
                subresource="status",
            )
        except (errors.StatusError, Unreachable) as error:
            raise CommitError(f"updating pod {pod.key} status: {error}") from error

    async def undo(self, reservation: Reservation) -> None:
        """Take back what was written, as far as it may be. Failures are logged: controllers clean up after pods.

        Returns only once it is known what the claims look like: devices must not count as free on a guess.
        """
        if NODE_ALLOCATABLE in reservation.told:
            await self._take_back(reservation)
        for claim in reservation.uncertain:
            if (found := await self._ask_until_answered(claim)) is not None:
                reservation.written[uid_of(claim)] = found
        for claim in reservation.claims:
            if reservation.created is not None and uid_of(claim) == uid_of(reservation.created):
                await self._delete_special(claim)
            elif uid_of(claim) in reservation.written and is_reserved_for(claim, reservation.pod.uid):
                await self._unreserve(claim, reservation)

    async def _take_back(self, reservation: Reservation) -> None:
        try:
            await self.patch_pod(reservation.pod, {NODE_ALLOCATABLE: []})
        except CommitError as error:
            if not isinstance(error.__cause__, errors.NotFound):
                log.warning(
                    "What devices of pod %s take of its node stays in its status: %s",
                    reservation.pod.key,
                    error,
                )

    async def _unreserve(self, claim: Object, reservation: Reservation) -> None:
        drop = [{"$patch": "delete", "uid": reservation.pod.uid}]
        patch = {"metadata": {"uid": uid_of(claim)}, "status": {"reservedFor": drop}}
        try:
            reservation.written[uid_of(claim)] = await self._client.patch(
                RESOURCE_CLAIMS,
                name_of(claim),
                patch,
                namespace_of(claim),
                patch_type=PatchType.STRATEGIC,
                subresource="status",
            )
        except errors.NotFound:
            log.debug("Claim %s was deleted before its reservation could be removed", key_of(claim))
        except (errors.StatusError, Unreachable) as error:
            log.warning("Reservation of claim %s was not removed: %s", key_of(claim), error)

    async def _ask_until_answered(self, claim: Object) -> Object | None:
        delay = 0.1
        while True:
            try:
                found = await self._client.get(RESOURCE_CLAIMS, name_of(claim), namespace_of(claim))
            except errors.NotFound:
                return None
            except (errors.StatusError, Unreachable) as error:
                log.info("Claim %s could not be read, asking again: %s", key_of(claim), error)
                await asyncio.sleep(delay)
                delay = min(2 * delay, UNANSWERED_DELAY_SECONDS)
            else:
                return found if uid_of(found) == uid_of(claim) else None

    async def _delete_special(self, claim: Object) -> None:
        await delete_extended_claim(self._client, claim)


def _status_for(reservation: Reservation) -> Object:
    """What the pod's status says of its devices from now on."""
    choice = reservation.choice
    status: Object = {}
    if choice.special is not None and reservation.created is not None:
        name = name_of(reservation.created)
        status[EXTENDED] = {"resourceClaimName": name, "requestMappings": choice.special.mappings}
    special = choice.special.claim if choice.special is not None else None
    if entries := status_of(choice.taken, special, reservation.created):
        status[NODE_ALLOCATABLE] = entries
    return status


async def delete_extended_claim(client: Client, claim: Object) -> bool:
    """Delete a claim that was made for extended resources, finalizer first. Returns whether it is gone."""
    try:
        if FINALIZER in finalizers_of(claim):
            left = [each for each in finalizers_of(claim) if each != FINALIZER]
            claim = await client.update(RESOURCE_CLAIMS, replace_at(claim, ("metadata", "finalizers"), left))
        await client.delete(RESOURCE_CLAIMS, name_of(claim), namespace_of(claim), uid=uid_of(claim))
    except errors.NotFound:
        return True
    except (errors.StatusError, Unreachable) as error:
        log.warning("Claim %s for extended resources was not deleted: %s", key_of(claim), error)
        return False
    return True

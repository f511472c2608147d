"""PostFilter: no node fits the pod; perhaps an allocation that only this pod could use stands in the way.

At most one claim is released per attempt; the release wakes the pod, and everybody else who waits for devices.
"""

import logging
from collections.abc import Iterator

from dray.api import errors
from dray.api.meta import Object, ObjectKey, is_controlled_by, key_of, namespace_of, uid_of
from dray.api.pod_groups import claim_name_in, group_claims
from dray.api.resources import RESOURCE_CLAIMS
from dray.client.protocol import Client, PatchType, Unreachable
from dray.scheduler.assume import ClaimLedger, allocation_of, is_reserved_for, reservations_of
from dray.scheduler.plugins.dynamic_resources.commit import delete_extended_claim
from dray.scheduler.plugins.dynamic_resources.plan import DevicePlan
from dray.scheduler.plugins.dynamic_resources.sharing import Team

log = logging.getLogger("dray.scheduler")

NO_CLAIMS = "no new claims to deallocate"
DEALLOCATED = "deallocation of ResourceClaim completed"
DELETED = "deletion of ResourceClaim completed"
UNRESERVED = "ResourceClaim unreserved for PodGroup"
HOPELESS = "still not schedulable"


async def release_idle(
    client: Client, plan: DevicePlan | None, ledger: ClaimLedger, team: Team | None = None
) -> str:
    """Release what may be; returns upstream's words for what was done.

    `team`: of the pod's group. A group of which no pod has a node gives up its reservations, too.
    """
    if plan is None:
        return NO_CLAIMS
    for claim in plan.unavailable.values():
        if _is_idle(claim, plan.pod.uid):
            return await _deallocate(client, claim)
    stale = ledger.extended_claim_of(plan.pod.uid) if plan.has_stale_extended_claim else None
    if stale is not None and await delete_extended_claim(client, stale):
        return DELETED
    if plan.of_group and team is not None and team.group is not None and not team.scheduled:
        for claim in _held_by(team.group, ledger):
            if await _unreserve(client, claim, uid_of(team.group)):
                return UNRESERVED
    return HOPELESS


def _held_by(group: Object, ledger: ClaimLedger) -> Iterator[Object]:
    """The claims of the group that are allocated and reserved for it."""
    statuses = (group.get("status") or {}).get("resourceClaimStatuses")
    for entry in group_claims(group):
        by_name = entry.get("resourceClaimName")
        name = by_name or claim_name_in(statuses, entry["name"])[1]
        claim = ledger.find(ObjectKey(namespace_of(group), name)) if name else None
        if claim is None or allocation_of(claim) is None or not is_reserved_for(claim, uid_of(group)):
            continue
        if by_name or is_controlled_by(claim, group):
            yield claim


async def _unreserve(client: Client, claim: Object, consumer_uid: str) -> bool:
    drop = [{"$patch": "delete", "uid": consumer_uid}]
    patch = {"metadata": {"uid": uid_of(claim)}, "status": {"reservedFor": drop}}
    key = key_of(claim)
    try:
        await client.patch(
            RESOURCE_CLAIMS,
            key.name,
            patch,
            key.namespace,
            patch_type=PatchType.STRATEGIC,
            subresource="status",
        )
    except (errors.StatusError, Unreachable) as error:
        log.info("Claim %s is still reserved for its group: %s", key, error)
        return False
    return True


def _is_idle(claim: Object, pod_uid: str) -> bool:
    reservations = reservations_of(claim)
    return not reservations or (len(reservations) == 1 and is_reserved_for(claim, pod_uid))


async def _deallocate(client: Client, claim: Object) -> str:
    gone = ("allocation", "reservedFor", "devices")
    status = {name: value for name, value in (claim.get("status") or {}).items() if name not in gone}
    try:
        await client.update(RESOURCE_CLAIMS, {**claim, "status": status}, subresource="status")
    except (errors.StatusError, Unreachable) as error:
        log.info("Claim %s was not deallocated: %s", key_of(claim), error)
        return HOPELESS
    return DEALLOCATED

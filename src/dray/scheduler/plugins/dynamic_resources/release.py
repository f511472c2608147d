"""PostFilter: no node fits the pod; perhaps an allocation that only this pod could use stands in the way.

At most one claim is released per attempt; the release wakes the pod, and everybody else who waits for devices.
"""

import logging

from dray.api import errors
from dray.api.meta import Object, key_of
from dray.api.resources import RESOURCE_CLAIMS
from dray.client.protocol import Client, Unreachable
from dray.scheduler.assume import ClaimLedger, is_reserved_for, reservations_of
from dray.scheduler.plugins.dynamic_resources.commit import delete_extended_claim
from dray.scheduler.plugins.dynamic_resources.plan import DevicePlan

log = logging.getLogger("dray.scheduler")

NO_CLAIMS = "no new claims to deallocate"
DEALLOCATED = "deallocation of ResourceClaim completed"
DELETED = "deletion of ResourceClaim completed"
HOPELESS = "still not schedulable"


async def release_idle(client: Client, plan: DevicePlan | None, ledger: ClaimLedger) -> str:
    """Release what may be; returns upstream's words for what was done."""
    if plan is None:
        return NO_CLAIMS
    for claim in plan.unavailable.values():
        if _is_idle(claim, plan.pod.uid):
            return await _deallocate(client, claim)
    stale = ledger.extended_claim_of(plan.pod.uid) if plan.has_stale_extended_claim else None
    if stale is not None and await delete_extended_claim(client, stale):
        return DELETED
    return HOPELESS


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

"""Giving back what a pod held: its devices to their drivers, or, when a driver is gone for good, to nobody.

The kubelet waits for a missing driver for ever, and a namespace that holds both the driver and a pod that uses it may
then never be gone. Here a claim is given up once nothing on the node could bring its driver back.
"""

import logging

from dray.node.dra.preparation import UnprepareFailure
from dray.node.pods.services import NodeServices, Peers

log = logging.getLogger("dray.node.dra")


async def release_claims(services: NodeServices, peers: Peers, pod_uid: str) -> list[str]:
    """Returns a text about each claim that was given up. Raises UnprepareFailure while there is hope."""
    try:
        await services.claims.unprepare(pod_uid)
        return []
    except UnprepareFailure as failure:
        hopeless = [driver for driver in failure.drivers if peers.is_hopeless(driver, pod_uid)]
        if not hopeless:
            raise
        abandoned = services.claims.abandon(pod_uid, hopeless)
        if services.claims.has_claims(pod_uid):
            raise
    texts = [
        f"ResourceClaim {claim.key} is given up: {', '.join(hopeless)} is not registered, and nothing on this node "
        "can bring it back. What the driver prepared for the claim can only be cleaned up by hand"
        for claim in abandoned
    ]
    for text in texts:
        log.warning("%s", text)
    return texts

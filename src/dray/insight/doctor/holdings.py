"""Which drivers the devices of a claim are of."""

from dray.api.meta import Object


def drivers_of(claim: Object) -> set[str]:
    """The drivers whose devices a claim holds."""
    allocation = (claim.get("status") or {}).get("allocation") or {}
    return {result["driver"] for result in (allocation.get("devices") or {}).get("results") or ()}

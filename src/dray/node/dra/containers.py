"""Which prepared devices a container gets, and how they show in its status."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dray.api.meta import Object, namespace_of
from dray.api.pods import claims_of
from dray.node.dra.claiminfo import ClaimInfo, PreparedDevice

FindClaim = Callable[[str, str], ClaimInfo | None]
"""(namespace, name) -> the claim on record."""
Health = Callable[[str, str, str], tuple[str, str]]
"""(driver, pool, device) -> (health, message)."""


class ClaimUnknown(Exception):
    """A container wants a claim that is not on record."""


def cdi_devices(pod: Mapping[str, Any], container: Mapping[str, Any], find: FindClaim) -> list[str]:
    """The CDI names for one container, each once, in a stable order. Raises ClaimUnknown."""
    names = [
        cdi_id
        for _, claim, request in _uses(pod, container, find)
        for _, device in claim.devices()
        if device.serves(request)
        for cdi_id in device.cdi_ids
    ]
    return list(dict.fromkeys(names))


def used_claims(pod: Mapping[str, Any], container: Mapping[str, Any], find: FindClaim) -> list[ClaimInfo]:
    """The claims of which the container uses any part."""
    uses = {claim.uid: claim for _, claim, _ in _uses(pod, container, find)}
    return list(uses.values())


def resource_health(
    pod: Mapping[str, Any], container: Mapping[str, Any], find: FindClaim, health: Health
) -> list[Object]:
    """The container's `allocatedResourcesStatus`; empty once its claims are off the record."""
    rows: list[Object] = []
    try:
        for name, claim, request in _uses(pod, container, find):
            if not name:
                continue
            resources = _resources(claim, request, health)
            if resources:
                title = f"claim:{name}/{request}" if request else f"claim:{name}"
                rows.append({"name": title, "resources": resources})
    except ClaimUnknown:
        return []
    return rows


def _resources(claim: ClaimInfo, request: str, health: Health) -> list[Object]:
    """One entry per resource id; devices that share one are as healthy as the least healthy of them."""
    entries: dict[str, Object] = {}
    for driver, device in claim.devices():
        if not device.serves(request):
            continue
        entry = _entry(driver, device, health)
        known = entries.get(entry["resourceID"])
        if known is None or (known["health"] == "Healthy" and entry["health"] != "Healthy"):
            entries[entry["resourceID"]] = entry
    return list(entries.values())


def _entry(driver: str, device: PreparedDevice, health: Health) -> Object:
    state, message = health(driver, device.pool, device.device)
    entry: Object = {"resourceID": device.resource_id(driver), "health": state}
    if message:
        entry["message"] = message
    return entry


def _uses(
    pod: Mapping[str, Any], container: Mapping[str, Any], find: FindClaim
) -> Iterator[tuple[str, ClaimInfo, str]]:
    """(name of the pod's claim entry, claim, request) for everything the container uses.

    The entry's name is "" for a claim that stands for extended resources.
    """
    names = {entry.name: entry.claim for entry in claims_of(pod)}
    for use in (container.get("resources") or {}).get("claims") or ():
        if claim_name := names.get(use["name"]):
            yield use["name"], _found(pod, claim_name, find), use.get("request") or ""
    extended = (pod.get("status") or {}).get("extendedResourceClaimStatus") or {}
    for mapping in extended.get("requestMappings") or ():
        if mapping["containerName"] == container["name"]:
            yield "", _found(pod, extended["resourceClaimName"], find), mapping["requestName"]


def _found(pod: Mapping[str, Any], name: str, find: FindClaim) -> ClaimInfo:
    claim = find(namespace_of(pod), name)
    if claim is None:
        raise ClaimUnknown(f"unable to get information for ResourceClaim {name}")
    return claim

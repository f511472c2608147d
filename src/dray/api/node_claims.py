"""What the devices of a pod take of its node's own resources, as the pod's status tells it (DRANodeAllocatableResources).

Kubernetes 1.36 tells one amount for each resource of a claim. 1.37 tells apart what the devices are (`mapping`) and what
their use costs (`overhead`): once for the pod, and once more for each container that uses the claim.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

STATUS = "nodeAllocatableResourceClaimStatuses"

Part: TypeAlias = tuple[str, Any]
"""The name of a resource and a quantity."""


def claims_on_node(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The entries that count. What a pod without a node says of this is left over from an attempt to find one."""
    if not pod["spec"].get("nodeName"):
        return []
    return [entry or {} for entry in (pod.get("status") or {}).get(STATUS) or ()]


def lasting_parts(entry: Mapping[str, Any]) -> Iterator[Part]:
    """What a claim takes for as long as the pod lives, whoever of its containers uses it."""
    yield from (entry.get("resources") or {}).items()
    for part in entry.get("mapping") or ():
        if part.get("quantity") is not None:
            yield part["name"], part["quantity"]
    for part in entry.get("overhead") or ():
        if part.get("perPod") is not None:
            yield part["name"], part["perPod"]


def parts_per_container(entry: Mapping[str, Any]) -> Iterator[Part]:
    """What a claim takes more while a container runs that uses it."""
    for part in entry.get("overhead") or ():
        if part.get("perContainer") is not None:
            yield part["name"], part["perContainer"]


def parts_of_container(pod: Mapping[str, Any], container: str) -> Iterator[Part]:
    """What the devices give to one container, or cost it, beyond its own limits."""
    for entry in claims_on_node(pod):
        if container in (entry.get("containers") or ()):
            yield from lasting_parts(entry)
            yield from parts_per_container(entry)


def shares(pod: Mapping[str, Any]) -> Iterator[tuple[str, Part]]:
    """All that claims take, each part with the container that it comes and goes with, or "" for one that lasts.

    A container that the pod has not is taken for one that runs always.
    """
    entries = claims_on_node(pod)
    if not entries:
        return
    fields = ("initContainers", "containers")
    known = {one["name"] for field in fields for one in pod["spec"].get(field) or ()}
    for entry in entries:
        for part in lasting_parts(entry):
            yield "", part
        for part in parts_per_container(entry):
            for user in entry.get("containers") or ():
                yield (user if user in known else ""), part

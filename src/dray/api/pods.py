"""Facts about Pods that several roles need: which claims they use, when they are done, who they are."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from dray.api.meta import Object, ObjectKey, is_deleting, namespace_of

POD_CLAIM_ANNOTATION = "resource.kubernetes.io/pod-claim-name"
CLAIM_FINALIZER = "resource.kubernetes.io/delete-protection"
EXTENDED_CLAIM_ANNOTATION = "resource.kubernetes.io/extended-resource-claim"


class PodClaim(NamedTuple):
    """One entry of spec.resourceClaims and what it resolves to now."""

    name: str
    """The name the pod's containers use."""
    claim: str | None
    """The ResourceClaim's name; None: none is needed, or it is not made yet (`is_resolved` tells)."""
    template: str | None
    is_resolved: bool


def claims_of(pod: Mapping[str, Any]) -> Iterator[PodClaim]:
    """The pod's claim entries in order, resolved through status.resourceClaimStatuses."""
    made = {
        entry["name"]: entry.get("resourceClaimName")
        for entry in (pod.get("status") or {}).get("resourceClaimStatuses") or ()
    }
    for entry in pod["spec"].get("resourceClaims") or ():
        name, template = entry["name"], entry.get("resourceClaimTemplateName")
        if template is None:
            yield PodClaim(name, entry.get("resourceClaimName"), None, True)
        else:
            yield PodClaim(name, made.get(name), template, name in made)


def claim_names_of(pod: Mapping[str, Any]) -> list[str]:
    """Names of every ResourceClaim the pod uses so far, the one for extended resources included."""
    names = [claim.claim for claim in claims_of(pod) if claim.claim]
    extended = (pod.get("status") or {}).get("extendedResourceClaimStatus") or {}
    if extended.get("resourceClaimName"):
        names.append(extended["resourceClaimName"])
    return names


def claim_keys_of(pod: Mapping[str, Any]) -> list[ObjectKey]:
    namespace = namespace_of(pod)
    return [ObjectKey(namespace, name) for name in claim_names_of(pod)]


def is_terminal(pod: Mapping[str, Any]) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_done_with_claims(pod: Mapping[str, Any]) -> bool:
    """Finished, or deleted before it ever had a node."""
    return is_terminal(pod) or (is_deleting(pod) and not pod["spec"].get("nodeName"))


def addresses_of(pod: Mapping[str, Any]) -> list[str]:
    """Where the pod is reached, its first address first; empty before it has any."""
    return [entry["ip"] for entry in (pod.get("status") or {}).get("podIPs") or () if entry.get("ip")]


def is_ready(pod: Mapping[str, Any]) -> bool:
    return condition_status(pod, "Ready") == "True"


def condition_status(obj: Mapping[str, Any], kind: str) -> str:
    condition = find_condition(obj, kind)
    return "" if condition is None else str(condition.get("status", ""))


def find_condition(obj: Mapping[str, Any], kind: str) -> Object | None:
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == kind:
            return dict(condition)
    return None

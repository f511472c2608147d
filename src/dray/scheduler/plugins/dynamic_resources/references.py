"""Which claims a pod means: by name, or made for it from a template and named in its status.

Decides whether they are all there and usable by this pod. Refuses to know whether they are allocated.
Source: `resourceclaim.Name` and the plugin's claim walk, Kubernetes 1.36.2.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dray.api.meta import Object, ObjectKey, is_deleting, key_of, namespace_of, uid_of
from dray.api.pod_groups import is_group_claim, ownership_problem


class ClaimProblem(Exception):
    """A claim of the pod is missing or unusable; the text is upstream's."""


def find_claims(
    pod: Object, find_claim: Callable[[ObjectKey], Object | None], *, with_groups: bool = False
) -> list[Object]:
    """The pod's claims in the order of its spec, each once. Raises ClaimProblem for the first that is not usable.

    `with_groups`: claims that were made for the pod's group are its claims, too.
    """
    claims: dict[str, Object] = {}
    for reference in pod["spec"].get("resourceClaims") or ():
        name = _claim_name(pod, reference)
        if name is None:
            continue
        key = ObjectKey(namespace_of(pod), name)
        claim = find_claim(key)
        if claim is None:
            raise ClaimProblem(f'could not find ResourceClaim "{key}"')
        if is_deleting(claim):
            raise ClaimProblem(f'resourceclaim "{name}" is being deleted')
        if not reference.get("resourceClaimName") and (
            problem := ownership_problem(claim, pod, with_groups=with_groups)
        ):
            raise ClaimProblem(problem)
        # Two names of the pod may mean one claim: it is allocated once (1.36 tries twice and fails when binding).
        claims[uid_of(claim)] = claim
    return list(claims.values())


def claims_of_group(pod: Object, group: Object | None) -> Iterator[ObjectKey]:
    """Those of the pod's claims that are its group's."""
    for reference in pod["spec"].get("resourceClaims") or ():
        if is_group_claim(reference, group) and (name := _claim_name(pod, reference)) is not None:
            yield ObjectKey(namespace_of(pod), name)


def known_claim_keys(pod: Object) -> Iterator[ObjectKey]:
    """The claims whose names are known already, whether they exist or not."""
    for reference in pod["spec"].get("resourceClaims") or ():
        name = reference.get("resourceClaimName") or (_status_of(pod, reference) or {}).get(
            "resourceClaimName"
        )
        if name:
            yield ObjectKey(namespace_of(pod), name)


def _claim_name(pod: Object, reference: Mapping[str, Any]) -> str | None:
    """None where the pod turned out not to need a claim for this entry."""
    if name := reference.get("resourceClaimName"):
        return str(name)
    if not reference.get("resourceClaimTemplateName"):
        raise ClaimProblem(
            f'pod "{key_of(pod)}", spec.resourceClaim "{reference["name"]}": none of the supported fields are set'
        )
    status = _status_of(pod, reference)
    if status is None:
        raise ClaimProblem(f'pod "{key_of(pod)}": ResourceClaim not created yet')
    return status.get("resourceClaimName")


def _status_of(pod: Object, reference: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for status in (pod.get("status") or {}).get("resourceClaimStatuses") or ():
        if status["name"] == reference["name"]:
            found: Mapping[str, Any] = status
            return found
    return None

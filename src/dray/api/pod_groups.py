"""Pods that belong to a PodGroup, and the claims that the group has for all of them.

Facts that several parts must see alike. Source: k8s.io/dynamic-resource-allocation/resourceclaim, 1.36.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dray.api.features import FeatureGates
from dray.api.meta import Object, ObjectKey, controller_of, key_of, name_of, namespace_of, uid_of
from dray.api.resources import POD_GROUPS, POD_GROUPS_BETA, WORKLOADS, WORKLOADS_BETA, Resource

PROTECTION_FINALIZER: Final = "scheduling.k8s.io/podgroup-protection"
SCHEDULED_CONDITION: Final = "PodGroupScheduled"
INITIALLY_SCHEDULED_CONDITION: Final = "PodGroupInitiallyScheduled"
"""Of 1.37: what the other is before."""
_BETA_SINCE: Final = "1.37"
CLAIMS_GATE: Final = "DRAWorkloadResourceClaims"

_CLAIM_FIELDS = ("name", "resourceClaimName", "resourceClaimTemplateName")


def pod_groups_in(gates: FeatureGates) -> Resource:
    """PodGroups in the version that the release has them in."""
    return POD_GROUPS_BETA if gates.reaches(_BETA_SINCE) else POD_GROUPS


def workloads_in(gates: FeatureGates) -> Resource:
    return WORKLOADS_BETA if gates.reaches(_BETA_SINCE) else WORKLOADS


def scheduled_condition(gates: FeatureGates) -> str:
    """The type of the condition that tells whether a group is scheduled."""
    return INITIALLY_SCHEDULED_CONDITION if gates.reaches(_BETA_SINCE) else SCHEDULED_CONDITION


def group_name(pod: Mapping[str, Any]) -> str:
    """The name of the PodGroup that the pod belongs to; "" for a pod on its own."""
    return str((pod["spec"].get("schedulingGroup") or {}).get("podGroupName") or "")


def group_key(pod: Mapping[str, Any]) -> ObjectKey | None:
    """The PodGroup that the pod belongs to; None for a pod on its own."""
    name = group_name(pod)
    return ObjectKey(namespace_of(pod), name) if name else None


def min_count(group: Mapping[str, Any]) -> int:
    """How many pods must be placed at the same time; 0 where each is placed on its own."""
    gang = ((group.get("spec") or {}).get("schedulingPolicy") or {}).get("gang")
    return int((gang or {}).get("minCount") or 0)


def priority_of(group: Mapping[str, Any]) -> int | None:
    """How urgent the group is, where it says so."""
    priority: int | None = (group.get("spec") or {}).get("priority")
    return priority


def group_claims(group: Mapping[str, Any] | None) -> list[Object]:
    """The entries of the group's spec.resourceClaims."""
    return list(((group or {}).get("spec") or {}).get("resourceClaims") or ())


def is_group_claim(reference: Mapping[str, Any], group: Mapping[str, Any] | None) -> bool:
    """Whether an entry of a pod's spec.resourceClaims means the group's claim: the same in all that it says."""
    return any(
        all(reference.get(field) == entry.get(field) for field in _CLAIM_FIELDS)
        for entry in group_claims(group)
    )


def claim_name_in(statuses: Iterable[Mapping[str, Any]] | None, name: str) -> tuple[bool, str | None]:
    """What a list of resourceClaimStatuses says of the entry `name`: whether anything, and the claim, if one was needed."""
    for status in statuses or ():
        if status.get("name") == name:
            return True, status.get("resourceClaimName")
    return False, None


def is_made_for_group_of(claim: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """Whether the claim was made from a template for the pod's group. Pods do not know the UID of their group."""
    owner, name = controller_of(claim), group_name(pod)
    if owner is None or not name or namespace_of(claim) != namespace_of(pod):
        return False
    group, _, _ = str(owner.get("apiVersion") or "").partition("/")
    return group == POD_GROUPS.group and owner.get("kind") == POD_GROUPS.kind and owner.get("name") == name


def ownership_problem(claim: Mapping[str, Any], pod: Mapping[str, Any], *, with_groups: bool) -> str:
    """Why a claim from a template is not the pod's to use; "" where it is. `with_groups`: one of its group will do."""
    if namespace_of(claim) != namespace_of(pod):
        return f"ResourceClaim {key_of(claim)} is not in the same namespace as Pod {key_of(pod)}"
    owner, group = controller_of(claim), group_name(pod)
    if owner is not None and owner["uid"] == uid_of(pod):
        return ""
    if with_groups and is_made_for_group_of(claim, pod):
        return ""
    who = f"neither Pod nor PodGroup {group} is the owner" if with_groups and group else "Pod is not owner"
    return f"ResourceClaim {key_of(claim)} was not created for Pod {key_of(pod)} ({who})"


def reserves_group(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of reservedFor stands for a PodGroup."""
    return entry.get("apiGroup") == POD_GROUPS.group and entry.get("resource") == POD_GROUPS.plural


def may_use(claim: Mapping[str, Any], pod: Mapping[str, Any], *, with_groups: bool) -> bool:
    """Whether the claim is reserved for the pod, or `with_groups` for its group, told by its name alone."""
    uid, name = uid_of(pod), group_name(pod) if with_groups else ""
    return any(
        entry.get("uid") == uid or (bool(name) and reserves_group(entry) and entry.get("name") == name)
        for entry in (claim.get("status") or {}).get("reservedFor") or ()
    )


def group_consumer(group: Mapping[str, Any]) -> Object:
    """The entry of reservedFor for a group."""
    return {
        "apiGroup": POD_GROUPS.group,
        "resource": POD_GROUPS.plural,
        "name": name_of(group),
        "uid": uid_of(group),
    }

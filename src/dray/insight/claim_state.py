"""What keeps a pod back before any node is looked at: its claims, its gates, its quota. Kubernetes is mostly silent here."""

import dataclasses
from collections.abc import Sequence

from dray.api.meta import Object, ObjectKey, is_deleting, key_of, name_of, namespace_of
from dray.api.pod_groups import group_name, is_group_claim, may_use, ownership_problem, reserves_group
from dray.api.pods import claims_of
from dray.api.resources import (
    DEVICE_CLASSES,
    POD_GROUPS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from dray.insight.quota_room import claim_needs, named_in, refused_still, shortages
from dray.insight.snapshot import Snapshot

RESERVED_MAX = 256


@dataclasses.dataclass(frozen=True, slots=True)
class Blocker:
    """Something that keeps a pod back whatever the node, and what to do about it."""

    cause: str
    advice: str


@dataclasses.dataclass(frozen=True, slots=True)
class PodClaims:
    """The claims of a pod as far as they can be used."""

    pending: tuple[Object, ...]
    allocated: tuple[Object, ...]
    blockers: tuple[Blocker, ...]


def read_claims(snapshot: Snapshot, pod: Object) -> PodClaims:
    """In the order of the pod's spec, each once."""
    found: dict[ObjectKey, Object] = {}
    blockers: list[Blocker] = []
    namespace = namespace_of(pod)
    for entry in claims_of(pod):
        if not entry.is_resolved:
            blockers.append(_not_created(snapshot, pod, entry.name, entry.template or ""))
            continue
        if entry.claim is None:
            continue
        claim = snapshot.find(RESOURCE_CLAIMS, entry.claim, namespace)
        if claim is None:
            blockers.append(_missing(snapshot, pod, entry.claim, entry.template))
        elif (blocker := _unusable(claim, pod, entry.template)) is not None:
            blockers.append(blocker)
        else:
            found[key_of(claim)] = claim
    claims = list(found.values())
    for claim in claims:
        blockers += _missing_classes(snapshot, claim)
    allocated = tuple(c for c in claims if (c.get("status") or {}).get("allocation"))
    return PodClaims(tuple(c for c in claims if c not in allocated), allocated, tuple(blockers))


def _missing(snapshot: Snapshot, pod: Object, name: str, template: str | None) -> Blocker:
    namespace = namespace_of(pod)
    if not snapshot.knows(RESOURCE_CLAIMS):
        return Blocker(
            f"ResourceClaim {namespace}/{name} cannot be seen: {snapshot.unknown.get(RESOURCE_CLAIMS.plural, 'it was not read')}",
            "ask somebody who may list resourceclaims",
        )
    if template is not None:
        return Blocker(
            f"ResourceClaim {namespace}/{name}, made for this pod from template {template}, was deleted",
            f"delete and re-create pod {name_of(pod)}: a claim is made once only",
        )
    others = [c for c in snapshot.claims if name_of(c) == name]
    hint = (
        f"; one of that name is in namespace {namespace_of(others[0])}, but pods use claims of their own namespace"
        if others
        else ""
    )
    return Blocker(
        f"ResourceClaim {namespace}/{name} does not exist{hint} (Kubernetes tells this nowhere: no event, no condition)",
        f"create it, or correct resourceClaimName in the pod; claims there: {_some(snapshot.claims, namespace)}",
    )


def _not_created(snapshot: Snapshot, pod: Object, entry: str, template: str) -> Blocker:
    namespace = namespace_of(pod)
    group = snapshot.find(POD_GROUPS, group_name(pod), namespace) if group_name(pod) else None
    of_group = is_group_claim({"name": entry, "resourceClaimTemplateName": template}, group)
    owner, who = (group, "PodGroup") if of_group and group is not None else (pod, "pod")
    known = snapshot.find(RESOURCE_CLAIM_TEMPLATES, template, namespace)
    if known is None and snapshot.knows(RESOURCE_CLAIM_TEMPLATES):
        return Blocker(
            f"ResourceClaimTemplate {namespace}/{template} does not exist, so no claim can be made for the {who}",
            f"create it, or correct resourceClaimTemplateName; templates there: {_some(snapshot.templates, namespace)}",
        )
    short = shortages(snapshot, namespace, claim_needs(known["spec"])) if known else []
    if short:
        texts = "; ".join(each.text() for each in short)
        return Blocker(
            f"no claim can be made from template {template}: {texts}",
            f"delete claims in {namespace} that nobody needs, or raise the quota: {short[0].raising()}",
        )
    failures = [e for e in snapshot.events_of(owner) if e.get("reason") == "FailedResourceClaimCreation"]
    if failures:
        text = str(failures[-1].get("message", "")).removeprefix("(combined from similar events): ")
        quota = named_in(snapshot, namespace, text)
        if quota is not None and not refused_still(snapshot, quota, text):
            return Blocker(
                f"no claim could be made from template {template} for want of quota {name_of(quota)}, which has room by now",
                "wait: the resource claim controller tries again, less and less often; a new pod is looked at anew",
            )
        if "exceeded quota" in text:
            return Blocker(
                f"a quota of namespace {namespace} does not allow the claim from template {template}: {text}",
                f"free claims in {namespace} or raise the quota: kubectl -n {namespace} describe resourcequota",
            )
        return Blocker(f"no claim could be made from template {template}: {text}", "correct the template")
    return Blocker(
        f"no claim was made yet from template {template}",
        "look whether the resource claim controller runs (kube-controller-manager)",
    )


def _some(objects: Sequence[Object], namespace: str) -> str:
    # Claims that were made for pods go with these; nobody means them by name.
    names = sorted(
        name_of(obj)
        for obj in objects
        if namespace_of(obj) == namespace and not obj["metadata"].get("ownerReferences")
    )
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "none"


def _unusable(claim: Object, pod: Object, template: str | None) -> Blocker | None:
    key = key_of(claim)
    if is_deleting(claim):
        holders = reserved_for(claim)
        waits = f"; it waits for {', '.join(holders[:3])}" if holders else ""
        return Blocker(
            f"ResourceClaim {key} is being deleted{waits} and serves no new pods",
            "use another claim, or create it anew once it is gone",
        )
    if template is not None and ownership_problem(claim, pod, with_groups=True):
        return Blocker(
            f"ResourceClaim {key} was not made for this pod: it belongs to another owner",
            f"delete claim {key.name} if nobody needs it, or rename the pod",
        )
    reserved = (claim.get("status") or {}).get("reservedFor") or ()
    if len(reserved) >= RESERVED_MAX and not may_use(claim, pod, with_groups=True):
        return Blocker(
            f"ResourceClaim {key} is in use by {len(reserved)} pods, which is the limit",
            "wait for one of them to end, or use another claim",
        )
    return None


def reserved_for(claim: Object) -> list[str]:
    """Who the claim is reserved for, as `pod p` or `PodGroup g`."""
    entries = (claim.get("status") or {}).get("reservedFor") or ()
    return [f"{'PodGroup' if reserves_group(entry) else 'pod'} {entry['name']}" for entry in entries]


def _missing_classes(snapshot: Snapshot, claim: Object) -> list[Blocker]:
    if not snapshot.knows(DEVICE_CLASSES) or (claim.get("status") or {}).get("allocation"):
        return []
    found = []
    for raw in (claim["spec"].get("devices") or {}).get("requests") or ():
        for option in raw.get("firstAvailable") or [raw.get("exactly") or {}]:
            name = option.get("deviceClassName") or ""
            if name and snapshot.find(DEVICE_CLASSES, name) is None:
                known = ", ".join(sorted(map(name_of, snapshot.classes))[:6]) or "none"
                found.append(
                    Blocker(
                        f"DeviceClass {name}, which claim {key_of(claim)}, request {raw['name']} asks for, does not exist",
                        f"create it (the driver's chart usually does), or use one of: {known}",
                    )
                )
    return found


def scheduling_gates_of(pod: Object) -> Blocker | None:
    gates = [gate["name"] for gate in pod["spec"].get("schedulingGates") or ()]
    if not gates:
        return None
    plural = "s" if len(gates) > 1 else ""
    return Blocker(
        f"the pod waits for scheduling gate{plural} {', '.join(gates)}",
        "whoever set the gate (a queue such as Kueue?) must remove it",
    )


def no_devices_at_all(snapshot: Snapshot, class_names: Sequence[str]) -> str:
    """Why there are no slices, where there are none."""
    if snapshot.slices:
        return ""
    if not snapshot.knows(RESOURCE_SLICES):
        return snapshot.unknown.get(RESOURCE_SLICES.plural, "resourceslices were not read")
    return "no driver publishes any device in this cluster"

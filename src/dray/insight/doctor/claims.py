"""Claims that hold devices for nobody, or that cannot go."""

import datetime as dt
from collections.abc import Iterator, Sequence

from dray.api.meta import Object, finalizers_of, is_deleting, key_of, name_of, parse_time, uid_of
from dray.api.pods import CLAIM_FINALIZER
from dray.api.resources import PODS
from dray.insight.doctor.finding import ERROR, WARNING, Finding
from dray.insight.snapshot import Snapshot

_STUCK = dt.timedelta(seconds=120)
_CONTROLLER = (
    "the resource claim controller (in kube-controller-manager) does that by itself: look whether it runs"
)


def claim_findings(snapshot: Snapshot) -> Iterator[Finding]:
    pods = {uid_of(pod) for pod in snapshot.pods}
    for claim in snapshot.claims:
        subject = f"claim {key_of(claim)}"
        if is_deleting(claim):
            yield from _stuck(snapshot, claim, subject)
        elif snapshot.knows(PODS):
            yield from _reserved_for_nobody(claim, subject, pods)
            yield from _owner_gone(claim, subject, pods)
            yield from _idle(snapshot, claim, subject)


def _stuck(snapshot: Snapshot, claim: Object, subject: str) -> Iterator[Finding]:
    reserved = (claim.get("status") or {}).get("reservedFor") or ()
    since = snapshot.now - parse_time(claim["metadata"]["deletionTimestamp"])
    finalizers = finalizers_of(claim)
    if reserved or since < _STUCK or not finalizers:
        return
    others = [each for each in finalizers if each != CLAIM_FINALIZER]
    whose = f"nobody removes its finalizer {', '.join(finalizers)}"
    yield Finding(
        ERROR, subject, f"cannot go: nobody uses it any more, and {whose}",
        f"deleted {_for(since)} ago; status.reservedFor is empty; metadata.finalizers: {', '.join(finalizers)}",
        _releasing(claim),
        f"whoever set {', '.join(others)} should remove it" if others else _CONTROLLER,
    )  # fmt: skip


def _releasing(claim: Object) -> str:
    """Give the devices back, then let the object go."""
    namespace, name = key_of(claim)
    drop = f'kubectl -n {namespace} patch resourceclaim {name} --type=merge -p \'{{"metadata":{{"finalizers":null}}}}\''
    if not (claim.get("status") or {}).get("allocation"):
        return drop
    return f"{_deallocating(claim)} && {drop}"


def _deallocating(claim: Object) -> str:
    namespace, name = key_of(claim)
    patch = '{"status":{"reservedFor":null,"allocation":null,"devices":null}}'
    return f"kubectl -n {namespace} patch resourceclaim {name} --subresource=status --type=merge -p '{patch}'"


def _reserved_for_nobody(claim: Object, subject: str, pods: set[str]) -> Iterator[Finding]:
    reserved = (claim.get("status") or {}).get("reservedFor") or ()
    gone = [e for e in reserved if e.get("resource", "pods") == "pods" and e.get("uid") not in pods]
    if not gone:
        return
    names = ", ".join(each["name"] for each in gone[:3])
    kept = [each for each in reserved if each not in gone]
    yield Finding(
        WARNING, subject, f"keeps its devices for pods that do not exist: {names}",
        f"status.reservedFor names {len(gone)} pods with UIDs that no pod has",
        _deallocating(claim) if not kept else _without(claim, gone[0], reserved),
        _CONTROLLER,
    )  # fmt: skip


def _without(claim: Object, entry: Object, reserved: Sequence[Object]) -> str:
    """Take one pod out of the list, if it still stands there."""
    namespace, name = key_of(claim)
    place = f"/status/reservedFor/{reserved.index(entry)}"
    patch = f'[{{"op":"test","path":"{place}/uid","value":"{entry.get("uid")}"}},{{"op":"remove","path":"{place}"}}]'
    return f"kubectl -n {namespace} patch resourceclaim {name} --subresource=status --type=json -p '{patch}'"


def _owner_gone(claim: Object, subject: str, pods: set[str]) -> Iterator[Finding]:
    owners = [o for o in claim["metadata"].get("ownerReferences") or () if o.get("kind") == "Pod"]
    lost = [owner for owner in owners if owner.get("uid") not in pods]
    if not lost or len(lost) != len(claim["metadata"].get("ownerReferences") or ()):
        return
    namespace, name = key_of(claim)
    yield Finding(
        WARNING, subject, f"is an orphan: it was made for pod {lost[0]['name']}, which does not exist any more",
        f"metadata.ownerReferences: Pod {lost[0]['name']}, uid {lost[0].get('uid')}",
        f"kubectl -n {namespace} delete resourceclaim {name}",
        "the garbage collector (in kube-controller-manager) does that by itself: look whether it runs",
    )  # fmt: skip


def _idle(snapshot: Snapshot, claim: Object, subject: str) -> Iterator[Finding]:
    """Allocated, used by no pod, and not for a moment only."""
    status = claim.get("status") or {}
    allocation = status.get("allocation") or {}
    when = allocation.get("allocationTimestamp")
    if not allocation or status.get("reservedFor") or snapshot.pods_by_claim.get(key_of(claim)) or not when:
        return
    since = snapshot.now - parse_time(when)
    if since < _STUCK:
        return
    count = len((allocation.get("devices") or {}).get("results") or ())
    yield Finding(
        WARNING, subject, f"holds {count} devices, and no pod uses it or means it",
        f"allocated {_for(since)} ago; status.reservedFor is empty; no pod has {name_of(claim)} in spec.resourceClaims",
        _deallocating(claim), _CONTROLLER,
    )  # fmt: skip


def _for(span: dt.timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds} s" if seconds < 600 else f"{seconds // 60} min"

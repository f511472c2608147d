"""Pods that lose their place: what becomes of them and of what they hold.

A pod that something makes again waits for a place, with new claims where its claims were its own; a daemon pod goes with
its node. A claim gives its devices back once no pod that has a place uses it.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from dray.allocation.taints import tolerates
from dray.api.meta import Object, ObjectKey, annotations_of, controller_of, key_of
from dray.api.pods import EXTENDED_CLAIM_ANNOTATION, claim_keys_of, is_terminal
from dray.api.resources import PODS, RESOURCE_CLAIMS
from dray.insight.snapshot import Snapshot
from dray.insight.whatif.scenario import Evicted, Scenario

NO_EXECUTE = "NoExecute"


def has_place(pod: Object) -> bool:
    return bool(pod["spec"].get("nodeName")) and not is_terminal(pod)


def is_daemon(pod: Object) -> bool:
    """Whether the pod belongs to its node: of a DaemonSet, or the node's own."""
    owner = controller_of(pod)
    return owner is not None and owner["kind"] in ("DaemonSet", "Node")


def evict(
    scenario: Scenario, pods: Iterable[Object], reason: str, *, seconds: Callable[[Object], int] = lambda pod: 0
) -> Scenario:  # fmt: skip
    """`pods`: some of the scenario's; those without a place are passed over."""
    leaving = {key_of(pod): pod for pod in pods if has_place(pod)}
    if not leaving:
        return scenario
    told = tuple(
        Evicted(str(key), pod["spec"]["nodeName"], reason, seconds(pod), controller_of(pod) is not None)
        for key, pod in leaving.items()
    )
    snapshot = scenario.snapshot
    freed = _freed(snapshot, leaving.values(), set(leaving))
    claims = [
        {**claim, "status": {}} if key_of(claim) in freed else claim
        for claim in snapshot.claims
        if key_of(claim) not in freed or EXTENDED_CLAIM_ANNOTATION not in annotations_of(claim)
    ]
    left = [
        _waiting(pod) if key_of(pod) in leaving else pod
        for pod in snapshot.pods
        if key_of(pod) not in leaving or not is_daemon(pod)
    ]
    changed = snapshot.replace(PODS, left).replace(RESOURCE_CLAIMS, claims)
    return dataclasses.replace(scenario, snapshot=changed, evicted=(*scenario.evicted, *told))


def _freed(snapshot: Snapshot, pods: Iterable[Object], leaving: set[ObjectKey]) -> set[ObjectKey]:
    """The claims of `pods` that nobody uses when those in `leaving` are gone."""
    return {
        key
        for pod in pods
        for key in claim_keys_of(pod)
        if all(
            key_of(user) in leaving for user in snapshot.pods_by_claim.get(key, ()) if has_place(user)
        )
    }  # fmt: skip


def _waiting(pod: Object) -> Object:
    """The pod as it is made again: no node, and of its status only which claims are its own."""
    spec = {key: value for key, value in pod["spec"].items() if key != "nodeName"}
    statuses = (pod.get("status") or {}).get("resourceClaimStatuses")
    status = {"resourceClaimStatuses": statuses} if statuses else {}
    return {**pod, "spec": spec, "status": status}


def removed(scenario: Scenario, pods: Sequence[Object]) -> Scenario:
    """The pods and the claims made for them gone; claims they share given back where nobody else uses them."""
    snapshot = scenario.snapshot
    leaving = {key_of(pod) for pod in pods}
    freed = _freed(snapshot, pods, leaving)
    claims = []
    for claim in snapshot.claims:
        if key_of(claim) not in freed:
            claims.append(claim)
        elif (owner := controller_of(claim)) is None or owner["kind"] != "Pod":
            claims.append({**claim, "status": {}})
    left = [pod for pod in snapshot.pods if key_of(pod) not in leaving]
    return scenario.replaced(PODS, left).replaced(RESOURCE_CLAIMS, claims)


def evict_tainted(
    scenario: Scenario, taint: Object, concerns: Callable[[tuple[str, str, str]], bool], what: str
) -> Scenario:
    """Let a device taint drive out who does not tolerate it; `concerns` says of (driver, pool, device) whether it is there."""
    if taint.get("effect") != NO_EXECUTE:
        return scenario
    seconds: dict[ObjectKey, int] = {}
    pods: dict[ObjectKey, Object] = {}
    snapshot = scenario.snapshot
    for claim in snapshot.claims:
        limits = [
            _stays_seconds(taint, result.get("tolerations") or ())
            for result in results_of(claim)
            if concerns((result["driver"], result["pool"], result["device"]))
        ]
        if due := [limit for limit in limits if limit is not None]:
            for pod in snapshot.pods_by_claim.get(key_of(claim), ()):
                key = key_of(pod)
                pods[key] = pod
                seconds[key] = min(*due, seconds.get(key, due[0]))
    return evict(scenario, pods.values(), what, seconds=lambda pod: seconds[key_of(pod)])


def _stays_seconds(taint: Object, tolerations: Sequence[Object]) -> int | None:
    """How long a NoExecute taint of a device is borne; None: for ever. Only tolerations that name the effect count."""
    covering = [item for item in tolerations if item.get("effect") == NO_EXECUTE and tolerates(item, taint)]
    limits = [item.get("tolerationSeconds") for item in covering]
    if any(limit is None for limit in limits):
        return None
    return max(0, min((int(limit) for limit in limits if limit is not None), default=0))


def results_of(claim: Object) -> Sequence[Object]:
    """The devices of a claim's allocation."""
    allocation = (claim.get("status") or {}).get("allocation") or {}
    found: Sequence[Object] = (allocation.get("devices") or {}).get("results") or ()
    return found

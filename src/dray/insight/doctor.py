"""What is wrong with DRA in a cluster: findings with evidence and the command that fixes or shows more.

Each check is a function of the snapshot that yields findings. What cannot be read is a finding too.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator

from dray.api.meta import Object, finalizers_of, is_deleting, key_of, name_of, parse_time
from dray.api.pods import CLAIM_FINALIZER
from dray.api.resources import NODES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.insight.claim_state import Blocker, read_claims
from dray.insight.snapshot import Snapshot
from dray.insight.world import World

_STUCK_SECONDS = 120


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    severity: str
    """`error`: something does not work; `warning`: it will not, or may not."""
    subject: str
    text: str
    command: str


def examine(snapshot: Snapshot) -> list[Finding]:
    """All findings, errors first."""
    found = [finding for check in _CHECKS for finding in check(snapshot)]
    return sorted(found, key=lambda finding: finding.severity)


def _rights(snapshot: Snapshot) -> Iterator[Finding]:
    for plural, reason in snapshot.unknown.items():
        yield Finding(
            "warning", plural, f"cannot be looked at: {reason}", f"kubectl auth can-i list {plural}"
        )


def _served(snapshot: Snapshot) -> Iterator[Finding]:
    versions = snapshot.server.get("resource")
    if versions is not None and not {"v1", "v1beta2", "v1beta1"} & set(versions):
        yield Finding(
            "error",
            "API server",
            f"resource.k8s.io is served in {', '.join(versions) or 'no version'}: DRA is off",
            "before 1.34: --feature-gates=DynamicResourceAllocation=true --runtime-config=resource.k8s.io/v1beta1=true",
        )


def _pools(snapshot: Snapshot) -> Iterator[Finding]:
    world = World(snapshot)
    nodes = {name_of(node) for node in snapshot.nodes}
    for key, pool in world.index.inventory.pools.items():
        newest = max(entry.generation for entry in pool.slices.values())
        current = [entry for entry in pool.slices.values() if entry.generation == newest]
        show = f"kubectl get resourceslices --field-selector spec.driver={key.driver}"
        if len(current) != current[0].slice_count:
            text = f"is incomplete, none of its devices is given out: {pool.progress()}"
            yield Finding("error", f"pool {key}", text, show)
        if stale := len(pool.slices) - len(current):
            yield Finding(
                "warning", f"pool {key}", f"{stale} slices of older generations are left over", show
            )
        lost = sorted({e.node_name for e in current if e.node_name} - nodes) if snapshot.knows(NODES) else []
        for node in lost:
            names = " ".join(entry.name for entry in current if entry.node_name == node)
            text = f"has devices of node {node}, which does not exist"
            yield Finding("warning", f"pool {key}", text, f"kubectl delete resourceslice {names}")


def _daemon_sets(snapshot: Snapshot) -> Iterator[Finding]:
    for obj in snapshot.daemon_sets:
        status = obj.get("status") or {}
        if not _is_driver(obj):
            continue
        namespace, name = key_of(obj)
        desired, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
        if desired == 0:
            text = "wants 0 pods: no node matches its nodeSelector, affinity or tolerations, so no device is published"
            yield Finding(
                "error",
                f"DaemonSet {namespace}/{name}",
                text,
                f"kubectl -n {namespace} get ds {name} -o yaml",
            )
        elif ready < desired:
            text = f"{ready} of {desired} pods are ready"
            yield Finding(
                "error", f"DaemonSet {namespace}/{name}", text, f"kubectl -n {namespace} describe ds {name}"
            )


def _is_driver(obj: Object) -> bool:
    """A DaemonSet that looks like a DRA driver: by its name, labels or images."""
    template = obj["spec"].get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or ()
    texts = [
        name_of(obj),
        *(c.get("image", "") for c in containers),
        *(c.get("name", "") for c in containers),
    ]
    return any(
        "dra-" in text or "-dra" in text or "kubelet-plugin" in text or "kubeletplugin" in text
        for text in texts
    )


def _lost_drivers(snapshot: Snapshot) -> Iterator[Finding]:
    if not snapshot.knows(RESOURCE_SLICES):
        return
    publishing = {obj["spec"]["driver"] for obj in snapshot.slices}
    held: Counter[str] = Counter()
    for claim in snapshot.claims:
        for driver in drivers_of(claim):
            held[driver] += 1
    for driver, count in held.items():
        if driver not in publishing:
            text = f"publishes nothing, but {count} claims hold its devices: pods that use them cannot start or end"
            yield Finding(
                "error", f"driver {driver}", text, "start the driver again before its pods are deleted"
            )


def _double(snapshot: Snapshot) -> Iterator[Finding]:
    extended = {
        str((obj.get("spec") or {}).get("extendedResourceName")): name_of(obj)
        for obj in snapshot.classes
        if (obj.get("spec") or {}).get("extendedResourceName")
    }
    drivers = {obj["spec"].get("nodeName"): obj["spec"]["driver"] for obj in snapshot.slices}
    for node in snapshot.nodes:
        allocatable = (node.get("status") or {}).get("allocatable") or {}
        for resource, amount in allocatable.items():
            domain = resource.partition("/")[0]
            driver = drivers.get(name_of(node), "")
            same = resource in extended or ("/" in resource and driver and driver.endswith(domain))
            if same and str(amount) != "0":
                text = f"a device plugin offers {amount} {resource} and driver {driver or '(DRA)'} publishes devices: they may be given out twice"
                yield Finding(
                    "error",
                    f"node {name_of(node)}",
                    text,
                    "stop the device plugin on the node, or the DRA driver",
                )


def _claims(snapshot: Snapshot) -> Iterator[Finding]:
    pods = {pod["metadata"].get("uid") for pod in snapshot.pods}
    for claim in snapshot.claims:
        namespace, name = key_of(claim)
        reserved = (claim.get("status") or {}).get("reservedFor") or ()
        gone = [
            e["name"] for e in reserved if e.get("resource", "pods") == "pods" and e.get("uid") not in pods
        ]
        show = f"kubectl -n {namespace} get resourceclaim {name} -o yaml"
        if gone and snapshot.knows(PODS):
            text = f"is reserved for pods that do not exist: {', '.join(gone[:3])}; kube-controller-manager should release it"
            yield Finding("warning", f"claim {namespace}/{name}", text, show)
        if is_deleting(claim) and not reserved and CLAIM_FINALIZER in finalizers_of(claim):
            since = (snapshot.now - parse_time(claim["metadata"]["deletionTimestamp"])).total_seconds()
            if since > _STUCK_SECONDS:
                text = f"is being deleted for {since:.0f} s, nobody uses it, its finalizer {CLAIM_FINALIZER} is not removed"
                yield Finding("error", f"claim {namespace}/{name}", text, show)


def _pods(snapshot: Snapshot) -> Iterator[Finding]:
    publishing = {obj["spec"]["driver"] for obj in snapshot.slices}
    for pod in snapshot.pods:
        namespace, name = key_of(pod)
        if is_deleting(pod):
            claims = read_claims(snapshot, pod).allocated
            lost = sorted({d for claim in claims for d in drivers_of(claim)} - publishing)
            if lost:
                text = f"cannot end: driver {', '.join(lost)} is gone and cannot take its devices back"
                yield Finding("error", f"pod {namespace}/{name}", text, "start the driver on that node again")
        elif not pod["spec"].get("nodeName"):
            blockers: tuple[Blocker, ...] = read_claims(snapshot, pod).blockers
            for blocker in blockers[:1]:
                yield Finding("error", f"pod {namespace}/{name}", blocker.cause, blocker.advice)


def drivers_of(claim: Object) -> set[str]:
    """The drivers whose devices a claim holds."""
    allocation = (claim.get("status") or {}).get("allocation") or {}
    return {result["driver"] for result in (allocation.get("devices") or {}).get("results") or ()}


_CHECKS = (_rights, _served, _pools, _daemon_sets, _lost_drivers, _double, _claims, _pods)


@dataclasses.dataclass(frozen=True, slots=True)
class Removal:
    """Whether something can go. `users` would be hurt: claims with the pods that use them."""

    subject: str
    safe: bool
    users: tuple[str, ...]


def removal_of_driver(snapshot: Snapshot, driver: str) -> Removal:
    return _removal(snapshot, f"driver {driver}", lambda result: bool(result["driver"] == driver))


def removal_of_node(snapshot: Snapshot, node: str) -> Removal:
    """A node's devices are those of the pools of its own slices."""
    pools = {
        (obj["spec"]["driver"], obj["spec"]["pool"]["name"])
        for obj in snapshot.slices
        if obj["spec"].get("nodeName") == node
    }
    return _removal(snapshot, f"node {node}", lambda result: (result["driver"], result["pool"]) in pools)


def _removal(snapshot: Snapshot, subject: str, concerns: Callable[[Object], bool]) -> Removal:
    users = []
    for claim in snapshot.claims:
        results = ((claim.get("status") or {}).get("allocation") or {}).get("devices") or {}
        devices = [r["device"] for r in results.get("results") or () if concerns(r)]
        if devices:
            pods = [e["name"] for e in (claim.get("status") or {}).get("reservedFor") or ()]
            users.append(f"claim {key_of(claim)} ({', '.join(devices)}), pods: {', '.join(pods) or 'none'}")
    return Removal(subject, not users and snapshot.knows(RESOURCE_CLAIMS), tuple(users))

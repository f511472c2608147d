"""What would fit after a change: a snapshot with things different, and pods placed on it one after the other.

Placing uses the same rules as `why`: taints, labels, room on the node, devices. Pods go to the first node that fits,
so the answer is "these fit together", not where the scheduler would put each.
"""

import dataclasses
from collections.abc import Sequence

from dray.allocation import Allocated
from dray.api.meta import Object, key_of, name_of, replace_at
from dray.api.resources import NODES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.insight.claim_state import read_claims
from dray.insight.node_fit import NodeFit
from dray.insight.snapshot import Snapshot
from dray.insight.why import Trial, group_cause
from dray.insight.world import World

MAX_NODES_ADDED = 10_000


class NotThere(Exception):
    """A change names something that the snapshot does not have."""


@dataclasses.dataclass(frozen=True, slots=True)
class Forecast:
    """What became of the pods that need a place."""

    placed: tuple[tuple[str, str], ...]
    """(pod, node)"""
    pending: tuple[tuple[str, str], ...]
    """(pod, why)"""
    evicted: tuple[str, ...] = ()
    """Pods that lose their place by the change; they are placed again where possible."""


def with_nodes_like(snapshot: Snapshot, node: str, count: int) -> Snapshot:
    """More nodes of the shape of one, with free devices like its own."""
    model = snapshot.find(NODES, node)
    if model is None:
        raise NotThere(f"there is no node {node}; nodes: {', '.join(map(name_of, snapshot.nodes[:5]))}")
    nodes, slices = list(snapshot.nodes), list(snapshot.slices)
    for i in range(count):
        name = f"{node}-more-{i}"
        labels = {**(model["metadata"].get("labels") or {}), "kubernetes.io/hostname": name}
        nodes.append({**model, "metadata": {"name": name, "labels": labels}})
        for obj in snapshot.slices:
            if obj["spec"].get("nodeName") == node:
                pool = {**obj["spec"]["pool"], "name": f"{obj['spec']['pool']['name']}-more-{i}"}
                spec = {**obj["spec"], "nodeName": name, "pool": pool}
                slices.append({**obj, "metadata": {"name": f"{name_of(obj)}-more-{i}"}, "spec": spec})
    return snapshot.replace(NODES, nodes).replace(RESOURCE_SLICES, slices)


def without_node(snapshot: Snapshot, node: str) -> tuple[Snapshot, list[str]]:
    """The node and its devices gone (or drained); its pods wait for a place again, and their claims are given back."""
    if snapshot.find(NODES, node) is None:
        raise NotThere(f"there is no node {node}")
    slices = [obj for obj in snapshot.slices if obj["spec"].get("nodeName") != node]
    nodes = [each for each in snapshot.nodes if name_of(each) != node]
    return _evict(
        snapshot.replace(NODES, nodes).replace(RESOURCE_SLICES, slices), _not_daemons(snapshot, node)
    )


def without_device(snapshot: Snapshot, device: str) -> tuple[Snapshot, list[str]]:
    """A device failed: it is published no more, and the pods that use it are evicted. `driver/pool/device`."""
    parts = tuple(device.split("/"))
    slices, found = [], False
    for obj in snapshot.slices:
        spec = obj["spec"]
        kept = [
            d for d in spec.get("devices") or () if (spec["driver"], spec["pool"]["name"], d["name"]) != parts
        ]
        found = found or len(kept) != len(spec.get("devices") or ())
        slices.append({**obj, "spec": {**spec, "devices": kept}} if spec.get("devices") else obj)
    if not found:
        raise NotThere(
            f"there is no device {device}; write driver/pool/device, as dray devices -o csv has them"
        )
    users: list[Object] = []
    for claim in snapshot.claims:
        results = (((claim.get("status") or {}).get("allocation") or {}).get("devices") or {}).get(
            "results"
        ) or ()
        if any((r["driver"], r["pool"], r["device"]) == parts for r in results):
            users += snapshot.pods_by_claim.get(key_of(claim), ())
    return _evict(snapshot.replace(RESOURCE_SLICES, slices), users)


def _not_daemons(snapshot: Snapshot, node: str) -> list[Object]:
    return [
        pod
        for pod in snapshot.pods_by_node.get(node, ())
        if not any(owner.get("kind") == "DaemonSet" for owner in pod["metadata"].get("ownerReferences") or ())
    ]


def _evict(snapshot: Snapshot, pods: Sequence[Object]) -> tuple[Snapshot, list[str]]:
    """Pods without their node; claims that nobody else uses without their devices."""
    gone = {key_of(pod) for pod in pods}
    changed = [
        {**pod, "spec": {k: v for k, v in pod["spec"].items() if k != "nodeName"}}
        if key_of(pod) in gone
        else pod
        for pod in snapshot.pods
    ]
    claims = []
    for claim in snapshot.claims:
        users = {key_of(pod) for pod in snapshot.pods_by_claim.get(key_of(claim), ())}
        claims.append({**claim, "status": {}} if users and users <= gone else claim)
    return snapshot.replace(PODS, changed).replace(RESOURCE_CLAIMS, claims), [
        str(key_of(pod)) for pod in pods
    ]


def with_copies(snapshot: Snapshot, pod: Object, count: int) -> Snapshot:
    """More pods like one, each with claims like its own; claims named directly are shared by all."""
    pods, claims = list(snapshot.pods), list(snapshot.claims)
    for i in range(count):
        namespace, name = key_of(pod)
        statuses = []
        for entry in (pod.get("status") or {}).get("resourceClaimStatuses") or ():
            claim = snapshot.find(RESOURCE_CLAIMS, entry.get("resourceClaimName", ""), namespace)
            if claim is None:
                continue
            copy_name = f"{name_of(claim)}-copy-{i}"
            owner = [{"controller": True, "kind": "Pod", "name": f"{name}-copy-{i}", "uid": f"copy-{i}"}]
            meta = {"name": copy_name, "namespace": namespace, "ownerReferences": owner}
            claims.append({**claim, "metadata": meta, "status": {}})
            statuses.append({**entry, "resourceClaimName": copy_name})
        spec = {k: v for k, v in pod["spec"].items() if k != "nodeName"}
        meta = {"name": f"{name}-copy-{i}", "namespace": namespace, "uid": f"copy-{i}"}
        pods.append({**pod, "metadata": meta, "spec": spec, "status": {"resourceClaimStatuses": statuses}})
    return snapshot.replace(PODS, pods).replace(RESOURCE_CLAIMS, claims)


def forecast(snapshot: Snapshot, evicted: Sequence[str] = ()) -> Forecast:
    """Place every pod that has no node, in the order of the snapshot."""
    world = World(snapshot)
    placed: list[tuple[str, str]] = []
    pending: list[tuple[str, str]] = []
    known = {key_of(claim): claim for claim in snapshot.claims}
    room: dict[str, list[Object]] = {node: list(pods) for node, pods in snapshot.pods_by_node.items()}
    for pod in snapshot.pods:
        if pod["spec"].get("nodeName") or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            continue
        claims = read_claims(snapshot, pod)
        if claims.blockers:
            pending.append((str(key_of(pod)), claims.blockers[0].cause))
            continue
        current = [known[key_of(claim)] for claim in (*claims.pending, *claims.allocated)]
        free = [claim for claim in current if not (claim.get("status") or {}).get("allocation")]
        held = [claim for claim in current if claim not in free]
        here = _place(world, snapshot, pod, free, held, room)
        if isinstance(here, str):
            pending.append((str(key_of(pod)), here))
            continue
        node, allocations = here
        for claim, allocation in zip(free, allocations, strict=True):
            given = replace_at(claim, ("status", "allocation"), allocation)
            known[key_of(claim)] = given
            world.index.put_claim(given)
        room.setdefault(node, []).append(pod)
        placed.append((str(key_of(pod)), node))
    return Forecast(tuple(placed), tuple(pending), tuple(evicted))


def _place(
    world: World, snapshot: Snapshot, pod: Object, free: Sequence[Object], held: Sequence[Object],
    room: dict[str, list[Object]],
) -> tuple[str, list[Object]] | str:  # fmt: skip
    """The first node that fits with the allocations there, or why none does."""
    fit = NodeFit(snapshot, pod, held, {}, room)
    open_nodes: list[Object] = []
    reasons: dict[str, str] = {}
    for node in snapshot.nodes:
        against = fit.reasons(node)
        if against:
            reasons.setdefault("; ".join(against), name_of(node))
            continue
        open_nodes.append(node)
        if not free:
            return name_of(node), []
    found = None
    for node in world.index.prepare(free).candidate_nodes(open_nodes) if free else ():
        outcome = world.ask(free, node)
        if isinstance(outcome, Allocated):
            found = (name_of(node), outcome.results)
            break
    if found is not None:
        return found
    if not open_nodes:
        return (
            "; ".join(f"{node}: {reason}" for reason, node in list(reasons.items())[:2])
            or "there are no nodes"
        )
    trial = Trial(world, free)
    trial.look(open_nodes[:50])
    return group_cause(trial.groups[0]) if trial.groups else "no node fits"


def min_nodes(snapshot: Snapshot, node: str, limit: int = 1024) -> int | None:
    """How many more nodes like `node` let every pod fit; None where not even `limit` do."""
    if not forecast(snapshot).pending:
        return 0
    high = 1
    while forecast(with_nodes_like(snapshot, node, high)).pending:
        if high >= limit:
            return None
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if forecast(with_nodes_like(snapshot, node, middle)).pending:
            low = middle
        else:
            high = middle
    return high

"""Whether a driver or a node can go: whom it would hurt, and what has to happen first."""

import dataclasses
from collections.abc import Callable

from dray.api.meta import Object, key_of
from dray.api.resources import RESOURCE_CLAIMS
from dray.insight.snapshot import Snapshot


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

"""NodeResourcesFit: the node has room for the pod; and how evenly, and how much, it would then be filled.

Filters by what is requested, never by what is used. Scores with upstream's two default rules: LeastAllocated (the
emptier node is better) and NodeResourcesBalancedAllocation (cpu and memory filled alike is better), over cpu and memory
with equal weights.

Requests that devices satisfy on a node (extended resources backed by a device class) are left to DynamicResources
there: `delegated` tells which.
"""

import functools
from collections.abc import Callable, Sequence

from dray.api.pod_requests import CPU
from dray.scheduler.happenings import NODE_RESOURCES_FIT
from dray.scheduler.pod_view import MEMORY, PodView
from dray.scheduler.snapshot import NodeView
from dray.scheduler.verdict import Rejection

TOO_MANY_PODS = "Too many pods"
FULL = Rejection(NODE_RESOURCES_FIT, (TOO_MANY_PODS,))

Delegation = Callable[[str, NodeView], bool]
"""Whether devices, not the node, provide a resource on a node."""


def prepare(pod: PodView, delegated: Delegation | None = None) -> Callable[[NodeView], Rejection | None]:
    wanted = [(name, amount) for name, amount in pod.requests.items() if amount > 0]

    def fits(node: NodeView) -> Rejection | None:
        crowded = len(node.pods) >= node.pod_limit
        for name, amount in wanted:
            if amount > node.allocatable.get(name, 0) - node.requested.get(name, 0):
                return _shortage(node, wanted, delegated)
        return FULL if crowded else None

    return fits


def _shortage(
    node: NodeView, wanted: Sequence[tuple[str, int]], delegated: Delegation | None
) -> Rejection | None:
    """All that is missing; None when devices provide what the node lacks."""
    reasons = [TOO_MANY_PODS] if len(node.pods) >= node.pod_limit else []
    resolvable = True
    for name, amount in wanted:
        allocatable = node.allocatable.get(name, 0)
        if amount <= allocatable - node.requested.get(name, 0):
            continue
        if delegated is not None and delegated(name, node):
            continue
        reasons.append(f"Insufficient {name}")
        resolvable = resolvable and amount <= allocatable
    return _rejection(tuple(reasons), resolvable) if reasons else None


@functools.lru_cache(maxsize=256)
def _rejection(reasons: tuple[str, ...], resolvable: bool) -> Rejection:
    return Rejection(NODE_RESOURCES_FIT, reasons, resolvable)


def score(pod: PodView, node: NodeView) -> int:
    """LeastAllocated plus balanced allocation, 0 to 200."""
    requests = pod.scored_requests
    known = node.score_memo.get(requests)
    if known is None:
        known = node.score_memo[requests] = _score(node, *requests)
    return known


def _score(node: NodeView, cpu: int, memory: int) -> int:
    cpu_free, cpu_share = _free_and_share(node.allocatable.get(CPU, 0), node.scored_cpu + cpu)
    memory_free, memory_share = _free_and_share(node.allocatable.get(MEMORY, 0), node.scored_memory + memory)
    # The standard deviation of two shares is half their distance.
    balanced = 100 - int(100 * abs(cpu_share - memory_share) / 2)
    return (cpu_free + memory_free) // 2 + balanced


def _free_and_share(capacity: int, requested: int) -> tuple[int, float]:
    """What would be left in percent, and what would be taken as a share, both clamped."""
    if capacity <= 0:
        return 0, 1.0
    if requested >= capacity:
        return 0, 1.0
    return (capacity - requested) * 100 // capacity, requested / capacity

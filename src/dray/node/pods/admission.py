"""Whether a pod that was bound to the node may start there. Pure.

The scheduler has decided already; the node refuses only what it could not keep: what does not fit beside the pods it
has, their devices included, or what asks for another kind of node.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dray.api.placement import matches_pod_node_rules
from dray.api.pod_requests import Amounts, add_amounts, amount_of, pod_requests
from dray.node.pods.status import Failure

NODE_AFFINITY: Final = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"


def admission_failure(
    pod: Mapping[str, Any],
    others: Iterable[Mapping[str, Any]],
    node: Mapping[str, Any],
    allocatable: Mapping[str, str],
) -> Failure | None:
    """Why `pod` cannot start beside `others` (those that were admitted and are not finished); None if it can."""
    if not matches_pod_node_rules(pod["spec"], node):
        return _rejection("NodeAffinity", NODE_AFFINITY)
    used: Amounts = {"pods": 0}
    for other in others:
        add_amounts(used, {"pods": 1, **pod_requests(other)})
    wanted = {"pods": 1, **pod_requests(pod)}
    for resource, text in allocatable.items():
        capacity, asked, taken = amount_of(resource, text), wanted.get(resource), used.get(resource, 0)
        if asked is not None and asked + taken > capacity:
            return _rejection(f"OutOf{resource}", _message(resource, asked, taken, capacity))
    return None


def _rejection(reason: str, message: str) -> Failure:
    return Failure(reason, f"Pod was rejected: {message}", is_rejection=True)


def _message(resource: str, asked: int, taken: int, capacity: int) -> str:
    """Milli units for cpu, whole ones for the rest, as the kubelet prints them."""
    return (
        f"Node didn't have enough resource: {resource}, "
        f"requested: {asked}, used: {taken}, capacity: {capacity}"
    )

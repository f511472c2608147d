"""Whether a pod that was bound to the node may start there. Pure.

The scheduler has decided already; the node refuses only what it could not keep: what does not fit beside the pods it
has, or what asks for another kind of node.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dray.api.placement import matches_pod_node_rules
from dray.api.quantity import Quantity, parse_quantity
from dray.node.pods.status import Failure
from dray.node.pods.view import Role, container_specs

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
    used: dict[str, Quantity] = {}
    for other in others:
        _add(used, pod_requests(other))
        _add(used, {"pods": Quantity.of(1)})
    wanted = {"pods": Quantity.of(1), **pod_requests(pod)}
    for resource, text in allocatable.items():
        capacity, asked = parse_quantity(text), wanted.get(resource)
        taken = used.get(resource, Quantity.of(0))
        if asked is not None and asked + taken > capacity:
            return _rejection(f"OutOf{resource}", _message(resource, asked, taken, capacity))
    return None


def _rejection(reason: str, message: str) -> Failure:
    return Failure(reason, f"Pod was rejected: {message}", is_rejection=True)


def _message(resource: str, asked: Quantity, taken: Quantity, capacity: Quantity) -> str:
    """Milli units for cpu, whole ones for the rest, as the kubelet prints them."""
    numbers = [
        quantity.milli_value() if resource == "cpu" else quantity.value()
        for quantity in (asked, taken, capacity)
    ]
    return (
        f"Node didn't have enough resource: {resource}, "
        f"requested: {numbers[0]}, used: {numbers[1]}, capacity: {numbers[2]}"
    )


def pod_requests(pod: Mapping[str, Any]) -> dict[str, Quantity]:
    """What the pod needs at its hungriest: sidecars and main containers together, or an init container before them."""
    sidecars: dict[str, Quantity] = {}
    main: dict[str, Quantity] = {}
    peak: dict[str, Quantity] = {}
    for role, spec in container_specs(pod):
        requests = dict(_requests(spec))
        if role is Role.MAIN:
            _add(main, requests)
        elif role is Role.SIDECAR:
            _add(sidecars, requests)
        else:
            _raise_to(peak, _sum(sidecars, requests))
    _raise_to(peak, _sum(sidecars, main))
    overhead = {name: parse_quantity(text) for name, text in (pod["spec"].get("overhead") or {}).items()}
    return _sum(peak, overhead)


def _requests(spec: Mapping[str, Any]) -> Iterator[tuple[str, Quantity]]:
    for name, text in ((spec.get("resources") or {}).get("requests") or {}).items():
        yield name, parse_quantity(text)


def _add(total: dict[str, Quantity], more: Mapping[str, Quantity]) -> None:
    for name, quantity in more.items():
        total[name] = total[name] + quantity if name in total else quantity


def _sum(one: Mapping[str, Quantity], other: Mapping[str, Quantity]) -> dict[str, Quantity]:
    total = dict(one)
    _add(total, other)
    return total


def _raise_to(peak: dict[str, Quantity], other: Mapping[str, Quantity]) -> None:
    for name, quantity in other.items():
        if name not in peak or quantity > peak[name]:
            peak[name] = quantity

"""What a pod asks of a node, worked out from its containers, init containers, sidecars, overhead and pod-level resources.

Amounts are whole numbers: cpu in thousandths, everything else in its unit (bytes, pieces), rounded up.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dray.api.quantity import InvalidQuantity, parse_quantity

CPU = "cpu"

Amounts = dict[str, int]


def parse_amounts(quantities: Mapping[str, Any] | None) -> Amounts:
    """Quantities by resource name as whole numbers. A quantity nobody can read counts as nothing."""
    return {name: amount_of(name, value) for name, value in (quantities or {}).items()}


def amount_of(name: str, value: Any) -> int:
    try:
        quantity = parse_quantity(value)
    except InvalidQuantity:
        return 0
    return quantity.milli_value() if name == CPU else quantity.value()


def pod_requests(pod: Mapping[str, Any]) -> Amounts:
    """What the node must have left for the pod, by resource.

    The larger of what all long-lived containers need together and what any init container needs beside the sidecars
    started before it; plus what the devices of a pod that has its node take there; plus overhead. Pod-level requests
    replace the sum for the resources they name.
    """
    spec: Mapping[str, Any] = pod["spec"]
    statuses = _resized_amounts(pod)
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, _container_requests(container, statuses))
    if spec.get("initContainers"):
        total = _with_init_containers(total, spec["initContainers"], statuses)
    for claim in _claims_on_node(pod):
        _add(total, parse_amounts(claim.get("resources")))
    total.update(parse_amounts((spec.get("resources") or {}).get("requests")))
    if spec.get("overhead"):
        _add(total, parse_amounts(spec["overhead"]))
    return total


def _claims_on_node(pod: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What a pod without a node says of this is left over from an attempt to find one."""
    if not pod["spec"].get("nodeName"):
        return ()
    return (pod.get("status") or {}).get("nodeAllocatableResourceClaimStatuses") or ()


def _with_init_containers(
    total: Amounts, containers: Iterable[Mapping[str, Any]], statuses: Mapping[str, Amounts]
) -> Amounts:
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in containers:
        requests = _container_requests(container, statuses)
        if container.get("restartPolicy") == "Always":
            _add(sidecars, requests)
            _raise_to(peak, sidecars)
        else:
            needed = dict(sidecars)
            _add(needed, requests)
            _raise_to(peak, needed)
    _add(total, sidecars)
    _raise_to(total, peak)
    return total


def _container_requests(container: Mapping[str, Any], statuses: Mapping[str, Amounts]) -> Amounts:
    requests = parse_amounts((container.get("resources") or {}).get("requests"))
    if statuses and (held := statuses.get(container["name"])):
        _raise_to(requests, held)
    return requests


def _resized_amounts(pod: Mapping[str, Any]) -> dict[str, Amounts]:
    """What running containers hold, which differs from their spec while a resize is under way."""
    held: dict[str, Amounts] = {}
    status = pod.get("status") or {}
    for field in ("containerStatuses", "initContainerStatuses"):
        for container in status.get(field) or ():
            if allocated := container.get("allocatedResources"):
                held[container["name"]] = parse_amounts(allocated)
    return held


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _raise_to(total: Amounts, floor: Mapping[str, int]) -> None:
    for name, amount in floor.items():
        if amount > total.get(name, 0):
            total[name] = amount

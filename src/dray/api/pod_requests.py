"""What a pod asks of a node, worked out from its containers, init containers, sidecars, overhead and pod-level resources.

Amounts are whole numbers: cpu in thousandths, everything else in its unit (bytes, pieces), rounded up.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from dray.api.node_claims import shares
from dray.api.quantity import InvalidQuantity, Quantity, parse_quantity

CPU = "cpu"

Amounts = dict[str, int]

Amount = TypeVar("Amount", int, Quantity)


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

    What its containers need; plus what the devices of a pod that has its node take there; plus overhead. Pod-level
    requests replace the sum for the resources they name. While a pod is resized it counts with the larger of what it asks
    for and what it has.
    """
    spec: Mapping[str, Any] = pod["spec"]
    total = requests_of_containers(pod)
    total.update(_requests_of_whole(pod))
    if spec.get("overhead"):
        add_amounts(total, parse_amounts(spec["overhead"]))
    return total


def requests_of_containers(pod: Mapping[str, Any]) -> Amounts:
    """The same without overhead and regardless of pod-level requests."""
    statuses = _resized_amounts(pod)
    is_refused = bool(statuses) and is_infeasible(pod)
    own, lasting = _claimed(pod)
    total = sum_of_containers(
        pod["spec"],
        lambda container: _container_requests(container, statuses, own.get(container["name"]), is_refused),
    )
    add_amounts(total, lasting)
    return total


def _claimed(pod: Mapping[str, Any]) -> tuple[dict[str, Amounts], Amounts]:
    """What the pod's devices take of its node: by container, and for as long as the pod lives."""
    by_container: dict[str, Amounts] = {}
    for container, (name, quantity) in shares(pod):
        add_amounts(by_container.setdefault(container, {}), {name: amount_of(name, quantity)})
    lasting = by_container.pop("", {})
    return by_container, lasting


def sum_of_containers(
    spec: Mapping[str, Any], amounts_of: Callable[[Mapping[str, Any]], dict[str, Amount]]
) -> dict[str, Amount]:
    """What the containers of a pod spec need, by resource; `amounts_of` says it of one.

    The larger of what all long-lived containers need together and what any init container needs beside the sidecars
    started before it.
    """
    total: dict[str, Amount] = {}
    for container in spec.get("containers") or ():
        add_amounts(total, amounts_of(container))
    sidecars: dict[str, Amount] = {}
    peak: dict[str, Amount] = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            add_amounts(sidecars, amounts_of(container))
            _raise_to(peak, sidecars)
        else:
            needed = dict(sidecars)
            add_amounts(needed, amounts_of(container))
            _raise_to(peak, needed)
    add_amounts(total, sidecars)
    _raise_to(total, peak)
    return total


def is_infeasible(pod: Mapping[str, Any]) -> bool:
    """Whether the node will never grant what the pod asks for by now."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "PodResizePending":
            return bool(condition.get("reason") == "Infeasible")
    return False


def _requests_of_whole(pod: Mapping[str, Any]) -> Amounts:
    asked = parse_amounts((pod["spec"].get("resources") or {}).get("requests"))
    status = pod.get("status") or {}
    if not asked or status.get("resources") is None:
        return asked
    held = parse_amounts(status["resources"].get("requests"))
    _raise_to(held, parse_amounts(status.get("allocatedResources")))
    if is_infeasible(pod):
        return {name: held.get(name, 0) for name in asked}
    return {name: max(amount, held.get(name, 0)) for name, amount in asked.items()}


def _container_requests(
    container: Mapping[str, Any],
    statuses: Mapping[str, Amounts],
    claimed: Amounts | None,
    is_refused: bool,
) -> Amounts:
    requests = parse_amounts((container.get("resources") or {}).get("requests"))
    if statuses and (held := statuses.get(container["name"])):
        if is_refused:
            requests = {}
        _raise_to(requests, held)
    if claimed:
        add_amounts(requests, claimed)
    return requests


def _resized_amounts(pod: Mapping[str, Any]) -> dict[str, Amounts]:
    """What running containers hold, which differs from their spec while a resize is under way.

    Of an init container that is no sidecar the spec alone counts.
    """
    held: dict[str, Amounts] = {}
    status = pod.get("status") or {}
    sidecars = {
        container["name"]
        for container in pod["spec"].get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    }
    for container in status.get("initContainerStatuses") or ():
        if container["name"] in sidecars:
            held[container["name"]] = _held(container)
    for container in status.get("containerStatuses") or ():
        held[container["name"]] = _held(container)
    return {name: amounts for name, amounts in held.items() if amounts}


def _held(status: Mapping[str, Any]) -> Amounts:
    allocated, actual = status.get("allocatedResources"), (status.get("resources") or {}).get("requests")
    amounts = parse_amounts(allocated)
    if actual and actual != allocated:
        _raise_to(amounts, parse_amounts(actual))
    return amounts


def add_amounts(total: dict[str, Amount], more: Mapping[str, Amount]) -> None:
    for name, amount in more.items():
        total[name] = total[name] + amount if name in total else amount


def _raise_to(total: dict[str, Amount], least: Mapping[str, Amount]) -> None:
    for name, amount in least.items():
        if name not in total or total[name] < amount:
            total[name] = amount

"""Devices that are part of what a node allocates anyway: cpu, memory, huge pages (alpha, DRANodeAllocatableResources).

A device says which of the node's resources come with it, and how much. What the claims of a pod take in this way counts
on the node beside what its containers request, and is told in the pod's status. Such a claim belongs to one pod, and
one of its containers must use it. Pure; amounts that a device does not give away cannot be known, which is an error.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from dray.api.meta import Object, key_of, name_of
from dray.api.pod_requests import Amounts, amount_of, pod_requests
from dray.api.pods import claims_of
from dray.api.quantity import Quantity, parse_quantity
from dray.scheduler.assume import reservations_of
from dray.scheduler.happenings import DYNAMIC_RESOURCES, NODE_RESOURCES_FIT
from dray.scheduler.pod_view import PodView
from dray.scheduler.snapshot import NodeView
from dray.scheduler.verdict import Rejection

STATUS: Final = "nodeAllocatableResourceClaimStatuses"
_NANO: Final = 10**9

FindDevice = Callable[[str, str, str], Object | None]
"""(driver, pool, device) -> the device as it is published."""


class UnknownAmount(Exception):
    """A mapping asks for a capacity of a device that is given away as a whole."""


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """What one claim takes from the node."""

    claim: Object
    containers: tuple[str, ...]
    """Those that use the claim."""
    resources: Mapping[str, Quantity]

    def status(self) -> Object:
        amounts = {name: str(quantity) for name, quantity in sorted(self.resources.items())}
        return {
            "resourceClaimName": name_of(self.claim),
            "containers": list(self.containers),
            "resources": amounts,
        }


def taken_by(pod: Object, allocated: Iterable[tuple[Object, Object]], find: FindDevice) -> list[Taken]:
    """For each claim, given with its allocation, that takes anything; by name. Raises UnknownAmount."""
    found = [
        Taken(claim, _users(pod, name_of(claim)), resources)
        for claim, allocation in allocated
        if (resources := _resources(allocation, find))
    ]
    return sorted(found, key=lambda taken: name_of(taken.claim))


def _users(pod: Object, claim_name: str) -> tuple[str, ...]:
    entries = {entry.name for entry in claims_of(pod) if entry.claim == claim_name}
    spec = pod["spec"]
    return tuple(
        container["name"]
        for container in [*(spec.get("initContainers") or ()), *spec["containers"]]
        if any(use["name"] in entries for use in (container.get("resources") or {}).get("claims") or ())
    )


def _resources(allocation: Object, find: FindDevice) -> dict[str, Quantity]:
    total: dict[str, Quantity] = {}
    for result in (allocation.get("devices") or {}).get("results") or ():
        device = find(result["driver"], result["pool"], result["device"]) or {}
        for name, mapping in (device.get("nodeAllocatableResourceMappings") or {}).items():
            amount = _amount(mapping or {}, result)
            if amount is not None:
                total[name] = total[name] + amount if name in total else amount
    return total


def _amount(mapping: Mapping[str, Any], result: Mapping[str, Any]) -> Quantity | None:
    """None where the request takes nothing of the capacity that counts."""
    multiplier = parse_quantity(mapping.get("allocationMultiplier") or 1)
    key = mapping.get("capacityKey")
    if not key:
        return multiplier
    consumed = result.get("consumedCapacity")
    if consumed is None:
        raise UnknownAmount(
            f"device {result['driver']}/{result['pool']}/{result['device']} stands for {key} of its node, "
            "but its allocation does not say how much"
        )
    return _product(parse_quantity(consumed[key]), multiplier) if key in consumed else None


def _product(amount: Quantity, multiplier: Quantity) -> Quantity:
    # Rounded up: what is counted is never less than what is taken.
    return Quantity(-(-amount.nanos * multiplier.nanos // _NANO), -9, amount.format)


def rejection(pod: PodView, node: NodeView, taken: Sequence[Taken]) -> Rejection | None:
    """Why the node cannot give what the claims take, beside all else."""
    for each in taken:
        key = key_of(each.claim)
        if any(entry.get("uid") != pod.uid for entry in reservations_of(each.claim)):
            return _no(f"node allocatable resource claim {key} is already used by another pod")
        if not each.containers:
            text = "node-allocatable resource claim not referenced by any container within the pod"
            return _no(f"claim {key}: {text}")
    return _shortage(pod, node, _summed(taken)) if taken else None


def _no(text: str) -> Rejection:
    return Rejection(DYNAMIC_RESOURCES, (text,), resolvable=False)


def _summed(taken: Sequence[Taken]) -> Amounts:
    total: Amounts = {}
    for each in taken:
        for name, quantity in each.resources.items():
            total[name] = total.get(name, 0) + amount_of(name, str(quantity))
    return total


def _shortage(pod: PodView, node: NodeView, amounts: Amounts) -> Rejection | None:
    of_pod = (pod.spec.get("resources") or {}).get("requests") or {}
    own = pod_requests({**pod.pod, "spec": {**pod.spec, "resources": {}}})
    reasons, resolvable = [], True
    for name, amount in sorted(amounts.items()):
        needed = own.get(name, 0) + amount
        if name in of_pod:
            # What the pod asks for as a whole counts, and was looked at; all that is in it must fit in there.
            if amount_of(name, of_pod[name]) < needed:
                return _no(
                    f"pod level request for {name} is insufficient to cover the aggregated container "
                    "and node-allocatable DRA requests"
                )
        elif needed > node.allocatable.get(name, 0) - node.requested.get(name, 0):
            reasons.append(f"Insufficient {name}")
            resolvable = resolvable and needed <= node.allocatable.get(name, 0)
    # Like any shortage of the node, it ends when the node gets larger or emptier.
    return Rejection(NODE_RESOURCES_FIT, tuple(reasons), resolvable) if reasons else None

"""Devices that are part of what a node allocates anyway: cpu, memory, huge pages (alpha, DRANodeAllocatableResources).

A device says which of the node's resources come with it, and how much; in Kubernetes 1.37 also what its use costs beside
that. What the claims of a pod take in this way counts on the node beside what its containers request, and is told in the
pod's status. A claim with such a part of the node belongs to one pod; in 1.36 one of its containers must use it. Pure;
amounts that a device does not give away cannot be known, which is an error.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, Final

from dray.api.meta import Object, name_of, uid_of
from dray.api.node_claims import STATUS
from dray.api.pod_requests import pod_requests
from dray.api.pods import claims_of
from dray.api.quantity import Quantity, parse_quantity
from dray.scheduler.assume import reservations_of
from dray.scheduler.happenings import DYNAMIC_RESOURCES, NODE_RESOURCES_FIT
from dray.scheduler.plugins.dynamic_resources.pod_budget import exceeded_limit, exceeded_request
from dray.scheduler.pod_view import PodView
from dray.scheduler.snapshot import NodeView
from dray.scheduler.verdict import Rejection

_NANO: Final = 10**9
_COSTS: Final = ("perPod", "perContainer")

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
    mapped: Mapping[str, Quantity]
    """What the devices are, by resource."""
    overhead: Mapping[str, Mapping[str, Quantity]]
    """What their use costs: resource -> perPod and perContainer."""
    is_part: bool
    """Whether a device is part of the node at all, be it by nothing in this allocation."""
    newer: bool
    """In the form of 1.37."""

    @property
    def amounts_to_something(self) -> bool:
        return bool(self.mapped or self.overhead)

    def status(self, name: str = "") -> Object:
        """The entry of the pod's status; `name` where the claim has another one than in `claim`."""
        entry: Object = {"resourceClaimName": name or name_of(self.claim)}
        if self.containers:
            entry["containers"] = list(self.containers)
        amounts = {name: str(quantity) for name, quantity in sorted(self.mapped.items())}
        if not self.newer:
            return {**entry, "resources": amounts}
        if amounts:
            entry["mapping"] = [{"name": name, "quantity": amount} for name, amount in amounts.items()]
        if self.overhead:
            entry["overhead"] = [
                {"name": name, **{cost: str(costs[cost]) for cost in _COSTS if cost in costs}}
                for name, costs in sorted(self.overhead.items())
            ]
        return entry


def taken_by(
    pod: Object, allocated: Iterable[tuple[Object, Object]], find: FindDevice, *, newer: bool
) -> list[Taken]:
    """For each claim, given with its allocation, that takes anything; by name. Raises UnknownAmount.

    `newer`: by what devices say in the form of 1.37.
    """
    found: list[Taken] = []
    for claim, allocation in allocated:
        tally = _Tally()
        for result in (allocation.get("devices") or {}).get("results") or ():
            device = find(result["driver"], result["pool"], result["device"]) or {}
            tally.add(device, result, newer)
        if tally.mapped or tally.overhead or (tally.is_part and newer):
            users = _users(pod, claim)
            found.append(Taken(claim, users, tally.mapped, tally.overhead, tally.is_part, newer))
    return sorted(found, key=lambda taken: name_of(taken.claim))


def _users(pod: Object, claim: Object) -> tuple[str, ...]:
    entries = {entry.name for entry in claims_of(pod) if entry.claim == name_of(claim)}
    spec = pod["spec"]
    return tuple(
        container["name"]
        for container in [*(spec.get("initContainers") or ()), *spec["containers"]]
        if any(use["name"] in entries for use in (container.get("resources") or {}).get("claims") or ())
    )


class _Tally:
    """What the devices of one claim come to."""

    def __init__(self) -> None:
        self.mapped: dict[str, Quantity] = {}
        self.overhead: dict[str, dict[str, Quantity]] = {}
        self.is_part = False

    def add(self, device: Object, result: Mapping[str, Any], newer: bool) -> None:
        if not newer:
            for name, mapping in (device.get("nodeAllocatableResourceMappings") or {}).items():
                key, multiplier = (
                    (mapping or {}).get("capacityKey"),
                    (mapping or {}).get("allocationMultiplier"),
                )
                self._map(name, key, parse_quantity(multiplier or 1), result)
            return
        for name, resource in (device.get("nodeAllocatableResources") or {}).items():
            if (mapping := (resource or {}).get("mapping")) is not None:
                key = mapping.get("capacityKey")
                multiplier = mapping.get("capacityMultiplier" if key else "deviceMultiplier")
                self._map(name, key, parse_quantity(multiplier or 1), result)
            for cost in _COSTS:
                if (amount := ((resource or {}).get("overhead") or {}).get(cost)) is not None:
                    _add(self.overhead.setdefault(name, {}), cost, parse_quantity(amount))

    def _map(self, name: str, key: str | None, multiplier: Quantity, result: Mapping[str, Any]) -> None:
        self.is_part = True
        amount = _amount(key, multiplier, result)
        if amount is not None:
            _add(self.mapped, name, amount)


def _add(total: dict[str, Quantity], name: str, amount: Quantity) -> None:
    total[name] = total[name] + amount if name in total else amount


def _amount(key: str | None, multiplier: Quantity, result: Mapping[str, Any]) -> Quantity | None:
    """None where the request takes nothing of the capacity that counts."""
    if not key:
        return multiplier
    consumed = result.get("consumedCapacity")
    if consumed is None:
        raise UnknownAmount(
            f"device {result['driver']}/{result['pool']}/{result['device']} stands for {key} of its node, "
            "but its allocation does not say how much"
        )
    # A name without a domain is one of the driver's.
    domain = f"{result['driver']}/"
    for spelling in (key, key.removeprefix(domain), f"{domain}{key}"):
        if spelling in consumed:
            return _product(parse_quantity(consumed[spelling]), multiplier)
    return None


def _product(amount: Quantity, multiplier: Quantity) -> Quantity:
    # Rounded up: what is counted is never less than what is taken.
    return Quantity(-(-amount.nanos * multiplier.nanos // _NANO), -9, amount.format)


def as_placed(pod: Object, node: str, taken: Sequence[Taken]) -> Object:
    """The pod as its node will account for it."""
    status = {
        **(pod.get("status") or {}),
        STATUS: [each.status() for each in taken if each.amounts_to_something],
    }
    return {**pod, "spec": {**pod["spec"], "nodeName": node}, "status": status}


def rejection(pod: PodView, node: NodeView, taken: Sequence[Taken]) -> Rejection | None:
    """Why the node cannot give what the claims take, beside all else."""
    if not any(each.amounts_to_something for each in taken):
        return None
    placed = as_placed(pod.pod, node.name, taken)
    if refused := exceeded_request(placed) or (exceeded_limit(placed) if taken[0].newer else ""):
        return _no(refused)
    return _shortage(node, placed, taken)


def claims_refused(taken: Sequence[Taken], consumers: Set[str], adopted: Set[str]) -> Rejection | None:
    """Why the pod may not use one of the claims.

    `consumers`: the UIDs whose reservations are the pod's too; `adopted`: those of claims that another pod of its group
    was given in this attempt.
    """
    texts = (_refused_claim(each, consumers, uid_of(each.claim) in adopted) for each in taken)
    refused = next(filter(None, texts), "")
    return _no(refused) if refused else None


def _refused_claim(taken: Taken, consumers: Set[str], is_adopted: bool) -> str:
    name, holders = name_of(taken.claim), {entry.get("uid") for entry in reservations_of(taken.claim)}
    if taken.newer:
        if taken.is_part and (is_adopted or (holders and not holders & consumers)):
            return (
                f"node allocatable resource claim {name} has a mapped device and cannot be shared across pods"
            )
        return ""
    if is_adopted or holders - consumers:
        return f"node allocatable resource claim {name} is already used by another pod"
    if not taken.containers:
        return f"claim {name}: node-allocatable resource claim not referenced by any container within the pod"
    return ""


def _no(text: str) -> Rejection:
    return Rejection(DYNAMIC_RESOURCES, (text,), resolvable=False)


def touched_by(taken: Sequence[Taken]) -> list[str]:
    """The resources of the node that are taken from."""
    return sorted({name for each in taken for name in (*each.mapped, *each.overhead)})


def _shortage(node: NodeView, placed: Object, taken: Sequence[Taken]) -> Rejection | None:
    """Of what the pod asks for as a whole its own request counts, and was looked at."""
    of_pod = (placed["spec"].get("resources") or {}).get("requests") or {}
    total = pod_requests(placed)
    reasons, resolvable = [], True
    for name in touched_by(taken):
        if name in of_pod:
            continue
        needed = total.get(name, 0)
        if needed > node.allocatable.get(name, 0) - node.requested.get(name, 0):
            reasons.append(f"Insufficient {name}")
            resolvable = resolvable and needed <= node.allocatable.get(name, 0)
    # Like any shortage of the node, it ends when the node gets larger or emptier.
    return Rejection(NODE_RESOURCES_FIT, tuple(reasons), resolvable) if reasons else None


def status_of(taken: Sequence[Taken], special: Object | None, created: Object | None) -> list[Object]:
    """The list in the pod's status; `created` is what became of the claim `special` for extended resources."""
    names = {uid_of(special): name_of(created)} if special is not None and created is not None else {}
    entries = [each.status(names.get(uid_of(each.claim), "")) for each in taken if each.amounts_to_something]
    return sorted(entries, key=lambda entry: str(entry["resourceClaimName"]))

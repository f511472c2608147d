"""Why a node is no place for a pod, apart from devices: taints, labels, room, and claims allocated elsewhere.

Refuses to know: other pods (`neighbours`) and volumes (`volumes`).
"""

from collections.abc import Iterator, Mapping, Sequence

from dray.api.meta import Object, key_of, labels_of, name_of
from dray.api.placement import (
    find_untolerated_taint,
    matches_node_selector,
    tolerates,
)
from dray.api.pod_requests import CPU, pod_requests
from dray.api.quantity import Quantity
from dray.insight.node_room import NodeRoom
from dray.insight.node_rules import node_affinity_against
from dray.insight.snapshot import Snapshot

_UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


class NodeFit:
    """Asks every node about one pod."""

    def __init__(
        self,
        snapshot: Snapshot,
        pod: Object,
        allocated: Sequence[Object],
        by_devices: Mapping[str, str],
        rooms: NodeRoom | None = None,
    ) -> None:
        self._rooms = rooms or NodeRoom(snapshot.pods_by_node)
        self._pod = pod
        self._spec = pod["spec"]
        self._allocated = allocated
        self._requests = {name: amount for name, amount in pod_requests(pod).items() if amount > 0}
        self._by_devices = by_devices
        """Extended resources that devices can stand for, with their class."""

    def reasons(self, node: Object) -> list[str]:
        """All that is against the node; equal texts for nodes that are alike."""
        return [*self._placement(node), *self._room(node), *self._elsewhere(node)]

    def allows(self, node: Object) -> bool:
        """Whether nothing is against the node."""
        checks = (self._placement, self._room, self._elsewhere)
        return all(next(check(node), None) is None for check in checks)

    def _placement(self, node: Object) -> Iterator[str]:
        spec = node.get("spec") or {}
        tolerations = self._spec.get("tolerations") or ()
        if spec.get("unschedulable") and not any(tolerates(each, _UNSCHEDULABLE) for each in tolerations):
            yield "cordoned (kubectl uncordon lets pods in again)"
        taints = [taint for taint in spec.get("taints") or () if taint.get("key") != _UNSCHEDULABLE["key"]]
        for taint in taints:
            if find_untolerated_taint([taint], tolerations) is None:
                continue
            value = f"={taint['value']}" if taint.get("value") else ""
            yield f"taint {taint['key']}{value}:{taint['effect']} is not tolerated"
        labels = labels_of(node)
        wanted = self._spec.get("nodeSelector") or {}
        for key, value in wanted.items():
            if labels.get(key) != value:
                has = f"label {key} is {labels[key]}" if key in labels else f"there is no label {key}"
                yield f"{has}, the pod asks for {value}"
        if refused := node_affinity_against(self._spec, node):
            yield refused

    def _room(self, node: Object) -> Iterator[str]:
        room = self._rooms.of(node)
        offered = room.allocatable
        if not offered:
            return
        if "pods" in offered and room.pods >= offered["pods"]:
            yield f"{room.pods} pods run there, {offered['pods']} may"
        for name, amount in self._requests.items():
            free = room.left(name)
            if amount > free and not (name in self._by_devices and not offered.get(name)):
                of_all = shown_amount(name, offered.get(name, 0))
                yield f"{name}: the pod asks for {shown_amount(name, amount)}, {shown_amount(name, free)} of {of_all} free"

    def _elsewhere(self, node: Object) -> Iterator[str]:
        for claim in self._allocated:
            selector = ((claim.get("status") or {}).get("allocation") or {}).get("nodeSelector")
            if selector is not None and not matches_node_selector(selector, node):
                yield f"claim {key_of(claim)} is allocated to devices that this node cannot use"


def shown_amount(name: str, amount: int) -> str:
    if name == CPU:
        return str(Quantity(amount, -3))
    if name in ("memory", "ephemeral-storage") or name.startswith("hugepages-"):
        for unit, size in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
            if amount >= size:
                return f"{amount / size:.4g}{unit}"
    return str(amount)


def extended_classes(classes: Sequence[Object], pod: Object) -> dict[str, str]:
    """Extended resources of the pod that a DeviceClass provides: resource -> class. The newest class wins."""
    wanted = [resource for resource in pod_requests(pod) if "/" in resource]
    if not wanted:
        return {}
    provided: dict[str, str] = {}
    for obj in sorted(classes, key=lambda each: str(each["metadata"].get("creationTimestamp", ""))):
        name = name_of(obj)
        provided[f"deviceclass.resource.kubernetes.io/{name}"] = name
        if extended := (obj.get("spec") or {}).get("extendedResourceName"):
            provided[extended] = name
    return {resource: provided[resource] for resource in wanted if resource in provided}


def extended_claim(pod: Object, by_devices: Mapping[str, str]) -> Object | None:
    """The claim that the scheduler would make for the extended resources of a pod, or None.

    One request for each resource, of as many devices as the pod has at once: init containers are done before the
    others begin, so what they use is used again.
    """
    total = pod_requests(pod)
    requests = []
    for name, position in _first_uses(pod).items():
        if name in by_devices and (count := total.get(name, 0)):
            exactly = {"deviceClassName": by_devices[name], "allocationMode": "ExactCount", "count": count}
            requests.append({"name": position, "exactly": exactly})
    if not requests:
        return None
    namespace, name = key_of(pod)
    meta = {"name": f"{name} (extended resources)", "namespace": namespace}
    return {"kind": "ResourceClaim", "metadata": meta, "spec": {"devices": {"requests": requests}}}


def _first_uses(pod: Object) -> dict[str, str]:
    """Resource -> the name that the scheduler gives to its first request."""
    uses: dict[str, str] = {}
    containers = [*(pod["spec"].get("initContainers") or ()), *(pod["spec"].get("containers") or ())]
    for i, container in enumerate(containers):
        for j, name in enumerate(sorted((container.get("resources") or {}).get("requests") or {})):
            uses.setdefault(name, f"container-{i}-request-{j}")
    return uses

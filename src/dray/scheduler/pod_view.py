"""A pod as the scheduler needs it: what it asks of a node, worked out once.

Decides how much a pod requests (containers, init containers, sidecars, overhead, pod-level resources) and which parts
of its spec tie it to nodes and other pods. Refuses to know nodes. Views are immutable; a changed pod gets a new one.

Amounts are whole numbers: cpu in thousandths, everything else in its unit (bytes, pieces), rounded up.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from dray.api.meta import Object, ObjectKey, key_of, labels_of, uid_of
from dray.api.quantity import InvalidQuantity, parse_quantity
from dray.scheduler.affinity_terms import Term, preferred_terms, required_terms

CPU = "cpu"
MEMORY = "memory"
EPHEMERAL_STORAGE = "ephemeral-storage"
PODS = "pods"

DEFAULT_CPU_MILLI = 100
DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024
"""What a container that requests nothing counts for when nodes are compared (never when they are filtered)."""

Amounts = dict[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class HostPort:
    ip: str
    protocol: str
    port: int


class PodView:
    """What one pod asks for. Build with the pod object; everything costly is computed on first use."""

    __slots__ = (
        "__dict__",
        "key",
        "node_name",
        "nominated_node",
        "pod",
        "priority",
        "requests",
        "spec",
        "uid",
    )

    def __init__(self, pod: Object) -> None:
        spec: Object = pod["spec"]
        self.pod = pod
        self.spec = spec
        self.key: ObjectKey = key_of(pod)
        self.uid = uid_of(pod)
        self.priority = int(spec.get("priority") or 0)
        self.node_name: str = spec.get("nodeName") or ""
        self.nominated_node: str = (pod.get("status") or {}).get("nominatedNodeName") or ""
        self.requests: Amounts = pod_requests(pod)

    @property
    def namespace(self) -> str:
        return self.key.namespace

    @property
    def labels(self) -> Mapping[str, str]:
        return labels_of(self.pod)

    @property
    def tolerations(self) -> Sequence[Mapping[str, Any]]:
        return self.spec.get("tolerations") or ()

    @property
    def claim_references(self) -> Sequence[Mapping[str, Any]]:
        return self.spec.get("resourceClaims") or ()

    @functools.cached_property
    def scored_requests(self) -> tuple[int, int]:
        """CPU and memory with defaults for containers that request none."""
        return scored_requests(self.pod)

    @functools.cached_property
    def host_ports(self) -> tuple[HostPort, ...]:
        return tuple(_host_ports(self.spec))

    @functools.cached_property
    def static_signature(self) -> bytes:
        """Equal for two pods that every node treats alike as far as names, labels and taints go."""
        affinity = (self.spec.get("affinity") or {}).get("nodeAffinity")
        parts = (self.node_name, self.spec.get("nodeSelector"), affinity, self.spec.get("tolerations"))
        return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)

    @functools.cached_property
    def required_affinity(self) -> tuple[Term, ...]:
        return required_terms(self.pod, "podAffinity") if "affinity" in self.spec else ()

    @functools.cached_property
    def required_anti_affinity(self) -> tuple[Term, ...]:
        return required_terms(self.pod, "podAntiAffinity") if "affinity" in self.spec else ()

    @functools.cached_property
    def preferred_affinity(self) -> tuple[Term, ...]:
        """Of both kinds; anti-affinity weighs negative."""
        return preferred_terms(self.pod) if "affinity" in self.spec else ()

    def spread_constraints(self, when: str) -> list[Mapping[str, Any]]:
        """Topology spread constraints with `whenUnsatisfiable` equal to `when`."""
        constraints = self.spec.get("topologySpreadConstraints") or ()
        return [each for each in constraints if each.get("whenUnsatisfiable", "DoNotSchedule") == when]


def is_terminal(pod: Mapping[str, Any]) -> bool:
    """Whether the pod holds nothing on its node any more."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


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
    started before it; plus overhead. Pod-level requests replace the sum for the resources they name.
    """
    spec: Mapping[str, Any] = pod["spec"]
    statuses = _resized_amounts(pod)
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, _container_requests(container, statuses))
    if spec.get("initContainers"):
        total = _with_init_containers(total, spec["initContainers"], statuses)
    total.update(parse_amounts((spec.get("resources") or {}).get("requests")))
    if spec.get("overhead"):
        _add(total, parse_amounts(spec["overhead"]))
    return total


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


def scored_requests(pod: Mapping[str, Any]) -> tuple[int, int]:
    """CPU (milli) and memory (bytes) as they count in scores: every container takes at least the default."""
    spec = pod["spec"]
    cpu = memory = 0
    for container in spec.get("containers") or ():
        requests = (container.get("resources") or {}).get("requests") or {}
        cpu += amount_of(CPU, requests[CPU]) if CPU in requests else DEFAULT_CPU_MILLI
        memory += amount_of(MEMORY, requests[MEMORY]) if MEMORY in requests else DEFAULT_MEMORY_BYTES
    return cpu, memory


def _host_ports(spec: Mapping[str, Any]) -> Iterable[HostPort]:
    containers = list(spec.get("containers") or ())
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    for container in containers + sidecars:
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield HostPort(
                    port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", int(port["hostPort"])
                )

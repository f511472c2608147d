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
from dray.api.pod_requests import CPU, Amounts, amount_of, pod_requests
from dray.scheduler.affinity_terms import Term, preferred_terms, required_terms

MEMORY = "memory"
EPHEMERAL_STORAGE = "ephemeral-storage"
PODS = "pods"

DEFAULT_CPU_MILLI = 100
DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024
"""What a container that requests nothing counts for when nodes are compared (never when they are filtered)."""


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

    def asks_less_than(self, other: "PodView") -> bool:
        """Whether it asks for less of anything than the other does, as a pod does that was resized downwards."""
        return any(self.requests.get(name, 0) < amount for name, amount in other.requests.items())

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

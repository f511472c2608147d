"""What pods ask of the pods around them: affinity, anti-affinity, topology spread, as the scheduler's plugins judge it.

Where pods only keep away from each other, a node that is closed stays closed, and what was there from the start is
judged once for all pods that ask alike. Affinity and spread can open a node again; they are judged anew for each pod.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dray.api.meta import Object, labels_of, name_of, uid_of
from dray.api.resources import NAMESPACES
from dray.insight.neighbours import Neighbourhood, placed_pods
from dray.insight.snapshot import Snapshot
from dray.scheduler.plugins import inter_pod_affinity, pod_topology_spread
from dray.scheduler.pod_view import PodView
from dray.scheduler.snapshot import NodeView
from dray.scheduler.snapshot import Snapshot as Placed
from dray.scheduler.verdict import Rejection

Verdict = Callable[[NodeView], Rejection | None]
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def asks_for_company(pod: Object) -> bool:
    """Whether the pod has a rule on other pods that nodes are ruled out by."""
    spec = pod["spec"]
    affinity = spec.get("affinity") or {}
    return any(
        (affinity.get(kind) or {}).get(_REQUIRED) for kind in ("podAffinity", "podAntiAffinity")
    ) or any(
        each.get("whenUnsatisfiable") == "DoNotSchedule"
        for each in spec.get("topologySpreadConstraints") or ()
    )


class Company:
    """Who is where. Pods come and go, nodes too; what was there from the start stays."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._labels_of_namespace: Mapping[str, Mapping[str, str]] = {
            name_of(each): labels_of(each) for each in snapshot.of(NAMESPACES)
        }
        self._first = placed_pods(snapshot)
        self._new = Placed()
        """Only the pods that came since, and their nodes."""
        self._all = placed_pods(snapshot)
        self._judged: dict[bytes, Verdict | None] = {}

    def allows(self, pod: Object, key: bytes) -> Callable[[Object], bool]:
        """Tells of a node whether the pods around let the pod there. `key`: equal for pods that ask alike."""
        verdicts = list(self._verdicts(pod, key))

        def check(node: Object) -> bool:
            view = self._all.find(name_of(node))
            return view is not None and all(verdict(view) is None for verdict in verdicts)

        return check

    def _verdicts(self, pod: Object, key: bytes) -> Iterator[Verdict]:
        view = PodView(pod)
        if can_reopen(pod):
            found = [
                inter_pod_affinity.prepare(view, self._all, self._namespace),
                pod_topology_spread.prepare(view, self._all),
            ]
        else:
            if key not in self._judged:
                self._judged[key] = inter_pod_affinity.prepare(view, self._first, self._namespace)
            found = [self._judged[key], inter_pod_affinity.prepare(view, self._new, self._namespace)]
        yield from (verdict for verdict in found if verdict is not None)

    def against(self, pod: Object) -> Callable[[Object], list[str]]:
        """Tells of a node, in words, which rules on the pods around are against it."""
        neighbours = Neighbourhood(self._snapshot, pod, self._all)
        return lambda node: [each.text for each in neighbours.against(node)]

    def _namespace(self, name: str) -> Mapping[str, str]:
        return self._labels_of_namespace.get(name, {})

    def put(self, pod: Object, node: Object) -> None:
        view = PodView(_on(pod, node))
        self._new.put_node(node)
        self._new.put_pod(view)
        self._all.put_pod(view)

    def take(self, pod: Object) -> None:
        self._new.remove_pod(uid_of(pod))
        self._all.remove_pod(uid_of(pod))

    def put_node(self, node: Object) -> None:
        self._all.put_node(node)

    def take_node(self, node: Object) -> None:
        self._all.remove_node(name_of(node))


def can_reopen(pod: Object) -> bool:
    """Whether a node that refuses the pod may take it later, once other pods are placed."""
    affinity: Mapping[str, Any] = pod["spec"].get("affinity") or {}
    return bool((affinity.get("podAffinity") or {}).get(_REQUIRED)) or any(
        each.get("whenUnsatisfiable") == "DoNotSchedule"
        for each in pod["spec"].get("topologySpreadConstraints") or ()
    )


def _on(pod: Object, node: Object) -> Object:
    return {**pod, "spec": {**pod["spec"], "nodeName": name_of(node)}}

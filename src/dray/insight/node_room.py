"""What each node has left of cpu, memory and the other things that nodes count, as pods are put there and taken away.

Refuses to know: devices; what is asked.
"""

from collections.abc import Mapping, Sequence

from dray.api.meta import Object, name_of
from dray.api.pod_requests import Amounts, parse_amounts, pod_requests
from dray.api.pods import is_terminal


class Room:
    """One node. Amounts as in `pod_requests`."""

    __slots__ = ("allocatable", "pods", "used")

    def __init__(self, node: Object, pods: Sequence[Object]) -> None:
        self.allocatable: Amounts = parse_amounts((node.get("status") or {}).get("allocatable"))
        """Empty where the node reports nothing: then nothing is held against it."""
        self.used: Amounts = {}
        self.pods = 0
        for pod in pods:
            if not is_terminal(pod):
                self.put(pod)

    def put(self, pod: Object) -> None:
        self._count(pod, 1)

    def take(self, pod: Object) -> None:
        """Undo `put`."""
        self._count(pod, -1)

    def _count(self, pod: Object, sign: int) -> None:
        self.pods += sign
        for name, amount in pod_requests(pod).items():
            self.used[name] = self.used.get(name, 0) + sign * amount

    def left(self, resource: str) -> int:
        return max(self.allocatable.get(resource, 0) - self.used.get(resource, 0), 0)


class NodeRoom:
    """All nodes, each reckoned up when it is first asked about."""

    def __init__(self, pods_by_node: Mapping[str, Sequence[Object]]) -> None:
        self._pods_by_node = pods_by_node
        self._known: dict[str, Room] = {}

    def of(self, node: Object) -> Room:
        name = name_of(node)
        room = self._known.get(name)
        if room is None:
            room = self._known[name] = Room(node, self._pods_by_node.get(name, ()))
        return room

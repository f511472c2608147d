"""What the devices of a pod take of its node's cpu and memory, and whether the node has that much left.

The reckoning is the scheduler's own (DRANodeAllocatableResources). Knows it by the slices: servers without the feature
keep no such fields. Refuses to know what else is against a node.
"""

from collections.abc import Sequence

from dray.api.meta import Object, uid_of
from dray.api.pod_requests import pod_requests
from dray.insight.gates import gates_of
from dray.insight.node_fit import shown_amount
from dray.insight.node_room import NodeRoom
from dray.insight.world import World
from dray.scheduler.plugins.dynamic_resources.node_allocatable import (
    Taken,
    UnknownAmount,
    as_placed,
    claims_refused,
    taken_by,
    touched_by,
)
from dray.scheduler.plugins.dynamic_resources.pod_budget import exceeded_limit, exceeded_request

GATE = "DRANodeAllocatableResources"
_OLDER, _NEWER = "nodeAllocatableResourceMappings", "nodeAllocatableResources"

Allocated = tuple[Object, Object]
"""A claim and its allocation."""


class NodeShare:
    def __init__(self, world: World, rooms: NodeRoom) -> None:
        self._world = world
        self._rooms = rooms
        snapshot = world.snapshot
        off = gates_of(snapshot).is_off(GATE)
        devices = [] if off else [d for each in snapshot.slices for d in each["spec"].get("devices") or ()]
        self._newer = any(_NEWER in device for device in devices)
        self.is_counted = self._newer or any(_OLDER in device for device in devices)

    def taken(self, pod: Object, allocated: Sequence[Allocated]) -> Sequence[Taken]:
        """What the claims of a pod take where they have these devices."""
        if not self.is_counted:
            return ()
        try:
            return taken_by(pod, allocated, self._world.index.find_device, newer=self._newer)
        except UnknownAmount:
            return ()

    def against(self, pod: Object, node: Object, taken: Sequence[Taken], adopted: frozenset[str]) -> str:
        """Why the node cannot give that, or "". `adopted`: UIDs of claims that other pods were given without a reservation."""
        if not taken:
            return ""
        if (refused := claims_refused(taken, {uid_of(pod)}, adopted)) is not None:
            return refused.reasons[0]
        placed = as_placed(pod, "-", taken)
        if text := exceeded_request(placed) or (exceeded_limit(placed) if self._newer else ""):
            return text
        return self._shortage(placed, node, touched_by(taken))

    def _shortage(self, placed: Object, node: Object, names: Sequence[str]) -> str:
        room = self._rooms.of(node)
        if not room.allocatable:
            return ""
        total = pod_requests(placed)
        for name in names:
            if (needed := total.get(name, 0)) > (free := room.left(name)):
                asked, of_all = (shown_amount(name, each) for each in (needed, room.allocatable.get(name, 0)))
                return f"{name}: the pod with its devices asks for {asked}, {shown_amount(name, free)} of {of_all} free"
        return ""

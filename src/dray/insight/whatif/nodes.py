"""More nodes, fewer, and nodes with a taint."""

import dataclasses
from collections.abc import Iterator, Sequence

from dray.api.meta import Object, key_of, labels_of, name_of
from dray.api.placement import find_untolerated_taint, tolerates
from dray.api.pods import claim_names_of
from dray.api.resources import NODES, RESOURCE_SLICES
from dray.insight.snapshot import Snapshot
from dray.insight.whatif.evicting import NO_EXECUTE, evict, has_place, is_daemon
from dray.insight.whatif.pods import Made, like
from dray.insight.whatif.scenario import NotThere, Scenario
from dray.insight.whatif.workloads import with_made

MAX_NODES_ADDED = 10_000
HOSTNAME = "kubernetes.io/hostname"


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """What a kind of node is like: the node, the devices it brings, and what runs on every node of its kind."""

    name: str
    node: Object
    slices: tuple[Object, ...]
    daemons: tuple[Object, ...] = ()
    """Pods of DaemonSets."""


@dataclasses.dataclass(frozen=True, slots=True)
class Growth:
    """The objects that come with one more node."""

    node: Object
    slices: tuple[Object, ...]
    pods: tuple[Made, ...]
    """Daemon pods: there at once, or waiting for their devices where they have claims."""


def shape_of(snapshot: Snapshot, name: str) -> Shape:
    """Raises NotThere."""
    node = _node(snapshot, name)
    daemons = tuple(
        pod for pod in snapshot.pods_by_node.get(name, ()) if is_daemon(pod) and has_place(pod)
    )  # fmt: skip
    return Shape(name, node, tuple(_own_slices(snapshot.slices, name)), daemons)


def _own_slices(slices: Sequence[Object], node: str) -> Iterator[Object]:
    """The slices of a node; of pools that leave the node to their devices, this node's part with the counters it needs."""
    parts: dict[tuple[str, str], list[Object]] = {}
    for obj in slices:
        spec = obj["spec"]
        if spec.get("nodeName") == node:
            yield obj
        elif spec.get("perDeviceNodeSelection"):
            own = [device for device in spec.get("devices") or () if device.get("nodeName") == node]
            if own:
                part = {**obj, "spec": {**spec, "devices": own}}
                parts.setdefault((spec["driver"], spec["pool"]["name"]), []).append(part)
    for obj in slices if parts else ():
        key = (obj["spec"]["driver"], obj["spec"]["pool"]["name"])
        if key in parts and obj["spec"].get("sharedCounters") and obj["spec"].get("nodeName") != node:
            parts[key].append(obj)
    for group in parts.values():
        for obj in group:
            pool = {**obj["spec"]["pool"], "resourceSliceCount": len(group)}
            yield {**obj, "spec": {**obj["spec"], "pool": pool}}


def _node(snapshot: Snapshot, name: str) -> Object:
    node = snapshot.find(NODES, name)
    if node is None:
        known = ", ".join(map(name_of, snapshot.nodes[:5])) or "none"
        more = f" and {len(snapshot.nodes) - 5} more" if len(snapshot.nodes) > 5 else ""
        raise NotThere(f"there is no node {name}; nodes: {known}{more}")
    return node


def grown(snapshot: Snapshot, shape: Shape, number: int) -> Growth:
    """One more node of a shape. Its devices are free; `number` tells it from others."""
    name = f"{shape.name}-more-{number}"
    labels = {**labels_of(shape.node), HOSTNAME: name}
    spec = {k: v for k, v in (shape.node.get("spec") or {}).items() if k != "unschedulable"}
    node = {**shape.node, "metadata": {"name": name, "labels": labels}, "spec": spec}
    pods = tuple(_daemon_on(snapshot, daemon, name) for daemon in shape.daemons)
    return Growth(node, tuple(_slice_on(obj, name, number) for obj in shape.slices), pods)


def _slice_on(obj: Object, node: str, number: int) -> Object:
    old = obj["spec"]
    pool = {**old["pool"], "name": f"{old['pool']['name']}-more-{number}"}
    spec = {k: v for k, v in old.items() if k != "perDeviceNodeSelection"}
    spec |= {"nodeName": node, "pool": pool}
    if "devices" in old:
        spec["devices"] = [{k: v for k, v in d.items() if k != "nodeName"} for d in old["devices"]]
    return {**obj, "metadata": {"name": f"{name_of(obj)}-more-{number}"}, "spec": spec}


def _daemon_on(snapshot: Snapshot, pod: Object, node: str) -> Made:
    name = f"{name_of(pod)}-{node}"
    if claim_names_of(pod):
        return like(snapshot, pod, name, pin=node)
    return like(snapshot, pod, name, node=node)


def add_nodes(scenario: Scenario, shape: Shape, count: int) -> Scenario:
    """So many more nodes of a shape, each with its devices and daemon pods."""
    more = [grown(scenario.snapshot, shape, number) for number in range(count)]
    changed = scenario.put(NODES, [each.node for each in more])
    changed = changed.put(RESOURCE_SLICES, [obj for each in more for obj in each.slices])
    return with_made(changed, [made for each in more for made in each.pods])


def remove_node(scenario: Scenario, name: str) -> Scenario:
    """The node is gone with its devices and daemon pods; its other pods look for another place. Raises NotThere."""
    _node(scenario.snapshot, name)
    changed = evict(scenario, scenario.snapshot.pods_by_node.get(name, ()), f"node {name} is removed")
    slices = [obj for obj in changed.snapshot.slices if obj["spec"].get("nodeName") != name]
    nodes = [each for each in changed.snapshot.nodes if name_of(each) != name]
    return changed.replaced(NODES, nodes).replaced(RESOURCE_SLICES, slices)


def drain_node(scenario: Scenario, name: str) -> Scenario:
    """No pod may go there any more, and all but daemon pods leave. Raises NotThere."""
    node = _node(scenario.snapshot, name)
    cordoned = {**node, "spec": {**(node.get("spec") or {}), "unschedulable": True}}
    leaving = [pod for pod in scenario.snapshot.pods_by_node.get(name, ()) if not is_daemon(pod)]
    return evict(scenario.put(NODES, [cordoned]), leaving, f"node {name} is drained")


def taint_node(scenario: Scenario, name: str, taint: Object) -> Scenario:
    """NoExecute drives out who does not tolerate it, daemon pods too. Raises NotThere."""
    node = _node(scenario.snapshot, name)
    spec = node.get("spec") or {}
    kept = [t for t in spec.get("taints") or () if (t["key"], t["effect"]) != (taint["key"], taint["effect"])]
    tainted = scenario.put(NODES, [{**node, "spec": {**spec, "taints": [*kept, taint]}}])
    if taint["effect"] != NO_EXECUTE:
        return tainted
    stays = {
        key_of(pod): _stays_seconds(pod, taint) for pod in scenario.snapshot.pods_by_node.get(name, ())
    }  # fmt: skip
    leaving = [
        pod for pod in scenario.snapshot.pods_by_node.get(name, ()) if stays[key_of(pod)] is not None
    ]  # fmt: skip
    what = f"node {name} is tainted {taint_text(taint)}"
    return evict(tainted, leaving, what, seconds=lambda pod: stays[key_of(pod)] or 0)


def _stays_seconds(pod: Object, taint: Object) -> int | None:
    """How long a pod bears a NoExecute taint of its node; None: for ever."""
    tolerations = pod["spec"].get("tolerations") or ()
    if find_untolerated_taint([taint], tolerations, (NO_EXECUTE,)) is not None:
        return 0
    limits = [each.get("tolerationSeconds") for each in tolerations if tolerates(each, taint)]
    if any(limit is None for limit in limits):
        return None
    return max(0, min(int(limit) for limit in limits if limit is not None))


def taint_text(taint: Object) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"

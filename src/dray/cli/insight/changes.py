"""From what was written on the command line to a changed cluster."""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from dray.api.meta import Object, name_of
from dray.api.names import label_value, qualified_name
from dray.insight.gates import gates_of
from dray.insight.snapshot import Snapshot
from dray.insight.whatif.devices import add_devices, fail_devices, taint_devices
from dray.insight.whatif.manifests import find_object, set_at, with_object
from dray.insight.whatif.nodes import Shape, add_nodes, drain_node, remove_node, shape_of, taint_node
from dray.insight.whatif.scenario import NotThere, Scenario
from dray.insight.whatif.shapes import shapes_of
from dray.insight.whatif.workloads import find_workload, restart, scale

MAX_SHAPES = 8
_EFFECTS = ("NoSchedule", "NoExecute")


@dataclasses.dataclass(frozen=True, slots=True)
class Changes:
    """As written; the fields are the options, in the order in which they apply."""

    files: tuple[str, ...]
    sets: tuple[tuple[str, str], ...]
    add_nodes: int
    like: tuple[str, ...]
    remove_node: tuple[str, ...]
    drain: tuple[str, ...]
    add_devices: tuple[tuple[str, int], ...]
    on_node: str
    fail: tuple[str, ...]
    taints: tuple[tuple[str, str], ...]
    restart: tuple[str, ...]
    scale: tuple[str, ...]
    minimum: bool

    def names(self) -> list[str]:
        """The changes in words."""
        return list(self._names())

    def _names(self) -> Iterator[str]:
        yield from (f"{name} is applied" for name in self.files)
        yield from (f"{target}: {assignment}" for target, assignment in self.sets)
        if self.add_nodes:
            yield f"{self.add_nodes} more node{'s' if self.add_nodes > 1 else ''} like {self.like[0]}"
        yield from (f"node {name} is removed" for name in self.remove_node)
        yield from (f"node {name} is drained" for name in self.drain)
        where = f" on {self.on_node}" if self.on_node else ""
        yield from (f"{count} more devices like {device}{where}" for device, count in self.add_devices)
        yield from (f"{device} fails" for device in self.fail)
        yield from (f"{what} is tainted {taint}" for what, taint in self.taints)
        yield from (f"{target} is restarted" for target in self.restart)
        yield from (f"{target.replace('=', ' has ')} pods" for target in self.scale)


def changed(snapshot: Snapshot, changes: Changes, namespace: str) -> Scenario:
    """Raises NotThere."""
    scenario = Scenario(snapshot)
    for obj in _read(changes.files, namespace, snapshot) if changes.files else ():
        scenario = with_object(scenario, obj)
    for target, assignment in changes.sets:
        scenario = _with_set(scenario, target, assignment, namespace)
    if changes.add_nodes:
        shape = _shape(scenario.snapshot, changes.like[0], namespace)
        scenario = add_nodes(scenario, shape, changes.add_nodes)
    for name in changes.remove_node:
        scenario = remove_node(scenario, name)
    for name in changes.drain:
        scenario = drain_node(scenario, name)
    for device, count in changes.add_devices:
        scenario = add_devices(scenario, device, count, changes.on_node)
    for device in changes.fail:
        scenario = fail_devices(scenario, device)
    for target, text in changes.taints:
        scenario = _tainted(scenario, target, text)
    for text in changes.restart:
        kind, _, name = text.partition("/")
        workload, _ = find_workload(scenario.snapshot, kind, name, namespace)
        scenario = restart(scenario, workload)
    for text in changes.scale:
        scenario = _scaled(scenario, text, namespace)
    return scenario


def asked_shapes(snapshot: Snapshot, changes: Changes, namespace: str) -> list[Shape]:
    """The shapes of node that are to be tried. Raises NotThere."""
    if not changes.minimum:
        return []
    if changes.like:
        return [_shape(snapshot, text, namespace) for text in changes.like]
    return [shape for shape, _ in shapes_of(snapshot)[:MAX_SHAPES]]


def _read(files: Sequence[str], namespace: str, snapshot: Snapshot) -> list[Object]:
    # Only manifests need the rules of the API server, which take long to load.
    from dray.cli.insight.manifests import read_objects

    return read_objects(files, namespace, snapshot.now, gates_of(snapshot).as_settings())


def _shape(snapshot: Snapshot, text: str, namespace: str) -> Shape:
    path = pathlib.Path(text)
    if path.suffix not in (".yaml", ".yml", ".json") and "/" not in text:
        return shape_of(snapshot, text)
    objects = _read((text,), namespace, snapshot)
    nodes = [obj for obj in objects if obj["kind"] == "Node"]
    if len(nodes) != 1:
        raise NotThere(f"{text} has {len(nodes)} nodes; a shape is one Node and the ResourceSlices it brings")
    slices = tuple(obj for obj in objects if obj["kind"] == "ResourceSlice")
    return Shape(name_of(nodes[0]), nodes[0], slices)


def _with_set(scenario: Scenario, target: str, assignment: str, namespace: str) -> Scenario:
    path, equals, text = assignment.partition("=")
    if not equals or not path:
        raise NotThere(
            f"{assignment} sets nothing; write PATH=VALUE, such as spec.devices.requests[0].exactly.count=2"
        )
    try:
        value: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise NotThere(f"{assignment}: the value is no YAML") from error
    obj = find_object(scenario.snapshot, target, namespace)
    return with_object(scenario, _valid(set_at(obj, path, value), namespace, scenario.snapshot))


def _valid(obj: Object, namespace: str, snapshot: Snapshot) -> Object:
    """The object after the API server's rules; what is not the user's to set stays as it is."""
    from dray.cli.insight.manifests import complete

    given = {key: value for key, value in obj.items() if key != "status"}
    spec = complete(given, namespace, snapshot.now, gates_of(snapshot).as_settings())
    return {**spec, "status": obj["status"]} if "status" in obj else spec


def _tainted(scenario: Scenario, target: str, text: str) -> Scenario:
    taint = parse_taint(text)
    kind, _, name = target.partition("/")
    if kind in ("node", "nodes", "no"):
        return taint_node(scenario, name, taint)
    return taint_devices(scenario, target.removeprefix("device/"), taint)


def parse_taint(text: str) -> Object:
    """`key=value:Effect` or `key:Effect`, as kubectl taint takes it. Raises NotThere."""
    pair, colon, effect = text.rpartition(":")
    key, equals, value = pair.partition("=")
    if not colon or qualified_name(key) or (equals and label_value(value)):
        raise NotThere(f"{text} is no taint; write KEY:EFFECT or KEY=VALUE:EFFECT")
    if effect not in _EFFECTS:
        raise NotThere(f"{text}: the effect is one of {', '.join(_EFFECTS)}, not {effect or 'nothing'}")
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


def _scaled(scenario: Scenario, text: str, namespace: str) -> Scenario:
    target, equals, count = text.rpartition("=")
    kind, slash, name = target.partition("/")
    if not equals or not slash or not count.isdigit():
        raise NotThere(f"{text} scales nothing; write KIND/NAME=COUNT, such as deployment/trainer=20")
    workload, obj = find_workload(scenario.snapshot, kind, name, namespace)
    return scale(scenario, workload, obj, int(count))

"""Which shapes of node a cluster has: nodes with equal resources, labels, taints and devices are of one shape.

What tells one node or device from all others (host names, serial numbers, addresses) does not count.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from dray.api.meta import Object, labels_of, name_of
from dray.api.pod_requests import amount_of
from dray.insight.snapshot import Snapshot
from dray.insight.whatif.nodes import HOSTNAME, Shape, shape_of

_IDENTITIES = ("uuid", "serial", "busid", "address", "pcieroot", "guid", "mac", "minor", "index")
"""Parts of the names of attributes that say which device it is, not what it is."""
_RESOURCES = ("pods", "cpu", "memory")
_SLACK = 64 * 2**20
"""Bytes by which the memory of nodes of one make may differ."""


def shapes_of(snapshot: Snapshot) -> list[tuple[Shape, int]]:
    """One of each shape with the number of nodes that have it, the most common first."""
    slices: dict[str, list[Object]] = {}
    for obj in snapshot.slices:
        if node := obj["spec"].get("nodeName"):
            slices.setdefault(node, []).append(obj)
    groups: dict[bytes, list[str]] = {}
    for node in snapshot.nodes:
        groups.setdefault(_signature(node, slices.get(name_of(node), [])), []).append(name_of(node))
    common = sorted(groups.values(), key=lambda names: -len(names))
    return [(shape_of(snapshot, names[0]), len(names)) for names in common]


def _signature(node: Object, slices: list[Object]) -> bytes:
    name = name_of(node)
    labels = {k: v for k, v in labels_of(node).items() if k != HOSTNAME and name not in v}
    taints = (node.get("spec") or {}).get("taints") or ()
    shown = [
        sorted(labels.items()),
        sorted((t["key"], t.get("value") or "", t["effect"]) for t in taints),
        sorted(_resources(node)),
        sorted(line for obj in slices for line in _devices(obj)),
    ]
    return orjson.dumps(shown)


def _resources(node: Object) -> Iterator[tuple[str, str]]:
    for resource, value in ((node.get("status") or {}).get("allocatable") or {}).items():
        if resource == "memory":
            yield resource, str(amount_of(resource, value) // _SLACK)
        elif resource in _RESOURCES or "." in resource:
            yield resource, str(value)


def _devices(obj: Object) -> Iterator[str]:
    spec = obj["spec"]
    for device in spec.get("devices") or ():
        kept = {k: v for k, v in (device.get("attributes") or {}).items() if not _is_identity(k)}
        yield f"{spec['driver']} {_text(kept)} {_text(device.get('capacity') or {})}"


def _is_identity(attribute: str) -> bool:
    return any(part in attribute.lower() for part in _IDENTITIES)


def _text(values: Mapping[str, Any]) -> str:
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode()

"""Endpoints shared out over EndpointSlices, and what is to be written so that the slices there are say the same. Pure.

Slices that are right stay; of the others as many are changed as are needed, and the rest is deleted. So a pod that comes or
goes changes one slice.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from dray.api.meta import Object, labels_of

LARGEST: Final = 100
"""Endpoints in one slice."""
SERVICE: Final = "kubernetes.io/service-name"
MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Endpoints that have the family of their addresses and all their ports in common."""

    family: str
    ports: Sequence[Object]
    endpoints: Sequence[Object]

    @property
    def key(self) -> bytes:
        return _key(self.family, self.ports)


@dataclasses.dataclass(slots=True)
class Writes:
    create: list[Object] = dataclasses.field(default_factory=list)
    update: list[Object] = dataclasses.field(default_factory=list)
    delete: list[Object] = dataclasses.field(default_factory=list)


def reconciled(groups: Iterable[Group], slices: Iterable[Object], frame: Mapping[str, Any]) -> Writes:
    """`frame`: the metadata of every slice, with labels, owners and a generateName."""
    writes = Writes()
    by_key: dict[bytes, list[Object]] = {}
    for each in slices:
        by_key.setdefault(_key(each["addressType"], each.get("ports") or ()), []).append(each)
    for group in _joined(groups):
        _reconcile(group, by_key.pop(group.key, []), frame, writes)
    writes.delete += (each for rest in by_key.values() for each in rest)
    return writes


def _joined(groups: Iterable[Group]) -> list[Group]:
    """Groups that have everything in common are one."""
    found: dict[bytes, Group] = {}
    for group in groups:
        known = found.get(group.key)
        if known is not None:
            group = dataclasses.replace(known, endpoints=[*known.endpoints, *group.endpoints])
        found[group.key] = group
    return list(found.values())


def _reconcile(group: Group, slices: list[Object], frame: Mapping[str, Any], writes: Writes) -> None:
    missing = {_place(endpoint): endpoint for endpoint in group.endpoints}
    kept: list[tuple[Object, list[Object]]] = []
    for each in slices:
        # What changed in itself keeps its place.
        found = [missing.pop(place) for place in map(_place, each.get("endpoints") or ()) if place in missing]
        kept.append((each, found))
    new = list(missing.values())
    for _, found in sorted(kept, key=lambda pair: -len(pair[1])):
        room = LARGEST - len(found)
        found += new[:room]
        del new[:room]
    # One slice stays for a group without endpoints: it says that there are none.
    empty = kept[0][0] if kept and not group.endpoints else None
    for each, found in kept:
        if not found and each is not empty:
            writes.delete.append(each)
        elif not _says(each, found, frame):
            writes.update.append(_slice(group, found, {**each["metadata"], **_marks(frame)}))
    for start in range(0, len(new), LARGEST):
        writes.create.append(_slice(group, new[start : start + LARGEST], dict(frame)))
    if not kept and not group.endpoints:
        writes.create.append(_slice(group, [], dict(frame)))


def _says(each: Object, endpoints: list[Object], frame: Mapping[str, Any]) -> bool:
    return (
        (each.get("endpoints") or []) == endpoints
        and labels_of(each) == frame["labels"]
        and (each["metadata"].get("annotations") or {}) == (frame.get("annotations") or {})
    )


def _marks(frame: Mapping[str, Any]) -> Object:
    return {"labels": frame["labels"], "annotations": frame.get("annotations") or {}}


def _slice(group: Group, endpoints: list[Object], meta: Object) -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {key: value for key, value in meta.items() if value != {}},
        "addressType": group.family,
        "endpoints": endpoints,
        "ports": list(group.ports),
    }


def _place(endpoint: Object) -> bytes:
    """What makes two endpoints the same, whatever their state."""
    target = (endpoint.get("targetRef") or {}).get("uid")
    return orjson.dumps([endpoint["addresses"], target])


def _key(family: str, ports: Iterable[Object]) -> bytes:
    return orjson.dumps([family, sorted((_port(port) for port in ports), key=orjson.dumps)])


def _port(port: Object) -> Object:
    return {key: port[key] for key in ("appProtocol", "name", "port", "protocol") if port.get(key)}

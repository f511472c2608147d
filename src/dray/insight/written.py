"""How objects were written: what a server left out of them, and in which API version clients speak.

An API server leaves out, without a word, fields of features that are off. What was meant shows in the annotation that
`kubectl apply` leaves behind and in managed fields. Both are lost when a snapshot is redacted, so what they say is then
kept under `server`.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from dray.api.conversion import resource as conversion
from dray.api.meta import Object, key_of
from dray.api.resources import DEVICE_CLASSES, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.insight.gates import Gates, gate_of_field, gates_of
from dray.insight.snapshot import Snapshot

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_HUB = "v1"
_TO_HUB = {
    RESOURCE_CLAIMS.plural: conversion.claim_to_hub,
    RESOURCE_CLAIM_TEMPLATES.plural: conversion.template_to_hub,
    RESOURCE_SLICES.plural: conversion.slice_to_hub,
    DEVICE_CLASSES.plural: conversion.same_to_hub(_HUB),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Dropped:
    """A field that somebody asked for and that the object does not have."""

    kind: str
    name: str
    """namespace/name"""
    path: str
    writer: str
    """The field manager."""


@dataclasses.dataclass(frozen=True, slots=True)
class Writer:
    """Who writes objects of resource.k8s.io in which version, as managed fields tell."""

    manager: str
    version: str
    kind: str
    count: int


def left_out(dropped: Dropped, gates: Gates) -> str:
    """What a missing field means, as far as the server's gates are known; the object is named before it."""
    gate = gate_of_field(dropped.path)
    if gate and gates.is_off(gate):
        return f"the API server left out {dropped.path}, since its feature gate {gate} is off"
    reason = (
        f"a server with {gate} off leaves it out" if gate else "a server leaves out what it does not know"
    )
    return f"{dropped.path} was asked for and is not there: {reason}, unless somebody has removed it since"


def left_out_of(snapshot: Snapshot, objects: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Sentences about what is missing in these objects: (kind, namespace/name)."""
    gates = gates_of(snapshot)
    for dropped in dropped_fields(snapshot) if objects else ():
        if (dropped.kind, dropped.name) in objects:
            yield f"{dropped.kind} {dropped.name}: {left_out(dropped, gates)}"


def dropped_fields(snapshot: Snapshot) -> Sequence[Dropped]:
    """Each once, in the order of the snapshot."""
    if "dropped" in snapshot.server:
        return [Dropped(**entry) for entry in snapshot.server["dropped"]]
    found: dict[tuple[str, str, str], Dropped] = {}
    for plural in _TO_HUB:
        for obj in snapshot.objects.get(plural, ()):
            for path, writer in _missing(plural, obj):
                each = Dropped(obj.get("kind") or plural, str(key_of(obj)), path, writer)
                found.setdefault((each.kind, each.name, each.path), each)
    return list(found.values())


def writers(snapshot: Snapshot) -> Sequence[Writer]:
    if "writers" in snapshot.server:
        return [Writer(**entry) for entry in snapshot.server["writers"]]
    found: Counter[tuple[str, str, str]] = Counter()
    for plural in _TO_HUB:
        for obj in snapshot.objects.get(plural, ()):
            spoken = {
                (entry.get("manager", ""), version)
                for entry in obj["metadata"].get("managedFields") or ()
                if (version := _version(entry.get("apiVersion", "")))
            }
            found.update((manager, version, obj.get("kind") or plural) for manager, version in spoken)
    return [Writer(*key, count) for key, count in sorted(found.items())]


def remembered(snapshot: Snapshot) -> Mapping[str, Any]:
    """`server` with what a redaction would lose."""
    return {
        **snapshot.server,
        "dropped": [dataclasses.asdict(each) for each in dropped_fields(snapshot)],
        "writers": [dataclasses.asdict(each) for each in writers(snapshot)],
    }


def _version(api_version: str) -> str:
    group, _, version = api_version.partition("/")
    return version if group == "resource.k8s.io" else ""


def _missing(plural: str, obj: Object) -> Iterator[tuple[str, str]]:
    meta = obj["metadata"]
    spec = obj.get("spec") or {}
    wanted = _last_applied(plural, (meta.get("annotations") or {}).get(_LAST_APPLIED) or "")
    for path in _lacking(wanted, spec, "spec"):
        yield path, "kubectl apply"
    for entry in meta.get("managedFields") or ():
        # Fields in other versions have other places; what was meant by them is not looked at.
        if entry.get("subresource") or _version(entry.get("apiVersion", "")) != _HUB:
            continue
        owned = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        for path in _unowned(owned, spec, "spec"):
            yield path, entry.get("manager", "")


def _last_applied(plural: str, text: str) -> Object:
    """The spec that was applied last, in the hub's layout; {} where none can be read."""
    try:
        applied = orjson.loads(text) if text else {}
        version = _version(applied.get("apiVersion", ""))
        hub = _TO_HUB[plural](applied, version) if version else {}
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
        return {}
    spec: Object = hub.get("spec") or {}
    return spec


def _lacking(wanted: Any, actual: Any, path: str) -> Iterator[str]:
    """The paths of `wanted` that `actual` does not have; values may differ."""
    if isinstance(wanted, dict):
        for name, value in wanted.items():
            if value in (None, "", [], {}, False, 0):
                continue
            if not isinstance(actual, dict) or name not in actual:
                yield f"{path}.{name}"
            else:
                yield from _lacking(value, actual[name], f"{path}.{name}")
    elif isinstance(wanted, list) and isinstance(actual, list):
        for i, value in enumerate(wanted):
            label = value.get("name", i) if isinstance(value, dict) else i
            other = _counterpart(value, i, actual)
            if other is not None:
                yield from _lacking(value, other, f"{path}[{label}]")


def _counterpart(value: Any, position: int, others: Sequence[Any]) -> Any:
    """The item of the same name, else of the same place; None where there is none."""
    if isinstance(value, dict) and "name" in value:
        return next((o for o in others if isinstance(o, dict) and o.get("name") == value["name"]), None)
    return others[position] if position < len(others) else None


def _unowned(owned: Mapping[str, Any], actual: Any, path: str) -> Iterator[str]:
    """Fields that somebody owns and that are not there. Lists without keys are owned as a whole."""
    for key, inner in owned.items():
        if not key.startswith("f:"):
            continue
        name = key.removeprefix("f:")
        if not isinstance(actual, dict) or name not in actual:
            yield f"{path}.{name}"
        elif inner:
            yield from _unowned(inner, actual[name], f"{path}.{name}")

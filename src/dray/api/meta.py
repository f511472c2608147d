"""Objects as dray holds them, and the few reads of `metadata` that every room needs.

An object is the plain JSON dict of its hub version (v1 where a kind has it). Objects are **shared and never
mutated**: whoever changes one copies the path that changes (`replace_at`). Timestamps are RFC 3339 strings.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

JSON: TypeAlias = Any
"""Any JSON value; used where the content is opaque."""

Object: TypeAlias = dict[str, Any]
"""One API object: `apiVersion`, `kind`, `metadata`, ... Never mutate one that was not just made here."""


class ObjectKey(NamedTuple):
    """Where an object lives among those of its kind; `namespace` is "" for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def key_of(obj: Mapping[str, Any]) -> ObjectKey:
    meta = obj["metadata"]
    return ObjectKey(meta.get("namespace", ""), meta["name"])


def name_of(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"]["name"])


def namespace_of(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"].get("namespace", ""))


def uid_of(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"].get("uid", ""))


def labels_of(obj: Mapping[str, Any]) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Mapping[str, Any]) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def finalizers_of(obj: Mapping[str, Any]) -> list[str]:
    return obj["metadata"].get("finalizers") or []


def is_deleting(obj: Mapping[str, Any]) -> bool:
    return obj["metadata"].get("deletionTimestamp") is not None


def controller_of(obj: Mapping[str, Any]) -> Object | None:
    """The owner reference marked `controller: true`, if any."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return dict(owner)
    return None


def is_controlled_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == uid_of(owner)


def owner_reference(owner: Mapping[str, Any], *, controller: bool = True, block: bool = True) -> Object:
    """A reference that makes `owner` (a full object) the owner of another object."""
    reference: Object = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
    }
    if controller:
        reference["controller"] = True
    if block:
        reference["blockOwnerDeletion"] = True
    return reference


def replace_at(obj: Mapping[str, Any], path: tuple[str, ...], value: Any) -> Object:
    """A copy of `obj` with `value` at `path`; only the dicts on the path are copied. O(width of the path)."""
    copy = dict(obj)
    if len(path) == 1:
        copy[path[0]] = value
    else:
        copy[path[0]] = replace_at(copy.get(path[0]) or {}, path[1:], value)
    return copy


def without(obj: Mapping[str, Any], path: tuple[str, ...]) -> Object:
    """A copy of `obj` in which the key at `path` is absent."""
    copy = dict(obj)
    if len(path) == 1:
        copy.pop(path[0], None)
    elif path[0] in copy:
        copy[path[0]] = without(copy[path[0]] or {}, path[1:])
    return copy


def format_time(moment: dt.datetime) -> str:
    """metav1.Time: RFC 3339 in UTC with whole seconds."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_micro_time(moment: dt.datetime) -> str:
    """metav1.MicroTime: RFC 3339 in UTC with six fractional digits."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> dt.datetime:
    """Either form of timestamp, as an aware datetime. Raises ValueError for anything else."""
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"timestamp {text!r} has no time zone")
    return moment


def clone(value: Any) -> Any:
    """A deep copy of a JSON value."""
    if value.__class__ is dict:
        return {key: clone(item) for key, item in value.items()}
    if value.__class__ is list:
        return [clone(item) for item in value]
    return value

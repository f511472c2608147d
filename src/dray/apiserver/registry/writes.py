"""What many strategies do with a write: keep the stored status, clear what a client may not set, restore the rest."""

from collections.abc import Callable

from dray.api.meta import Object
from dray.api.schema.model import zero_struct
from dray.api.schema.registry import schema_for
from dray.apiserver.registry.kind import WriteContext

Prepare = Callable[[WriteContext, Object], None]

META_RESET_BY_STATUS = (
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
)


def old_of(context: WriteContext) -> Object:
    """The stored object; only update strategies may ask."""
    if context.old is None:
        raise TypeError("an update strategy ran without the stored object")
    return context.old


def clear_status(context: WriteContext, obj: Object) -> None:
    obj["status"] = empty_status(obj)


def empty_status(obj: Object) -> Object:
    """What the status of a kind is written as before anything is known: counts that are always shown, at zero."""
    kind = schema_for(obj["apiVersion"], obj["kind"])
    status = kind.child("status") if kind else None
    return zero_struct(status) if status else {}


def drop_status(context: WriteContext, obj: Object) -> None:
    obj.pop("status", None)


def keep_status(context: WriteContext, obj: Object) -> None:
    """A write to the main resource does not touch the status."""
    restore(obj, old_of(context), "status")


def keep_spec(context: WriteContext, obj: Object) -> None:
    """A write to the status does not touch the spec."""
    restore(obj, old_of(context), "spec")


def keep_all_but_status(context: WriteContext, obj: Object) -> None:
    """A status write of a strict kind: neither the spec nor what users set in the metadata changes."""
    old = old_of(context)
    for key in obj.keys() | old.keys():
        if key not in ("status", "metadata", "apiVersion", "kind"):
            restore(obj, old, key)
    for key in META_RESET_BY_STATUS:
        restore(obj["metadata"], old["metadata"], key)


def restore(part: Object, old: Object, key: str) -> None:
    if key in old:
        part[key] = old[key]
    else:
        part.pop(key, None)


def in_turn(*steps: Prepare) -> Prepare:
    def prepare(context: WriteContext, obj: Object) -> None:
        for step in steps:
            step(context, obj)

    return prepare

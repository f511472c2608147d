"""A server core with a few kinds of its own, and short ways to call the verbs."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from dray.api.meta import Object
from dray.api.resources import NAMESPACES, Resource
from dray.apiserver.access import ADMIN
from dray.apiserver.core import Admission, Call, Core, WriteOptions
from dray.apiserver.registry.kind import Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.namespace import NAMESPACE
from dray.apiserver.structure import Body, structured, to_hub
from dray.apiserver.type_name import type_name
from dray.apiserver.verbs.create import create
from dray.store.backend import Store
from dray.store.memory import MemoryStore

WIDGETS = Resource("example.com", "v1", "widgets", "Widget", True)
GADGETS = Resource("example.com", "v1", "gadgets", "Gadget", False)
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
NS = "ns"


class FixedClock:
    """Stands still at NOW."""

    def now(self) -> dt.datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def _keep_status(context: WriteContext, obj: Object) -> None:
    old = context.old or {}
    obj.pop("status", None)
    if "status" in old:
        obj["status"] = old["status"]


def _only_status(context: WriteContext, obj: Object) -> None:
    old = context.old or {}
    status = obj.get("status")
    for key in [key for key in obj if key not in ("apiVersion", "kind", "metadata")]:
        del obj[key]
    obj.update({key: value for key, value in old.items() if key not in ("metadata", "status")})
    if status is not None:
        obj["status"] = status


def widget_kind(**changes: Any) -> Kind:
    """A namespaced kind with a status and a generation; not known to any schema."""
    settings: dict[str, Any] = {
        "resource": WIDGETS,
        "singular": "widget",
        "has_generation": True,
        "prepare_update": _keep_status,
        "status": StatusStrategy(_only_status),
        "returns_deleted": True,
        "field_labels": {"spec.color": lambda obj: (obj.get("spec") or {}).get("color", "")},
    }
    return Kind(**{**settings, **changes})


def gadget_kind(**changes: Any) -> Kind:
    return Kind(**{"resource": GADGETS, "singular": "gadget", **changes})


def widget(name: str = "w", namespace: str = NS, **spec: Any) -> Object:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


async def new_core(
    *kinds: Kind,
    store: Store | None = None,
    admission: Admission | None = None,
    namespaces: tuple[str, ...] = (NS,),
) -> Core:
    """`kinds` replace the standard widgets and gadgets; the namespaces exist."""
    served = kinds or (widget_kind(), gadget_kind())
    core = Core(store or MemoryStore(), (NAMESPACE, *served), clock=FixedClock())
    for name in namespaces:
        await add(core, NAMESPACES, {"metadata": {"name": name}}, namespace="")
    if admission is not None:
        core.admission = admission
    return core


def call(
    core: Core,
    verb: str,
    resource: Resource = WIDGETS,
    name: str = "",
    *,
    namespace: str = NS,
    subresource: str = "",
    options: WriteOptions | None = None,
) -> Call:
    kind = core.kind_of(resource)
    place = namespace if resource.namespaced else ""
    return Call(
        core,
        ADMIN,
        verb,
        kind,
        resource.version,
        place,
        name,
        subresource,
        options or WriteOptions(field_manager="test"),
    )


def hub(calling: Call, obj: Mapping[str, Any]) -> Object:
    """What the verbs take: the object in its stored form."""
    sent = structured(Body(obj), type_name(calling.kind, calling.version))
    return to_hub(calling.kind, sent, calling.version)


async def add(core: Core, resource: Resource, obj: Mapping[str, Any], namespace: str = NS) -> Object:
    calling = call(core, "create", resource, namespace=namespace)
    return (await create(calling, hub(calling, obj))).obj


def version_of(obj: Mapping[str, Any]) -> int:
    return int(obj["metadata"]["resourceVersion"])

"""CSIDriver, CSINode, CSIStorageCapacity: what storage drivers tell schedulers and kubelets; kept and shown."""

import datetime as dt

from dray.api.fields import FieldError, Path, required
from dray.api.meta import Object
from dray.api.names import dns_subdomain, too_long
from dray.api.resources import CSI_NODES, CSI_STORAGE_CAPACITIES, Resource
from dray.api.validation.meta import immutable
from dray.apiserver.registry.columns import AGE, NAME, at, find, joined
from dray.apiserver.registry.kind import Column, Kind, WriteContext
from dray.apiserver.registry.storage import UNSET
from dray.apiserver.registry.writes import forget_empty, old_of

CSI_DRIVERS = Resource("storage.k8s.io", "v1", "csidrivers", "CSIDriver", False)

_MAX_DRIVER_NAME = 63
_DRIVER_DEFAULTS = {
    "attachRequired": True,
    "podInfoOnMount": False,
    "storageCapacity": False,
    "fsGroupPolicy": "ReadWriteOnceWithFSType",
    "volumeLifecycleModes": ["Persistent"],
    "requiresRepublish": False,
    "seLinuxMount": False,
}
_SPEC = Path("spec")


def _default_driver(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    for field, value in _DRIVER_DEFAULTS.items():
        if spec.get(field) in (None, []):
            spec[field] = list(value) if isinstance(value, list) else value


def _driver_name(name: str) -> list[str]:
    if len(name) > _MAX_DRIVER_NAME:
        return [too_long(_MAX_DRIVER_NAME), *dns_subdomain(name.lower())]
    return dns_subdomain(name.lower())


def _validate_driver_update(context: WriteContext, obj: Object) -> list[FieldError]:
    spec, old = obj.get("spec") or {}, old_of(context).get("spec") or {}
    return [
        error
        for field in ("attachRequired", "volumeLifecycleModes")
        for error in immutable(spec.get(field), old.get(field), _SPEC.child(field))
    ]


def _audiences(driver: Object, now: dt.datetime) -> str:
    requests = find(driver, "spec", "tokenRequests")
    return UNSET if requests is None else joined(request.get("audience") or "" for request in requests)


def _flag(name: str, field: str, description: str, *, default: bool = False) -> Column:
    return Column(name, at("spec", field, default=default), type="boolean", description=description)


CSI_DRIVER = Kind(
    CSI_DRIVERS,
    singular="csidriver",
    columns=(
        NAME,
        _flag("AttachRequired", "attachRequired", "Whether volumes are attached before use.", default=True),
        _flag("PodInfoOnMount", "podInfoOnMount", "Whether it is told of the pod."),
        _flag("StorageCapacity", "storageCapacity", "Whether it publishes what is left."),
        Column("TokenRequests", _audiences, description="Audiences of the tokens it gets."),
        _flag("RequiresRepublish", "requiresRepublish", "Whether it is asked again and again."),
        Column(
            "Modes",
            lambda obj, now: joined(find(obj, "spec", "volumeLifecycleModes", default=())),
            description="Kinds of volumes it makes.",
        ),
        AGE,
    ),
    default=_default_driver,
    validate_update=_validate_driver_update,
    name_rule=_driver_name,
    unconditional_update=False,
    returns_deleted=True,
)


def _prepare_node(context: WriteContext, obj: Object) -> None:
    forget_empty(obj.get("spec"), "drivers")


CSI_NODE = Kind(
    CSI_NODES,
    singular="csinode",
    prepare_create=_prepare_node,
    prepare_update=_prepare_node,
    columns=(
        NAME,
        Column(
            "Drivers",
            lambda obj, now: len(find(obj, "spec", "drivers", default=())),
            type="integer",
            description="Storage drivers on the node.",
        ),
        AGE,
    ),
    unconditional_update=False,
    returns_deleted=True,
)


def _validate_capacity(context: WriteContext, obj: Object) -> list[FieldError]:
    return [] if obj.get("storageClassName") else [required(Path("storageClassName"))]


def _validate_capacity_update(context: WriteContext, obj: Object) -> list[FieldError]:
    old = old_of(context)
    return [
        *immutable(obj.get("nodeTopology"), old.get("nodeTopology"), Path("nodeTopology")),
        *immutable(obj.get("storageClassName"), old.get("storageClassName"), Path("storageClassName")),
    ]


CSI_STORAGE_CAPACITY = Kind(
    CSI_STORAGE_CAPACITIES,
    singular="csistoragecapacity",
    validate_create=_validate_capacity,
    validate_update=_validate_capacity_update,
    unconditional_update=False,
)

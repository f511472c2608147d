"""CSIDriver, CSINode, CSIStorageCapacity: what storage drivers tell schedulers and kubelets; kept and shown."""

import datetime as dt

from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.resources import CSI_NODES, CSI_STORAGE_CAPACITIES, Resource
from dray.api.validation.core.storage_drivers import (
    validate_driver,
    validate_driver_update,
    validate_node_drivers,
    validate_node_drivers_update,
    validate_storage_capacity,
    validate_storage_capacity_update,
)
from dray.api.validation.sameness import same
from dray.apiserver.registry.columns import AGE, NAME, at, find, joined
from dray.apiserver.registry.kind import Column, Kind, WriteContext
from dray.apiserver.registry.storage import UNSET
from dray.apiserver.registry.writes import old_of

CSI_DRIVERS = Resource("storage.k8s.io", "v1", "csidrivers", "CSIDriver", False)

_DRIVER_DEFAULTS = {
    "attachRequired": True,
    "podInfoOnMount": False,
    "storageCapacity": False,
    "fsGroupPolicy": "ReadWriteOnceWithFSType",
    "volumeLifecycleModes": ["Persistent"],
    "requiresRepublish": False,
    "seLinuxMount": False,
}
_TOKENS_WARNING = (
    "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible "
    "logging of tokens in volume attributes"
)


def _default_driver(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    for field, value in _DRIVER_DEFAULTS.items():
        if spec.get(field) in (None, []):
            spec[field] = list(value) if isinstance(value, list) else value


def _prepare_driver(context: WriteContext, obj: Object) -> None:
    """What belongs to a gate that is off (VolumeLimitScaling) is not kept."""
    obj["spec"].pop("preventPodSchedulingIfMissing", None)


def _validate_driver(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_driver(obj)


def _validate_driver_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_driver_update(obj, old_of(context))


def _driver_warnings(context: WriteContext, obj: Object) -> list[str]:
    """Where tokens shall be written must be said, when the requests for them are new."""
    requests = find(obj, "spec", "tokenRequests")
    is_known = context.old is not None and same(requests, find(context.old, "spec", "tokenRequests"))
    if not requests or is_known or find(obj, "spec", "serviceAccountTokenInSecrets") is not None:
        return []
    return [_TOKENS_WARNING]


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
    prepare_create=_prepare_driver,
    prepare_update=_prepare_driver,
    validate_create=_validate_driver,
    validate_update=_validate_driver_update,
    warnings=_driver_warnings,
    unconditional_update=False,
    returns_deleted=True,
)


def _validate_node(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_node_drivers(obj)


def _validate_node_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_node_drivers_update(obj, old_of(context))


CSI_NODE = Kind(
    CSI_NODES,
    singular="csinode",
    validate_create=_validate_node,
    validate_update=_validate_node_update,
    metadata_checks=("whole",),
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
    return validate_storage_capacity(obj)


def _validate_capacity_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_storage_capacity_update(obj, old_of(context))


CSI_STORAGE_CAPACITY = Kind(
    CSI_STORAGE_CAPACITIES,
    singular="csistoragecapacity",
    validate_create=_validate_capacity,
    validate_update=_validate_capacity_update,
    metadata_checks=("whole", "change"),
    unconditional_update=False,
)

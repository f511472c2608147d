"""PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeAttributesClass: kept and shown; nothing here binds."""

import datetime as dt

from dray.api.fields import FieldError, Path, forbidden, required
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.resources import (
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    VOLUME_ATTRIBUTES_CLASSES,
    Resource,
)
from dray.apiserver.registry.columns import AGE, NAME, Cell, at, find, wide
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.volume_defaults import default_volume_claim_spec
from dray.apiserver.registry.writes import keep_spec, keep_status, old_of

STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", False)
UNSET = "<unset>"

_SHORT_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_IMMUTABLE = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
_DEFAULT_CLASS_ANNOTATION = "storageclass.kubernetes.io/is-default-class"


def _modes(*path: str) -> Cell:
    def cell(obj: Object, now: dt.datetime) -> str:
        modes = find(obj, *path, default=())
        return ",".join(_SHORT_MODES[mode] for mode in _SHORT_MODES if mode in modes)

    return cell


def _class(obj: Object, now: dt.datetime) -> str:
    annotations = obj["metadata"].get("annotations") or {}
    return str(annotations.get(CLASS_ANNOTATION) or find(obj, "spec", "storageClassName", default=""))


def _phase(obj: Object, now: dt.datetime) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return str(find(obj, "status", "phase", default=""))


def _bound_claim(volume: Object, now: dt.datetime) -> str:
    claim = find(volume, "spec", "claimRef")
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""


def _claim_capacity(claim: Object, now: dt.datetime) -> str:
    if not find(claim, "spec", "volumeName"):
        return ""
    return str(find(claim, "status", "capacity", "storage", default=""))


def _claim_modes(claim: Object, now: dt.datetime) -> str:
    return _modes("status", "accessModes")(claim, now) if find(claim, "spec", "volumeName") else ""


_MODE = wide("VolumeMode", at("spec", "volumeMode", default=UNSET), "A file system, or a raw device.")
_ATTRIBUTES_CLASS = Column(
    "VolumeAttributesClass",
    lambda obj, now: find(obj, "spec", "volumeAttributesClassName") or UNSET,
    description="Class of changeable attributes.",
)


def _default_volume(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    if not spec.get("persistentVolumeReclaimPolicy"):
        spec["persistentVolumeReclaimPolicy"] = "Retain"
    default_volume_claim_spec(spec)


def _default_claim(obj: Object, version: str) -> None:
    default_volume_claim_spec(obj.setdefault("spec", {}))


def _pending(context: WriteContext, obj: Object) -> None:
    obj["status"] = {"phase": "Pending"}


def _validate_claim(context: WriteContext, obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors: list[FieldError] = []
    if not spec.get("accessModes"):
        errors.append(required(Path("spec.accessModes"), "at least 1 access mode is required"))
    if not find(spec, "resources", "requests", "storage"):
        errors.append(required(Path("spec.resources").key("storage")))
    return errors


def _validate_claim_update(context: WriteContext, obj: Object) -> list[FieldError]:
    """Of a claim's spec little may change: the volume it is bound to, its class once, and the size of a bound one."""
    old = old_of(context)
    spec, before = dict(obj.get("spec") or {}), old.get("spec") or {}
    errors = _validate_claim(context, obj)
    sizes = [find(each, "spec", "resources", "requests", "storage") for each in (obj, old)]
    if not before.get("volumeName"):
        spec["volumeName"] = before.get("volumeName")
    if before.get("storageClassName") is None:
        spec["storageClassName"] = None
    if find(old, "status", "phase") == "Bound":
        spec["volumeAttributesClassName"] = before.get("volumeAttributesClassName")
        if sizes[0]:
            requests = {**find(spec, "resources", "requests"), "storage": sizes[1]}
            spec["resources"] = {**spec["resources"], "requests": requests}
    if _known(spec) != _known(before):
        errors.append(forbidden(Path("spec"), _IMMUTABLE))
    capacity = find(old, "status", "capacity", "storage") or "0"
    if sizes[0] and sizes[1] and parse_quantity(sizes[0]) < min(map(parse_quantity, (sizes[1], capacity))):
        path = Path("spec.resources.requests.storage")
        errors.append(forbidden(path, "field can not be less than status.capacity"))
    return errors


def _known(spec: Object) -> Object:
    return {key: value for key, value in spec.items() if value is not None}


def _claim_warnings(context: WriteContext, obj: Object) -> list[str]:
    texts = []
    if CLASS_ANNOTATION in (obj["metadata"].get("annotations") or {}):
        name = f"metadata.annotations[{CLASS_ANNOTATION}]"
        texts.append(f'{name}: deprecated since v1.8; use "storageClassName" attribute instead')
    size = find(obj, "spec", "resources", "requests", "storage")
    if size and not parse_quantity(size).is_integer():
        shown = parse_quantity(size)
        text = f'fractional byte value "{shown}" is invalid, must be an integer'
        texts.append(f"spec.resources.requests[storage]: {text}")
    return texts


PERSISTENT_VOLUME = Kind(
    PERSISTENT_VOLUMES,
    singular="persistentvolume",
    short_names=("pv",),
    columns=(
        NAME,
        Column("Capacity", at("spec", "capacity", "storage"), description="Size."),
        Column("Access Modes", _modes("spec", "accessModes"), description="How it may be mounted."),
        Column(
            "Reclaim Policy",
            at("spec", "persistentVolumeReclaimPolicy"),
            description="What becomes of it after use.",
        ),
        Column("Status", _phase, description="Whether it is free, bound or released."),
        Column("Claim", _bound_claim, description="The claim it is bound to."),
        Column("StorageClass", _class, description="Its storage class."),
        _ATTRIBUTES_CLASS,
        Column("Reason", at("status", "reason"), description="Why it is in its state."),
        AGE,
        _MODE,
    ),
    default=_default_volume,
    prepare_create=_pending,
    prepare_update=keep_status,
    status=StatusStrategy(keep_spec),
    returns_deleted=True,
)

PERSISTENT_VOLUME_CLAIM = Kind(
    PERSISTENT_VOLUME_CLAIMS,
    singular="persistentvolumeclaim",
    short_names=("pvc",),
    columns=(
        NAME,
        Column("Status", _phase, description="Whether it has a volume."),
        Column("Volume", at("spec", "volumeName"), description="The volume."),
        Column("Capacity", _claim_capacity, description="Size of the volume."),
        Column("Access Modes", _claim_modes, description="How it may be mounted."),
        Column("StorageClass", _class, description="Its storage class."),
        _ATTRIBUTES_CLASS,
        AGE,
        _MODE,
    ),
    default=_default_claim,
    prepare_create=_pending,
    prepare_update=keep_status,
    validate_create=_validate_claim,
    validate_update=_validate_claim_update,
    warnings=_claim_warnings,
    status=StatusStrategy(keep_spec),
    returns_deleted=True,
)


def _default_class(obj: Object, version: str) -> None:
    if not obj.get("reclaimPolicy"):
        obj["reclaimPolicy"] = "Delete"
    if not obj.get("volumeBindingMode"):
        obj["volumeBindingMode"] = "Immediate"


def _class_name(obj: Object, now: dt.datetime) -> str:
    annotations = obj["metadata"].get("annotations") or {}
    default = annotations.get(_DEFAULT_CLASS_ANNOTATION) == "true"
    return f"{obj['metadata']['name']} (default)" if default else str(obj["metadata"]["name"])


def _validate_class(context: WriteContext, obj: Object) -> list[FieldError]:
    return [] if obj.get("provisioner") else [required(Path("provisioner"))]


STORAGE_CLASS = Kind(
    STORAGE_CLASSES,
    singular="storageclass",
    short_names=("sc",),
    columns=(
        Column("Name", _class_name, format="name", description="Name of the class."),
        Column("Provisioner", at("provisioner"), description="Who makes the volumes."),
        Column("ReclaimPolicy", at("reclaimPolicy"), description="What becomes of them after use."),
        Column("VolumeBindingMode", at("volumeBindingMode"), description="When they are made."),
        Column(
            "AllowVolumeExpansion",
            at("allowVolumeExpansion", default=False),
            description="Whether they may grow.",
        ),
        AGE,
    ),
    default=_default_class,
    validate_create=_validate_class,
    validate_update=_validate_class,
    returns_deleted=True,
)


def _validate_attributes_class(context: WriteContext, obj: Object) -> list[FieldError]:
    return [required(Path(field)) for field in ("driverName", "parameters") if not obj.get(field)]


def _validate_attributes_class_update(context: WriteContext, obj: Object) -> list[FieldError]:
    old = old_of(context)
    return [
        forbidden(Path(field), f"updates to {field} are forbidden.")
        for field in ("driverName", "parameters")
        if obj.get(field) != old.get(field)
    ]


VOLUME_ATTRIBUTES_CLASS = Kind(
    VOLUME_ATTRIBUTES_CLASSES,
    singular="volumeattributesclass",
    short_names=("vac",),
    columns=(NAME, Column("DriverName", at("driverName"), description="Who changes the volumes."), AGE),
    validate_create=_validate_attributes_class,
    validate_update=_validate_attributes_class_update,
    returns_deleted=True,
)

"""PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeAttributesClass: kept and shown; nothing here binds."""

import datetime as dt

from dray.api.fields import FieldError, Path
from dray.api.meta import Object, format_time
from dray.api.quantity import parse_quantity
from dray.api.resources import (
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    VOLUME_ATTRIBUTES_CLASSES,
    Resource,
)
from dray.api.validation.core.persistent_volume import (
    validate_persistent_volume,
    validate_persistent_volume_update,
)
from dray.api.validation.core.storage_classes import (
    validate_attributes_class,
    validate_attributes_class_update,
    validate_storage_class,
    validate_storage_class_update,
)
from dray.api.validation.core.volume_claim import (
    CLASS_ANNOTATION,
    validate_claim_spec,
    validate_claim_status,
    validate_claim_update,
)
from dray.apiserver.registry.columns import AGE, NAME, Cell, at, find, wide
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.volume_defaults import default_storage, default_volume_claim_spec
from dray.apiserver.registry.writes import in_turn, keep_spec, keep_status, old_of

STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", False)
UNSET = "<unset>"

_SHORT_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
_OLD_DATA_SOURCES = (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))
"""The sources that claims could be filled from before there could be any."""
_RECYCLED = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
_OLD_ANNOTATIONS = {
    CLASS_ANNOTATION: 'deprecated since v1.8; use "storageClassName" attribute instead',
    "volume.beta.kubernetes.io/mount-options": 'deprecated since v1.31; use "mountOptions" attribute instead',
}
_OLD_SOURCES = {
    "cephfs": ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    "photonPersistentDisk": ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    "scaleIO": ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    "storageos": ("storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    "glusterfs": ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    "rbd": ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
}
"""By source: how it is shown, and since when it is of no use."""
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
    default_storage(spec)
    _default_phase(obj)
    default_volume_claim_spec(spec)


def _default_claim(obj: Object, version: str) -> None:
    default_volume_claim_spec(obj.setdefault("spec", {}))
    _default_phase(obj)


def _default_phase(obj: Object) -> None:
    status = obj.setdefault("status", {})
    if not status.get("phase"):
        status["phase"] = "Pending"


def _pending(context: WriteContext, obj: Object) -> None:
    obj["status"] = {"phase": "Pending"}


def _prepare_claim(context: WriteContext, obj: Object) -> None:
    """What a claim is filled from can be said in two fields; who says one says both."""
    spec, before = obj["spec"], find(context.old or {}, "spec", default={})
    source, newer = spec.get("dataSource"), spec.get("dataSourceRef")
    if newer and newer.get("namespace") and before.get("dataSourceRef") is None:
        spec.pop(
            "dataSourceRef"
        )  # from another namespace: a gate that is off (CrossNamespaceVolumeDataSource)
        newer = None
    is_new = before.get("dataSource") is None and before.get("dataSourceRef") is None
    if source is not None and newer is None and is_new and not _is_known_source(source):
        spec.pop("dataSource")
    elif source is not None and newer is None:
        spec["dataSourceRef"] = dict(source)
    elif source is None and newer is not None and not newer.get("namespace"):
        spec["dataSource"] = {key: value for key, value in newer.items() if key != "namespace"}


def _is_known_source(source: Object) -> bool:
    return (source.get("apiGroup") or "", source.get("kind")) in _OLD_DATA_SOURCES


def _validate_claim(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_claim_spec(obj.get("spec") or {}, Path("spec"))


def _validate_claim_status(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_claim_status(obj.get("status") or {})


def _validate_claim_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_claim_update(obj, old_of(context))


def _claim_warnings(context: WriteContext, obj: Object) -> list[str]:
    texts = []
    if CLASS_ANNOTATION in (obj["metadata"].get("annotations") or {}):
        name = f"metadata.annotations[{CLASS_ANNOTATION}]"
        texts.append(f'{name}: deprecated since v1.8; use "storageClassName" attribute instead')
    for bound in ("requests", "limits"):
        size = find(obj, "spec", "resources", bound, "storage")
        if size and not parse_quantity(size).has_whole_thousands():
            text = f'fractional byte value "{parse_quantity(size)}" is invalid, must be an integer'
            texts.append(f"spec.resources.{bound}[storage]: {text}")
    return texts


def _pending_since(context: WriteContext, obj: Object) -> None:
    obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": format_time(context.now)}


def _note_phase(context: WriteContext, obj: Object) -> None:
    """A status says since when the phase is what it is; who writes a phase need not say it."""
    old = old_of(context)
    keep_spec(context, obj)
    status, before = obj.setdefault("status", {}), old.get("status") or {}
    told, since = status.get("lastPhaseTransitionTime"), before.get("lastPhaseTransitionTime")
    if status.get("phase") == before.get("phase"):
        if told is None and since is not None:
            status["lastPhaseTransitionTime"] = since
    elif told in (None, since):
        status["lastPhaseTransitionTime"] = format_time(context.now)


def _validate_volume(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_persistent_volume(obj)


def _validate_volume_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_persistent_volume_update(obj, old_of(context))


def _volume_warnings(context: WriteContext, obj: Object) -> list[str]:
    annotations, spec = obj["metadata"].get("annotations") or {}, obj.get("spec") or {}
    texts = [
        f"metadata.annotations[{key}]: {text}" for key, text in _OLD_ANNOTATIONS.items() if key in annotations
    ]
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        texts.append(f"spec.persistentVolumeReclaimPolicy: {_RECYCLED}")
    return texts + [
        f"spec.{shown}: {text}" for source, (shown, text) in _OLD_SOURCES.items() if spec.get(source)
    ]


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
    prepare_create=_pending_since,
    prepare_update=keep_status,
    validate_create=_validate_volume,
    validate_update=_validate_volume_update,
    metadata_checks=("whole", "whole"),
    warnings=_volume_warnings,
    status=StatusStrategy(_note_phase),
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
    prepare_create=in_turn(_pending, _prepare_claim),
    prepare_update=in_turn(keep_status, _prepare_claim),
    validate_create=_validate_claim,
    validate_update=_validate_claim_update,
    metadata_checks=("change", "whole"),
    warnings=_claim_warnings,
    status=StatusStrategy(keep_spec, _validate_claim_status),
    returns_deleted=True,
)


def _default_class(obj: Object, version: str) -> None:
    if obj.get("reclaimPolicy") is None:
        obj["reclaimPolicy"] = "Delete"
    if obj.get("volumeBindingMode") is None:
        obj["volumeBindingMode"] = "Immediate"


def _class_name(obj: Object, now: dt.datetime) -> str:
    annotations = obj["metadata"].get("annotations") or {}
    default = annotations.get(_DEFAULT_CLASS_ANNOTATION) == "true"
    return f"{obj['metadata']['name']} (default)" if default else str(obj["metadata"]["name"])


def _validate_class(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_storage_class(obj)


def _validate_class_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_storage_class_update(obj, old_of(context))


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
    validate_update=_validate_class_update,
    metadata_checks=("whole", "change"),
    returns_deleted=True,
)


def _validate_attributes_class(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_attributes_class(obj)


def _validate_attributes_class_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_attributes_class_update(obj, old_of(context))


VOLUME_ATTRIBUTES_CLASS = Kind(
    VOLUME_ATTRIBUTES_CLASSES,
    singular="volumeattributesclass",
    short_names=("vac",),
    columns=(NAME, Column("DriverName", at("driverName"), description="Who changes the volumes."), AGE),
    validate_create=_validate_attributes_class,
    validate_update=_validate_attributes_class_update,
    metadata_checks=("change", "whole"),
    returns_deleted=True,
)

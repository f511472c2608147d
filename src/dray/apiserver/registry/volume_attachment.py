"""VolumeAttachment: which volume is, or shall be, attached to which node."""

from dray.api.fields import FieldError, Path, required
from dray.api.meta import Object
from dray.api.resources import Resource
from dray.api.validation.meta import immutable
from dray.apiserver.registry.columns import AGE, NAME, at
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.writes import clear_status, keep_all_but_status, keep_status, old_of

VOLUME_ATTACHMENTS = Resource("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", False)

_SPEC = Path("spec")


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = [required(_SPEC.child(field)) for field in ("attacher", "nodeName") if not spec.get(field)]
    source = spec.get("source") or {}
    if not source.get("persistentVolumeName") and not source.get("inlineVolumeSpec"):
        text = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        errors.append(required(_SPEC.child("source"), text))
    return errors


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return immutable(obj.get("spec"), old_of(context).get("spec"), _SPEC)


VOLUME_ATTACHMENT = Kind(
    VOLUME_ATTACHMENTS,
    singular="volumeattachment",
    columns=(
        NAME,
        Column("Attacher", at("spec", "attacher"), format="name", description="The driver that attaches."),
        Column("PV", at("spec", "source", "persistentVolumeName"), description="The volume."),
        Column("Node", at("spec", "nodeName"), description="The node."),
        Column(
            "Attached",
            at("status", "attached", default=False),
            type="boolean",
            description="Whether it is done.",
        ),
        AGE,
    ),
    prepare_create=clear_status,
    prepare_update=keep_status,
    validate_create=_validate,
    validate_update=_validate_update,
    status=StatusStrategy(keep_all_but_status),
    unconditional_update=False,
    returns_deleted=True,
)

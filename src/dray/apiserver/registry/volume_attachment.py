"""VolumeAttachment: which volume is, or shall be, attached to which node."""

from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.resources import Resource
from dray.api.validation.core.storage_drivers import validate_attachment, validate_attachment_update
from dray.apiserver.registry.columns import AGE, NAME, at, find
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.volume_defaults import default_storage
from dray.apiserver.registry.writes import clear_status, keep_all_but_status, keep_status, old_of

VOLUME_ATTACHMENTS = Resource("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", False)


def _default(obj: Object, version: str) -> None:
    inline = find(obj, "spec", "source", "inlineVolumeSpec")
    if inline is not None:
        default_storage(inline)


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_attachment(obj)


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_attachment_update(obj, old_of(context))


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
    default=_default,
    prepare_create=clear_status,
    prepare_update=keep_status,
    validate_create=_validate,
    validate_update=_validate_update,
    metadata_checks=("whole",),
    status=StatusStrategy(keep_all_but_status, _validate_update, ("whole",)),
    unconditional_update=False,
    returns_deleted=True,
)

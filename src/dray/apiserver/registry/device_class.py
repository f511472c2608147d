"""DeviceClass: named selectors and configuration that claims refer to."""

from dray.api import names
from dray.api.conversion.resource import same_from_hub, same_to_hub
from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.resources import DEVICE_CLASSES
from dray.api.validation.resource.device_class import validate_class_spec
from dray.apiserver.registry.columns import AGE, NAME
from dray.apiserver.registry.dra import DEPRECATED, VERSIONS, worded
from dray.apiserver.registry.expressions import expression_check
from dray.apiserver.registry.kind import Kind, WriteContext
from dray.apiserver.registry.writes import old_of


def _prepare_create(context: WriteContext, obj: Object) -> None:
    _drop_disabled(context, obj, None)


def _prepare_update(context: WriteContext, obj: Object) -> None:
    _drop_disabled(context, obj, old_of(context))


def _drop_disabled(context: WriteContext, obj: Object, old: Object | None) -> None:
    if context.features.enabled("DRAExtendedResource"):
        return
    if not ((old or {}).get("spec") or {}).get("extendedResourceName"):
        (obj.get("spec") or {}).pop("extendedResourceName", None)


def _validate_create(context: WriteContext, obj: Object) -> list[FieldError]:
    found = validate_class_spec(obj.get("spec") or {}, None, expression_check(context.features))
    return worded(context.features, found, obj)


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    old = old_of(context).get("spec") or {}
    found = validate_class_spec(obj.get("spec") or {}, old, expression_check(context.features))
    return worded(context.features, found, obj)


DEVICE_CLASS = Kind(
    DEVICE_CLASSES,
    singular="deviceclass",
    versions=VERSIONS,
    deprecated=DEPRECATED,
    returns_deleted=True,
    columns=(NAME, AGE),
    to_hub=same_to_hub("v1"),
    from_hub=same_from_hub,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_create=_validate_create,
    validate_update=_validate_update,
    metadata_checks=("whole", "change"),
    name_rule=names.long_name,
    reads_generate_name=False,
    has_generation=True,
)

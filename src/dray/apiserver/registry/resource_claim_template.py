"""ResourceClaimTemplate: what the claim controller makes claims of, one for each pod."""

from dray.api.conversion.resource import template_from_hub, template_to_hub
from dray.api.fields import FieldError
from dray.api.meta import Object, namespace_of
from dray.api.resources import NAMESPACES, RESOURCE_CLAIM_TEMPLATES
from dray.api.validation.resource.claim import asks_admin_access, validate_admin_access_label
from dray.api.validation.resource.template import validate_template_spec, validate_template_update
from dray.apiserver.registry.claim_defaults import default_claim_spec
from dray.apiserver.registry.claim_gates import drop_disabled_claim_fields
from dray.apiserver.registry.columns import AGE, NAME
from dray.apiserver.registry.dra import DEPRECATED, VERSIONS
from dray.apiserver.registry.kind import Kind, WriteContext
from dray.apiserver.registry.resource_claim import claim_rules
from dray.apiserver.registry.writes import old_of


def _claim_spec(obj: Object) -> Object:
    return (obj.get("spec") or {}).get("spec") or {}


def _default(obj: Object, version: str) -> None:
    default_claim_spec((obj.get("spec") or {}).get("spec"), version)


def _prepare_create(context: WriteContext, obj: Object) -> None:
    drop_disabled_claim_fields(context.features, _claim_spec(obj), None)


def _prepare_update(context: WriteContext, obj: Object) -> None:
    drop_disabled_claim_fields(context.features, _claim_spec(obj), _claim_spec(old_of(context)))


def _authorize_create(context: WriteContext, obj: Object) -> list[FieldError]:
    if not asks_admin_access(_claim_spec(obj)):
        return []
    return validate_admin_access_label(_claim_spec(obj), context.find(NAMESPACES, namespace_of(obj)))


def _validate_create(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_template_spec(obj.get("spec") or {}, claim_rules(context))


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    old = old_of(context).get("spec") or {}
    return validate_template_update(obj.get("spec") or {}, old, claim_rules(context))


RESOURCE_CLAIM_TEMPLATE = Kind(
    RESOURCE_CLAIM_TEMPLATES,
    singular="resourceclaimtemplate",
    versions=VERSIONS,
    deprecated=DEPRECATED,
    returns_deleted=True,
    columns=(NAME, AGE),
    default=_default,
    to_hub=template_to_hub,
    from_hub=template_from_hub,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    authorize_create=_authorize_create,
    validate_create=_validate_create,
    validate_update=_validate_update,
    metadata_checks=("whole", "change"),
)

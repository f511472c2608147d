"""ValidatingWebhookConfiguration and MutatingWebhookConfiguration: whom to ask about a write. Admission does the asking."""

from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.resources import MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS, Resource
from dray.api.validation.admission.webhook import validate_configuration
from dray.api.validation.lists import items_of
from dray.apiserver.registry.admission_expressions import AdmissionExpressions
from dray.apiserver.registry.columns import AGE, NAME
from dray.apiserver.registry.kind import Column, Kind, WriteContext

_DEFAULTS = (("failurePolicy", "Fail"), ("matchPolicy", "Equivalent"), ("timeoutSeconds", 10))


def _default(obj: Object, version: str) -> None:
    is_mutating = obj["kind"] == MUTATING_WEBHOOK_CONFIGURATIONS.kind
    for hook in items_of(obj.get("webhooks")):
        for field, value in _DEFAULTS:
            if hook.get(field) is None:
                hook[field] = value
        for field in ("namespaceSelector", "objectSelector"):
            if hook.get(field) is None:
                hook[field] = {}
        if is_mutating and hook.get("reinvocationPolicy") is None:
            hook["reinvocationPolicy"] = "Never"
        for rule in items_of(hook.get("rules")):
            if not rule.get("scope"):
                rule["scope"] = "*"
        service = (hook.get("clientConfig") or {}).get("service")
        if service is not None and not service.get("port"):
            service["port"] = 443


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_configuration(obj, AdmissionExpressions, context.old)


_COLUMNS = (
    NAME,
    Column(
        "Webhooks",
        lambda obj, now: len(obj.get("webhooks") or ()),
        type="integer",
        description="How many webhooks it has.",
    ),
    AGE,
)


def _configuration(resource: Resource) -> Kind:
    return Kind(
        resource,
        singular=resource.kind.lower(),
        categories=("api-extensions",),
        columns=_COLUMNS,
        default=_default,
        validate_create=_validate,
        validate_update=_validate,
        reads_finalizers=False,
        metadata_checks=("whole",),
        has_generation=True,
        generation_of=lambda obj: obj.get("webhooks"),
        unconditional_update=False,
    )


VALIDATING_WEBHOOK_CONFIGURATION = _configuration(VALIDATING_WEBHOOK_CONFIGURATIONS)
MUTATING_WEBHOOK_CONFIGURATION = _configuration(MUTATING_WEBHOOK_CONFIGURATIONS)

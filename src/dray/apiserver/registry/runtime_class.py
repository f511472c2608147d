"""RuntimeClass: which configured handler of the container runtime runs a pod."""

from dray.api.fields import FieldError, Path, invalid, required
from dray.api.meta import Object
from dray.api.names import dns_label
from dray.api.resources import Resource
from dray.api.validation.meta import immutable
from dray.apiserver.registry.columns import AGE, NAME, at
from dray.apiserver.registry.kind import Column, Kind, WriteContext
from dray.apiserver.registry.writes import old_of

RUNTIME_CLASSES = Resource("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", False)

_HANDLER = Path("handler")


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    handler = obj.get("handler") or ""
    if not handler:
        return [required(_HANDLER)]
    return [invalid(_HANDLER, handler, problem) for problem in dns_label(handler)]


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return immutable(obj.get("handler"), old_of(context).get("handler"), _HANDLER)


RUNTIME_CLASS = Kind(
    RUNTIME_CLASSES,
    singular="runtimeclass",
    columns=(NAME, Column("Handler", at("handler"), description="The runtime's handler."), AGE),
    validate_create=_validate,
    validate_update=_validate_update,
    unconditional_update=False,
)

"""RuntimeClass: which configured handler of the container runtime runs a pod."""

from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.resources import Resource
from dray.api.validation.core.runtime_class import validate_runtime_class, validate_runtime_class_update
from dray.apiserver.registry.columns import AGE, NAME, at
from dray.apiserver.registry.kind import Column, Kind, WriteContext
from dray.apiserver.registry.writes import old_of

RUNTIME_CLASSES = Resource("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", False)


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_runtime_class(obj)


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_runtime_class_update(obj, old_of(context))


RUNTIME_CLASS = Kind(
    RUNTIME_CLASSES,
    singular="runtimeclass",
    columns=(NAME, Column("Handler", at("handler"), description="The runtime's handler."), AGE),
    validate_create=_validate,
    validate_update=_validate_update,
    metadata_checks=("whole", "change"),
    unconditional_update=False,
    reads_finalizers=False,
)

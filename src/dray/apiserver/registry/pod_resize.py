"""`pods/resize`: other amounts of CPU and memory for a pod that runs. Its node decides when they count."""

from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.validation.lists import items_of
from dray.api.validation.pod.resize import validate_resize
from dray.apiserver.registry.kind import StatusStrategy, WriteContext
from dray.apiserver.registry.pod_gates import drop_disabled_pod_fields
from dray.apiserver.registry.writes import META_RESET_BY_STATUS, old_of, restore

_CHANGED = ("resources", "resizePolicy")
_GATE = "InPlacePodLevelResourcesVerticalScaling"


def _prepare(context: WriteContext, obj: Object) -> None:
    """Of the write only resources and policies count; containers that are others are left for validation to refuse."""
    old = old_of(context)
    spec, before = obj.get("spec") or {}, old["spec"]
    counts = [
        len(items_of(spec.get(field))) == len(items_of(before.get(field)))
        for field in ("containers", "initContainers")
    ]
    if all(counts):
        obj["spec"] = _resized(context, spec, before)
        restore(obj, old, "status")
        for key in META_RESET_BY_STATUS:
            restore(obj["metadata"], old["metadata"], key)
    drop_disabled_pod_fields(context.features, obj["spec"], before)


def _resized(context: WriteContext, spec: Object, before: Object) -> Object:
    found = dict(before)
    if context.features.enabled(_GATE):
        restore(found, spec, "resources")
    for field in ("containers", "initContainers"):
        if items_of(before.get(field)):
            found[field] = _with_resources(items_of(spec.get(field)), items_of(before[field]))
    return found


def _with_resources(containers: list[Object], before: list[Object]) -> list[Object]:
    found = []
    for container, known in zip(containers, before, strict=True):
        if container.get("name") != known.get("name"):
            return containers
        merged = dict(known)
        for key in _CHANGED:
            restore(merged, container, key)
        found.append(merged)
    return found


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_resize(obj, old_of(context), context.features)


RESIZE = StatusStrategy(_prepare, _validate)

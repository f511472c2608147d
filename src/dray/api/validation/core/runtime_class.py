"""RuntimeClass: its handler, what a pod of it costs beside its containers, and on which nodes it runs."""

from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, invalid, required
from dray.api.meta import Object
from dray.api.validation.lists import items_of
from dray.api.validation.meta import immutable, validate_labels
from dray.api.validation.pod.internal import FORMS
from dray.api.validation.pod.placement import validate_tolerations
from dray.api.validation.pod.resources import validate_container_resources

_HANDLER: Final = Path("handler")
_SCHEDULING: Final = Path("scheduling")


def validate_runtime_class(obj: Object) -> list[FieldError]:
    handler = obj.get("handler") or ""
    errors = [required(_HANDLER)]
    if handler:
        errors = [invalid(_HANDLER, handler, text) for text in names.dns_label(handler)]
    if (overhead := obj.get("overhead")) is not None:
        errors += validate_container_resources({"limits": overhead.get("podFixed")}, (), Path("overhead"))
    scheduling = obj.get("scheduling") or {}
    errors += validate_labels(scheduling.get("nodeSelector") or {}, _SCHEDULING.child("nodeSelector"))
    return errors + _validate_tolerations(
        items_of(scheduling.get("tolerations")), _SCHEDULING.child("tolerations")
    )


def validate_runtime_class_update(new: Object, old: Object) -> list[FieldError]:
    return immutable(new.get("handler") or "", old.get("handler") or "", _HANDLER)


def _validate_tolerations(tolerations: list[Object], path: Path) -> list[FieldError]:
    errors = validate_tolerations(tolerations, path)
    seen: set[tuple[str, ...]] = set()
    for index, toleration in enumerate(tolerations):
        meaning = tuple(toleration.get(field) or "" for field in ("key", "operator", "value", "effect"))
        if meaning in seen:
            errors.append(duplicate(path.index(index), FORMS.show("Toleration", toleration)))
        seen.add(meaning)
    return errors

"""Files of volumes: where they stand in it, and who may read them."""

from typing import Final

from dray.api.fields import FieldError, Path, invalid, required
from dray.api.meta import Object
from dray.api.validation.lists import items_of
from dray.api.validation.pod.environment import (
    VOLUME_FIELDS,
    validate_field_reference,
    validate_resource_reference,
)
from dray.api.validation.pod.mounts import validate_local_path

_MODE: Final = "must be a number between 0 and 0777 (octal), both inclusive"


def validate_files(source: Object, path: Path) -> list[FieldError]:
    """A file mode, and keys with the files they become."""
    errors = validate_mode(source, "defaultMode", path)
    for index, item in enumerate(items_of(source.get("items"))):
        at = path.child("items").index(index)
        if not item.get("key"):
            errors.append(required(at.child("key")))
        errors += _validate_file_path(item, at)
        errors += validate_mode(item, "mode", at)
    return errors


def _validate_file_path(item: Object, path: Path) -> list[FieldError]:
    text, at = item.get("path") or "", path.child("path")
    return validate_place(text, at) if text else [required(at)]


def validate_place(text: str, at: Path) -> list[FieldError]:
    """The path of a file in a volume, where names that begin with two dots are taken by those who write it."""
    errors = validate_local_path(text, at)
    if text.startswith("..") and not text.startswith("../"):
        errors.append(invalid(at, text, "must not start with '..'"))
    return errors


def validate_mode(holder: Object, field: str, path: Path) -> list[FieldError]:
    mode = holder.get(field)
    if mode is None or 0 <= mode <= 0o777:
        return []
    return [invalid(path.child(field), mode, _MODE)]


def validate_downward(source: Object, path: Path) -> list[FieldError]:
    errors = validate_mode(source, "defaultMode", path)
    at = path  # Kubernetes does not tell which of the items is meant.
    for item in items_of(source.get("items")):
        errors += _validate_file_path(item, at)
        field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
        if field is not None:
            errors += validate_field_reference(field, VOLUME_FIELDS, at.child("fieldRef"))
            if resource is not None:
                text = "fieldRef and resourceFieldRef can not be specified simultaneously"
                errors.append(invalid(at, "resource", text))
        elif resource is not None:
            where = at.child("resourceFieldRef")
            errors += validate_resource_reference(resource, where, needs_container=True)
        else:
            errors.append(required(at, "one of fieldRef and resourceFieldRef is required"))
        errors += validate_mode(item, "mode", at)
    return errors

"""Volumes of a pod: one source each, and what the common sources need."""

from collections.abc import Mapping

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.lists import Check, items_of
from dray.api.validation.pod.environment import (
    VOLUME_FIELDS,
    validate_field_reference,
    validate_resource_reference,
)
from dray.api.validation.pod.mounts import validate_local_path, validate_no_backsteps

_MODE_TEXT = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_MIN_TOKEN_SECONDS, _MAX_TOKEN_SECONDS = 600, 2**32


def validate_volumes(volumes: list[Object], path: Path) -> tuple[dict[str, Object], list[FieldError]]:
    """The volumes that are in order, by name, and the findings on the others."""
    good: dict[str, Object] = {}
    errors: list[FieldError] = []
    for index, volume in enumerate(volumes):
        at = path.index(index)
        name = volume.get("name") or ""
        found = _validate_source(volume, at)
        if not name:
            found.append(required(at.child("name")))
        else:
            found += [invalid(at.child("name"), name, text) for text in names.dns_label(name)]
        if name in good:
            found.append(duplicate(at.child("name"), name))
        if found:
            errors += found
        else:
            good[name] = volume
    return good, errors


def _validate_source(volume: Object, path: Path) -> list[FieldError]:
    sources = [field for field, value in volume.items() if field != "name" and value is not None]
    if not sources:
        return [required(path, "must specify a volume type")]
    errors: list[FieldError] = []
    for position, source in enumerate(sources):
        if position:
            errors.append(forbidden(path.child(source), "may not specify more than 1 volume type"))
        elif source in _CHECKS:
            errors += _CHECKS[source](volume[source], path.child(source))
    return errors


def _validate_empty_dir(source: Object, path: Path) -> list[FieldError]:
    limit = source.get("sizeLimit")
    if limit is not None and parse_quantity(limit).sign() < 0:
        return [forbidden(path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity")]
    return []


def _validate_host_path(source: Object, path: Path) -> list[FieldError]:
    text = source.get("path") or ""
    if not text:
        return [required(path.child("path"))]
    errors = validate_no_backsteps(text, path.child("path"))
    kind = source.get("type")
    if kind is not None and kind not in _HOST_PATH_TYPES:
        errors.append(not_supported(path.child("type"), kind, _HOST_PATH_TYPES))
    return errors


def _validate_secret(source: Object, path: Path) -> list[FieldError]:
    errors = [] if source.get("secretName") else [required(path.child("secretName"))]
    return errors + _validate_files(source, path)


def _validate_config_map(source: Object, path: Path) -> list[FieldError]:
    errors = [] if source.get("name") else [required(path.child("name"))]
    return errors + _validate_files(source, path)


def _validate_files(source: Object, path: Path) -> list[FieldError]:
    """A file mode, and keys with the files they become."""
    errors = _validate_mode(source, "defaultMode", path)
    for index, item in enumerate(items_of(source.get("items"))):
        at = path.child("items").index(index)
        if not item.get("key"):
            errors.append(required(at.child("key")))
        errors += _validate_file_path(item, at)
        errors += _validate_mode(item, "mode", at)
    return errors


def _validate_file_path(item: Object, path: Path) -> list[FieldError]:
    text, at = item.get("path") or "", path.child("path")
    if not text:
        return [required(at)]
    errors = validate_local_path(text, at)
    if text.startswith("..") and not text.startswith("../"):
        errors.append(invalid(at, text, "must not start with '..'"))
    return errors


def _validate_mode(holder: Object, field: str, path: Path) -> list[FieldError]:
    mode = holder.get(field)
    if mode is None or 0 <= mode <= 0o777:
        return []
    return [invalid(path.child(field), mode, _MODE_TEXT)]


def _validate_downward(source: Object, path: Path) -> list[FieldError]:
    errors = _validate_mode(source, "defaultMode", path)
    for index, item in enumerate(items_of(source.get("items"))):
        at = path.child("items").index(index)
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
        errors += _validate_mode(item, "mode", at)
    return errors


def _validate_projected(source: Object, path: Path) -> list[FieldError]:
    errors = _validate_mode(source, "defaultMode", path)
    for index, projection in enumerate(items_of(source.get("sources"))):
        at = path.child("sources").index(index)
        kinds = [kind for kind, value in projection.items() if value is not None]
        for position, kind in enumerate(kinds):
            if position:
                text = "may not specify more than 1 volume type per source"
                errors.append(forbidden(at.child(kind), text))
            elif kind in _PROJECTIONS:
                errors += _PROJECTIONS[kind](projection[kind], at.child(kind))
        if not kinds:
            errors.append(required(at, "must specify a source"))
    return errors


def _validate_projected_map(source: Object, path: Path) -> list[FieldError]:
    errors = [] if source.get("name") else [required(path.child("name"))]
    return errors + _validate_files(source, path)


def _validate_token(source: Object, path: Path) -> list[FieldError]:
    seconds, at = source.get("expirationSeconds") or 0, path.child("expirationSeconds")
    errors: list[FieldError] = []
    if seconds < _MIN_TOKEN_SECONDS:
        errors.append(invalid(at, seconds, "may not specify a duration less than 10 minutes"))
    elif seconds > _MAX_TOKEN_SECONDS:
        errors.append(invalid(at, seconds, "may not specify a duration larger than 2^32 seconds"))
    if not source.get("path"):
        errors.append(required(path.child("path")))
    return errors


def _validate_claim(source: Object, path: Path) -> list[FieldError]:
    return [] if source.get("claimName") else [required(path.child("claimName"))]


def _validate_csi(source: Object, path: Path) -> list[FieldError]:
    driver, at = source.get("driver") or "", path.child("driver")
    if not driver:
        return [required(at)]
    return [invalid(at, driver, text) for text in names.dns_subdomain_caseless(driver)]


def _validate_nfs(source: Object, path: Path) -> list[FieldError]:
    errors = [required(path.child(field)) for field in ("server", "path") if not source.get(field)]
    if source.get("path") and not source["path"].startswith("/"):
        errors.append(invalid(path.child("path"), source["path"], "must be an absolute path"))
    return errors


_CHECKS: Mapping[str, Check] = {
    "emptyDir": _validate_empty_dir,
    "hostPath": _validate_host_path,
    "secret": _validate_secret,
    "configMap": _validate_config_map,
    "downwardAPI": _validate_downward,
    "projected": _validate_projected,
    "persistentVolumeClaim": _validate_claim,
    "csi": _validate_csi,
    "nfs": _validate_nfs,
}
_PROJECTIONS: Mapping[str, Check] = {
    "secret": _validate_projected_map,
    "configMap": _validate_projected_map,
    "downwardAPI": _validate_downward,
    "serviceAccountToken": _validate_token,
}

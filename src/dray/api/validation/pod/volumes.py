"""Volumes of a pod: one source each, and what the common sources need."""

from collections.abc import Mapping

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.core.driver_name import validate_driver_name
from dray.api.validation.core.volume_claim import validate_claim_spec
from dray.api.validation.lists import Check, items_of
from dray.api.validation.meta import validate_template_metadata
from dray.api.validation.pod.environment import (
    VOLUME_FIELDS,
    validate_field_reference,
    validate_resource_reference,
)
from dray.api.validation.pod.mounts import validate_local_path, validate_no_backsteps
from dray.api.validation.pod.storage import STORAGE

_MODE_TEXT = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_PATH_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
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
    sources = [source for source in SOURCES if volume.get(source) is not None]
    if not sources:
        return [required(path, "must specify a volume type")]
    errors = SOURCES[sources[0]](volume[sources[0]], path.child(sources[0]))
    for source in sources[1:]:
        at = path.child(_MISSPELT.get(source, source))
        errors.append(forbidden(at, "may not specify more than 1 volume type"))
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


def _validate_image(source: Object, path: Path) -> list[FieldError]:
    errors = [] if source.get("reference") else [required(path.child("reference"))]
    policy = source.get("pullPolicy") or ""
    if policy and policy not in _PULL_POLICIES:
        errors.append(not_supported(path.child("pullPolicy"), policy, _PULL_POLICIES))
    return errors


def _validate_ephemeral(source: Object, path: Path) -> list[FieldError]:
    """A claim of the pod's own, made from a template that may name labels and annotations."""
    template, at = source.get("volumeClaimTemplate"), path.child("volumeClaimTemplate")
    if template is None:
        return [required(at)]
    errors = validate_template_metadata(template.get("metadata") or {}, at.child("metadata"))
    return errors + validate_claim_spec(template.get("spec") or {}, at.child("spec"))


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
        errors += _validate_mode(item, "mode", at)
    return errors


def _validate_projected(source: Object, path: Path) -> list[FieldError]:
    errors = _validate_mode(source, "defaultMode", path)
    taken: set[str] = set()
    for index, projection in enumerate(items_of(source.get("sources"))):
        at = path.child("sources").index(index)
        kinds = [kind for kind in _PROJECTIONS if projection.get(kind) is not None]
        for kind in kinds:
            errors += _PROJECTIONS[kind](projection[kind], at.child(kind))
            errors += _check_places(kind, projection[kind], taken, path)
        if len(kinds) > 1:
            errors.append(forbidden(at, "may not specify more than 1 volume type per source"))
    return errors


def _check_places(kind: str, source: Object, taken: set[str], path: Path) -> list[FieldError]:
    """No two files may come to one place; whole sources are not looked into, nor are tokens compared."""
    if kind == "serviceAccountToken":
        at = path.child("path")
        return validate_local_path(source["path"], at) if source.get("path") else [required(at)]
    errors: list[FieldError] = []
    for item in items_of(source.get("items")):
        place = item.get("path") or ""
        if place and place in taken:
            shown = place if kind == "downwardAPI" else source.get("name") or ""
            errors.append(invalid(path, shown, "conflicting duplicate paths"))
        taken.add(place)
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
    return errors


def _validate_claim(source: Object, path: Path) -> list[FieldError]:
    return [] if source.get("claimName") else [required(path.child("claimName"))]


def _validate_csi(source: Object, path: Path) -> list[FieldError]:
    errors = validate_driver_name(source.get("driver") or "", path.child("driver"))
    secret = source.get("nodePublishSecretRef")
    if secret is None:
        return errors
    if not (name := secret.get("name") or ""):
        return [*errors, required(path.child("nodePublishSecretRef", "name"))]
    return errors + [invalid(path.child("name"), name, text) for text in names.dns_subdomain(name)]


def _validate_nfs(source: Object, path: Path) -> list[FieldError]:
    errors = [required(path.child(field)) for field in ("server", "path") if not source.get(field)]
    if source.get("path") and not source["path"].startswith("/"):
        errors.append(invalid(path.child("path"), source["path"], "must be an absolute path"))
    return errors


SOURCES: Mapping[str, Check] = {
    "emptyDir": _validate_empty_dir,
    "hostPath": _validate_host_path,
    "gitRepo": STORAGE["gitRepo"],
    "gcePersistentDisk": STORAGE["gcePersistentDisk"],
    "awsElasticBlockStore": STORAGE["awsElasticBlockStore"],
    "secret": _validate_secret,
    "nfs": _validate_nfs,
    "iscsi": STORAGE["iscsi"],
    "glusterfs": STORAGE["glusterfs"],
    "flocker": STORAGE["flocker"],
    "persistentVolumeClaim": _validate_claim,
    "rbd": STORAGE["rbd"],
    "cinder": STORAGE["cinder"],
    "cephfs": STORAGE["cephfs"],
    "quobyte": STORAGE["quobyte"],
    "downwardAPI": _validate_downward,
    "fc": STORAGE["fc"],
    "flexVolume": STORAGE["flexVolume"],
    "configMap": _validate_config_map,
    "azureFile": STORAGE["azureFile"],
    "vsphereVolume": STORAGE["vsphereVolume"],
    "photonPersistentDisk": STORAGE["photonPersistentDisk"],
    "portworxVolume": STORAGE["portworxVolume"],
    "azureDisk": STORAGE["azureDisk"],
    "storageos": STORAGE["storageos"],
    "projected": _validate_projected,
    "scaleIO": STORAGE["scaleIO"],
    "csi": _validate_csi,
    "ephemeral": _validate_ephemeral,
    "image": _validate_image,
}
"""In the order in which Kubernetes looks for them."""
_MISSPELT = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}
_PROJECTIONS: Mapping[str, Check] = {
    "secret": _validate_projected_map,
    "configMap": _validate_projected_map,
    "downwardAPI": _validate_downward,
    "serviceAccountToken": _validate_token,
}

"""Environment variables: their names, and the one source a value may come from."""

import re
from collections.abc import Mapping

from dray.api import names
from dray.api.fields import FieldError, Path, invalid, not_found, not_supported, required
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.lists import items_of
from dray.api.validation.pod.confinement import containers_with_paths
from dray.api.validation.pod.mounts import validate_no_backsteps

ENV_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
VOLUME_FIELDS = (
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
)
RESOURCES = (
    "limits.cpu", "limits.ephemeral-storage", "limits.memory",
    "requests.cpu", "requests.ephemeral-storage", "requests.memory",
)  # fmt: skip

_CONVERTIBLE = {*ENV_FIELDS, *VOLUME_FIELDS, "spec.restartPolicy", "spec.schedulerName", "status.phase"}
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_SUBSCRIPT = re.compile(r"(.+)\['([^']*)'\]")
_SIZES = ("1", *(f"1{unit}" for unit in "kMGTPE"), *(f"1{unit}i" for unit in "KMGTPE"))
_DIVISORS = {
    "cpu": (("1m", "1"), "cpu"),
    "memory": (_SIZES, "memory"),
    "ephemeral-storage": (_SIZES, "local ephemeral storage"),
}
_HUGE_PAGES = ("limits.hugepages-", "requests.hugepages-")


def validate_env(variables: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, variable in enumerate(variables):
        at = path.index(index)
        if name := variable.get("name") or "":
            errors += [invalid(at.child("name"), name, text) for text in names.env_name(name)]
        else:
            errors.append(required(at.child("name")))
        errors += _validate_source(variable, at.child("valueFrom"))
    return errors


def validate_env_from(sources: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, source in enumerate(sources):
        at = path.index(index)
        if prefix := source.get("prefix") or "":
            errors += [invalid(at.child("prefix"), prefix, text) for text in names.env_name(prefix)]
        references = [field for field in ("configMapRef", "secretRef") if source.get(field) is not None]
        for field in references:
            errors += _validate_name(source[field], at.child(field))
        if not references:
            # Kubernetes leaves the index out of these paths.
            errors.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(references) > 1:
            errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def _validate_source(variable: Object, path: Path) -> list[FieldError]:
    source = variable.get("valueFrom")
    if source is None:
        return []
    errors: list[FieldError] = []
    if source.get("fieldRef") is not None:
        errors += validate_field_reference(source["fieldRef"], ENV_FIELDS, path.child("fieldRef"))
    if source.get("resourceFieldRef") is not None:
        errors += validate_resource_reference(source["resourceFieldRef"], path.child("resourceFieldRef"))
    for field in ("configMapKeyRef", "secretKeyRef"):
        if source.get(field) is not None:
            errors += _validate_key_reference(source[field], path.child(field))
    if source.get("fileKeyRef") is not None:
        errors += _validate_file_reference(source["fileKeyRef"], path.child("fileKeyRef"))
    count = sum(source.get(field) is not None for field in _SOURCES)
    if not count:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        errors.append(invalid(path, "", text))
    elif variable.get("value"):
        errors.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif count > 1:
        errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def validate_field_reference(reference: Object, fields: tuple[str, ...], path: Path) -> list[FieldError]:
    """A field of the pod itself; `fields` are those allowed here."""
    field, at = reference.get("fieldPath") or "", path.child("fieldPath")
    if not reference.get("apiVersion"):
        return [required(path.child("apiVersion"))]
    if not field:
        return [required(at)]
    if (version := reference["apiVersion"]) != "v1":
        return [invalid(at, field, f"error converting fieldPath: unsupported pod version: {version}")]
    subscripted = _SUBSCRIPT.fullmatch(field)
    plain = subscripted[1] if subscripted else field
    if plain not in _CONVERTIBLE:
        text = f"error converting fieldPath: field label not supported: {plain}"
        return [invalid(at, field, text)]
    if subscripted:
        key = subscripted[2]
        if plain == "metadata.annotations":
            return [invalid(path, key, text) for text in names.qualified_name(key.lower())]
        if plain == "metadata.labels":
            return [invalid(path, key, text) for text in names.qualified_name(key)]
        return [invalid(path, plain, "does not support subscript")]
    return [] if field in fields else [not_supported(at, field, fields, is_plain=True)]


def validate_resource_reference(
    reference: Object, path: Path, *, needs_container: bool = False
) -> list[FieldError]:
    resource, at = reference.get("resource") or "", path.child("resource")
    errors: list[FieldError] = []
    if needs_container and not reference.get("containerName"):
        errors.append(required(path.child("containerName")))
    elif not resource:
        errors.append(required(at))
    elif resource not in RESOURCES and not resource.startswith(_HUGE_PAGES):
        errors.append(not_supported(at, resource, RESOURCES, is_plain=True))
    return errors + _validate_divisor(resource, reference.get("divisor") or "0", path.child("divisor"))


def _validate_divisor(resource: str, divisor: str, path: Path) -> list[FieldError]:
    """In which unit the amount is told; Kubernetes shows the resource, not the divisor."""
    amount = parse_quantity(divisor)
    kind = resource.partition(".")[2]
    if not amount or (kind not in _DIVISORS and not kind.startswith("hugepages-")):
        return []
    units, known_as = _DIVISORS.get(kind, (_SIZES, "hugepages"))
    if str(amount) in units:
        return []
    shown = "1m and 1" if units is not _SIZES else ", ".join(_SIZES)
    text = f"only divisor's values {shown} are supported with the {known_as} resource"
    return [invalid(path, resource, text)]


def _validate_name(reference: Object, path: Path) -> list[FieldError]:
    name, at = reference.get("name") or "", path.child("name")
    if not name:
        return [required(at)]
    return [invalid(at, name, text) for text in names.prefix_of(name, names.dns_subdomain)]


def _validate_key_reference(reference: Object, path: Path) -> list[FieldError]:
    name = reference.get("name") or ""
    errors = [invalid(path.child("name"), name, text) for text in names.dns_subdomain(name)]
    key, at = reference.get("key") or "", path.child("key")
    if not key:
        return [*errors, required(at)]
    return errors + [invalid(at, key, text) for text in names.config_key(key)]


def _validate_file_reference(reference: Object, path: Path) -> list[FieldError]:
    """A variable from a file that another container of the pod wrote into an empty directory."""
    key, place, volume = (reference.get(field) or "" for field in ("key", "path", "volumeName"))
    at = path.child("key")
    errors = [invalid(at, key, text) for text in names.env_name(key)] if key else [required(at)]
    at = path.child("volumeName")
    errors += [invalid(at, volume, text) for text in names.dns_label(volume)] if volume else [required(at)]
    at = path.child("path")
    return errors + (validate_no_backsteps(place, at) if place else [required(at)])


def validate_file_volumes(spec: Object, path: Path) -> list[FieldError]:
    """Variables that come from files of volumes come from volumes of the pod that hold files."""
    volumes = {volume.get("name") or "": volume for volume in items_of(spec.get("volumes"))}
    errors: list[FieldError] = []
    for at, container in containers_with_paths(spec, path):
        for index, variable in enumerate(items_of(container.get("env"))):
            reference = (variable.get("valueFrom") or {}).get("fileKeyRef")
            if reference is not None:
                where = at.child("env").index(index).child("valueFrom", "fileKeyRef", "volumeName")
                errors += _validate_file_volume(reference.get("volumeName") or "", where, volumes)
    return errors


def _validate_file_volume(volume: str, path: Path, volumes: Mapping[str, Object]) -> list[FieldError]:
    if volume not in volumes:
        return [not_found(path, volume)]
    if volumes[volume].get("emptyDir") is None:
        return [invalid(path, volume, "referenced volume must be of type emptyDir")]
    return []

"""PersistentVolumes, stored ones and those written out in a VolumeAttachment; and what changes of one are allowed."""

import posixpath
from typing import Final

from dray.api import names
from dray.api.fields import ErrorType, FieldError, Path, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.core.internal import FORMS
from dray.api.validation.core.volume_claim import VOLUME_MODES, validate_access_modes, validate_class
from dray.api.validation.core.volume_source import validate_volume_source
from dray.api.validation.differences import difference
from dray.api.validation.meta import IMMUTABLE
from dray.api.validation.node_selector import validate_node_selector
from dray.api.validation.sameness import same, same_forms

RECLAIM_POLICIES: Final = ("Delete", "Recycle", "Retain")
_SPEC: Final = Path("spec")
_INLINE: Final = "may not be specified in the context of inline volumes"


def validate_persistent_volume(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = _validate_modes(spec, _SPEC) + _validate_capacity(
        spec.get("capacity") or {}, _SPEC.child("capacity")
    )
    policy, at = spec.get("persistentVolumeReclaimPolicy") or "", _SPEC.child("persistentVolumeReclaimPolicy")
    if policy and policy not in RECLAIM_POLICIES:
        errors.append(not_supported(at, policy, RECLAIM_POLICIES))
    if spec.get("nodeAffinity") is not None:
        errors += _validate_affinity(spec["nodeAffinity"], _SPEC.child("nodeAffinity"))
    errors += validate_volume_source(spec, obj["metadata"].get("name") or "", _SPEC)
    host = (spec.get("hostPath") or {}).get("path")
    if host and policy == "Recycle" and posixpath.normpath(host) in ("/", "//"):
        errors.append(forbidden(at, "may not be 'recycle' for a hostPath mount of '/'"))
    errors += validate_class(spec, "storageClassName", _SPEC)
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        errors.append(not_supported(_SPEC.child("volumeMode"), mode, VOLUME_MODES))
    return errors + _validate_attributes_class(spec, _SPEC)


def validate_inline_volume(spec: Object, path: Path) -> list[FieldError]:
    """The spec of a volume that is no object of its own: only a driver can have made it."""
    errors = [forbidden(path.child("claimRef"), _INLINE)] if spec.get("claimRef") is not None else []
    errors += [forbidden(path.child("capacity"), _INLINE)] if spec.get("capacity") else []
    if spec.get("csi") is None:
        errors.append(required(path.child("csi"), "has to be specified in the context of inline volumes"))
    errors += _validate_modes(spec, path)
    if spec.get("persistentVolumeReclaimPolicy") not in (None, "", "Retain"):
        text = "may only be Retain in the context of inline volumes"
        errors.append(forbidden(path.child("persistentVolumeReclaimPolicy"), text))
    if spec.get("nodeAffinity") is not None:
        errors.append(forbidden(path.child("nodeAffinity"), _INLINE))
    errors += validate_volume_source({**spec, "nodeAffinity": None}, "", path)
    if spec.get("storageClassName"):
        errors.append(forbidden(path.child("storageClassName"), _INLINE))
    if spec.get("volumeMode") not in (None, "Filesystem"):
        text = "may not specify volumeMode other than Filesystem in the context of inline volumes"
        errors.append(forbidden(path.child("volumeMode"), text))
    return errors


def validate_persistent_volume_update(new: Object, old: Object) -> list[FieldError]:
    """Where the data lies stays, and how it is shown; a secret for growing may be added to a driver's volume."""
    errors = validate_persistent_volume(new) * 2  # Kubernetes looks twice, and tells all of it twice.
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    source, known = _sources(spec, before), _sources(before, before)
    if not same_forms(source, known):
        text = f"spec.persistentvolumesource is immutable after creation\n{difference(known, source)}"
        errors.append(forbidden(_SPEC.child("persistentvolumesource"), text))
    if spec.get("volumeMode") != before.get("volumeMode"):
        errors.append(invalid(Path("volumeMode"), spec.get("volumeMode"), IMMUTABLE))
    if before.get("nodeAffinity") is not None and not same(spec.get("nodeAffinity"), before["nodeAffinity"]):
        errors.append(invalid(Path("nodeAffinity"), spec.get("nodeAffinity"), IMMUTABLE))
    if before.get("volumeAttributesClassName") is not None and spec.get("volumeAttributesClassName") is None:
        path = _SPEC.child("volumeAttributesClassName")
        errors.append(forbidden(path, "update from non-nil value to nil is forbidden"))
    return errors


def _sources(spec: Object, before: Object) -> Object:
    """In internal form."""
    driver = spec.get("csi")
    if driver and before.get("csi") and before["csi"].get("controllerExpandSecretRef") is None:
        spec = {**spec, "csi": {**driver, "controllerExpandSecretRef": None}}
    shown: Object = FORMS.show("PersistentVolumeSource", spec)
    return shown


def _validate_modes(spec: Object, path: Path) -> list[FieldError]:
    at = path.child("accessModes")
    return validate_access_modes(spec["accessModes"], at) if spec.get("accessModes") else [required(at)]


def _validate_capacity(capacity: Object, path: Path) -> list[FieldError]:
    """Storage and nothing else."""
    errors = [] if capacity else [required(path)]
    if set(capacity) != {"storage"}:
        shown = {name: str(parse_quantity(amount)) for name, amount in capacity.items()} or None
        errors.append(FieldError(ErrorType.NOT_SUPPORTED, str(path), shown, 'supported values: "storage"'))
    for name, amount in capacity.items():
        quantity, at = parse_quantity(amount), path.key(name)
        if quantity.value() < 0:
            errors.append(invalid(at, quantity.value(), "must be a valid resource quantity"))
        if quantity.sign() <= 0:
            errors.append(invalid(at, str(quantity), "must be greater than zero"))
    return errors


def _validate_affinity(affinity: Object, path: Path) -> list[FieldError]:
    at = path.child("required")
    if affinity.get("required") is None:
        return [required(at, "must specify required node constraints")]
    return validate_node_selector(affinity["required"], at, strict_values=True)


def _validate_attributes_class(spec: Object, path: Path) -> list[FieldError]:
    name, at = spec.get("volumeAttributesClassName"), path.child("volumeAttributesClassName")
    if name is None:
        return []
    errors = [invalid(at, name, text) for text in names.dns_subdomain(name)]
    if not name:
        errors = [required(at, "an empty string is disallowed")]
    if spec.get("csi") is None:
        text = "has to be specified when using volumeAttributesClassName"
        errors.append(required(path.child("csi"), text))
    return errors

"""The spec of a PersistentVolumeClaim, in a claim or in the template of a pod's volume."""

from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.core.internal import FORMS
from dray.api.validation.differences import difference
from dray.api.validation.label_selector import validate_label_selector
from dray.api.validation.meta import IMMUTABLE
from dray.api.validation.sameness import same_forms

ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES: Final = ("Block", "Filesystem")

CLASS_ANNOTATION: Final = "volume.beta.kubernetes.io/storage-class"
"""Where claims and volumes named their class before there was a field for it."""
_SPEC: Final = Path("spec")
_STATUS: Final = Path("status")
_RESIZES: Final = (
    "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizePending", "NodeResizeInProgress",
    "NodeResizeInfeasible",
)  # fmt: skip
_FORM: Final = "PersistentVolumeClaimSpec"
_ALONE: Final = "ReadWriteOncePod"
_CLAIM: Final = "PersistentVolumeClaim"


def validate_claim_spec(spec: Object, path: Path) -> list[FieldError]:
    modes, at = spec.get("accessModes") or [], path.child("accessModes")
    errors = [] if modes else [required(at, "at least 1 access mode is required")]
    errors += validate_label_selector(spec.get("selector"), path.child("selector"))
    errors += validate_access_modes(modes, at)
    errors += _validate_storage(spec, path.child("resources").key("storage"))
    errors += validate_class(spec, "storageClassName", path)
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        errors.append(not_supported(path.child("volumeMode"), mode, VOLUME_MODES))
    for field in ("dataSource", "dataSourceRef"):
        if spec.get(field) is not None:
            errors += _validate_source(spec[field], path.child(field))
        if field == "dataSourceRef" and (space := (spec.get(field) or {}).get("namespace")):
            at = path.child(field, "namespace")
            errors += [invalid(at, space, text) for text in names.dns_label(space)]
    errors += _validate_agreement(spec, path)
    return errors + validate_class(spec, "volumeAttributesClassName", path)


def validate_claim_update(new: Object, old: Object) -> list[FieldError]:
    """Little may change: the volume that a claim is bound to, its class once, and the size of a bound one."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    errors = validate_claim_spec(spec, _SPEC) + _check_class_annotation(new, old)
    munged, known = FORMS.show(_FORM, _munged(spec, before, old)), FORMS.show(_FORM, before)
    if not same_forms(munged, known):
        text = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        errors.append(forbidden(_SPEC, f"{text}\n{difference(known, munged)}"))
    errors += _check_size(_size(spec), _size(before), old)
    if spec.get("volumeMode") != before.get("volumeMode"):
        errors.append(invalid(Path("volumeMode"), spec.get("volumeMode"), IMMUTABLE))
    if (old.get("status") or {}).get("currentVolumeAttributesClassName") is None:
        return errors
    at, name = _SPEC.child("volumeAttributesClassName"), spec.get("volumeAttributesClassName")
    if not name and before.get("volumeAttributesClassName") != name:
        what = "nil" if name is None else "empty string"
        text = f"update to {what} is forbidden when status.currentVolumeAttributesClassName is not nil"
        errors.append(forbidden(at, text))
    return errors


def validate_claim_status(status: Object) -> list[FieldError]:
    """What a claim has, and what of it is growing: storage, or resources of drivers."""
    errors: list[FieldError] = []
    for name, amount in (status.get("capacity") or {}).items():
        errors += _validate_amount(amount, _STATUS.child("capacity").key(name))
    at = _STATUS.child("allocatedResourceStatuses")
    for name, state in (status.get("allocatedResourceStatuses") or {}).items():
        errors += _validate_resource(name, at)
        if state not in _RESIZES:
            errors.append(not_supported(at, name, _RESIZES))
    at = _STATUS.child("allocatedResources")
    for name, amount in (status.get("allocatedResources") or {}).items():
        errors += _validate_resource(name, at) or _validate_amount(amount, at.key(name))
    return errors


def _validate_amount(amount: str, path: Path) -> list[FieldError]:
    value = parse_quantity(amount).value()
    return [invalid(path, value, "must be a valid resource quantity")] if value < 0 else []


def _validate_resource(name: str, path: Path) -> list[FieldError]:
    if errors := [invalid(path, name, text) for text in names.qualified_name(name)]:
        return errors
    prefix, slash, _ = name.partition("/")
    is_native = not slash or prefix == "kubernetes.io" or prefix.endswith(".kubernetes.io")
    return [not_supported(path, name, ("storage",))] if is_native and name != "storage" else []


def _check_class_annotation(new: Object, old: Object) -> list[FieldError]:
    """The old place of a class's name may only give way to the new one."""
    name, before = ((each["metadata"].get("annotations") or {}).get(CLASS_ANNOTATION) for each in (new, old))
    if name == before or (name is None and before == (new.get("spec") or {}).get("storageClassName")):
        return []
    at = Path("metadata").child("annotations", CLASS_ANNOTATION)
    return [invalid(at, name or "", IMMUTABLE)]


def _munged(spec: Object, before: Object, old: Object) -> Object:
    """The spec without what may change."""
    munged = dict(spec)
    if not before.get("volumeName"):
        munged["volumeName"] = before.get("volumeName")
    if before.get("storageClassName") is None:
        munged["storageClassName"] = None
    if (old.get("status") or {}).get("phase") == "Bound":
        munged["volumeAttributesClassName"] = before.get("volumeAttributesClassName")
        if _size(spec) is not None:
            resources = spec["resources"]
            requests = {**resources["requests"], "storage": _size(before)}
            munged["resources"] = {**resources, "requests": requests}
    return munged


def _check_size(size: str | None, before: str | None, old: Object) -> list[FieldError]:
    """A claim that could not grow may ask for less again, but for more than it has."""
    capacity = ((old.get("status") or {}).get("capacity") or {}).get("storage")
    wanted, known, has = (parse_quantity(amount or "0") for amount in (size, before, capacity))
    if not wanted < known or wanted > has:
        return []
    at = _SPEC.child("resources", "requests", "storage")
    return [forbidden(at, "field can not be less than status.capacity")]


def _size(spec: Object) -> str | None:
    size: str | None = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    return size


def validate_access_modes(modes: list[str], path: Path) -> list[FieldError]:
    errors = [not_supported(path, mode, ACCESS_MODES) for mode in modes if mode not in ACCESS_MODES]
    if _ALONE in modes and set(modes) & set(ACCESS_MODES) != {_ALONE}:
        errors.append(forbidden(path, f"may not use {_ALONE} with other access modes"))
    return errors


def validate_class(spec: Object, field: str, path: Path) -> list[FieldError]:
    """The name of a class in `field`, if any is given."""
    name = spec.get(field) or ""
    if not name:
        return []
    return [invalid(path.child(field), name, text) for text in names.dns_subdomain(name)]


def _validate_storage(spec: Object, path: Path) -> list[FieldError]:
    amount = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if amount is None:
        return [required(path)]
    quantity = parse_quantity(amount)
    errors: list[FieldError] = []
    if quantity.sign() <= 0:
        errors.append(invalid(path, str(quantity), "must be greater than zero"))
    return errors


def _validate_source(source: Object, path: Path) -> list[FieldError]:
    errors = [required(path.child(field), "") for field in ("name", "kind") if not source.get(field)]
    group, kind = source.get("apiGroup") or "", source.get("kind") or ""
    if group:
        return errors + [invalid(path.child("apiGroup"), group, text) for text in names.dns_subdomain(group)]
    if kind != _CLAIM:
        errors.append(invalid(path, kind, f"must be '{_CLAIM}' when referencing the default apiGroup"))
    return errors


def _validate_agreement(spec: Object, path: Path) -> list[FieldError]:
    """The older of the two fields says what the newer one says, or nothing."""
    older, newer = spec.get("dataSource"), spec.get("dataSourceRef")
    if older is None or newer is None:
        return []
    if newer.get("namespace"):
        text = "may not be specified when dataSourceRef.namespace is specified"
        return [invalid(path, {}, text)]
    if all((older.get(field) or "") == (newer.get(field) or "") for field in ("apiGroup", "kind", "name")):
        return []
    return [invalid(path, {}, "must match dataSourceRef")]

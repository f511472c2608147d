"""The spec of a PersistentVolumeClaim, in a claim or in the template of a pod's volume."""

from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.label_selector import validate_label_selector

ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES: Final = ("Block", "Filesystem")

_ALONE: Final = "ReadWriteOncePod"
_CLAIM: Final = "PersistentVolumeClaim"


def validate_claim_spec(spec: Object, path: Path) -> list[FieldError]:
    errors = validate_access_modes(spec.get("accessModes") or [], path.child("accessModes"))
    errors += validate_label_selector(spec.get("selector"), path.child("selector"))
    errors += _validate_storage(spec, path.child("resources").key("storage"))
    errors += validate_class(spec, "storageClassName", path)
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        errors.append(not_supported(path.child("volumeMode"), mode, VOLUME_MODES))
    for field in ("dataSource", "dataSourceRef"):
        if spec.get(field) is not None:
            errors += _validate_source(spec[field], path.child(field))
    errors += _validate_agreement(spec, path)
    return errors + validate_class(spec, "volumeAttributesClassName", path)


def validate_access_modes(modes: list[str], path: Path) -> list[FieldError]:
    if not modes:
        return [required(path, "at least 1 access mode is required")]
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
    if quantity.sign() < 0:
        errors.append(invalid(path, str(quantity), "must be greater than or equal to 0"))
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
    if all((older.get(field) or "") == (newer.get(field) or "") for field in ("apiGroup", "kind", "name")):
        return []
    return [invalid(path, str(path.child("dataSource")), "must match dataSourceRef")]

"""StorageClass and VolumeAttributesClass: who makes or changes volumes, by which parameters, and where."""

import collections
from collections.abc import Mapping
from typing import Any, Final

from dray.api import names
from dray.api.fields import (
    Choice,
    FieldError,
    Path,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)
from dray.api.meta import Object
from dray.api.validation.lists import items_of, repeated
from dray.api.validation.meta import IMMUTABLE
from dray.api.validation.sameness import same

_PARAMETERS_MAX: Final = 512
_PARAMETERS_BYTES_MAX: Final = 256 * 1024
_POLICIES: Final = ("Delete", "Retain")
_BINDING_MODES: Final = ("Immediate", "WaitForFirstConsumer")


def validate_storage_class(obj: Object) -> list[FieldError]:
    errors = _validate_provisioner(obj.get("provisioner") or "", Path("provisioner"))
    errors += _validate_parameters(obj.get("parameters") or {}, Path("parameters"))
    policy, mode = obj.get("reclaimPolicy") or "", obj.get("volumeBindingMode")
    if policy and policy not in _POLICIES:
        errors.append(not_supported(Path("reclaimPolicy"), policy, _POLICIES))
    if mode is None:
        errors.append(required(Path("volumeBindingMode")))
    elif mode not in _BINDING_MODES:
        errors.append(not_supported(Path("volumeBindingMode"), mode, _BINDING_MODES))
    return errors + _validate_topologies(items_of(obj.get("allowedTopologies")), Path("allowedTopologies"))


def validate_storage_class_update(new: Object, old: Object) -> list[FieldError]:
    """All of a class stays, but whether volumes may grow, how they are mounted and where they may be."""
    return validate_storage_class(new) + [
        invalid(Path(field), _shown(field, new.get(field)), IMMUTABLE)
        for field in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode")
        if not same(new.get(field), old.get(field))
    ]


def _shown(field: str, value: Any) -> Any:
    return Choice(value) if field in ("reclaimPolicy", "volumeBindingMode") else value


def validate_attributes_class(obj: Object) -> list[FieldError]:
    errors = _validate_provisioner(obj.get("driverName") or "", Path("driverName"))
    parameters, at = obj.get("parameters") or {}, Path("parameters")
    errors += _validate_parameters(parameters, at)
    return errors if parameters else [*errors, required(at, "must contain at least one key/value pair")]


def validate_attributes_class_update(new: Object, old: Object) -> list[FieldError]:
    changed = [field for field in ("driverName", "parameters") if not same(new.get(field), old.get(field))]
    errors = [forbidden(Path(field), f"updates to {field} are forbidden.") for field in changed]
    return errors + validate_attributes_class(new)


def _validate_provisioner(name: str, path: Path) -> list[FieldError]:
    lower = name.lower()
    return [invalid(path, lower, text) for text in names.qualified_name(lower)] if name else [required(path)]


def _validate_parameters(parameters: Mapping[str, str], path: Path) -> list[FieldError]:
    if len(parameters) > _PARAMETERS_MAX:
        return [too_long(path, _PARAMETERS_MAX)]
    errors = [invalid(path, key, "field can not be empty.") for key in parameters if not key]
    size = sum(names.byte_length(key) + names.byte_length(value) for key, value in parameters.items())
    return errors + [too_long(path, _PARAMETERS_BYTES_MAX)] * (size > _PARAMETERS_BYTES_MAX)


_NOTHING: Final[frozenset[tuple[str, frozenset[str]]]] = frozenset()
_FINDINGS_MAX: Final = 20_000
"""About terms that mean the same, whose number is the square of theirs: more than an answer has room for."""


def _validate_topologies(terms: list[Object], path: Path) -> list[FieldError]:
    """Where volumes may be. No two terms may mean the same, and none may be empty."""
    errors: list[FieldError] = []
    # Kubernetes compares with as many empty terms as there are terms in all.
    known = collections.Counter({_NOTHING: len(terms)})
    for index, term in enumerate(terms):
        if len(errors) > _FINDINGS_MAX:
            break
        at = path.index(index).child("matchLabelExpressions")
        meaning: dict[str, set[str]] = {}
        for number, requirement in enumerate(items_of(term.get("matchLabelExpressions"))):
            errors += _validate_requirement(requirement, at.index(number))
            key = requirement.get("key") or ""
            if key in meaning:
                errors.append(duplicate(at.index(number).child("key"), key))
            meaning[key] = {value or "" for value in requirement.get("values") or ()}
        same = frozenset((key, frozenset(values)) for key, values in meaning.items())
        errors += [duplicate(at, "")] * min(known[same], _FINDINGS_MAX)
        known[same] += 1
    return errors


def _validate_requirement(requirement: Object, path: Path) -> list[FieldError]:
    values, at = [value or "" for value in requirement.get("values") or ()], path.child("values")
    errors = [] if values else [required(at)]
    errors += [duplicate(at.index(index), values[index]) for index in repeated(values)]
    key = requirement.get("key") or ""
    return errors + [invalid(path.child("key"), key, text) for text in names.qualified_name(key)]

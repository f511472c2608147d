"""What a pod's status says that its claims take of its node: one form in Kubernetes 1.36, another one in 1.37."""

from typing import Any

from dray.api.fields import FieldError, Path, duplicate, invalid, required
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.lists import items_of, repeated
from dray.api.validation.resource.node_allocatable import (
    is_native_resource,
    is_node_allocatable,
    validate_overhead,
)

FIELD = "nodeAllocatableResourceClaimStatuses"
_NO_CLAIM = "no mapping found in pod reference"
_NO_RESOURCE = "must be a node allocatable resource name"
_NEGATIVE = "must be non-negative"


def validate_node_claims(status: Object, spec: Object, path: Path) -> list[FieldError]:
    """1.36: amounts by resource for each claim, which is one that the pod has."""
    known = _claims_of(status, spec)
    errors: list[FieldError] = []
    for index, one in enumerate(items_of(status.get(FIELD))):
        at, name = path.index(index), one.get("resourceClaimName") or ""
        if not name:
            errors.append(required(at.child("resourceClaimName"), "must not be empty"))
        if name not in known:
            errors.append(invalid(at.child("resourceClaimName"), name, _NO_CLAIM))
        for field in ("containers", "resources"):
            if not one.get(field):
                errors.append(required(at.child(field), "must not be empty"))
        for resource, amount in (one.get("resources") or {}).items():
            where = at.child("resources").key(resource)
            if not is_native_resource(resource):
                errors.append(invalid(where, resource, _NO_RESOURCE))
            errors += _validate_amount(amount, where)
    return errors


def validate_node_claims_137(status: Object, spec: Object, path: Path) -> list[FieldError]:
    """1.37: what a claim is of the node, and what it costs. What is declared with the types is told by `declared`."""
    known = _claims_of(status, spec)
    errors: list[FieldError] = []
    for index, one in enumerate(items_of(status.get(FIELD))):
        at, name = path.index(index), one.get("resourceClaimName")
        if name and name not in known:
            errors.append(invalid(at.child("resourceClaimName"), name, _NO_CLAIM))
        for field, check in (("mapping", _validate_mapping), ("overhead", validate_overhead)):
            for place, part in enumerate(items_of(one.get(field))):
                where, resource = at.child(field).index(place), part.get("name")
                if resource and not is_node_allocatable(resource):
                    errors.append(invalid(where.child("name"), resource, _NO_RESOURCE))
                errors += check(part, where)
    return errors


def declared(status: Object, path: Path) -> list[FieldError]:
    """1.37: what must be there, and only once. Told after all that other rules find."""
    claims = items_of(status.get(FIELD))
    errors = _unique(claims, path, "resourceClaimName")
    for index, one in enumerate(claims):
        at = path.index(index)
        errors += _required(one, "resourceClaimName", at)
        names = one.get("containers") or ()
        errors += [duplicate(at.child("containers").index(place), names[place]) for place in repeated(names)]
        for field, more in (("mapping", "quantity"), ("overhead", "")):
            parts = items_of(one.get(field))
            errors += _unique(parts, at.child(field), "name")
            for place, part in enumerate(parts):
                errors += _required(part, "name", at.child(field).index(place))
                if more:
                    errors += _required(part, more, at.child(field).index(place))
    return errors


def _claims_of(status: Object, spec: Object) -> set[str | None]:
    known = {claim.get("resourceClaimName") for claim in items_of(spec.get("resourceClaims"))}
    known |= {one.get("resourceClaimName") for one in items_of(status.get("resourceClaimStatuses"))}
    known.add((status.get("extendedResourceClaimStatus") or {}).get("resourceClaimName"))
    return known - {None, ""}


def _validate_mapping(part: Object, path: Path) -> list[FieldError]:
    return _validate_amount(part.get("quantity"), path.child("quantity"))


def _validate_amount(amount: Any, path: Path) -> list[FieldError]:
    if amount is None or parse_quantity(amount).sign() >= 0:
        return []
    return [invalid(path, str(amount), _NEGATIVE)]


def _required(part: Object, field: str, path: Path) -> list[FieldError]:
    return [] if part.get(field) not in (None, "") else [required(path.child(field))]


def _unique(parts: list[Object], path: Path, key: str) -> list[FieldError]:
    """The whole element is shown."""
    keys = [part.get(key) or "" for part in parts]
    return [duplicate(path.index(place), parts[place]) for place in repeated(keys)]

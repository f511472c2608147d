"""What PodGroups and the templates of them have in common in every version, and how their lists and unions are checked.

Source: kubernetes pkg/apis/scheduling and the declarative rules of scheduling.k8s.io/v1alpha2, 1.36.
"""

from collections.abc import Sequence
from typing import Any

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, invalid, required, too_many
from dray.api.meta import Object
from dray.api.names import NameRule
from dray.api.validation.conditions import validate_conditions
from dray.api.validation.lists import Check, each, items_of, repeated

TEMPLATES_MAX = 8
CLAIMS_MAX = 4
TOPOLOGIES_MAX = 1
PRIORITY_MAX = 1_000_000_000
SPEC, STATUS = Path("spec"), Path("status")

_FOREIGN = "must match the name of an entry in `spec.resourceClaims`"


def validate_pod_group_status(status: Object, claims: Sequence[Object]) -> list[FieldError]:
    """`claims`: what the group's spec lists."""
    at = STATUS.child("resourceClaimStatuses")
    entries, known = items_of(status.get("resourceClaimStatuses")), {claim.get("name") for claim in claims}
    errors = validate_conditions(status.get("conditions"), STATUS.child("conditions"))
    for index, entry in enumerate(entries):
        name = entry.get("name") or ""
        if name not in known:
            errors.append(invalid(at.index(index).child("name"), name, _FOREIGN))
    return errors + validate_named(entries, at, _validate_claim_status, CLAIMS_MAX)


def validate_policy(policy: Object, path: Path) -> list[FieldError]:
    errors = one_of(policy, ("basic", "gang"), path)
    gang = policy.get("gang")
    return errors if gang is None else errors + _validate_min_count(gang, path.child("gang", "minCount"))


def _validate_min_count(gang: Object, path: Path) -> list[FieldError]:
    count = gang.get("minCount") or 0
    if not count:
        return [required(path)]
    return [] if count >= 1 else [invalid(path, count, "must be greater than or equal to 1")]


def validate_constraints(constraints: Object | None, path: Path) -> list[FieldError]:
    topology = items_of((constraints or {}).get("topology"))
    return each(topology, path.child("topology"), _validate_topology, most=TOPOLOGIES_MAX)


def validate_claims(claims: Sequence[Object], path: Path) -> list[FieldError]:
    return validate_named(claims, path, _validate_claim, CLAIMS_MAX)


def validate_priority(spec: Object, path: Path) -> list[FieldError]:
    errors = optional_name(spec.get("priorityClassName") or None, path.child("priorityClassName"))
    priority = spec.get("priority")
    if priority is not None and priority > PRIORITY_MAX:
        text = f"must be less than or equal to {PRIORITY_MAX}"
        errors.append(invalid(path.child("priority"), priority, text))
    return errors


def _validate_topology(constraint: Object, path: Path) -> list[FieldError]:
    return required_name(constraint.get("key"), path.child("key"), names.qualified_name)


def _validate_claim(claim: Object, path: Path) -> list[FieldError]:
    errors = one_of(claim, ("resourceClaimName", "resourceClaimTemplateName"), path)
    errors += required_name(claim.get("name"), path.child("name"), names.short_name)
    for field in ("resourceClaimName", "resourceClaimTemplateName"):
        errors += optional_name(claim.get(field), path.child(field))
    return errors


def _validate_claim_status(entry: Object, path: Path) -> list[FieldError]:
    return optional_name(entry.get("resourceClaimName"), path.child("resourceClaimName"))


def validate_controller(reference: Object, path: Path) -> list[FieldError]:
    errors = optional_name(reference.get("apiGroup") or None, path.child("apiGroup"))
    for field in ("kind", "name"):
        errors += required_name(reference.get(field), path.child(field), names.path_segment)
    return errors


def validate_named(items: Sequence[Object], path: Path, check: Check, most: int) -> list[FieldError]:
    """A list keyed by name: too many hide the rest, repeated names come before what is wrong with single items."""
    if len(items) > most:
        return [too_many(path, len(items), most)]
    twice = repeated([item.get("name") or "" for item in items])
    return [duplicate(path.index(index), items[index]) for index in twice] + each(items, path, check)


def one_of(union: Object, members: Sequence[str], path: Path) -> list[FieldError]:
    given = [member for member in members if union.get(member) is not None]
    if len(given) == 1:
        return []
    choices = ", ".join(f"`{member}`" for member in members)
    if not given:
        return [invalid(path, "", f"must specify one of: {choices}")]
    return [invalid(path, f"{{{', '.join(given)}}}", f"must specify exactly one of: {choices}")]


def required_name(text: str | None, path: Path, rule: NameRule) -> list[FieldError]:
    return [invalid(path, text, complaint) for complaint in rule(text)] if text else [required(path)]


def optional_name(text: str | None, path: Path) -> list[FieldError]:
    return [] if text is None else [invalid(path, text, complaint) for complaint in names.long_name(text)]


def equal(left: Any, right: Any) -> bool:
    """Whether two parts say the same. Unlike a part that is absent, one without content says something (`basic`)."""
    if isinstance(left, dict) and isinstance(right, dict):
        return all(equal(left.get(key), right.get(key)) for key in left.keys() | right.keys())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return left == right or (left in (None, []) and right in (None, []))

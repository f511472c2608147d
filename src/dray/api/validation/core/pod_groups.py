"""PodGroups and Workloads: how pods that belong together are placed, and which claims they share.

Source: kubernetes pkg/apis/scheduling and the declarative rules of scheduling.k8s.io/v1alpha2, 1.36.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, forbidden, invalid, not_supported, required, too_many
from dray.api.meta import Object
from dray.api.names import NameRule
from dray.api.validation.conditions import validate_conditions
from dray.api.validation.lists import Check, each, items_of, repeated
from dray.api.validation.meta import IMMUTABLE

TEMPLATES_MAX = 8
CLAIMS_MAX = 4
TOPOLOGIES_MAX = 1
PRIORITY_MAX = 1_000_000_000
DISRUPTION_MODES = ("Pod", "PodGroup")
SPEC, STATUS = Path("spec"), Path("status")

_FIXED = ("podGroupTemplateRef", "schedulingPolicy", "schedulingConstraints", "resourceClaims")
_OF_PREEMPTION = ("disruptionMode", "priorityClassName", "priority")
_FOREIGN = "must match the name of an entry in `spec.resourceClaims`"


@dataclasses.dataclass(frozen=True, slots=True)
class GroupRules:
    """Which optional parts of a group may be used."""

    topology: bool = False
    """Gate TopologyAwareWorkloadScheduling: schedulingConstraints."""
    preemption: bool = False
    """Gate WorkloadAwarePreemption: disruptionMode, priorityClassName and priority."""


def validate_pod_group(spec: Object, rules: GroupRules) -> list[FieldError]:
    reference = spec.get("podGroupTemplateRef")
    errors = [] if reference is None else _validate_reference(reference, SPEC.child("podGroupTemplateRef"))
    return errors + _validate_common(spec, SPEC, rules)


def validate_pod_group_update(new: Object, old: Object, rules: GroupRules) -> list[FieldError]:
    """Nothing of a group's spec changes; a part whose gate is off is refused as such."""
    allowed = {"schedulingConstraints": rules.topology, **dict.fromkeys(_OF_PREEMPTION, rules.preemption)}
    errors = []
    for field in (*_FIXED, *_OF_PREEMPTION):
        at, value = SPEC.child(field), new.get(field)
        if _equal(value, old.get(field)):
            continue
        if allowed.get(field, True):
            errors.append(invalid(at, None, IMMUTABLE))
        elif value:
            errors.append(forbidden(at, ""))
        if field == "resourceClaims" and value is not None and len(value) > CLAIMS_MAX:
            errors.append(too_many(at, len(value), CLAIMS_MAX))
        if field == "disruptionMode" and rules.preemption and value is None:
            errors.append(required(at))
    return errors


def validate_pod_group_status(status: Object, claims: Sequence[Object]) -> list[FieldError]:
    """`claims`: what the group's spec lists."""
    at = STATUS.child("resourceClaimStatuses")
    entries, known = items_of(status.get("resourceClaimStatuses")), {claim.get("name") for claim in claims}
    errors = validate_conditions(status.get("conditions"), STATUS.child("conditions"))
    for index, entry in enumerate(entries):
        name = entry.get("name") or ""
        if name not in known:
            errors.append(invalid(at.index(index).child("name"), name, _FOREIGN))
    return errors + _validate_named(entries, at, _validate_claim_status, CLAIMS_MAX)


def validate_workload(spec: Object, rules: GroupRules) -> list[FieldError]:
    reference, at = spec.get("controllerRef"), SPEC.child("podGroupTemplates")
    errors = [] if reference is None else _validate_controller(reference, SPEC.child("controllerRef"))
    templates = items_of(spec.get("podGroupTemplates"))
    if not templates:
        return [*errors, required(at)]

    def check(template: Object, path: Path) -> list[FieldError]:
        return _validate_template(template, path, rules)

    return errors + _validate_named(templates, at, check, TEMPLATES_MAX)


def validate_workload_update(new: Object, old: Object) -> list[FieldError]:
    errors = []
    if not _equal(new.get("controllerRef"), old.get("controllerRef")):
        errors.append(invalid(SPEC.child("controllerRef"), None, IMMUTABLE))
    at, templates = SPEC.child("podGroupTemplates"), new.get("podGroupTemplates") or []
    if not _equal(templates, old.get("podGroupTemplates")):
        errors.append(invalid(at, None, IMMUTABLE))
        if not templates:
            errors.append(required(at))
        elif len(templates) > TEMPLATES_MAX:
            errors.append(too_many(at, len(templates), TEMPLATES_MAX))
    return errors


def _equal(left: Any, right: Any) -> bool:
    """Whether two parts say the same. Unlike a part that is absent, one without content says something (`basic`)."""
    if isinstance(left, dict) and isinstance(right, dict):
        return all(_equal(left.get(key), right.get(key)) for key in left.keys() | right.keys())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return left == right or (left in (None, []) and right in (None, []))


def _validate_template(template: Object, path: Path, rules: GroupRules) -> list[FieldError]:
    errors = _required_name(template.get("name"), path.child("name"), names.short_name)
    return errors + _validate_common(template, path, rules)


def _validate_common(spec: Object, path: Path, rules: GroupRules) -> list[FieldError]:
    """What a group and the template of one have in common."""
    errors = _validate_policy(spec.get("schedulingPolicy") or {}, path.child("schedulingPolicy"))
    if rules.topology and (constraints := spec.get("schedulingConstraints")):
        at, topology = path.child("schedulingConstraints", "topology"), items_of(constraints.get("topology"))
        errors += each(topology, at, _validate_topology, most=TOPOLOGIES_MAX)
    claims = items_of(spec.get("resourceClaims"))
    errors += _validate_named(claims, path.child("resourceClaims"), _validate_claim, CLAIMS_MAX)
    return errors + (_validate_disruption(spec, path) if rules.preemption else [])


def _validate_policy(policy: Object, path: Path) -> list[FieldError]:
    errors = _one_of(policy, ("basic", "gang"), path)
    gang = policy.get("gang")
    return errors if gang is None else errors + _validate_min_count(gang, path.child("gang", "minCount"))


def _validate_min_count(gang: Object, path: Path) -> list[FieldError]:
    count = gang.get("minCount") or 0
    if not count:
        return [required(path)]
    return [] if count >= 1 else [invalid(path, count, "must be greater than or equal to 1")]


def _validate_topology(constraint: Object, path: Path) -> list[FieldError]:
    return _required_name(constraint.get("key"), path.child("key"), names.qualified_name)


def _validate_claim(claim: Object, path: Path) -> list[FieldError]:
    errors = _one_of(claim, ("resourceClaimName", "resourceClaimTemplateName"), path)
    errors += _required_name(claim.get("name"), path.child("name"), names.short_name)
    for field in ("resourceClaimName", "resourceClaimTemplateName"):
        errors += _optional_name(claim.get(field), path.child(field))
    return errors


def _validate_claim_status(entry: Object, path: Path) -> list[FieldError]:
    return _optional_name(entry.get("resourceClaimName"), path.child("resourceClaimName"))


def _validate_disruption(spec: Object, path: Path) -> list[FieldError]:
    errors, mode = [], spec.get("disruptionMode")
    if mode is not None and mode not in DISRUPTION_MODES:
        errors.append(not_supported(path.child("disruptionMode"), mode, DISRUPTION_MODES))
    errors += _optional_name(spec.get("priorityClassName") or None, path.child("priorityClassName"))
    priority = spec.get("priority")
    if priority is not None and priority > PRIORITY_MAX:
        text = f"must be less than or equal to {PRIORITY_MAX}"
        errors.append(invalid(path.child("priority"), priority, text))
    return errors


def _validate_reference(reference: Object, path: Path) -> list[FieldError]:
    errors, at = _one_of(reference, ("workload",), path), path.child("workload")
    workload = reference.get("workload")
    if workload is None:
        return errors
    errors += _required_name(workload.get("workloadName"), at.child("workloadName"), names.long_name)
    template = workload.get("podGroupTemplateName")
    return errors + _required_name(template, at.child("podGroupTemplateName"), names.short_name)


def _validate_controller(reference: Object, path: Path) -> list[FieldError]:
    errors = _optional_name(reference.get("apiGroup") or None, path.child("apiGroup"))
    for field in ("kind", "name"):
        errors += _required_name(reference.get(field), path.child(field), names.path_segment)
    return errors


def _validate_named(items: Sequence[Object], path: Path, check: Check, most: int) -> list[FieldError]:
    """A list keyed by name: too many hide the rest, repeated names come before what is wrong with single items."""
    if len(items) > most:
        return [too_many(path, len(items), most)]
    twice = repeated([item.get("name") or "" for item in items])
    return [duplicate(path.index(index), items[index]) for index in twice] + each(items, path, check)


def _one_of(union: Object, members: Sequence[str], path: Path) -> list[FieldError]:
    given = [member for member in members if union.get(member) is not None]
    if len(given) == 1:
        return []
    choices = ", ".join(f"`{member}`" for member in members)
    if not given:
        return [invalid(path, "", f"must specify one of: {choices}")]
    return [invalid(path, f"{{{', '.join(given)}}}", f"must specify exactly one of: {choices}")]


def _required_name(text: str | None, path: Path, rule: NameRule) -> list[FieldError]:
    return [invalid(path, text, complaint) for complaint in rule(text)] if text else [required(path)]


def _optional_name(text: str | None, path: Path) -> list[FieldError]:
    return [] if text is None else [invalid(path, text, complaint) for complaint in names.long_name(text)]

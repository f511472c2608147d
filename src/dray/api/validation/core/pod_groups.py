"""PodGroups and Workloads: how pods that belong together are placed, and which claims they share.

Source: kubernetes pkg/apis/scheduling and the declarative rules of scheduling.k8s.io/v1alpha2, 1.36.
"""

import dataclasses

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, not_supported, required, too_many
from dray.api.meta import Object
from dray.api.validation.core.pod_group_parts import (
    CLAIMS_MAX,
    SPEC,
    TEMPLATES_MAX,
    equal,
    one_of,
    required_name,
    validate_claims,
    validate_constraints,
    validate_controller,
    validate_named,
    validate_policy,
    validate_priority,
)
from dray.api.validation.lists import items_of
from dray.api.validation.meta import IMMUTABLE

DISRUPTION_MODES = ("Pod", "PodGroup")

_FIXED = ("podGroupTemplateRef", "schedulingPolicy", "schedulingConstraints", "resourceClaims")
_OF_PREEMPTION = ("disruptionMode", "priorityClassName", "priority")


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
        if equal(value, old.get(field)):
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


def validate_workload(spec: Object, rules: GroupRules) -> list[FieldError]:
    reference, at = spec.get("controllerRef"), SPEC.child("podGroupTemplates")
    errors = [] if reference is None else validate_controller(reference, SPEC.child("controllerRef"))
    templates = items_of(spec.get("podGroupTemplates"))
    if not templates:
        return [*errors, required(at)]

    def check(template: Object, path: Path) -> list[FieldError]:
        return _validate_template(template, path, rules)

    return errors + validate_named(templates, at, check, TEMPLATES_MAX)


def validate_workload_update(new: Object, old: Object) -> list[FieldError]:
    errors = []
    if not equal(new.get("controllerRef"), old.get("controllerRef")):
        errors.append(invalid(SPEC.child("controllerRef"), None, IMMUTABLE))
    at, templates = SPEC.child("podGroupTemplates"), new.get("podGroupTemplates") or []
    if not equal(templates, old.get("podGroupTemplates")):
        errors.append(invalid(at, None, IMMUTABLE))
        if not templates:
            errors.append(required(at))
        elif len(templates) > TEMPLATES_MAX:
            errors.append(too_many(at, len(templates), TEMPLATES_MAX))
    return errors


def _validate_template(template: Object, path: Path, rules: GroupRules) -> list[FieldError]:
    errors = required_name(template.get("name"), path.child("name"), names.short_name)
    return errors + _validate_common(template, path, rules)


def _validate_common(spec: Object, path: Path, rules: GroupRules) -> list[FieldError]:
    """What a group and the template of one have in common."""
    errors = validate_policy(spec.get("schedulingPolicy") or {}, path.child("schedulingPolicy"))
    if rules.topology:
        errors += validate_constraints(spec.get("schedulingConstraints"), path.child("schedulingConstraints"))
    errors += validate_claims(items_of(spec.get("resourceClaims")), path.child("resourceClaims"))
    return errors + (_validate_disruption(spec, path) if rules.preemption else [])


def _validate_disruption(spec: Object, path: Path) -> list[FieldError]:
    errors, mode = [], spec.get("disruptionMode")
    if mode is not None and mode not in DISRUPTION_MODES:
        errors.append(not_supported(path.child("disruptionMode"), mode, DISRUPTION_MODES))
    return errors + validate_priority(spec, path)


def _validate_reference(reference: Object, path: Path) -> list[FieldError]:
    errors, at = one_of(reference, ("workload",), path), path.child("workload")
    workload = reference.get("workload")
    if workload is None:
        return errors
    errors += required_name(workload.get("workloadName"), at.child("workloadName"), names.long_name)
    template = workload.get("podGroupTemplateName")
    return errors + required_name(template, at.child("podGroupTemplateName"), names.short_name)

"""PodGroups and Workloads as Kubernetes 1.37 has them: a gang may change its size, a template's the size of its gangs.

Source: the declarative rules of scheduling.k8s.io/v1beta1 and kubernetes pkg/apis/scheduling/validation, 1.37.
"""

from typing import Any

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, too_many
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

SET_LATER = "field cannot be set once created"
CLEARED = "field cannot be cleared once set"
TEMPLATE_LISTS = ("podGroupTemplates", "compositePodGroupTemplates")

_SETTLED = ("resourceClaims", "disruptionMode", "priorityClassName", "priority")
"""Fields of a group, and of the template of one, that never change."""


def validate_pod_group(spec: Object, *, topology: bool) -> list[FieldError]:
    """`topology`: the gate TopologyAwareWorkloadScheduling."""
    reference = spec.get("workloadRef")
    errors = [] if reference is None else _validate_reference(reference, SPEC.child("workloadRef"))
    return errors + _validate_common(spec, SPEC, topology=topology)


def validate_pod_group_update(new: Object, old: Object, *, topology: bool) -> list[FieldError]:
    errors = []
    if not equal(new.get("workloadRef"), old.get("workloadRef")):
        errors.append(invalid(SPEC.child("workloadRef"), None, IMMUTABLE))
    return errors + _validate_common_update(new, old, SPEC, topology=topology)


def validate_workload(spec: Object, *, topology: bool) -> list[FieldError]:
    reference, at = spec.get("controllerRef"), SPEC.child("podGroupTemplates")
    errors = [] if reference is None else validate_controller(reference, SPEC.child("controllerRef"))
    templates = items_of(spec.get("podGroupTemplates"))
    if not templates:
        return [*errors, _without_templates()]

    def check(template: Object, path: Path) -> list[FieldError]:
        named = required_name(template.get("name"), path.child("name"), names.short_name)
        return named + _validate_common(template, path, topology=topology)

    return errors + validate_named(templates, at, check, TEMPLATES_MAX) + _validate_priorities(templates)


def validate_workload_update(new: Object, old: Object, *, topology: bool) -> list[FieldError]:
    """Templates neither come nor go, whatever their order; of each, only the size of its gangs may change."""
    errors = []
    if not equal(new.get("controllerRef"), old.get("controllerRef")):
        errors.append(invalid(SPEC.child("controllerRef"), None, IMMUTABLE))
    at, templates = SPEC.child("podGroupTemplates"), items_of(new.get("podGroupTemplates"))
    if len(templates) > TEMPLATES_MAX:
        return [*errors, too_many(at, len(templates), TEMPLATES_MAX)]
    if not templates:
        errors.append(_without_templates())
    stored = {template.get("name"): template for template in items_of(old.get("podGroupTemplates"))}
    for index, template in enumerate(templates):
        known = stored.get(template.get("name"))
        if known is None:
            errors.append(forbidden(at.index(index), "item may not be added"))
        else:
            errors += _validate_common_update(template, known, at.index(index), topology=topology)
    if stored.keys() - {template.get("name") for template in templates}:
        errors.append(forbidden(at, "item may not be removed"))
    return errors + _validate_priorities(templates)


def _without_templates() -> FieldError:
    choices = ", ".join(f"`{name}`" for name in TEMPLATE_LISTS)
    return invalid(SPEC, "", f"must specify one of: {choices}")


def _validate_reference(reference: Object, path: Path) -> list[FieldError]:
    errors = required_name(reference.get("workloadName"), path.child("workloadName"), names.long_name)
    return errors + required_name(reference.get("templateName"), path.child("templateName"), names.short_name)


def _validate_common(spec: Object, path: Path, *, topology: bool) -> list[FieldError]:
    """What a group and the template of one have in common."""
    errors = validate_policy(spec.get("schedulingPolicy") or {}, path.child("schedulingPolicy"))
    if topology:
        errors += validate_constraints(spec.get("schedulingConstraints"), path.child("schedulingConstraints"))
    errors += validate_claims(items_of(spec.get("resourceClaims")), path.child("resourceClaims"))
    mode = spec.get("disruptionMode")
    if mode is not None:
        errors += one_of(mode, ("single", "all"), path.child("disruptionMode"))
    return errors + validate_priority(spec, path)


def _validate_common_update(new: Object, old: Object, path: Path, *, topology: bool) -> list[FieldError]:
    errors = _validate_policy_update(
        new.get("schedulingPolicy") or {}, old.get("schedulingPolicy") or {}, path.child("schedulingPolicy")
    )
    at, constraints = path.child("schedulingConstraints"), new.get("schedulingConstraints")
    if not equal(constraints, old.get("schedulingConstraints")):
        if topology:
            errors.append(invalid(at, None, IMMUTABLE))
        elif constraints:
            errors.append(forbidden(at, ""))
    for field in _SETTLED:
        if not _unchanged(new.get(field), old.get(field)):
            errors.append(invalid(path.child(field), None, IMMUTABLE))
            if field == "resourceClaims" and len(new.get(field) or ()) > CLAIMS_MAX:
                errors.append(too_many(path.child(field), len(new[field]), CLAIMS_MAX))
    return errors


def _validate_policy_update(new: Object, old: Object, path: Path) -> list[FieldError]:
    errors = []
    if not equal(new.get("basic"), old.get("basic")):
        errors.append(invalid(path.child("basic"), None, IMMUTABLE))
    gang, at = new.get("gang"), path.child("gang")
    if (gang is None) != (old.get("gang") is None):
        errors.append(invalid(at, None, CLEARED if gang is None else SET_LATER))
    if equal(new, old):
        return errors
    return errors + validate_policy(new, path)


def _validate_priorities(templates: list[Object]) -> list[FieldError]:
    """All templates are of the same urgency."""
    stated = {(each.get("priorityClassName") or "", each.get("priority")) for each in templates}
    return [invalid(SPEC, None, "detected multiple priority configurations")] if len(stated) > 1 else []


def _unchanged(new: Any, old: Any) -> bool:
    """No name of a class and the empty one are the same."""
    return (new in (None, "") and old in (None, "")) or equal(new, old)

"""PodGroup: pods that are placed together and may share claims. Workload: the templates that such groups come from."""

import datetime as dt
from collections.abc import Callable

from dray.api.features import FeatureGates
from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.pod_groups import SCHEDULED_CONDITION
from dray.api.resources import POD_GROUPS, WORKLOADS
from dray.api.validation.core.pod_group_parts import validate_pod_group_status
from dray.api.validation.core.pod_groups import (
    GroupRules,
    validate_pod_group,
    validate_pod_group_update,
    validate_workload,
    validate_workload_update,
)
from dray.api.validation.lists import items_of
from dray.apiserver.registry.columns import AGE, NAME, NONE, at, find
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.writes import clear_status, keep_all_but_status, keep_status, old_of

GATE = "GenericWorkload"
DEFAULT_DISRUPTION = "Pod"

_GATED = (
    ("TopologyAwareWorkloadScheduling", "schedulingConstraints"),
    ("DRAWorkloadResourceClaims", "resourceClaims"),
    ("WorkloadAwarePreemption", "disruptionMode"),
    ("WorkloadAwarePreemption", "priorityClassName"),
    ("WorkloadAwarePreemption", "priority"),
)
"""Fields of a group, and of the template of one, by the feature they belong to."""


def _rules(context: WriteContext) -> GroupRules:
    enabled = context.features.enabled
    return GroupRules(enabled("TopologyAwareWorkloadScheduling"), enabled("WorkloadAwarePreemption"))


def _drop_disabled(features: FeatureGates, spec: Object, old: Object, *, shown: str = "") -> None:
    """`shown`: the field that is written as null where it is unset."""
    for gate, field in _GATED:
        if features.enabled(gate) or old.get(field):
            continue
        if field == shown:
            spec[field] = None
        else:
            spec.pop(field, None)


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("disruptionMode") is None:
        spec["disruptionMode"] = DEFAULT_DISRUPTION


def _prepare_create(context: WriteContext, obj: Object) -> None:
    """The mode is defaulted again when a group is read, so a group has one even where the feature is off."""
    clear_status(context, obj)
    _drop_disabled(context.features, obj["spec"], {})
    _default(obj, "")


def _prepare_update(context: WriteContext, obj: Object) -> None:
    keep_status(context, obj)
    _drop_disabled(context.features, obj["spec"], old_of(context).get("spec") or {})


def prepare_status(context: WriteContext, obj: Object) -> None:
    keep_all_but_status(context, obj)
    used = (obj.get("spec") or {}).get("resourceClaims")
    if not context.features.enabled("DRAWorkloadResourceClaims") and not used:
        obj.get("status", {}).pop("resourceClaimStatuses", None)


def _validate_create(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_pod_group(obj["spec"], _rules(context))


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_pod_group_update(obj["spec"], old_of(context).get("spec") or {}, _rules(context))


def validate_status(context: WriteContext, obj: Object) -> list[FieldError]:
    claims = items_of((obj.get("spec") or {}).get("resourceClaims"))
    return validate_pod_group_status(obj.get("status") or {}, claims)


def _drop_from_templates(context: WriteContext, obj: Object) -> None:
    """Templates are compared with the stored ones in their places."""
    stored = items_of(((context.old or {}).get("spec") or {}).get("podGroupTemplates"))
    templates = obj.setdefault("spec", {}).get("podGroupTemplates") or []
    for place, template in enumerate(templates):
        if template is not None:
            old = stored[place] if place < len(stored) else {}
            _drop_disabled(context.features, template, old, shown="schedulingConstraints")


def _validate_workload(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_workload(obj.get("spec") or {}, _rules(context))


def _validate_workload_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_workload_update(obj.get("spec") or {}, old_of(context).get("spec") or {})


def _policy(obj: Object, now: dt.datetime) -> str:
    return "Basic" if find(obj, "spec", "schedulingPolicy", "gang") is None else "Gang"


def _progress_by(condition: str) -> Callable[[Object, dt.datetime], str]:
    """How far a group is, by the condition in which the scheduler tells it."""

    def progress(obj: Object, now: dt.datetime) -> str:
        conditions = {each.get("type"): each for each in find(obj, "status", "conditions", default=())}
        if (disrupted := conditions.get("DisruptionTarget")) is not None:
            return str(disrupted.get("reason") or "")
        if (scheduled := conditions.get(condition)) is None:
            return "Pending"
        return "Scheduled" if scheduled.get("status") == "True" else "Unschedulable"

    return progress


def group_columns(*workload: str, condition: str) -> tuple[Column, ...]:
    """`workload`: where a group names the Workload it is of."""
    return (
        NAME,
        Column(
            "Policy", _policy, description="Whether the pods are placed all together (Gang) or each alone."
        ),
        Column(
            "Workload",
            at(*workload, default=NONE),
            description="The Workload whose template the group was made from.",
        ),
        Column(
            "Status", _progress_by(condition), description="How far the scheduler has come with the group."
        ),
        AGE,
    )


POD_GROUP = Kind(
    POD_GROUPS,
    singular="podgroup",
    versions=("v1alpha2",),
    brought_by={"v1alpha2": "1.36"},
    dropped_by={"v1alpha2": "1.37"},
    served_with=GATE,
    columns=group_columns(
        "spec", "podGroupTemplateRef", "workload", "workloadName", condition=SCHEDULED_CONDITION
    ),
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_create=_validate_create,
    validate_update=_validate_update,
    status=StatusStrategy(prepare_status, validate_status),
)
WORKLOAD = Kind(
    WORKLOADS,
    singular="workload",
    versions=("v1alpha2",),
    brought_by={"v1alpha2": "1.36"},
    dropped_by={"v1alpha2": "1.37"},
    served_with=GATE,
    columns=(NAME, AGE),
    prepare_create=_drop_from_templates,
    prepare_update=_drop_from_templates,
    validate_create=_validate_workload,
    validate_update=_validate_workload_update,
)

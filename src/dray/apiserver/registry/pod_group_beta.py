"""PodGroup and Workload of Kubernetes 1.37. Of its parts, groups of groups and their preemption policy are left out."""

from dray.api.features import FeatureGates
from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.pod_groups import INITIALLY_SCHEDULED_CONDITION
from dray.api.resources import POD_GROUPS_BETA, WORKLOADS_BETA
from dray.api.validation.core.pod_groups_beta import (
    validate_pod_group,
    validate_pod_group_update,
    validate_workload,
    validate_workload_update,
)
from dray.api.validation.lists import items_of
from dray.apiserver.registry.columns import AGE, NAME
from dray.apiserver.registry.kind import Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.pod_group import GATE, group_columns, prepare_status, validate_status
from dray.apiserver.registry.writes import clear_status, keep_status, old_of

VERSIONS = ("v1beta1", "v1alpha3")

_TOPOLOGY = "TopologyAwareWorkloadScheduling"
_GATED = ((_TOPOLOGY, "schedulingConstraints"), ("DRAWorkloadResourceClaims", "resourceClaims"))
"""Fields of a group, and of the template of one, by the feature they belong to."""
_NOT_BUILT = ("parentCompositePodGroupName", "preemptionPolicy")
"""Fields of features that are off and cannot be turned on here."""


def _drop_disabled(features: FeatureGates, spec: Object, old: Object) -> None:
    for field in _NOT_BUILT:
        spec.pop(field, None)
    for gate, field in _GATED:
        if not features.enabled(gate) and not old.get(field):
            spec.pop(field, None)


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("disruptionMode") is None:
        spec["disruptionMode"] = {"single": {}}


def _prepare_create(context: WriteContext, obj: Object) -> None:
    clear_status(context, obj)
    _drop_disabled(context.features, obj["spec"], {})


def _prepare_update(context: WriteContext, obj: Object) -> None:
    keep_status(context, obj)
    _drop_disabled(context.features, obj["spec"], old_of(context).get("spec") or {})


def _validate_create(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_pod_group(obj["spec"], topology=context.features.enabled(_TOPOLOGY))


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    old = old_of(context).get("spec") or {}
    return validate_pod_group_update(obj["spec"], old, topology=context.features.enabled(_TOPOLOGY))


def _prepare_workload(context: WriteContext, obj: Object) -> None:
    """Templates are compared with the stored ones in their places, and written with null where they have no constraints."""
    stored = items_of(((context.old or {}).get("spec") or {}).get("podGroupTemplates"))
    for place, template in enumerate(obj.setdefault("spec", {}).get("podGroupTemplates") or ()):
        if template is not None:
            _drop_disabled(context.features, template, stored[place] if place < len(stored) else {})
            template.setdefault("schedulingConstraints", None)


def _validate_workload(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_workload(obj.get("spec") or {}, topology=context.features.enabled(_TOPOLOGY))


def _validate_workload_update(context: WriteContext, obj: Object) -> list[FieldError]:
    old = old_of(context).get("spec") or {}
    return validate_workload_update(obj.get("spec") or {}, old, topology=context.features.enabled(_TOPOLOGY))


POD_GROUP_BETA = Kind(
    POD_GROUPS_BETA,
    singular="podgroup",
    versions=VERSIONS,
    brought_by=dict.fromkeys(VERSIONS, "1.37"),
    served_with=GATE,
    columns=group_columns("spec", "workloadRef", "workloadName", condition=INITIALLY_SCHEDULED_CONDITION),
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_create=_validate_create,
    validate_update=_validate_update,
    status=StatusStrategy(prepare_status, validate_status),
)
WORKLOAD_BETA = Kind(
    WORKLOADS_BETA,
    singular="workload",
    versions=VERSIONS,
    brought_by=dict.fromkeys(VERSIONS, "1.37"),
    served_with=GATE,
    columns=(NAME, AGE),
    prepare_create=_prepare_workload,
    prepare_update=_prepare_workload,
    validate_create=_validate_workload,
    validate_update=_validate_workload_update,
)

"""PodGroups and Workloads: what features leave of them, and what `kubectl get` shows. Rules are replayed elsewhere."""

import datetime as dt

import pytest

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.apiserver.core import Core
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.pod_group import POD_GROUP, WORKLOAD
from dray.store.memory import MemoryStore

from .recorded import Context

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
GROUP_FIELDS: Object = {
    "schedulingConstraints": {"topology": [{"key": "rack"}]},
    "resourceClaims": [{"name": "gpu", "resourceClaimName": "c"}],
    "priorityClassName": "high",
    "priority": 7,
}


def group(**spec: object) -> Object:
    body = {"schedulingPolicy": {"gang": {"minCount": 2}}, **spec}
    return {
        "apiVersion": "scheduling.k8s.io/v1alpha2",
        "kind": "PodGroup",
        "metadata": {"name": "g"},
        "spec": body,
    }


@pytest.mark.parametrize("gate", [True, False])
def test_groups_are_served_where_generic_workloads_are_on(gate: bool) -> None:
    core = Core(MemoryStore(), catalog(), features=FeatureGates({"GenericWorkload": gate}))
    names = {kind.resource.plural for kind in core.kinds.in_version("scheduling.k8s.io", "v1alpha2")}
    assert names == ({"podgroups", "workloads"} if gate else set())
    assert core.kinds.has_version("scheduling.k8s.io", "v1alpha2") is gate


def test_fields_of_features_that_are_off_are_left_out() -> None:
    new = group(**GROUP_FIELDS, disruptionMode="PodGroup")
    POD_GROUP.prepare_create(Context(), new)
    assert new["spec"] == {"schedulingPolicy": {"gang": {"minCount": 2}}, "disruptionMode": "Pod"}


@pytest.mark.parametrize(
    ("gate", "fields"),
    [
        ("DRAWorkloadResourceClaims", {"resourceClaims"}),
        ("TopologyAwareWorkloadScheduling", {"schedulingConstraints"}),
        ("WorkloadAwarePreemption", {"priorityClassName", "priority"}),
    ],
)
def test_each_feature_keeps_its_fields(gate: str, fields: set[str]) -> None:
    new = group(**GROUP_FIELDS)
    POD_GROUP.prepare_create(Context(features=FeatureGates({gate: True})), new)
    assert new["spec"].keys() & GROUP_FIELDS.keys() == fields


def test_a_stored_groups_fields_outlive_their_features() -> None:
    old, new = group(**GROUP_FIELDS), group(**GROUP_FIELDS)
    POD_GROUP.prepare_update(Context(old=old), new)
    assert new["spec"] == old["spec"]


def test_the_templates_of_a_workload_lose_the_fields_too_and_show_that_they_have_no_constraints() -> None:
    new = {"spec": {"podGroupTemplates": [{"name": "t", "schedulingPolicy": {"basic": {}}, **GROUP_FIELDS}]}}
    WORKLOAD.prepare_create(Context(), new)
    (template,) = new["spec"]["podGroupTemplates"]
    assert template == {"name": "t", "schedulingPolicy": {"basic": {}}, "schedulingConstraints": None}


def cells(obj: Object) -> list[object]:
    return [column.cell(obj, NOW) for column in POD_GROUP.columns][1:4]


def test_columns_tell_policy_workload_and_how_far_the_group_is() -> None:
    workload = {"workload": {"workloadName": "w", "podGroupTemplateName": "t"}}
    assert cells(group()) == ["Gang", "<none>", "Pending"]
    assert cells(group(schedulingPolicy={"basic": {}}, podGroupTemplateRef=workload)) == [
        "Basic",
        "w",
        "Pending",
    ]
    scheduled = {"type": "PodGroupScheduled", "status": "True", "reason": "Scheduled"}
    refused = {"type": "PodGroupScheduled", "status": "False", "reason": "Unschedulable"}
    going = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    for conditions, shown in (
        ([scheduled], "Scheduled"),
        ([refused], "Unschedulable"),
        ([scheduled, going], "PreemptionByScheduler"),
    ):
        assert cells({**group(), "status": {"conditions": conditions}})[2] == shown

"""PodGroups and Workloads of 1.37: where they are served, what may change of them, what is filled in."""

import copy
from typing import Any

import pytest

from dray.api import errors
from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.resources import NAMESPACES, POD_GROUPS, POD_GROUPS_BETA, WORKLOADS_BETA, Resource
from dray.apiserver.admission.chain import AdmissionChain
from dray.apiserver.admission.pod_groups import PodGroupRules
from dray.apiserver.core import Core
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.client.protocol import PatchType
from dray.store.memory import MemoryStore

RELEASE = "1.37"
GATES = {"GenericWorkload": True, "DRAWorkloadResourceClaims": True}
SINGLE: Object = {"single": {}}
CLAIM: Object = {"name": "gpu", "resourceClaimTemplateName": "t"}
CONSTRAINTS: Object = {"topology": [{"key": "rack"}]}


def core_of(release: str, **gates: bool) -> Core:
    features = FeatureGates({**GATES, **gates}, release)
    admission = AdmissionChain({"podgroups": (PodGroupRules(),)})
    return Core(MemoryStore(), catalog(release), features=features, admission=admission)


async def server(**gates: bool) -> LocalClient:
    client = LocalClient(core_of(RELEASE, **gates))
    await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})
    return client


def gang(size: int = 2) -> Object:
    return {"gang": {"minCount": size}}


def group(**spec: Any) -> Object:
    body = {"schedulingPolicy": gang(), **spec}
    return {
        "apiVersion": POD_GROUPS_BETA.api_version,
        "kind": "PodGroup",
        "metadata": {"name": "g"},
        "spec": body,
    }


def template(name: str = "t", **spec: Any) -> Object:
    return {"name": name, "schedulingPolicy": gang(), **spec}


def workload(*templates: Object, **spec: Any) -> Object:
    return {
        "apiVersion": WORKLOADS_BETA.api_version,
        "kind": "Workload",
        "metadata": {"name": "w"},
        "spec": {"podGroupTemplates": list(templates), **spec},
    }


async def refusal_of(client: LocalClient, resource: Resource, obj: Object, *changes: Object) -> list[str]:
    """What is said of creating `obj` or, where there are `changes` to its spec, of them; what stands is left out."""
    try:
        made = await client.create(resource, copy.deepcopy(obj), "ns")
        for change in changes:
            made = await client.update(resource, {**made, "spec": {**made["spec"], **change}})
    except errors.Invalid as refusal:
        return [f"{cause['field']}: {cause['message']}" for cause in refusal.details["causes"]]
    return []


@pytest.mark.parametrize(
    ("release", "versions"), [("1.35", set()), ("1.36", {"v1alpha2"}), ("1.37", {"v1beta1", "v1alpha3"})]
)
def test_each_release_has_its_versions(release: str, versions: set[str]) -> None:
    kinds = core_of(release).kinds
    for version in ("v1alpha2", "v1alpha3", "v1beta1"):
        names = {kind.resource.plural for kind in kinds.in_version("scheduling.k8s.io", version)}
        assert names == ({"podgroups", "workloads"} if version in versions else set())


def test_neither_is_served_without_its_feature() -> None:
    core = core_of(RELEASE, GenericWorkload=False)
    assert not core.kinds.has_version("scheduling.k8s.io", "v1beta1")


async def test_both_versions_show_the_same_object() -> None:
    client = await server()
    made = await client.create(POD_GROUPS_BETA, group(resourceClaims=[CLAIM]), "ns")
    shown = await client.get(POD_GROUPS.at("v1alpha3"), "g", "ns")
    assert shown == {**made, "apiVersion": "scheduling.k8s.io/v1alpha3"}
    assert made["spec"]["resourceClaims"] == [CLAIM]


async def test_a_group_is_told_how_it_is_disrupted_how_urgent_it_is_and_kept_while_it_has_pods() -> None:
    made = await (await server()).create(POD_GROUPS_BETA, group(), "ns")
    assert made["spec"] == {"schedulingPolicy": gang(), "disruptionMode": SINGLE, "priority": 0}
    assert made["metadata"]["finalizers"] == ["scheduling.k8s.io/podgroup-protection"]


async def test_parts_of_features_that_are_off_are_left_out() -> None:
    client = await server(DRAWorkloadResourceClaims=False)
    parts = {
        "resourceClaims": [CLAIM],
        "schedulingConstraints": CONSTRAINTS,
        "parentCompositePodGroupName": "p",
        "preemptionPolicy": "Never",
    }
    made = await client.create(POD_GROUPS_BETA, group(**parts), "ns")
    assert not made["spec"].keys() & parts.keys()
    del parts["parentCompositePodGroupName"]
    stored = await client.create(WORKLOADS_BETA, workload(template(**parts)), "ns")
    assert stored["spec"]["podGroupTemplates"] == [template(schedulingConstraints=None)]


async def test_a_group_is_made_only_from_a_template_that_is_there() -> None:
    client = await server()
    await client.create(WORKLOADS_BETA, workload(template()), "ns")
    await client.create(POD_GROUPS_BETA, group(workloadRef={"workloadName": "w", "templateName": "t"}), "ns")
    with pytest.raises(
        errors.Forbidden, match='PodGroup rejected: PodGroupTemplate "x" not found in Workload "w"'
    ):
        await client.create(
            POD_GROUPS_BETA, group(workloadRef={"workloadName": "w", "templateName": "x"}), "ns"
        )


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"disruptionMode": {"all": {}}}, []),
        (
            {"disruptionMode": {"single": {}, "all": {}}},
            [
                'spec.disruptionMode: Invalid value: "{single, all}": must specify exactly one of: `single`, `all`'
            ],
        ),
        (
            {"disruptionMode": {}},
            ['spec.disruptionMode: Invalid value: "": must specify one of: `single`, `all`'],
        ),
        ({"schedulingPolicy": gang(0)}, ["spec.schedulingPolicy.gang.minCount: Required value"]),
        (
            {"priority": 1_000_000_001},
            ["spec.priority: Invalid value: 1000000001: must be less than or equal to 1000000000"],
        ),
    ],
)
async def test_what_a_group_may_say(spec: Object, told: list[str]) -> None:
    client = LocalClient(Core(MemoryStore(), catalog(RELEASE), features=FeatureGates(GATES, RELEASE)))
    await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})
    found = await refusal_of(client, POD_GROUPS_BETA, group(**spec))
    assert found == told


GANG_IS_SETTLED = "spec.schedulingPolicy.gang: Invalid value: null: field cannot be"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (gang(2), gang(5), []),
        (gang(2), gang(0), ["spec.schedulingPolicy.gang.minCount: Required value"]),
        (
            {"basic": {}},
            gang(2),
            [
                "spec.schedulingPolicy.basic: Invalid value: null: field is immutable",
                f"{GANG_IS_SETTLED} set once created",
            ],
        ),
        (
            gang(2),
            {"basic": {}},
            [
                "spec.schedulingPolicy.basic: Invalid value: null: field is immutable",
                f"{GANG_IS_SETTLED} cleared once set",
            ],
        ),
    ],
)
async def test_a_gang_changes_its_size_but_stays_one(before: Object, after: Object, told: list[str]) -> None:
    client, change = await server(), {"schedulingPolicy": after}
    found = await refusal_of(client, POD_GROUPS_BETA, group(schedulingPolicy=before), change)
    assert found == told


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("workloadRef", {"workloadName": "w", "templateName": "t"}),
        ("resourceClaims", [CLAIM]),
        ("disruptionMode", {"all": {}}),
        ("priorityClassName", "high"),
        ("priority", 5),
    ],
)
async def test_all_else_of_a_group_stays(field: str, value: object) -> None:
    found = await refusal_of(await server(), POD_GROUPS_BETA, group(), {field: value})
    assert found == [f"spec.{field}: Invalid value: null: field is immutable"]


@pytest.mark.parametrize("on", [True, False])
async def test_constraints_stay_where_they_are_a_feature(on: bool) -> None:
    client = await server(TopologyAwareWorkloadScheduling=on)
    found = await refusal_of(client, POD_GROUPS_BETA, group(), {"schedulingConstraints": CONSTRAINTS})
    # Where they are none, the change is left out.
    assert found == (["spec.schedulingConstraints: Invalid value: null: field is immutable"] if on else [])


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ([template(schedulingPolicy=gang(9)), template("u")], []),
        ([template("u"), template()], []),
        (
            [template("u"), template(priority=7)],
            [
                "spec.podGroupTemplates[1].priority: Invalid value: null: field is immutable",
                "spec: Invalid value: null: detected multiple priority configurations",
            ],
        ),
        (
            [template(), template("v")],
            [
                "spec.podGroupTemplates[1]: Forbidden: item may not be added",
                "spec.podGroupTemplates: Forbidden: item may not be removed",
            ],
        ),
        (
            [],
            [
                'spec: Invalid value: "": must specify one of: `podGroupTemplates`, `compositePodGroupTemplates`',
                "spec.podGroupTemplates: Forbidden: item may not be removed",
            ],
        ),
    ],
)
async def test_of_a_workload_only_the_sizes_of_gangs_change(after: list[Object], told: list[str]) -> None:
    change = {"podGroupTemplates": after}
    found = await refusal_of(await server(), WORKLOADS_BETA, workload(template(), template("u")), change)
    assert sorted(found) == sorted(told)


async def test_the_templates_of_a_workload_are_equally_urgent() -> None:
    found = await refusal_of(await server(), WORKLOADS_BETA, workload(template(), template("u", priority=3)))
    assert found == ["spec: Invalid value: null: detected multiple priority configurations"]


async def test_the_status_of_a_group_tells_of_its_claims_alone() -> None:
    client = await server()
    await client.create(POD_GROUPS_BETA, group(resourceClaims=[CLAIM]), "ns")
    entry = {"name": "gpu", "resourceClaimName": "made"}

    async def tell(*statuses: Object) -> Object:
        body = {"status": {"resourceClaimStatuses": list(statuses)}}
        return await client.patch(
            POD_GROUPS_BETA, "g", body, "ns", patch_type=PatchType.MERGE, subresource="status"
        )

    assert (await tell(entry))["status"] == {"resourceClaimStatuses": [entry]}
    with pytest.raises(errors.Invalid):
        await tell(entry, {"name": "other"})

"""PodGroups that a server of another release stored: readable, writable and deletable after the next start."""

from typing import Any

import pytest

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.pod_groups import pod_groups_in, workloads_in
from dray.api.resources import NAMESPACES, Resource
from dray.apiserver.core import Core
from dray.apiserver.local import LocalClient
from dray.apiserver.other_releases import PAGE, bring_over
from dray.apiserver.registry.catalog import catalog
from dray.client.protocol import PatchType
from dray.store.memory import MemoryStore

GATES = {
    "GenericWorkload": True,
    "GangScheduling": True,
    "DRAWorkloadResourceClaims": True,
    "WorkloadAwarePreemption": True,
}
RELEASES = {release: FeatureGates(GATES, release) for release in ("1.36", "1.37")}
COMMON: Object = {
    "schedulingPolicy": {"gang": {"minCount": 2}},
    "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "t"}],
    "priority": 7,
}
FORMS: dict[str, Object] = {
    "1.36": {
        "podGroupTemplateRef": {"workload": {"workloadName": "w", "podGroupTemplateName": "t"}},
        "disruptionMode": "PodGroup",
    },
    "1.37": {"workloadRef": {"workloadName": "w", "templateName": "t"}, "disruptionMode": {"all": {}}},
}
CONDITIONS = {"1.36": "PodGroupScheduled", "1.37": "PodGroupInitiallyScheduled"}
OTHER = {"1.36": "1.37", "1.37": "1.36"}


def server(store: MemoryStore, release: str) -> tuple[Core, LocalClient]:
    core = Core(store, catalog(release), features=RELEASES[release])
    return core, LocalClient(core)


def group(release: str, name: str = "g", **meta: Any) -> Object:
    return new(pod_groups_in(RELEASES[release]), name, {**COMMON, **FORMS[release]}, **meta)


def new(resource: Resource, name: str, spec: Object, **meta: Any) -> Object:
    metadata = {"name": name, **meta}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": spec}


async def stored_by(release: str, *groups: Object) -> MemoryStore:
    store = MemoryStore()
    _, client = server(store, release)
    await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})
    resource = pod_groups_in(RELEASES[release])
    for each in groups:
        await client.create(resource, each, "ns")
    return store


async def restarted(store: MemoryStore, release: str) -> LocalClient:
    core, client = server(store, release)
    await bring_over(core)
    return client


@pytest.mark.parametrize("release", OTHER)
async def test_a_group_says_the_same_in_the_form_of_the_other_release(release: str) -> None:
    store, resource = await stored_by(release, group(release)), pod_groups_in(RELEASES[OTHER[release]])
    _, before = server(store, release)
    condition = {"type": CONDITIONS[release], "status": "True", "reason": "Scheduled", "message": ""}
    told = {"status": {"conditions": [{**condition, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}
    await before.patch(
        pod_groups_in(RELEASES[release]), "g", told, "ns", patch_type=PatchType.MERGE, subresource="status"
    )
    shown = await (await restarted(store, OTHER[release])).get(resource, "g", "ns")
    assert shown["apiVersion"] == resource.api_version
    assert shown["spec"] == {**COMMON, **FORMS[OTHER[release]]}
    assert [each["type"] for each in shown["status"]["conditions"]] == [CONDITIONS[OTHER[release]]]


@pytest.mark.parametrize("release", OTHER)
async def test_so_do_the_templates_of_workloads(release: str) -> None:
    store, features = await stored_by(release), RELEASES[OTHER[release]]
    modes = {key: form["disruptionMode"] for key, form in FORMS.items()}
    template = {"name": "t", **COMMON, "disruptionMode": modes[release], "schedulingConstraints": None}
    made = new(workloads_in(RELEASES[release]), "w", {"podGroupTemplates": [template]})
    await server(store, release)[1].create(workloads_in(RELEASES[release]), made, "ns")
    shown = await (await restarted(store, OTHER[release])).get(workloads_in(features), "w", "ns")
    assert shown["spec"]["podGroupTemplates"] == [{**template, "disruptionMode": modes[OTHER[release]]}]


@pytest.mark.parametrize("release", OTHER)
async def test_it_can_be_let_go(release: str) -> None:
    store = await stored_by(release, group(release, finalizers=["example.com/keep"]))
    client, resource = await restarted(store, OTHER[release]), pod_groups_in(RELEASES[OTHER[release]])
    await client.delete(resource, "g", "ns")
    free = {"metadata": {"finalizers": None}}
    await client.patch(resource, "g", free, "ns", patch_type=PatchType.MERGE)
    assert (await client.list(resource)).items == []


async def test_many_are_brought_over_and_those_of_this_release_are_left_alone() -> None:
    store = await stored_by("1.36", *(group("1.36", f"g{number}") for number in range(PAGE + 1)))
    client = await restarted(store, "1.37")
    listed = (await client.list(pod_groups_in(RELEASES["1.37"]))).items
    assert {each["apiVersion"] for each in listed} == {"scheduling.k8s.io/v1beta1"}
    assert len(listed) == PAGE + 1
    before = store.revision
    await restarted(store, "1.37")
    assert store.revision == before


async def test_a_release_without_groups_leaves_them() -> None:
    store = await stored_by("1.36", group("1.36"))
    before = store.revision
    await bring_over(Core(store, catalog("1.35"), features=FeatureGates({}, "1.35")))
    assert store.revision == before

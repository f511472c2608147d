"""What docs/admission.md shows is what happens."""

from typing import Any

import yaml
from blocks import blocks_of
from tests.unit.apiserver.admission.cluster import Cluster, new_cluster

from dray.api.resources import (
    MUTATING_ADMISSION_POLICIES,
    MUTATING_ADMISSION_POLICY_BINDINGS,
    NAMESPACES,
    PODS,
    RESOURCE_CLAIMS,
    SERVICE_ACCOUNTS,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
)

PAGE = "docs/admission.md"


async def claim(cluster: Cluster, name: str, count: int, namespace: str) -> None:
    exactly: dict[str, Any] = {"deviceClassName": "gpu.example.com", "count": count}
    spec = {"devices": {"requests": [{"name": "r", "exactly": exactly}]}}
    await cluster.client.create(RESOURCE_CLAIMS, {"metadata": {"name": name}, "spec": spec}, namespace)


async def test_the_policy_refuses_what_the_page_says() -> None:
    policy, binding = yaml.safe_load_all(blocks_of(PAGE, "yaml")[0].code)
    async with new_cluster() as cluster:
        labels = {"group": "students"}
        await cluster.client.create(NAMESPACES, {"metadata": {"name": "lab", "labels": labels}})
        await cluster.client.create(VALIDATING_ADMISSION_POLICIES, policy)
        await cluster.client.create(VALIDATING_ADMISSION_POLICY_BINDINGS, binding)
        await claim(cluster, "one", 1, "lab")
        await claim(cluster, "two", 2, "default")
        refused = await cluster.refusal(lambda: claim(cluster, "two", 2, "lab"))
        assert str(refused) == blocks_of(PAGE, "text")[0].code.strip()


async def test_the_policy_that_changes_changes_what_the_page_says() -> None:
    policy, binding = yaml.safe_load_all(blocks_of(PAGE, "yaml")[1].code)
    async with new_cluster() as cluster:
        await cluster.client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, "default")
        await cluster.client.create(MUTATING_ADMISSION_POLICIES, policy)
        await cluster.client.create(MUTATING_ADMISSION_POLICY_BINDINGS, binding)
        claims = [{"name": "gpu", "resourceClaimTemplateName": "gpu"}]
        for name, more in (("with", {"resourceClaims": claims}), ("without", {})):
            spec = {"containers": [{"name": "c", "image": "i"}], **more}
            pod = await cluster.client.create(PODS, {"metadata": {"name": name}, "spec": spec}, "default")
            is_changed = {"key": "gpu", "operator": "Exists"} in pod["spec"]["tolerations"]
            labels = pod["metadata"].get("labels") or {}
            assert (is_changed, labels.get("uses-devices") == "true") == (bool(more), bool(more))

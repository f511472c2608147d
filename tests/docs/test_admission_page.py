"""What docs/admission.md shows is what happens."""

from typing import Any

import yaml
from blocks import blocks_of
from tests.unit.apiserver.admission.cluster import Cluster, new_cluster

from dray.api.resources import (
    NAMESPACES,
    RESOURCE_CLAIMS,
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

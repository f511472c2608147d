"""A cluster that stands for 1.37: the example driver's cpus in that release's form, counted from its slices to its nodes.

The driver is the one that publishes 1.36's form on a cluster of that release.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from demos import EXAMPLES, DemoCluster, recorded, running

from dray.api import errors
from dray.api.features import parse_feature_gates
from dray.api.meta import Object
from dray.api.resources import NODES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.client.protocol import PatchType

NAMESPACE = "native-resource-request"
STATUSES = "nodeAllocatableResourceClaimStatuses"
GATE = "DRANodeAllocatableResources=true"
DEMO = next(demo for demo in recorded("examples-alpha") if demo.name == NAMESPACE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoCluster]:
    async with running(tmp_path_factory.mktemp("cluster"), parse_feature_gates(GATE, "1.37")) as cluster:
        await cluster.configure_driver(DEMO)
        await cluster.apply(EXAMPLES / NAMESPACE / "manifest.yaml")
        await cluster.settled(NAMESPACE, 1)
        yield cluster


def using(name: str, claim: str, **container: Any) -> Object:
    body = {"name": "main", "image": "busybox", "command": ["sleep", "1000"], **container}
    body.setdefault("resources", {})["claims"] = [{"name": "c"}]
    spec = {"containers": [body], "resourceClaims": [{"name": "c", "resourceClaimName": claim}]}
    return {"metadata": {"name": name}, "spec": {**spec, "terminationGracePeriodSeconds": 0}}


async def message_of(cluster: DemoCluster, name: str) -> str:
    while True:
        pod = await cluster.client.get(PODS, name, NAMESPACE)
        for condition in (pod.get("status") or {}).get("conditions") or ():
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return str(condition["message"])
        await asyncio.sleep(0.1)


@pytest.mark.asyncio(loop_scope="module")
async def test_nodes_declare_that_they_count_devices(cluster: DemoCluster) -> None:
    for node in (await cluster.client.list(NODES)).items:
        assert "DRANodeAllocatableResources" in node["status"]["declaredFeatures"]
        assert node["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.37.")


@pytest.mark.asyncio(loop_scope="module")
async def test_driver_publishes_the_form_of_the_release(cluster: DemoCluster) -> None:
    mapping = {"capacityKey": "cpu.example.com/cpu", "capacityMultiplier": "1"}
    slices = (await cluster.client.list(RESOURCE_SLICES)).items
    assert len(slices) == 2
    for device in [device for each in slices for device in each["spec"]["devices"]]:
        assert device["nodeAllocatableResources"] == {"cpu": {"mapping": mapping}}
        assert "nodeAllocatableResourceMappings" not in device


@pytest.mark.asyncio(loop_scope="module")
async def test_pod_tells_which_cpus_its_claim_is(cluster: DemoCluster) -> None:
    (pod,) = await cluster.pods(NAMESPACE)
    (claim,) = pod["status"]["resourceClaimStatuses"]
    assert pod["status"][STATUSES] == [
        {
            "resourceClaimName": claim["resourceClaimName"],
            "containers": ["ctr0"],
            "mapping": [{"name": "cpu", "quantity": "2"}],
        }
    ]
    assert pod["status"]["phase"] == "Running"


@pytest.mark.asyncio(loop_scope="module")
async def test_claim_of_such_cpus_is_not_shared(cluster: DemoCluster) -> None:
    (pod,) = await cluster.pods(NAMESPACE)
    (claim,) = pod["status"]["resourceClaimStatuses"]
    name = claim["resourceClaimName"]
    await cluster.client.create(PODS, using("second", name), NAMESPACE)
    assert (
        f"node allocatable resource claim {name} has a mapped device and cannot be shared across pods"
    ) in await message_of(cluster, "second")
    await cluster.client.delete(PODS, "second", NAMESPACE, grace_period_seconds=0)


@pytest.mark.asyncio(loop_scope="module")
async def test_device_that_only_costs_is_shared_until_the_node_is_full(cluster: DemoCluster) -> None:
    (node, *_) = (await cluster.client.list(NODES)).items
    name, memory = node["metadata"]["name"], int(node["status"]["allocatable"]["memory"].removesuffix("Ki"))
    cost = f"{memory * 2 // 5}Ki"
    device = {"name": "x", "nodeAllocatableResources": {"memory": {"overhead": {"perPod": cost}}}}
    pool = {"name": "costly", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": "costly.example.com", "pool": pool, "nodeName": name, "devices": [device]}
    await cluster.client.create(RESOURCE_SLICES, {"metadata": {"name": "costly"}, "spec": spec})
    selector = {"cel": {"expression": 'device.driver == "costly.example.com"'}}
    await cluster.apply_object(
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "DeviceClass",
            "metadata": {"name": "costly.example.com"},
            "spec": {"selectors": [selector]},
        }
    )
    requests = [{"name": "r", "exactly": {"deviceClassName": "costly.example.com"}}]
    claim = {"metadata": {"name": "costly"}, "spec": {"devices": {"requests": requests}}}
    await cluster.client.create(RESOURCE_CLAIMS, claim, NAMESPACE)
    for number in range(3):
        await cluster.client.create(PODS, using(f"costly-{number}", "costly"), NAMESPACE)
    waiting = await _first_waiting(cluster)
    assert "Insufficient memory" in await message_of(cluster, waiting)
    for number in range(3):
        if (one := f"costly-{number}") != waiting:
            pod = await cluster.client.get(PODS, one, NAMESPACE)
            assert pod["spec"]["nodeName"] == name
            assert pod["status"][STATUSES][0]["overhead"] == [{"name": "memory", "perPod": cost}]


async def _first_waiting(cluster: DemoCluster) -> str:
    while True:
        pods = [await cluster.client.get(PODS, f"costly-{number}", NAMESPACE) for number in range(3)]
        placed = [pod for pod in pods if pod["spec"].get("nodeName") and pod["status"].get(STATUSES)]
        if len(placed) == 2:
            return next(str(pod["metadata"]["name"]) for pod in pods if pod not in placed)
        await asyncio.sleep(0.1)


@pytest.mark.asyncio(loop_scope="module")
async def test_status_is_judged_merged_and_owned_by_the_names_in_it(cluster: DemoCluster) -> None:
    body = {"metadata": {"name": "plain"}, "spec": using("plain", "none")["spec"]}
    body["spec"] = {
        **body["spec"],
        "nodeSelector": {"no": "node"},
        "resourceClaims": [
            {"name": "c", "resourceClaimName": "one"},
            {"name": "d", "resourceClaimName": "two"},
        ],
    }
    await cluster.client.create(PODS, body, NAMESPACE)

    async def patch(entry: Object, kind: PatchType) -> list[Object]:
        status = {"status": {STATUSES: [entry]}}
        applied = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "plain"}, **status}
        sent = applied if kind is PatchType.APPLY else status
        found = await cluster.client.patch(
            PODS, "plain", sent, NAMESPACE, patch_type=kind, subresource="status"
        )
        return list(found["status"][STATUSES])

    one = {"resourceClaimName": "one", "mapping": [{"name": "cpu", "quantity": "1"}]}
    two = {"resourceClaimName": "two", "overhead": [{"name": "memory", "perContainer": "1Mi"}]}
    assert await patch(one, PatchType.STRATEGIC) == [one]
    assert sorted(map(str, await patch(two, PatchType.APPLY))) == sorted(map(str, [one, two]))
    with pytest.raises(errors.Invalid) as refused:
        await patch({"resourceClaimName": "gone"}, PatchType.STRATEGIC)
    assert "no mapping found in pod reference" in str(refused.value)
    await cluster.client.delete(PODS, "plain", NAMESPACE, grace_period_seconds=0)


@pytest.mark.asyncio(loop_scope="module")
async def test_slice_for_a_node_that_is_not_there_is_refused(cluster: DemoCluster) -> None:
    device = {"name": "x", "nodeAllocatableResources": {"cpu": {"mapping": {"deviceMultiplier": "1"}}}}
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": "d.example.com", "pool": pool, "nodeName": "gone", "devices": [device]}
    with pytest.raises(errors.Forbidden, match='node "gone" not found for device "x"'):
        await cluster.client.create(RESOURCE_SLICES, {"metadata": {"name": "gone"}, "spec": spec})

"""A cluster with DRADerivedAttributes on: a GPU and a network card that meet in a NUMA node neither publishes alike."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from demos import DemoCluster, running, until

from dray.api import errors
from dray.api.features import parse_feature_gates
from dray.api.meta import Object
from dray.api.resources import NODES, PODS, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.client.protocol import PatchType, Selection

GPU, NIC = "gpu.example.com", "nic.example.com"
NAMESPACE = "default"
GPUS = [{"name": f"gpu-{number}", "attributes": {"numa": {"int": number}}} for number in range(3)]
NICS = [{"name": "nic-2", "attributes": {"place": {"string": "numa2-pcie4"}}}]


def request(name: str, driver: str, expression: str) -> Object:
    derived = {"name": "derived/numa", "expression": f'device.attributes["{driver}"].{expression}'}
    return {"name": name, "exactly": {"deviceClassName": driver, "derivedAttributes": [derived]}}


PAIR = {
    "requests": [
        request("gpu", GPU, "numa"),
        request("nic", NIC, 'place.startsWith("numa2-") ? 2 : 0'),
    ],
    "constraints": [{"requests": ["gpu", "nic"], "matchAttribute": "derived/numa"}],
}


def slice_of(driver: str, node: str, devices: list[Object]) -> Object:
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": driver, "nodeName": node, "pool": pool, "devices": devices}
    return {"metadata": {"name": f"{driver}-{node}"}, "spec": spec}


def using(name: str, **claim: str) -> Object:
    container = {
        "name": "c",
        "image": "busybox",
        "command": ["sleep", "1000"],
        "resources": {"claims": [{"name": "d"}]},
    }
    return {
        "metadata": {"name": name},
        "spec": {"containers": [container], "resourceClaims": [{"name": "d", **claim}]},
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoCluster]:
    gates = parse_feature_gates("DRADerivedAttributes=true")
    async with running(tmp_path_factory.mktemp("cluster"), gates) as cluster:
        await until("the nodes are there", lambda: _has_nodes(cluster))
        node = (await cluster.client.list(NODES)).items[0]["metadata"]["name"]
        for driver, devices in ((GPU, GPUS), (NIC, NICS)):
            selectors = [{"cel": {"expression": f'device.driver == "{driver}"'}}]
            await cluster.apply_object(
                {
                    "apiVersion": "resource.k8s.io/v1",
                    "kind": "DeviceClass",
                    "metadata": {"name": driver},
                    "spec": {"selectors": selectors},
                }
            )
            await cluster.client.create(RESOURCE_SLICES, slice_of(driver, node, devices))
        await cluster._has_account(NAMESPACE)
        yield cluster


async def _has_nodes(cluster: DemoCluster) -> bool:
    return len((await cluster.client.list(NODES)).items) == 2


async def allocated(cluster: DemoCluster, name: str) -> list[tuple[str, str]]:
    """Request and device of all results, once there are any."""
    found: list[tuple[str, str]] = []

    async def check() -> bool:
        claim = await cluster.client.get(RESOURCE_CLAIMS, name, NAMESPACE)
        devices = ((claim.get("status") or {}).get("allocation") or {}).get("devices") or {}
        found[:] = [(result["request"], result["device"]) for result in devices.get("results") or ()]
        return bool(found)

    await until(f"claim {name} is allocated", check)
    return found


async def free(cluster: DemoCluster, pod: str, claim: str = "") -> None:
    await cluster.client.delete(PODS, pod, NAMESPACE, grace_period_seconds=0)
    if claim:
        await cluster.client.delete(RESOURCE_CLAIMS, claim, NAMESPACE)

    async def check() -> bool:
        return not (await cluster.client.list(RESOURCE_CLAIMS, Selection(NAMESPACE))).items

    await until("all claims are gone", check)


@pytest.mark.asyncio(loop_scope="module")
async def test_pod_gets_the_pair_that_meets_in_the_derived_value(cluster: DemoCluster) -> None:
    claim = {"metadata": {"name": "pair"}, "spec": {"devices": PAIR}}
    stored = await cluster.client.create(RESOURCE_CLAIMS, claim, NAMESPACE)
    asked: Any = PAIR["requests"]
    assert [each["exactly"]["derivedAttributes"] for each in stored["spec"]["devices"]["requests"]] == [
        each["exactly"]["derivedAttributes"] for each in asked
    ]
    await cluster.client.create(PODS, using("paired", resourceClaimName="pair"), NAMESPACE)
    assert await allocated(cluster, "pair") == [("gpu", "gpu-2"), ("nic", "nic-2")]
    await free(cluster, "paired", "pair")


@pytest.mark.asyncio(loop_scope="module")
async def test_claim_made_of_a_template_keeps_what_it_derives(cluster: DemoCluster) -> None:
    template = {"metadata": {"name": "pairs"}, "spec": {"spec": {"devices": PAIR}}}
    await cluster.client.create(RESOURCE_CLAIM_TEMPLATES, template, NAMESPACE)
    await cluster.client.create(PODS, using("made", resourceClaimTemplateName="pairs"), NAMESPACE)

    async def check() -> bool:
        return bool((await cluster.client.list(RESOURCE_CLAIMS, Selection(NAMESPACE))).items)

    await until("the claim is made", check)
    (claim,) = (await cluster.client.list(RESOURCE_CLAIMS, Selection(NAMESPACE))).items
    assert await allocated(cluster, claim["metadata"]["name"]) == [("gpu", "gpu-2"), ("nic", "nic-2")]
    await free(cluster, "made")


@pytest.mark.asyncio(loop_scope="module")
async def test_device_without_the_attribute_keeps_the_pod_waiting_until_it_is_mended(
    cluster: DemoCluster,
) -> None:
    name = (await cluster.client.list(RESOURCE_SLICES)).items[0]["metadata"]["name"]
    assert name.startswith(GPU)
    bare = [{"name": "gpu-0"}, *GPUS[1:]]
    await cluster.client.patch(RESOURCE_SLICES, name, {"spec": {"devices": bare}}, patch_type=PatchType.MERGE)
    claim = {"metadata": {"name": "odd"}, "spec": {"devices": PAIR}}
    await cluster.client.create(RESOURCE_CLAIMS, claim, NAMESPACE)
    await cluster.client.create(PODS, using("odd", resourceClaimName="odd"), NAMESPACE)
    text = "derived attribute derived/numa on device gpu.example.com/"

    async def fails() -> bool:
        pod = await cluster.client.get(PODS, "odd", NAMESPACE)
        conditions = (pod.get("status") or {}).get("conditions") or ()
        return any(text in (condition.get("message") or "") for condition in conditions)

    await until("the pod tells of the device", fails)
    await cluster.client.patch(RESOURCE_SLICES, name, {"spec": {"devices": GPUS}}, patch_type=PatchType.MERGE)
    assert await allocated(cluster, "odd") == [("gpu", "gpu-2"), ("nic", "nic-2")]
    await free(cluster, "odd", "odd")


@pytest.mark.asyncio(loop_scope="module")
async def test_claim_whose_constraints_do_not_use_what_it_derives_is_refused(cluster: DemoCluster) -> None:
    devices = {**PAIR, "constraints": []}
    with pytest.raises(errors.Invalid) as refused:
        await cluster.client.create(
            RESOURCE_CLAIMS, {"metadata": {"name": "idle"}, "spec": {"devices": devices}}, NAMESPACE
        )
    assert (
        "spec.devices.requests[0].exactly.derivedAttributes[0].name: Invalid value: "
        '"derived/numa": must be referenced by at least one matchAttribute or distinctAttribute constraint '
        "targeting this request"
    ) in str(refused.value)

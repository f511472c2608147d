"""What the manifests of the example driver forbid is forbidden on a cluster that they were applied to."""

import contextlib
import dataclasses
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from demos import DEPLOY, DRIVER_NAMESPACE, DemoCluster, running, until

from dray.api import errors
from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.resources import (
    DEPLOYMENTS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    SERVICE_ACCOUNTS,
)
from dray.client.config import load_config
from dray.client.http import HttpClient
from dray.client.protocol import Selection

ACCOUNT = "dra-example-driver"
POLICY = (
    "ValidatingAdmissionPolicy 'resourceslices-policy-dra-example-driver' with binding "
    "'resourceslices-policy-dra-example-driver' denied request: "
)
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return pathlib.Path(tmp_path_factory.mktemp("admission"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(home: pathlib.Path) -> AsyncIterator[DemoCluster]:
    async with running(home, FeatureGates()) as cluster:
        await cluster.apply(DEPLOY / "driver.yaml")
        await until("both nodes publish devices", lambda: _published(cluster, 2))
        yield cluster


async def _published(cluster: DemoCluster, count: int) -> bool:
    slices = (await cluster.client.list(RESOURCE_SLICES)).items
    return len({each["spec"].get("nodeName") for each in slices}) == count


@contextlib.asynccontextmanager
async def acting_as_driver(
    cluster: DemoCluster, home: pathlib.Path, pod: Object | None
) -> AsyncIterator[HttpClient]:
    """With a token of the driver's account, bound to a driver pod if one is given."""
    spec: dict[str, Any] = {"expirationSeconds": 3600}
    if pod is not None:
        meta = pod["metadata"]
        spec["boundObjectRef"] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": meta["name"],
            "uid": meta["uid"],
        }
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answered = await cluster.client.create(
        SERVICE_ACCOUNTS, request, DRIVER_NAMESPACE, name=ACCOUNT, subresource="token"
    )
    admin = load_config(str(home / "kubeconfig"))
    config = dataclasses.replace(admin, token=answered["status"]["token"], certificate=None, key=None)
    async with HttpClient(config, user_agent="driver", field_manager="driver") as client:
        yield client


def _slice(node: str) -> Object:
    pool = {"name": "forged", "generation": 1, "resourceSliceCount": 1}
    spec: Object = {"driver": "gpu.example.com", "pool": pool, "devices": [{"name": "gpu-0"}]}
    spec |= {"nodeName": node} if node else {"allNodes": True}
    return {"metadata": {"name": "forged"}, "spec": spec}


async def test_a_driver_writes_slices_of_its_own_node_only(cluster: DemoCluster, home: pathlib.Path) -> None:
    pod, other = await cluster.pods(DRIVER_NAMESPACE)
    node, others_node = pod["spec"]["nodeName"], other["spec"]["nodeName"]
    head = 'resourceslices.resource.k8s.io "{}" is forbidden: ' + POLICY
    async with acting_as_driver(cluster, home, pod) as driver:
        touching = head + f"the driver on node '{node}' may not touch "
        with pytest.raises(errors.Invalid) as refused:
            await driver.create(RESOURCE_SLICES, _slice(others_node))
        assert str(refused.value) == touching.format("forged") + f"slices of node '{others_node}'"
        with pytest.raises(errors.Invalid) as refused:
            await driver.create(RESOURCE_SLICES, _slice(""))
        assert str(refused.value) == touching.format("forged") + "slices that belong to no node"
        (theirs,) = (
            await driver.list(RESOURCE_SLICES, Selection(fields=f"spec.nodeName={others_node}"))
        ).items
        with pytest.raises(errors.Invalid) as refused:
            await driver.delete(RESOURCE_SLICES, theirs["metadata"]["name"])
        assert str(refused.value).endswith(f"slices of node '{others_node}'")
        await driver.create(RESOURCE_SLICES, _slice(node))
        await driver.delete(RESOURCE_SLICES, "forged")


async def test_a_driver_without_a_node_writes_no_slices(cluster: DemoCluster, home: pathlib.Path) -> None:
    (node, *_) = [pod["spec"]["nodeName"] for pod in await cluster.pods(DRIVER_NAMESPACE)]
    async with acting_as_driver(cluster, home, None) as driver:
        with pytest.raises(errors.Invalid) as refused:
            await driver.create(RESOURCE_SLICES, _slice(node))
    assert "denied request: the driver's token names no node; it must come from a pod" in str(refused.value)


def _devices(interval: str, version: str = "v1") -> Object:
    sharing = {"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": interval}}
    parameters = {
        "apiVersion": "gpu.resource.example.com/v1alpha1",
        "kind": "GpuConfig",
        "sharing": sharing,
    }
    config = {"requests": ["gpu"], "opaque": {"driver": "gpu.example.com", "parameters": parameters}}
    asked: Object = {"deviceClassName": "gpu.example.com"}
    request = {"name": "gpu", **asked} if version == "v1beta1" else {"name": "gpu", "exactly": asked}
    return {"requests": [request], "config": [config]}


async def _served(cluster: DemoCluster) -> bool:
    webhook = await cluster.client.get(DEPLOYMENTS, "dra-example-driver-webhook", DRIVER_NAMESPACE)
    return bool((webhook.get("status") or {}).get("readyReplicas"))


async def test_a_wrong_configuration_is_refused_by_the_drivers_webhook(cluster: DemoCluster) -> None:
    await cluster.apply(DEPLOY / "webhook-self-signed.yaml")
    await until("the webhook is ready", lambda: _served(cluster))
    refusal = (
        'admission webhook "dra.example.com" denied the request: 1 configs failed to validate: object at {} is invalid: '
        "GpuConfig: unknown time-slice interval: Sometimes"
    )
    for version in ("v1", "v1beta1"):
        claim = {"metadata": {"name": "c"}, "spec": {"devices": _devices("Sometimes", version)}}
        with pytest.raises(errors.Invalid) as refused:
            await cluster.client.create(RESOURCE_CLAIMS.at(version), claim, "default")
        assert str(refused.value) == refusal.format("spec.devices.config[0].opaque.parameters")
        assert refused.value.status_code == 422
    template = {"metadata": {"name": "t"}, "spec": {"spec": {"devices": _devices("Sometimes")}}}
    with pytest.raises(errors.Invalid) as refused:
        await cluster.client.create(RESOURCE_CLAIM_TEMPLATES, template, "default")
    assert str(refused.value) == refusal.format("spec.spec.devices.config[0].opaque.parameters")
    good = {"metadata": {"name": "c"}, "spec": {"devices": _devices("Long")}}
    await cluster.client.create(RESOURCE_CLAIMS, good, "default")

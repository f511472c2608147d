"""What is used of a quota follows what is there."""

import asyncio

from dray.api.meta import Object
from dray.api.resources import PODS, RESOURCE_QUOTAS, SERVICES
from dray.controllers.quotas import RESYNC_SECONDS, Quotas
from dray.testing.memory_client import MemoryClient
from dray.testing.virtual import run
from tests.unit.controllers.harness import controllers, obj, settle

DEVICES = "gpu.deviceclass.resource.k8s.io/devices"


def quota(**hard: str) -> Object:
    return obj(
        "ResourceQuota", "q", "ns", spec={"hard": {name.replace("_", "/"): hard[name] for name in hard}}
    )


def claim(name: str, namespace: str = "ns") -> Object:
    exactly = {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 2}
    spec = {"devices": {"requests": [{"name": "r", "exactly": exactly}]}}
    return obj("ResourceClaim", name, namespace, api_version="resource.k8s.io/v1", spec=spec)


def pod(name: str, phase: str = "Running") -> Object:
    return obj("Pod", name, "ns", spec={"containers": []}, status={"phase": phase})


def used(client: MemoryClient) -> Object:
    found = client.find(RESOURCE_QUOTAS, "q", "ns")
    assert found is not None
    assert found["status"]["hard"] == found["spec"]["hard"]
    return dict(found["status"]["used"])


def test_everything_that_a_quota_names_is_counted_in_its_namespace() -> None:
    hard = {DEVICES: "9", "pods": "9", "count/pods": "9", "configmaps": "9", "unknown.example.com/x": "1"}
    client = MemoryClient(
        obj("ResourceQuota", "q", "ns", spec={"hard": hard}),
        claim("a"),
        claim("b"),
        claim("a", "elsewhere"),
        pod("x"),
        pod("y", "Succeeded"),
        obj("ConfigMap", "c", "ns"),
    )

    async def scenario() -> None:
        async with controllers(client, Quotas):
            await settle()
            assert used(client) == {
                DEVICES: "4",
                "pods": "1",
                "count/pods": "2",
                "configmaps": "1",
            }

    run(scenario())


def test_what_goes_or_ends_is_given_back_at_once_and_the_rest_in_time() -> None:
    client = MemoryClient(quota(pods="9", configmaps="9"), pod("x"), pod("y"), pod("z"))

    async def scenario() -> None:
        async with controllers(client, Quotas):
            await settle()
            assert used(client) == {"pods": "3", "configmaps": "0"}
            client.put({**pod("x"), "status": {"phase": "Failed"}})
            await client.delete(PODS, "y", "ns")
            await settle()
            assert used(client)["pods"] == "1"
            client.put(obj("ConfigMap", "c", "ns"))
            await asyncio.sleep(RESYNC_SECONDS + 1)
            assert used(client)["configmaps"] == "1"

    run(scenario())


def test_quota_that_is_changed_is_worked_out_anew() -> None:
    client = MemoryClient(quota(pods="9"), pod("x"))

    async def scenario() -> None:
        async with controllers(client, Quotas):
            await settle()
            client.put({**quota(count_pods="3")})
            await settle()
            assert used(client) == {"count/pods": "1"}

    run(scenario())


def test_only_pods_within_the_scopes_are_counted() -> None:
    ending = pod("x")
    ending["spec"]["activeDeadlineSeconds"] = 9
    spec = {"hard": {"pods": "9", "count/pods": "9"}, "scopes": ["Terminating"]}
    client = MemoryClient(obj("ResourceQuota", "q", "ns", spec=spec), ending, pod("y"))

    async def scenario() -> None:
        async with controllers(client, Quotas):
            await settle()
            assert used(client) == {"pods": "1", "count/pods": "1"}
            found = client.find(PODS, "y", "ns")
            assert found is not None
            await client.update(PODS, {**found, "spec": {**found["spec"], "activeDeadlineSeconds": 1}})
            await settle()
            assert used(client) == {"pods": "2", "count/pods": "2"}

    run(scenario())


def test_what_a_quota_names_is_missed_at_once_when_it_goes() -> None:
    client = MemoryClient(quota(services="9"), obj("Service", "s", "ns", spec={"type": "ClusterIP"}))

    async def scenario() -> None:
        async with controllers(client, Quotas):
            await settle()
            assert used(client) == {"services": "1"}
            await client.delete(SERVICES, "s", "ns")
            await settle()
            assert used(client) == {"services": "0"}

    run(scenario())

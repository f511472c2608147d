"""The commands that doctor offers, carried out against an API server: each takes its finding away."""

import datetime as dt
import json
import shlex
from collections.abc import AsyncIterator

import pytest

from dray.api.meta import Object, format_time
from dray.api.resources import (
    DAEMON_SETS,
    DEVICE_CLASSES,
    NODES,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    Resource,
)
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.server import ApiServer
from dray.cli.insight.gather import gather
from dray.client.config import ClientConfig
from dray.client.http import HttpClient
from dray.client.versions import VersionedClient
from dray.insight.doctor import Finding, examine
from dray.store.memory import MemoryStore

DRIVER = "gpu.example.com"
KINDS = {
    "resourceclaim": RESOURCE_CLAIMS, "resourceslice": RESOURCE_SLICES, "ds": DAEMON_SETS, "node": NODES, "pod": PODS,
}  # fmt: skip
READ = (NODES, PODS, RESOURCE_CLAIMS, RESOURCE_SLICES, DEVICE_CLASSES, DAEMON_SETS)
PATCHES = {"merge": "application/merge-patch+json", "json": "application/json-patch+json"}


class Cluster:
    """An API server without controllers: what is broken stays broken."""

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    async def add(self, resource: Resource, obj: Object, status: Object | None = None) -> None:
        namespace = obj["metadata"].get("namespace", "")
        await self.client.create(resource, obj, namespace)
        if status is not None:
            path = resource.path(namespace, obj["metadata"]["name"])
            await self._patch(f"{path}/status", "merge", {"status": status})

    async def findings(self, subject: str) -> list[Finding]:
        snapshot = await gather(VersionedClient(self.client), READ, {})
        # Some things are only wrong after a while.
        snapshot.now += dt.timedelta(minutes=10)
        return [each for each in examine(snapshot) if each.subject == subject]

    async def carry_out(self, command: str) -> None:
        """As a shell and kubectl would."""
        for part in command.split(" && "):
            words = shlex.split(part)
            assert words.pop(0) == "kubectl"
            namespace = ""
            if words[0] == "-n":
                namespace, words = words[1], words[2:]
            verb, kind, *rest = words
            flags = {word.partition("=")[0]: word.partition("=")[2] for word in rest if word.startswith("--")}
            plain = [word for word in rest if not word.startswith("-")]
            path = KINDS[kind].path(namespace, plain[0])
            if verb == "delete":
                for name in plain:
                    await self.client.request("DELETE", KINDS[kind].path(namespace, name))
            elif verb == "label":
                labels = dict(word.split("=") for word in plain[1:])
                await self._patch(path, "merge", {"metadata": {"labels": labels}})
            else:
                assert verb == "patch"
                path += f"/{flags['--subresource']}" if "--subresource" in flags else ""
                await self._patch(path, flags["--type"], json.loads(plain[-1]))

    async def _patch(self, path: str, kind: str, body: object) -> None:
        await self.client.request("PATCH", path, body=body, content_type=PATCHES[kind])


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    server = ApiServer(MemoryStore(), catalog())
    await server.start()
    async with HttpClient(ClientConfig(server=f"http://{server.address}")) as client:
        await client.request("POST", "/api/v1/namespaces", body={"metadata": {"name": "default"}})
        labels = {"kubernetes.io/hostname": "n1"}
        made = Cluster(client)
        await made.add(NODES, {"metadata": {"name": "n1", "labels": labels}})
        await made.add(RESOURCE_SLICES, slice_of("n1"))
        yield made
    await server.stop()


def slice_of(node: str, name: str = "", generation: int = 1) -> Object:
    pool = {"name": node, "generation": generation, "resourceSliceCount": 1}
    spec = {"driver": DRIVER, "nodeName": node, "pool": pool, "devices": [{"name": "gpu-0"}]}
    return {"metadata": {"name": name or node}, "spec": spec}


def claim(name: str, **meta: object) -> Object:
    request = {"name": "gpu", "exactly": {"deviceClassName": "gpu"}}
    return {
        "metadata": {"name": name, "namespace": "default", **meta},
        "spec": {"devices": {"requests": [request]}},
    }


def allocated(*pods: str) -> Object:
    result = {"request": "gpu", "driver": DRIVER, "pool": "n1", "device": "gpu-0"}
    now = format_time(dt.datetime.now(dt.UTC))
    status: Object = {"allocation": {"allocationTimestamp": now, "devices": {"results": [result]}}}
    if pods:
        status["reservedFor"] = [{"resource": "pods", "name": pod, "uid": f"uid-{pod}"} for pod in pods]
    return status


async def cured(cluster: Cluster, subject: str) -> None:
    found = await cluster.findings(subject)
    assert len(found) == 1
    await cluster.carry_out(found[0].command)
    assert await cluster.findings(subject) == []


async def test_a_claim_reserved_for_a_pod_that_is_gone_gives_its_devices_back(cluster: Cluster) -> None:
    await cluster.add(RESOURCE_CLAIMS, claim("c"), allocated("gone"))
    await cured(cluster, "claim default/c")
    read = await cluster.client.get(RESOURCE_CLAIMS, "c", "default")
    assert "allocation" not in read.get("status", {})


async def test_an_idle_claim_gives_its_devices_back(cluster: Cluster) -> None:
    await cluster.add(RESOURCE_CLAIMS, claim("c"), allocated())
    await cured(cluster, "claim default/c")


async def test_a_claim_loses_only_the_pod_that_is_gone(cluster: Cluster) -> None:
    containers = [{"name": "c", "image": "busybox"}]
    pod = {"metadata": {"name": "alive", "namespace": "default"}, "spec": {"containers": containers}}
    await cluster.add(PODS, pod)
    living = await cluster.client.get(PODS, "alive", "default")
    status = allocated("gone", "alive")
    status["reservedFor"][1]["uid"] = living["metadata"]["uid"]
    await cluster.add(RESOURCE_CLAIMS, claim("c"), status)
    await cured(cluster, "claim default/c")
    read = await cluster.client.get(RESOURCE_CLAIMS, "c", "default")
    assert [entry["name"] for entry in read["status"]["reservedFor"]] == ["alive"]
    assert read["status"]["allocation"]


async def test_a_claim_that_hangs_on_its_finalizer_goes(cluster: Cluster) -> None:
    stuck = claim("c", finalizers=["resource.kubernetes.io/delete-protection"])
    await cluster.add(RESOURCE_CLAIMS, stuck, allocated())
    await cluster.client.delete(RESOURCE_CLAIMS, "c", "default")
    await cured(cluster, "claim default/c")


async def test_an_orphan_goes(cluster: Cluster) -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "gone", "uid": "uid-gone", "controller": True}
    await cluster.add(RESOURCE_CLAIMS, claim("c", ownerReferences=[owner]))
    await cured(cluster, "claim default/c")


async def test_slices_of_an_older_generation_go(cluster: Cluster) -> None:
    await cluster.add(RESOURCE_SLICES, slice_of("n1", "newer", generation=2))
    await cured(cluster, f"pool {DRIVER}/n1")


async def test_slices_of_a_node_that_is_gone_go(cluster: Cluster) -> None:
    await cluster.add(RESOURCE_SLICES, slice_of("lost"))
    await cured(cluster, f"pool {DRIVER}/lost")


def daemon_set(name: str, **spec: object) -> Object:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "busybox"}], **spec},
    }
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template},
    }


async def test_the_label_that_a_daemon_set_waits_for_is_given(cluster: Cluster) -> None:
    await cluster.add(DAEMON_SETS, daemon_set("dra-driver", nodeSelector={"gpu": "yes"}))
    (found,) = await cluster.findings("DaemonSet default/dra-driver")
    await cluster.carry_out(found.command)
    (again,) = await cluster.findings("DaemonSet default/dra-driver")
    assert "nothing is against it" in again.evidence


async def test_the_device_plugin_is_kept_from_the_node(cluster: Cluster) -> None:
    await cluster.add(DAEMON_SETS, daemon_set("vendor-device-plugin"))
    patch = {"status": {"allocatable": {"example.com/gpu": "1"}, "capacity": {"example.com/gpu": "1"}}}
    await cluster.client.request(
        "PATCH", "/api/v1/nodes/n1/status", body=patch, content_type=PATCHES["merge"]
    )  # fmt: skip
    (found,) = await cluster.findings("node n1")
    await cluster.carry_out(found.command)
    changed = await cluster.client.get(DAEMON_SETS, "vendor-device-plugin", "default")
    rule = changed["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    (term,) = rule["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["n1"]}
    ]

"""The demos of the example driver: recordings of them, a cluster that runs them, and what of a run is comparable.

tests/corpus/drivers/demos.jsonl has one line a demo: the driver's environment and, for each stage, the pods, claims and
events there were and the driver's variables in each container. Recorded from Kubernetes 1.36.2 with two worker nodes.
"""

import asyncio
import contextlib
import dataclasses
import functools
import json
import pathlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

import yaml

from dray.api import resources
from dray.api.errors import NotFound
from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.resources import Resource
from dray.client.config import load_config
from dray.client.http import HttpClient
from dray.client.protocol import PatchType, Selection
from dray.cluster.embedded import EmbeddedCluster
from dray.cluster.layout import ClusterSpec, Layout

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
DEPLOY = ROOT / "deploy" / "example-driver" / "plain"
CORPUS = ROOT / "tests" / "corpus" / "drivers"
DRIVER_NAMESPACE = "dra-example-driver"
DAEMON_SET = "dra-example-driver-kubeletplugin"
PATIENCE_SECONDS = 20.0
REGISTERED = "Registered with the kubelet"
"""In the log of a driver from verbosity 4."""

BY_KIND = {(r.api_version, r.kind): r for r in vars(resources).values() if isinstance(r, Resource)}


@dataclasses.dataclass(frozen=True)
class Demo:
    name: str
    namespace: str
    environment: Mapping[str, str]
    """What the driver's DaemonSet was given beside its usual environment."""
    stages: list[dict[str, Any]]
    devices: frozenset[str]
    """The names of the devices that each node published."""


def recorded(cluster: str) -> list[Demo]:
    """`cluster`: examples, or examples-alpha for the one with all alpha gates on."""
    lines = [json.loads(line) for line in (CORPUS / "demos.jsonl").read_text().splitlines()]
    return [
        Demo(one["demo"], one["namespace"], one["environment"], one["stages"], _devices(one))
        for one in lines
        if one["cluster"] == cluster
    ]


def objects_in(manifest: pathlib.Path) -> list[Object]:
    return list(yaml.safe_load_all(manifest.read_text()))


@functools.cache
def _published() -> dict[str, frozenset[str]]:
    published = {}
    for line in (CORPUS / "recorded-nodes.jsonl").read_text().splitlines():
        one = json.loads(line)
        names = {device["name"] for entry in one["slices"] for device in entry["spec"].get("devices", [])}
        published[one["example"]] = frozenset(names)
    return published


def _devices(demo: Mapping[str, Any]) -> frozenset[str]:
    by_environment = {
        json.dumps(one["environment"], sort_keys=True): one["example"]
        for one in map(json.loads, (CORPUS / "recorded-nodes.jsonl").read_text().splitlines())
    }
    return _published()[by_environment[json.dumps(demo["environment"], sort_keys=True)]]


async def until(what: str, check: Callable[[], Awaitable[bool]], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for `check`; real processes start meanwhile, so this is the one place that watches the real clock."""
    deadline = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        await asyncio.sleep(0.05)


class DemoCluster:
    """An embedded cluster of two nodes with the example driver, and what a user does with it."""

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    async def apply(self, path: pathlib.Path) -> None:
        for obj in objects_in(path):
            await self.apply_object(obj)
            if obj["kind"] == "Namespace":
                await self._has_account(obj["metadata"]["name"])

    async def _has_account(self, namespace: str) -> None:
        async def check() -> bool:
            return bool((await self.client.list(resources.SERVICE_ACCOUNTS, Selection(namespace))).items)

        await until(f"{namespace} has a service account for pods", check)

    async def apply_object(self, obj: Object) -> None:
        resource = BY_KIND[obj["apiVersion"], obj["kind"]]
        metadata = obj["metadata"]
        await self.client.patch(
            resource,
            metadata["name"],
            obj,
            metadata.get("namespace", ""),
            patch_type=PatchType.APPLY,
            field_manager="demos",
        )

    async def delete(self, path: pathlib.Path) -> None:
        for obj in objects_in(path):
            resource = BY_KIND[obj["apiVersion"], obj["kind"]]
            metadata = obj["metadata"]
            try:
                await self.client.delete(resource, metadata["name"], metadata.get("namespace", ""))
            except NotFound:
                continue  # it went with its namespace

    # --- the driver ---

    async def configure_driver(self, demo: Demo) -> None:
        """Give the driver the demo's environment and wait until every node publishes the demo's devices."""
        objects = objects_in(DEPLOY / "driver.yaml")
        (daemon_set,) = [obj for obj in objects if obj["kind"] == "DaemonSet"]
        container = daemon_set["spec"]["template"]["spec"]["containers"][0]
        environment = {"V": "4"} | demo.environment
        kept = [entry for entry in container["env"] if entry["name"] not in environment]
        given = [{"name": name, "value": value} for name, value in sorted(environment.items())]
        container["env"] = [*kept, *given]
        for obj in objects:
            await self.apply_object(obj)
        await until("the driver is rolled out", self._rolled_out)
        await until("devices are published", lambda: self._publishes(demo))

    async def _rolled_out(self) -> bool:
        """The DaemonSet's pods are new, and the kubelets know their driver."""
        found = await self.client.get(resources.DAEMON_SETS, DAEMON_SET, DRIVER_NAMESPACE)
        status = found.get("status", {})
        pods = (await self.client.list(resources.PODS, Selection(DRIVER_NAMESPACE))).items
        return (
            status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("updatedNumberScheduled") == 2
            and status.get("numberAvailable") == 2
            and len(pods) == 2
            and all([REGISTERED in await self._log(pod, "plugin") for pod in pods])
        )

    async def _publishes(self, demo: Demo) -> bool:
        driver = f"{demo.environment.get('DEVICE_PROFILE', 'gpu')}.example.com"
        slices = await self.client.list(resources.RESOURCE_SLICES)
        names: dict[str, set[str]] = {}
        waiting = False
        for one in slices.items:
            if one["spec"]["driver"] == driver:
                devices = one["spec"].get("devices", [])
                names.setdefault(one["spec"]["nodeName"], set()).update(device["name"] for device in devices)
                waiting = waiting or any("bindingConditions" in device for device in devices)
        wanted = "BINDING_CONDITIONS" in demo.environment
        return (
            len(names) == 2 and all(found == demo.devices for found in names.values()) and waiting == wanted
        )

    # --- what there is ---

    async def pods(self, namespace: str) -> list[Object]:
        return (await self.client.list(resources.PODS, Selection(namespace))).items

    async def settled(self, namespace: str, count: int) -> None:
        """Wait until `count` pods run and are ready."""

        async def check() -> bool:
            pods = await self.pods(namespace)
            return len(pods) == count and all(_is_ready(pod) for pod in pods)

        await until(f"{count} pods of {namespace} are ready", check)

    async def promised(self, namespace: str, count: int) -> None:
        """Wait until `count` pods have the promise of a node and are not bound yet."""

        async def check() -> bool:
            pods = await self.pods(namespace)
            promised = [
                pod
                for pod in pods
                if "nominatedNodeName" in pod["status"] and not pod["spec"].get("nodeName")
            ]
            return len(pods) == len(promised) == count

        await until(f"{count} pods of {namespace} have a node promised", check)

    async def ready(self, namespace: str, name: str) -> None:
        async def check() -> bool:
            return any(
                _is_ready(pod) for pod in await self.pods(namespace) if pod["metadata"]["name"] == name
            )

        await until(f"{name} is ready", check)

    async def unschedulable(self, namespace: str, name: str) -> None:
        """Wait until the scheduler has said that the pod fits nowhere."""

        async def check() -> bool:
            conditions = [
                (condition["type"], condition.get("reason"))
                for pod in await self.pods(namespace)
                if pod["metadata"]["name"] == name
                for condition in pod.get("status", {}).get("conditions", [])
            ]
            return ("PodScheduled", "Unschedulable") in conditions

        await until(f"{name} fits nowhere", check)

    async def lost(self, namespace: str, name: str, seconds: float) -> None:
        """Wait until there is no such pod."""

        async def check() -> bool:
            return name not in [pod["metadata"]["name"] for pod in await self.pods(namespace)]

        await until(f"{name} is gone", check, seconds)

    async def gone(self, namespace: str) -> None:
        async def check() -> bool:
            try:
                await self.client.get(resources.NAMESPACES, namespace)
            except NotFound:
                return True
            return False

        await until(f"namespace {namespace} is gone", check)

    async def observe(self, namespace: str) -> dict[str, Any]:
        """What the recordings have of a stage."""
        pods = await self.pods(namespace)
        claims = (await self.client.list(resources.RESOURCE_CLAIMS, Selection(namespace))).items
        events = (await self.client.list(resources.EVENTS, Selection(namespace))).items
        variables = {}
        for pod in pods:
            for status in _container_statuses(pod):
                if status.get("state", {}).keys() & {"running", "terminated"}:
                    container = f"{pod['metadata']['name']}/{status['name']}"
                    variables[container] = dict(_driver_variables(await self._whole_log(pod, status["name"])))
        return {"pods": pods, "claims": claims, "events": events, "variables": variables}

    async def _whole_log(self, pod: Object, container: str) -> str:
        async def check() -> bool:
            return _LAST_VARIABLE in await self._log(pod, container)

        await until(f"{container} has said what it was given", check)
        return await self._log(pod, container)

    async def _log(self, pod: Object, container: str) -> str:
        path = resources.PODS.path(pod["metadata"]["namespace"], pod["metadata"]["name"], "log")
        async with self.client.open("GET", path, query={"container": container}) as response:
            return await response.text()


@contextlib.asynccontextmanager
async def running(directory: pathlib.Path, features: FeatureGates) -> AsyncIterator[DemoCluster]:
    layout = Layout(directory)
    layout.create()
    async with EmbeddedCluster(ClusterSpec("kind", 2), layout, features=features):
        config = load_config(str(layout.kubeconfig))
        async with HttpClient(config, user_agent="demos", field_manager="demos") as client:
            yield DemoCluster(client)


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _container_statuses(pod: Object) -> list[Object]:
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


_LAST_VARIABLE = "declare -x SHLVL="
_DECLARED = re.compile(r'^declare -x ((?:DRA|GPU|NET|CPU)_\w+)="(.*)"$', re.MULTILINE)


def _driver_variables(log: str) -> Iterator[tuple[str, str]]:
    return ((match[1], match[2]) for match in _DECLARED.finditer(log))

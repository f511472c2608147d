"""A node with real processes and sockets, on an API server in memory."""

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from dray.api import errors
from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.pods import is_ready
from dray.api.resources import EVENTS, NAMESPACES, PODS, RESOURCE_CLAIMS
from dray.client.protocol import Selection
from dray.kits.clock import SystemClock
from dray.node.agent import NodeAgent
from dray.node.config import NodeConfig
from dray.sdk import Driver, KubeletPlugin, Options
from dray.testing.fake_api import FakeApi

NODE = "node-a"
NAMESPACE = "default"
PATIENCE_SECONDS = 8.0


class NodeStory:
    """An agent that can be started, stopped and started again; pods are bound to its node by hand."""

    def __init__(self, root: Path, api: FakeApi) -> None:
        self.root = root
        self.api = api
        self.client = api.client
        self.agent: NodeAgent | None = None
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for name in (NAMESPACE, "kube-node-lease"):
            with contextlib.suppress(errors.AlreadyExists):
                await self.client.create(NAMESPACES, {"metadata": {"name": name}})
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    async def start(self) -> None:
        config = NodeConfig(name=NODE, root=self.root, address="127.0.0.1")
        self.agent = NodeAgent(config, self.client, clock=SystemClock(), features=FeatureGates())
        self._running = asyncio.create_task(self.agent.run())
        ready = asyncio.create_task(self.agent.ready.wait())
        await asyncio.wait({ready, self._running}, return_when=asyncio.FIRST_COMPLETED)
        if self._running.done():
            self._running.result()

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._running = None

    # --- objects ---

    async def create_pod(self, name: str, *containers: Object, **spec: Any) -> Object:
        """A pod on the node; `metadata` among `spec` is the object's."""
        meta = {"name": name, "namespace": NAMESPACE, **spec.pop("metadata", {})}
        spec = {"nodeName": NODE, "terminationGracePeriodSeconds": 5, "containers": list(containers), **spec}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
        return await self.client.create(PODS, pod, NAMESPACE)

    async def create_claim(self, name: str, pod: Object | None, driver: str, *devices: str) -> Object:
        """A claim that is allocated, and reserved for the pod where one is given."""
        request = {"name": "gpu", "exactly": {"deviceClassName": "any"}}
        claim = await self.client.create(
            RESOURCE_CLAIMS,
            {
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"devices": {"requests": [request]}},
            },
            NAMESPACE,
        )
        results = [{"request": "gpu", "driver": driver, "pool": NODE, "device": device} for device in devices]
        status: Object = {"allocation": {"devices": {"results": results}}}
        if pod is not None:
            status["reservedFor"] = [
                {"resource": "pods", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
            ]
        return await self.client.update(RESOURCE_CLAIMS, {**claim, "status": status}, subresource="status")

    async def delete_pod(self, name: str, grace_seconds: int | None = None) -> None:
        await self.client.delete(PODS, name, NAMESPACE, grace_period_seconds=grace_seconds)

    # --- looking ---

    async def pod(self, name: str) -> Object | None:
        try:
            return await self.client.get(PODS, name, NAMESPACE)
        except errors.NotFound:
            return None

    async def until(self, name: str, condition: Callable[[Object], Any]) -> Object:
        """The pod, once `condition` holds of it."""
        pod: Object | None = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (pod := await self.pod(name)) is None or not condition(pod):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"pod {name} never got there: {pod and pod.get('status')}") from None
        return pod

    async def until_ready(self, name: str) -> Object:
        return await self.until(name, is_ready)

    async def until_phase(self, name: str, phase: str) -> Object:
        return await self.until(name, lambda pod: pod["status"].get("phase") == phase)

    async def until_gone(self, name: str) -> None:
        await eventually(lambda: self._is_gone(name), f"pod {name} is gone")

    async def _is_gone(self, name: str) -> bool:
        return await self.pod(name) is None

    async def events(self, name: str) -> list[tuple[str, str]]:
        """(reason, message) of everything told about a pod, in order."""
        found = await self.client.list(EVENTS, Selection(namespace=NAMESPACE))
        return [
            (event["reason"], event["message"])
            for event in sorted(found.items, key=lambda event: event["metadata"]["name"])
            if event["involvedObject"]["name"] == name
        ]

    async def until_told(self, name: str, reason: str) -> str:
        """The message of the first event with that reason."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for found, message in await self.events(name):
                    if found == reason:
                        return message
                await asyncio.sleep(0.02)

    def log(self, name: str, container: str = "main") -> str:
        """What the container's newest attempt has written, without times."""
        assert self.agent is not None
        attempts = [
            each
            for each in self.agent.runtime.containers()
            if (each.pod.name, each.name) == (name, container)
        ]
        newest = max(attempts, key=lambda each: each.attempt)
        records = newest.log_path.read_text().splitlines()
        return "\n".join(record.split(" ", 3)[3] for record in records)

    async def until_logged(self, name: str, text: str, container: str = "main") -> None:
        async def is_logged() -> bool:
            return text in self.log(name, container)

        await eventually(is_logged, f"pod {name} logs {text!r}")

    async def until_registered(self, driver: str) -> None:
        async def is_registered() -> bool:
            return self.agent is not None and self.agent.drivers.is_registered(driver)

        await eventually(is_registered, f"driver {driver} is registered")

    def driver_options(self) -> Options:
        return Options(
            node_name=NODE,
            registrar_directory=self.root / "plugins_registry",
            plugins_directory=self.root / "plugins",
            cdi_root=self.root / "cdi" / "run",
            boot_id="boot",
        )

    def plugin(self, driver: Driver) -> KubeletPlugin:
        return KubeletPlugin(driver, self.client, self.driver_options())


def shell(script: str, name: str = "main", **more: Any) -> Object:
    """A container that runs a shell script."""
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script], **more}


def with_claim(container: Object, entry: str = "gpu") -> Object:
    return {**container, "resources": {"claims": [{"name": entry}]}}


def state_of(pod: Object, container: str = "main") -> Object:
    """The container's entry in the status."""
    status = pod.get("status") or {}
    entries = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return next((dict(entry) for entry in entries if entry["name"] == container), {})


def waiting_reason(pod: Object, container: str = "main") -> str:
    """Why the container waits; "" when it does not."""
    return str(((state_of(pod, container).get("state") or {}).get("waiting") or {}).get("reason", ""))


async def eventually(condition: Callable[[], Any], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await condition():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"it never happened that {what}") from None


def processes_with(marker: str) -> Sequence[int]:
    """Processes of this machine whose command line contains `marker`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if marker.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found

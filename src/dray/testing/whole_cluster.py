"""A whole cluster for tests that are plain functions: API server, scheduler, controllers and a node.

    def test_a_pod_gets_a_lamp(cluster):
        cluster.start_driver("python", "-m", "lamps")
        cluster.apply(Path("examples/pod.yaml").read_text())
        cluster.wait("Pod", "reader", lambda pod: pod["status"]["phase"] == "Running")

The cluster is the one of `dray up`; drivers run as processes on its node, told by their environment where it is.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from dray.api.errors import NotFound
from dray.api.meta import Object, name_of, namespace_of
from dray.api.resources import Resource
from dray.apiserver.registry.catalog import catalog
from dray.client.config import load_config
from dray.client.http import HttpClient
from dray.client.protocol import PatchType, Selection
from dray.cluster.embedded import EmbeddedCluster
from dray.cluster.layout import ClusterSpec, Layout
from dray.node.config import NodePaths
from dray.testing.background import Background
from dray.testing.conformance.subject import Instance, Subject

WAIT_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.05


class WholeCluster:
    """What the `cluster` fixture gives."""

    def __init__(self, background: Background, root: Path, *, nodes: int = 1) -> None:
        self._background = background
        layout = Layout(root / "cluster")
        layout.create()
        self.root = root
        self.kubeconfig = layout.kubeconfig
        """The administrator's."""
        self._cluster = background.enter(EmbeddedCluster(ClusterSpec("test", nodes), layout))
        self._client = background.enter(_Connected(self.kubeconfig))
        self._drivers: list[Instance] = []
        self._resources = {kind.resource.kind: kind.resource for kind in reversed(catalog())}

    @property
    def nodes(self) -> list[str]:
        return self._cluster.spec.node_names

    def node_paths(self, node: str = "") -> NodePaths:
        """The directories of a node, the first by default."""
        return NodePaths(self._cluster.layout.node_root(node or self.nodes[0]))

    # --- objects ---

    def apply(self, manifests: str | Object | Iterable[Object], namespace: str = "default") -> list[Object]:
        """Server-side apply of YAML text or of objects; what the API server stored. Raises StatusError."""
        if isinstance(manifests, str):
            objects = [one for one in yaml.safe_load_all(manifests) if one]
        else:
            objects = [manifests] if isinstance(manifests, dict) else list(manifests)
        return [self._background.run(self._apply(obj, namespace)) for obj in objects]

    async def _apply(self, obj: Object, namespace: str) -> Object:
        resource = self._resource(obj["kind"])
        return await self._client.patch(
            resource.at(str(obj["apiVersion"]).rpartition("/")[2]),
            name_of(obj),
            obj,
            namespace_of(obj) or namespace if resource.namespaced else "",
            patch_type=PatchType.APPLY,
            field_manager="pytest",
            force=True,
        )

    def get(self, kind: str, name: str, namespace: str = "default") -> Object:
        """Raises NotFound."""
        resource = self._resource(kind)
        return self._background.run(
            self._client.get(resource, name, namespace if resource.namespaced else "")
        )

    def list(self, kind: str, namespace: str = "") -> "list[Object]":
        """All objects of the kind, of one namespace if one is given."""
        listed = self._background.run(self._client.list(self._resource(kind), Selection(namespace)))
        return listed.items

    def delete(self, kind: str, name: str, namespace: str = "default") -> None:
        """Delete and wait until it is gone. Raises NotFound, and TimeoutError when it stays."""
        resource = self._resource(kind)
        namespace = namespace if resource.namespaced else ""
        self._background.run(self._client.delete(resource, name, namespace))
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            try:
                self.get(kind, name, namespace)
            except NotFound:
                return
            time.sleep(_POLL_SECONDS)
        raise TimeoutError(f"{kind} {name} is still there after {WAIT_SECONDS:.0f} s")

    def wait(
        self,
        kind: str,
        name: str,
        condition: Callable[[Object], Any],
        namespace: str = "default",
        seconds: float = WAIT_SECONDS,
    ) -> Object:
        """The object once `condition` holds for it. Raises TimeoutError with its last status."""
        deadline = time.monotonic() + seconds
        obj: Object = {}
        while time.monotonic() < deadline:
            try:
                obj = self.get(kind, name, namespace)
                if condition(obj):
                    return obj
            except (NotFound, KeyError):
                pass
            time.sleep(_POLL_SECONDS)
        raise TimeoutError(
            f"{kind} {name} is not as expected after {seconds:.0f} s; its status: {obj.get('status')}"
        )

    def logs(self, pod: str, container: str = "", namespace: str = "default") -> str:
        """What the containers of a pod wrote so far."""
        return self._background.run(self._logs(pod, container, namespace))

    async def _logs(self, pod: str, container: str, namespace: str) -> str:
        path = self._resource("Pod").path(namespace, pod, "log")
        query = {"container": container} if container else None
        async with self._client.open("GET", path, query=query) as response:
            return await response.text()

    def _resource(self, kind: str) -> Resource:
        if kind not in self._resources:
            raise ValueError(f"no kind {kind!r}; the cluster has {', '.join(sorted(self._resources))}")
        return self._resources[kind]

    # --- drivers ---

    def start_driver(
        self, *command: str, node: str = "", environment: Mapping[str, str] | None = None
    ) -> Instance:
        """Run a driver as a process on `node`, until the end of the test or `stop_driver`.

        It has the variables of a DaemonSet, and `{node}` and so on in `command` are filled in
        (dray.testing.conformance.subject).
        """
        node = node or self.nodes[0]
        paths = self.node_paths(node)
        places = {
            "node": node,
            "kubeconfig": str(self.kubeconfig),
            "registry": str(paths.plugins_registry),
            "plugins": str(paths.plugins),
            "cdi": str(paths.cdi_dynamic),
            "pod_uid": "",
            "root": str(paths.root),
        }
        subject = Subject(command, environment or {})
        log = self.root / f"driver-{len(self._drivers)}.log"
        instance = self._background.run(Instance.start(subject, places, log))
        self._drivers.append(instance)
        return instance

    def stop_driver(self, instance: Instance) -> int:
        """SIGTERM; the exit code."""
        return self._background.run(instance.stop())

    def close(self) -> None:
        """End the drivers; the cluster ends with its background."""

        async def kill() -> None:
            await asyncio.gather(*(instance.kill() for instance in self._drivers))

        self._background.run(kill())


class _Connected:
    """A client for a kubeconfig, as a context manager on the right loop."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    async def __aenter__(self) -> HttpClient:
        self._client = HttpClient(load_config(str(self._kubeconfig)), user_agent="pytest")
        return self._client

    async def __aexit__(self, *exc: object) -> None:
        await self._client.close()

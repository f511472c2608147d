"""A whole cluster in one process: API server, scheduler, controllers and nodes, started in order and stopped in reverse.

The roles reach the API server in the same process, each under its own identity, so RBAC holds for them as it does
upstream. Everything outside (kubectl, drivers in pods, other programs) comes in over TLS.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from dray.api.features import FeatureGates
from dray.api.resources import (
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_POOL_STATUS_REQUESTS,
    RESOURCE_SLICES,
)
from dray.apiserver.access import AUTHENTICATED
from dray.apiserver.authentication.chain import service_account_groups
from dray.apiserver.components import checked
from dray.apiserver.registry.kind import User
from dray.client.protocol import Client
from dray.cluster.api_server import ApiServerRole, ApiServerSettings
from dray.cluster.flags import feature_gates
from dray.cluster.layout import ClusterError, ClusterSpec, Layout, cannot_write
from dray.cluster.signing import own_signing
from dray.controllers.manager import ControllerManager
from dray.kits.clock import SystemClock
from dray.kits.tasks import TaskSet
from dray.scheduler.scheduler import Scheduler

if TYPE_CHECKING:
    from dray.node.agent import NodeAgent

HOST = "127.0.0.1"
POD_NETWORK = 64
"""Pods have addresses in 127.64.0.0/16, one /24 a node: loopback addresses that really answer."""
READY_TIMEOUT_SECONDS = 30.0
_NEEDED = (DEVICE_CLASSES, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS, RESOURCE_SLICES)
_NEEDED_BY_GATE = (
    ("DRADeviceTaintRules", DEVICE_TAINT_RULES),
    ("DRAResourcePoolStatus", RESOURCE_POOL_STATUS_REQUESTS),
)


class EmbeddedCluster:
    """Use as an async context manager: entered when every node is Ready, left when every process has ended."""

    def __init__(self, spec: ClusterSpec, layout: Layout, *, features: FeatureGates | None = None) -> None:
        self.spec = spec
        self.layout = layout
        self.features = features or feature_gates(spec.feature_gates, spec.emulated_version)
        self._clock = SystemClock()
        self._exit = contextlib.AsyncExitStack()
        self._failure: asyncio.Future[BaseException] | None = None
        settings = ApiServerSettings(
            host=HOST,
            port=spec.port,
            cluster=spec.name,
            features=self.features,
            runtime_config=spec.runtime_config,
            flags={name.replace("_", "-"): str(value) for name, value in dataclasses.asdict(spec).items()},
        )
        self._api = ApiServerRole(layout, settings, self._clock)

    async def __aenter__(self) -> "EmbeddedCluster":
        self._failure = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(READY_TIMEOUT_SECONDS):
                await self._start()
        except BaseException as error:
            await self._exit.aclose()
            if isinstance(error, TimeoutError):
                raise ClusterError(
                    f"the cluster was not ready after {READY_TIMEOUT_SECONDS:.0f} s"
                ) from error
            if isinstance(error, OSError):
                raise cannot_write(self.layout, error) from error
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._exit.aclose()

    async def wait_failed(self) -> BaseException:
        """Return the failure that ends the cluster, when one happens: a role that died unexpectedly."""
        assert self._failure is not None
        return await self._failure

    async def _start(self) -> None:
        await self._exit.enter_async_context(self._api)
        self._check_served()
        self.spec = dataclasses.replace(self.spec, port=self._api.port)
        self.layout.write_spec(self.spec)
        tasks = TaskSet("cluster")
        self._exit.push_async_callback(tasks.stop)
        manager, scheduler = self._controller_manager(), self._scheduler()
        self._run(tasks, manager.run(), "controller-manager")
        self._run(tasks, scheduler.run(), "scheduler")
        self._tell_of("controller-manager", manager.ready)
        self._tell_of("scheduler", scheduler.ready)
        agents = [self._node(index, name) for index, name in enumerate(self.spec.node_names)]
        for agent in agents:
            self._run(tasks, agent.run(), agent.config.name)
        ready = [manager.ready, scheduler.ready, *(agent.ready for agent in agents)]
        await asyncio.gather(*(event.wait() for event in ready))

    def _tell_of(self, component: str, ready: asyncio.Event) -> None:
        """Of a role in this process, without a port of its own."""

        def check() -> None:
            if not ready.is_set():
                raise ClusterError("not ready: still reading the cluster's state")

        self._api.server.core.components[component] = checked(check)

    def _check_served(self) -> None:
        """The roles would wait for ever for an API that is turned off. Raises ClusterError."""
        needed = [*_NEEDED, *(kind for gate, kind in _NEEDED_BY_GATE if self.features.enabled(gate))]
        for resource in needed:
            kind = self._api.server.core.kinds.of(resource)
            if kind is None or resource.version not in kind.versions:
                raise ClusterError(
                    f"--runtime-config: a cluster with these feature gates needs {resource.api_version}/{resource.plural}"
                )

    def _run(self, tasks: TaskSet, role: Coroutine[Any, Any, None], name: str) -> None:
        """Start a role; its unexpected end is the cluster's failure."""

        def ended(task: asyncio.Task[Any]) -> None:
            if task.cancelled() or self._failure is None or self._failure.done():
                return
            cause = task.exception()
            why = f": {cause}" if cause else ""
            self._failure.set_result(ClusterError(f"the role {name} ended unexpectedly{why}"))

        tasks.start(role, name).add_done_callback(ended)

    def _client(self, user: str, *groups: str, manager: str) -> Client:
        return self._api.client(User(user, (*groups, AUTHENTICATED)), manager=manager)

    def _controller_manager(self) -> ControllerManager:
        manager = "kube-controller-manager"

        def client_for(name: str) -> Client:
            account = f"system:serviceaccount:kube-system:{name}"
            return self._client(account, *service_account_groups("kube-system"), manager=manager)

        return ControllerManager(
            self._client("system:kube-controller-manager", manager=manager),
            clock=self._clock,
            features=self.features,
            root_ca_pem=self._api.authority.pem.decode(),
            signing=own_signing(self.layout.pki),
            client_for=client_for,
        )

    def _scheduler(self) -> Scheduler:
        client = self._client("system:kube-scheduler", manager="kube-scheduler")
        return Scheduler(client, clock=self._clock, features=self.features)

    def _node(self, index: int, name: str) -> "NodeAgent":
        # Nodes bring gRPC with them, which a cluster without nodes need not load.
        from dray.cluster.node_access import webhook_authorizer
        from dray.node.agent import NodeAgent
        from dray.node.config import NodeConfig

        client = self._client(f"system:node:{name}", "system:nodes", manager="kubelet")
        authority = self._api.authority
        authority.server(f"kubelet-{name}", [name, "localhost", HOST])
        config = NodeConfig(
            name=name,
            root=self.layout.node_root(name),
            pod_cidr=f"127.{POD_NETWORK}.{index}.0/24",
            server_ssl=authority.server_context(f"kubelet-{name}"),
            authorize=webhook_authorizer(client, name),
            api_host=HOST,
            api_port=self._api.port,
        )
        return NodeAgent(config, client, clock=self._clock, features=self.features)

"""A whole cluster in one process: API server, scheduler, controllers and nodes, started in order and stopped in reverse.

The roles reach the API server through `LocalClient`, each under its own identity, so RBAC holds for them as it does
upstream. Everything outside (kubectl, drivers in pods, other programs) comes in over TLS.
"""

import asyncio
import contextlib
import dataclasses
import errno
import logging
from collections.abc import Coroutine
from typing import Any

from dray.api.features import FeatureGates
from dray.apiserver.admission.chain import default_admission
from dray.apiserver.authentication.chain import AuthenticatorChain, service_account_groups
from dray.apiserver.authentication.tokens import TokenIssuer
from dray.apiserver.authorization.chain import AuthorizerChain
from dray.apiserver.bootstrap import bootstrap
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.kind import User
from dray.apiserver.server import ApiServer
from dray.client.protocol import Client
from dray.cluster.certificates import Authority, service_account_key
from dray.cluster.kubeconfig import kubeconfig_for, write_kubeconfig
from dray.cluster.layout import ClusterError, ClusterSpec, Layout
from dray.controllers.manager import ControllerManager
from dray.kits.clock import SystemClock
from dray.kits.tasks import TaskSet
from dray.scheduler.scheduler import Scheduler
from dray.store.backend import Store
from dray.store.errors import StoreError
from dray.store.sqlite import SqliteStore

log = logging.getLogger("dray.cluster")

HOST = "127.0.0.1"
SERVICE_IP = "10.96.0.1"
READY_TIMEOUT_SECONDS = 30.0
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"


class EmbeddedCluster:
    """Use as an async context manager: entered when every node is Ready, left when every process has ended."""

    def __init__(self, spec: ClusterSpec, layout: Layout, *, features: FeatureGates | None = None) -> None:
        self.spec = spec
        self.layout = layout
        self.features = features or FeatureGates()
        self._clock = SystemClock()
        self._exit = contextlib.AsyncExitStack()
        self._failure: asyncio.Future[BaseException] | None = None

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
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._exit.aclose()

    async def wait_failed(self) -> BaseException:
        """Return the failure that ends the cluster, when one happens: a role that died, a store that cannot write."""
        assert self._failure is not None
        return await self._failure

    async def _start(self) -> None:
        self.layout.create()
        lock = self.layout.lock(self.spec.name)
        self._exit.callback(lock.release)
        self._authority = Authority(self.layout.pki, self._clock.now())
        server = await self._start_api_server()
        self.spec = dataclasses.replace(self.spec, port=server.port)
        self.layout.write_spec(self.spec)
        self._write_kubeconfig()
        await self._start_roles(server)

    async def _start_api_server(self) -> ApiServer:
        store = await self._open_store()
        issuer = TokenIssuer(service_account_key(self.layout.pki))
        authorizer = AuthorizerChain(store)
        server = ApiServer(
            store,
            catalog(),
            clock=self._clock,
            features=self.features,
            authenticator=AuthenticatorChain(store, self._clock, issuer=issuer),
            authorizer=authorizer,
            admission=default_admission(authorizer.rbac),
        )
        pair = self._authority.server(
            "apiserver",
            ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost", HOST, SERVICE_IP],
        )
        context = self._authority.server_context(pair)
        try:
            await server.start(HOST, self.spec.port, context)
        except OSError as error:
            raise _listen_error(error, self.spec) from error
        self._exit.push_async_callback(server.stop)
        admin = LocalClient(server.core, User("system:apiserver", (MASTERS, AUTHENTICATED)))
        await bootstrap(server.core, admin, service_ip=SERVICE_IP, service_port=server.port)
        return server

    async def _open_store(self) -> Store:
        try:
            store = SqliteStore.open(self.layout.state)
        except StoreError as error:
            raise ClusterError(str(error)) from error
        self._exit.push_async_callback(store.close)
        return store

    def _write_kubeconfig(self) -> None:
        admin = self._authority.client("admin", "kubernetes-admin", [MASTERS])
        server = f"https://{HOST}:{self.spec.port}"
        write_kubeconfig(
            self.layout.kubeconfig, kubeconfig_for(self.spec.name, server, self._authority.pem, admin)
        )

    # --- roles ---

    async def _start_roles(self, server: ApiServer) -> None:
        tasks = TaskSet("cluster")
        self._exit.push_async_callback(tasks.stop)
        manager = self._controller_manager(server)
        scheduler = self._scheduler(server)
        self._run(tasks, manager.run(), "controller-manager")
        self._run(tasks, scheduler.run(), "scheduler")
        agents = [self._node(server, name) for name in self.spec.node_names]
        for agent in agents:
            self._run(tasks, agent.run(), agent.config.name)
        await asyncio.gather(
            manager.ready.wait(), scheduler.ready.wait(), *(agent.ready.wait() for agent in agents)
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

    def _client(self, server: ApiServer, user: str, *groups: str, manager: str) -> Client:
        return LocalClient(server.core, User(user, (*groups, AUTHENTICATED)), field_manager=manager)

    def _controller_manager(self, server: ApiServer) -> ControllerManager:
        def client_for(name: str) -> Client:
            account = f"system:serviceaccount:kube-system:{name}"
            groups = service_account_groups("kube-system")
            return self._client(server, account, *groups, manager="kube-controller-manager")

        return ControllerManager(
            self._client(server, "system:kube-controller-manager", manager="kube-controller-manager"),
            clock=self._clock,
            features=self.features,
            root_ca_pem=self._authority.pem.decode(),
            client_for=client_for,
        )

    def _scheduler(self, server: ApiServer) -> Scheduler:
        client = self._client(server, "system:kube-scheduler", manager="kube-scheduler")
        return Scheduler(client, clock=self._clock, features=self.features)

    def _node(self, server: ApiServer, name: str) -> "NodeAgent":
        from dray.node.agent import NodeAgent
        from dray.node.config import NodeConfig

        pair = self._authority.server(f"kubelet-{name}", [name, "localhost", HOST])
        config = NodeConfig(
            name=name,
            root=self.layout.node_root(name),
            api_host=HOST,
            api_port=server.port,
            ssl_context=self._authority.server_context(pair),
        )
        client = self._client(server, f"system:node:{name}", "system:nodes", manager="kubelet")
        return NodeAgent(config, client, clock=self._clock, features=self.features)


def _listen_error(error: OSError, spec: ClusterSpec) -> ClusterError:
    if error.errno == errno.EADDRINUSE:
        return ClusterError(
            f"port {spec.port} on {HOST} is in use; choose another with --port (0 lets the system choose)"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ClusterError(
            f"port {spec.port} may not be used by this user; choose one above 1023 with --port"
        )
    return ClusterError(f"cannot listen on {HOST}:{spec.port}: {error.strerror}")

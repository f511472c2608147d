"""The API server: verbs and documents behind one HTTP endpoint, usable in the same process at the same time."""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from typing import Final

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage

from dray.api.features import FeatureGates
from dray.apiserver.access import AllowEveryone, Authenticator, Authorizer
from dray.apiserver.audit.events import Auditor
from dray.apiserver.authentication.tokens import TokenIssuer
from dray.apiserver.components import checked
from dray.apiserver.core import Admission, Core, Reviewers
from dray.apiserver.health import Health
from dray.apiserver.http.backends import Backends
from dray.apiserver.http.body import MAX_BYTES
from dray.apiserver.http.connection import StatusServer, readable
from dray.apiserver.http.documents import Documents
from dray.apiserver.http.handler import HttpApi
from dray.apiserver.http.inflight import KUBERNETES_LIMITS, InflightLimits
from dray.apiserver.http.kubelet import Kubelets
from dray.apiserver.http.metrics import RequestMetrics
from dray.apiserver.http.proxy.forwarding import Proxies
from dray.apiserver.http.request import ApiRequest
from dray.apiserver.registry.kind import Kind
from dray.kits.clock import Clock
from dray.kits.metrics import Registry
from dray.store.backend import Store
from dray.store.memory import MemoryStore

SHUTDOWN_SECONDS: Final = 5.0


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return ApiRequest(readable(message), payload, protocol, writer, task, loop, client_max_size=MAX_BYTES)


class ApiServer:
    """Construct it, then `start` to serve HTTP; `LocalClient(server.core, user)` works from the beginning.

    The store is the caller's: it is not closed by `stop`.
    """

    def __init__(
        self,
        store: Store,
        kinds: Iterable[Kind],
        *,
        clock: Clock | None = None,
        features: FeatureGates | None = None,
        authenticator: Authenticator | None = None,
        authorizer: Authorizer | None = None,
        admission: Admission | None = None,
        reviewers: Reviewers | None = None,
        kubelet_ssl: ssl.SSLContext | None = None,
        metrics: Registry | None = None,
        audit: Auditor | None = None,
        issuer: TokenIssuer | None = None,
        limits: InflightLimits = KUBERNETES_LIMITS,
        flags: Mapping[str, str] | None = None,
    ) -> None:
        """`issuer`: whose tokens others may verify by what the server publishes. `flags`: what /flagz shows.

        `kubelet_ssl` has the certificate the server shows to kubelets; None: they are spoken to without TLS."""
        self.core = Core(
            store,
            kinds,
            clock=clock,
            features=features,
            authorizer=authorizer,
            admission=admission,
            reviewers=reviewers,
        )
        self.health = Health()
        self.health.add("etcd", store.check, ("healthz", "livez"))
        self.health.add("store", store.check, ("readyz",))
        self.core.components["etcd-0"] = checked(store.check)
        self.metrics = metrics or Registry()
        documents = Documents(self.core, self.health, self.metrics, lambda: self.address, issuer, flags)
        self._backends = Backends(Kubelets(kubelet_ssl), Proxies(kubelet_ssl))
        self._api = HttpApi(
            self.core,
            authenticator or AllowEveryone(),
            documents,
            self._backends,
            RequestMetrics(self.metrics, self.core),
            audit,
            limits,
        )
        self._runner: web.ServerRunner | None = None
        self.address = ""
        """`host:port` once started."""

    @classmethod
    def in_memory(cls, kinds: Iterable[Kind], *, clock: Clock | None = None) -> "ApiServer":
        """A server for tests: nothing is durable and everything is allowed."""
        return cls(MemoryStore(), kinds, clock=clock)

    async def start(
        self, host: str = "127.0.0.1", port: int = 0, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        """Serve HTTP/1.1, with TLS given a context. Port 0 picks a free one; see `port`. Raises OSError."""
        server = StatusServer(
            self._api.handle,
            request_factory=_request,
            handler_cancellation=True,
            access_log=None,
        )
        runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, ssl_context=ssl_context).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self.address = f"{host}:{runner.addresses[0][1]}"

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    async def stop(self) -> None:
        """Stop listening, end all watches, and finish what is being answered."""
        if self._runner is not None:
            for site in tuple(self._runner.sites):
                await site.stop()
        self.core.end_watches()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self._backends.close()
        await self.core.close_connections()

"""The API server as a role: its directory, certificates, database, access rules, and the kubeconfig that opens it."""

import contextlib
import csv
import dataclasses
import datetime as dt
import errno
import ipaddress
import pathlib
import socket
import ssl
from collections.abc import Mapping, Sequence

from dray.api.features import FeatureGates
from dray.api.resources import LEASES, Resource
from dray.apiserver.access import AUTHENTICATED, MASTERS
from dray.apiserver.admission.chain import default_admission
from dray.apiserver.admission.metrics import AdmissionMetrics
from dray.apiserver.aging import let_history_age
from dray.apiserver.audit.events import Auditor
from dray.apiserver.audit.log import KUBERNETES_ROTATION, AuditLog, Rotation
from dray.apiserver.audit.policy import OWN
from dray.apiserver.audit.policy_file import PolicyError, load_policy
from dray.apiserver.authentication.certificates import ClientCertificates
from dray.apiserver.authentication.chain import AuthenticatorChain, TokenFileError, read_token_file
from dray.apiserver.authentication.front_proxy import FrontProxy
from dray.apiserver.authentication.tokens import TokenIssuer
from dray.apiserver.authorization.chain import AuthorizerChain
from dray.apiserver.bootstrap import bootstrap
from dray.apiserver.components import probed
from dray.apiserver.event_expiry import EVENT_TTL, EventExpiry
from dray.apiserver.http.inflight import KUBERNETES_LIMITS, InflightLimits
from dray.apiserver.identity_lease import IdentityLease
from dray.apiserver.local import LocalClient
from dray.apiserver.other_releases import bring_over
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.registry.kind import Kind, User
from dray.apiserver.registry.service_address import IP_ADDRESSES, SERVICE_CIDRS
from dray.apiserver.reviews.dispatch import reviewers
from dray.apiserver.runtime_config import RuntimeConfigError, parse_runtime_config, served
from dray.apiserver.server import ApiServer
from dray.apiserver.service_addresses import ServiceAddresses
from dray.cluster.certificates import Authority, CertificateError, service_account_key
from dray.cluster.kubeconfig import kubeconfig_for, write_kubeconfig
from dray.cluster.layout import ClusterError, Layout, cannot_write
from dray.kits.clock import Clock, SystemClock
from dray.kits.metrics import Registry
from dray.kits.tasks import TaskSet
from dray.store.errors import StoreError
from dray.store.sqlite import SqliteStore

SERVICE_IP = "10.96.0.1"
OWN_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "localhost",
    "127.0.0.1",
    SERVICE_IP,
)

_COMPONENTS = {"controller-manager": 10257, "scheduler": 10259}
"""Ports of this machine that tell of their health, unless they run in this process."""


@dataclasses.dataclass(frozen=True, slots=True)
class ApiServerSettings:
    host: str = "127.0.0.1"
    port: int = 0
    """0 picks a free one."""
    names: tuple[str, ...] = ()
    """Further names and addresses that clients use."""
    cluster: str = "apiserver"
    """What the kubeconfig's context is named after."""
    token_file: pathlib.Path | None = None
    allow_anonymous: bool = True
    features: FeatureGates = dataclasses.field(default_factory=FeatureGates)
    runtime_config: str = ""
    """Versions to serve or not: `GROUP/VERSION=BOOL,...`."""
    audit_log: pathlib.Path | None = None
    """`-`: standard output."""
    audit_policy: pathlib.Path | None = None
    """Of which requests the audit log tells what; None: one line for each, without bodies."""
    audit_rotation: Rotation = KUBERNETES_ROTATION
    front_proxy: FrontProxy | None = None
    """Who may name users in headers; None: who shows a certificate of the cluster's own authority for that."""
    bootstrap_tokens: bool = False
    limits: InflightLimits = KUBERNETES_LIMITS
    """How many requests are answered at once."""
    event_ttl: dt.timedelta = EVENT_TTL
    """How long an event is kept after its last change."""
    flags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What the process was started with, as /flagz shows it."""
    verify_kubelets: bool = True
    """Whether kubelets must show certificates of this cluster's authority; real ones mostly sign their own."""


class ApiServerRole:
    """Use as an async context manager: entered when the server answers, left when its database is closed."""

    def __init__(self, layout: Layout, settings: ApiServerSettings, clock: Clock | None = None) -> None:
        self.layout = layout
        self.settings = settings
        self._clock = clock or SystemClock()
        self._exit = contextlib.AsyncExitStack()

    async def __aenter__(self) -> "ApiServerRole":
        try:
            await self._start()
        except BaseException as error:
            await self._exit.aclose()
            if isinstance(error, OSError):
                raise cannot_write(self.layout, error) from error
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._exit.aclose()

    @property
    def port(self) -> int:
        return self.server.port

    def client(self, user: User, *, manager: str) -> LocalClient:
        """The API in this process, as `user`; `manager` owns the fields that are written."""
        return LocalClient(self.server.core, user, field_manager=manager)

    async def _start(self) -> None:
        self.layout.create()
        lock = self.layout.lock(self.settings.cluster)
        self._exit.callback(lock.release)
        try:
            self.authority = Authority(self.layout.pki, self._clock.now())
            self.front_proxy = self.settings.front_proxy or self._own_front_proxy()
            self._token_key = service_account_key(self.layout.pki)
        except CertificateError as error:
            raise ClusterError(str(error)) from error
        store = self._open_store()
        self._exit.push_async_callback(store.close)
        self.server = self._server(store)
        await bring_over(self.server.core)
        for name, health in _COMPONENTS.items():
            self.server.core.components[name] = probed(health)
        await self._listen()
        self._exit.push_async_callback(self.server.stop)
        admin = self.client(User("system:apiserver", (MASTERS, AUTHENTICATED)), manager="kube-apiserver")
        await bootstrap(
            self.server.core,
            admin,
            service_ip=SERVICE_IP,
            service_port=self.port,
            reached_at=_reached_at([*self.settings.names, self.settings.host]),
            authentication={
                "client-ca-file": self.authority.pem.decode(),
                **self.front_proxy.published(),
            },
        )
        tasks = TaskSet("apiserver")
        self._exit.push_async_callback(tasks.stop)
        tasks.start(let_history_age(store), "history")
        tasks.start(EventExpiry(store, self._clock, self.settings.event_ttl).run(), "event expiry")
        if self._serves(LEASES):
            tasks.start(IdentityLease(admin, self._clock, socket.gethostname()).run(), "identity lease")
        if self._serves(IP_ADDRESSES) and self._serves(SERVICE_CIDRS):
            tasks.start(ServiceAddresses(admin, self._clock).run(), "service addresses")
        self._write_kubeconfig()

    def _serves(self, resource: Resource) -> bool:
        return self.server.core.kinds.of(resource) is not None

    def _own_front_proxy(self) -> FrontProxy:
        """As kubeadm makes one: an authority of its own, which has signed nothing yet."""
        authority = Authority(self.layout.pki, self._clock.now(), "front-proxy-ca", "front-proxy-ca")
        return FrontProxy(authority.pem)

    def _open_store(self) -> SqliteStore:
        try:
            return SqliteStore.open(self.layout.state)
        except StoreError as error:
            raise ClusterError(f"cannot open the database in {self.layout.state}: {error}") from error

    def _server(self, store: SqliteStore) -> ApiServer:
        metrics = Registry()
        issuer = TokenIssuer(self._token_key)
        authorizer = AuthorizerChain(store)
        authenticator = AuthenticatorChain(
            store,
            self._clock,
            issuer=issuer,
            static_tokens=self._static_tokens(),
            bootstrap_tokens=self.settings.bootstrap_tokens,
            certificates=ClientCertificates(self.authority.pem, self.front_proxy),
            allow_anonymous=self.settings.allow_anonymous,
        )
        return ApiServer(
            store,
            self._kinds(),
            clock=self._clock,
            features=self.settings.features,
            authenticator=authenticator,
            authorizer=authorizer,
            admission=default_admission(authorizer.rbac, metrics=AdmissionMetrics(metrics)),
            metrics=metrics,
            reviewers=reviewers(authorizer, authenticator, issuer),
            kubelet_ssl=self._kubelet_context(),
            audit=self._auditor(),
            issuer=issuer,
            limits=self.settings.limits,
            flags=self.settings.flags,
        )

    def _kinds(self) -> tuple[Kind, ...]:
        kinds = catalog(self.settings.features.release)
        try:
            return served(kinds, parse_runtime_config(self.settings.runtime_config, kinds))
        except RuntimeConfigError as error:
            raise ClusterError(f"--runtime-config: {error}") from None

    def _auditor(self) -> Auditor | None:
        path, policy_file = self.settings.audit_log, self.settings.audit_policy
        try:
            policy = OWN if policy_file is None else load_policy(policy_file)
        except PolicyError as error:
            raise ClusterError(str(error)) from None
        if path is None:
            return None
        try:
            log = AuditLog(path, self._clock, self.settings.audit_rotation)
        except OSError as error:
            raise ClusterError(f"cannot write the audit log {path}: {error.strerror or error}") from error
        self._exit.callback(log.close)
        return Auditor(log, self._clock, policy)

    def _kubelet_context(self) -> ssl.SSLContext:
        """With what the server presents itself to kubelets, and how it knows theirs."""
        self.authority.client("apiserver-kubelet-client", "kube-apiserver-kubelet-client", [MASTERS])
        context = self.authority.client_context("apiserver-kubelet-client")
        if not self.settings.verify_kubelets:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _static_tokens(self) -> dict[str, User]:
        if self.settings.token_file is None:
            return {}
        try:
            return read_token_file(self.settings.token_file)
        except (OSError, UnicodeDecodeError, csv.Error, TokenFileError) as error:
            raise ClusterError(f"cannot use the token file: {error}") from error

    async def _listen(self) -> None:
        settings = self.settings
        self.authority.server("apiserver", [*OWN_NAMES, *settings.names, *_as_name(settings.host)])
        try:
            context = self.authority.server_context("apiserver", self.front_proxy.authority)
        except CertificateError as error:
            raise ClusterError(f"--requestheader-client-ca-file: {error}") from error
        try:
            await self.server.start(settings.host, settings.port, context)
        except OSError as error:
            raise ClusterError(_listen_error(error, settings)) from error

    def _write_kubeconfig(self) -> None:
        admin = self.authority.client("admin", "kubernetes-admin", [MASTERS])
        host = "127.0.0.1" if self.settings.host in ("0.0.0.0", "::") else self.settings.host
        config = kubeconfig_for(
            self.settings.cluster, f"https://{host}:{self.port}", self.authority.pem, admin
        )
        write_kubeconfig(self.layout.kubeconfig, config)


def _as_name(host: str) -> list[str]:
    return [] if host in ("0.0.0.0", "::", *OWN_NAMES) else [host]


def _reached_at(names: Sequence[str]) -> str:
    """The first of the addresses that other machines may reach; "" where there is none."""
    for name in names:
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            continue
        if not address.is_loopback and not address.is_unspecified:
            return name
    return ""


def _listen_error(error: OSError, settings: ApiServerSettings) -> str:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return f"port {settings.port} on {settings.host} is in use; choose another with --port (0 lets the system choose)"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"this user may not listen on {where}; choose a port above 1023 with --port"
    return f"cannot listen on {where}: {error.strerror or error}"

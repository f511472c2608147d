"""One running driver: everything between a `Driver` and Kubernetes, started and stopped in the right order.

Decides that order: the service socket, then the registration socket (so that the kubelet finds a service when it asks),
then the devices, then the interrupted past, and only then claims, which wait until now; last the slices. A driver that
takes long to find its devices is thus registered all the same, and pods that need it early lose no minute; in a rolling
update it shows itself only then, since the old instance serves. On the way out publishing ends first, then the
sockets go, and the slices stay for the successor.
"""

import asyncio
import dataclasses
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dray.client.protocol import Client
from dray.kits.backoff import Backoff
from dray.kits.clock import Clock, SystemClock
from dray.kits.tasks import TaskSet
from dray.sdk.calls import CallLog
from dray.sdk.checkpoint import FILE_NAME, Checkpoint
from dray.sdk.claimcdi import ClaimCdi
from dray.sdk.claims import Claim
from dray.sdk.devices import Pool
from dray.sdk.driver import DeviceMetadata, Driver, PreparedDevice, as_pools, call
from dray.sdk.errors import BackgroundError, PublishError
from dray.sdk.health import HealthBoard
from dray.sdk.locks import Presence
from dray.sdk.metadata import MetadataFiles
from dray.sdk.metrics import DriverMetrics
from dray.sdk.options import Options, boot_id
from dray.sdk.orphans import collect_orphans
from dray.sdk.overlap import OverlapGuard
from dray.sdk.preparation import Preparations
from dray.sdk.probe import ProbeServer
from dray.sdk.publisher import SYNC_DELAY_SECONDS, NodeScope, Publisher, ServerMinor, newest
from dray.sdk.registration import Registrar
from dray.sdk.service import ANSWER_WITHIN_SECONDS, DraService
from dray.sdk.serving import Server, Sockets
from dray.sdk.sockets import registration_socket, remove_dead_sockets, service_socket
from dray.sdk.status import StatusWriter
from dray.wire.kubelet import DRA, HEALTH, SERVICE_DRA, SERVICE_HEALTH
from dray.wire.rpc import UnixServer
from dray.wire.threaded import ThreadedUnixServer

if TYPE_CHECKING:
    from dray.sdk.endpoints import HttpEndpoints

log = logging.getLogger("dray.sdk.plugin")

DIRECTORY_MODE: Final = 0o750
DRAIN_SECONDS: Final = 5.0


class KubeletPlugin:
    """`async with KubeletPlugin(driver, client, options) as plugin: await plugin.failed.wait()`."""

    def __init__(
        self,
        driver: Driver,
        client: Client,
        options: Options,
        *,
        calls: CallLog | None = None,
        clock: Clock | None = None,
        metrics_prefix: str = "dray_driver",
        dra_versions: Sequence[str] = tuple(DRA),
        sync_delay_seconds: float = SYNC_DELAY_SECONDS,
        answer_within_seconds: float = ANSWER_WITHIN_SECONDS,
        server_minor: ServerMinor = newest,
    ) -> None:
        if not driver.name:
            raise ValueError(f"{type(driver).__name__}.name must be set to the driver's DNS name")
        self.driver = driver
        self.options = options
        self.failed = asyncio.Event()
        """Set after a fatal background error."""
        self.error: BackgroundError | None = None
        self.metrics = DriverMetrics(metrics_prefix)
        self._client = client
        self._calls = calls or CallLog()
        self._calls.grpc_verbosity = options.grpc_verbosity
        self._directory = options.plugins_directory / driver.name
        self._presence = Presence(self._directory / "running.lock")
        self._cdi = ClaimCdi(options.cdi_root, driver.cdi_kind, common_first=driver.common_first)
        self._metadata = MetadataFiles(
            self._directory, options.cdi_root, driver.name, driver.metadata_versions
        )
        self._guard = OverlapGuard()
        self._health = HealthBoard(options.node_name, clock or SystemClock())
        scope = NodeScope(driver.name, options.node_name, options.node_uid)
        self.publisher = Publisher(
            client,
            scope,
            self.handle_error,
            sync_delay_seconds=sync_delay_seconds,
            server_minor=server_minor,
        )
        self._statuses = StatusWriter(client, driver.name)
        self._pools: list[Pool] = []
        self._offered: list[Pool] | None = None
        """The pools as they were published last, with the taints of unhealthy devices."""
        self._dra_versions = tuple(dra_versions)
        self._answer_within = answer_within_seconds
        self._tasks = TaskSet(driver.name)
        self._started: list[Callable[[], Awaitable[None]]] = []
        self.sockets = Sockets(self.handle_error)
        self.probe: ProbeServer | None = None
        self.http: HttpEndpoints | None = None
        self._registrar: Registrar | None = None
        self._preparations: Preparations | None = None

    async def __aenter__(self) -> "KubeletPlugin":
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    # --- what others ask ---

    @property
    def registrar(self) -> Registrar:
        if self._registrar is None:
            raise RuntimeError("the plugin has not been started")
        return self._registrar

    @property
    def preparations(self) -> Preparations:
        if self._preparations is None:
            raise RuntimeError("the plugin has not been started")
        return self._preparations

    def not_ready(self) -> str:
        """ "" when the kubelet has accepted the driver, else why it has not."""
        status = self.registrar.status
        if status.registered:
            return ""
        return status.error or ("not registered yet" if status.asked else "no kubelet has asked yet")

    def handle_error(self, error: BackgroundError) -> None:
        self.metrics.background_error(error.fatal)
        self.driver.handle_error(error)
        if error.fatal:
            self.error = error
            self.failed.set()

    # --- start and stop ---

    async def start(self) -> None:
        """Raises OSError, CdiError, PublishError or what `discover` raised; call `stop` then, too."""
        self._prepare_directories()
        alone = self._presence.enter()
        self._preparations = self._new_preparations()
        service = self._new_service(self._preparations)
        if alone:
            await self._serve(service)
        self._pools = as_pools(await call(self.driver.discover), self.options.node_name)
        self._guard.learn(self._pools)
        await asyncio.to_thread(self._cdi.write_common, self.driver.common_edits())
        await self._preparations.restore(alone=alone)
        service.open()
        if not alone:
            # The other instance serves meanwhile; a kubelet that knew of this one would call it, and wait.
            await self._serve(service)
        await self.publisher.start()
        self._started.append(self.publisher.stop)
        self.publish(self._pools)
        self._tasks.start(self._watch_hardware(), "hardware")
        self._tasks.start(self.sockets.watch(), "sockets")
        self._tasks.start(collect_orphans(self._client, self.preparations), "orphans")
        if self.driver.reports_health:
            self._tasks.start(self._watch_health(), "health")
        self._started.append(self._tasks.stop)

    async def stop(self) -> None:
        """Remove the sockets and end everything; ResourceSlices and prepared claims stay."""
        while self._started:
            await self._started.pop()()
        self._presence.leave()

    def _prepare_directories(self) -> None:
        for directory in (self._directory, self.options.cdi_root):
            if directory.exists() and not directory.is_dir():
                raise NotADirectoryError(f"{directory} is not a directory")
            directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        if not self.options.registrar_directory.is_dir():
            raise FileNotFoundError(
                f"the kubelet's registry directory {self.options.registrar_directory} does not exist: "
                "is the kubelet's root directory another one?"
            )

    def _new_preparations(self) -> Preparations:
        return Preparations(
            self.driver,
            Checkpoint(self._directory / FILE_NAME, self.handle_error),
            self._cdi,
            self._guard,
            boot_id=boot_id() if self.options.boot_id is None else self.options.boot_id,
            metadata=self._metadata,
            serialize=self.options.serialize,
            on_prepared=self._on_prepared,
        )

    def _new_service(self, preparations: Preparations) -> DraService:
        return DraService(
            self.driver.name,
            self._client,
            preparations,
            self._calls,
            self.metrics,
            answer_within_seconds=self._answer_within,
        )

    async def _serve(self, service: DraService) -> None:
        options, name = self.options, self.driver.name
        if options.pod_uid:
            remove_dead_sockets(options.registrar_directory, f"{name}-*-reg.sock")
            remove_dead_sockets(self._directory, "*.sock")
        handlers = service.handlers(self._dra_versions)
        supported = [SERVICE_DRA[version] for version in self._dra_versions]
        if self.driver.reports_health:
            handlers += self._health.handlers()
            supported += [SERVICE_HEALTH[version] for version in HEALTH]
        path = registration_socket(options.registrar_directory, name, options.pod_uid)
        endpoint = path if options.single_socket else service_socket(self._directory, options.pod_uid)
        registrar = self._registrar = Registrar(path, name, endpoint, supported, self._calls)
        self._started.append(registrar.forget)
        self._started.append(self.sockets.stop)
        if options.single_socket:
            handlers.append(registrar.handler())
        await self._serve_socket("service", lambda: UnixServer(endpoint, handlers))
        self._started.append(functools.partial(service.drain, DRAIN_SECONDS))
        if not options.single_socket:
            await self._serve_socket(
                "registration", lambda: ThreadedUnixServer(path, [registrar.plain_handler()])
            )
        registrar.expect_kubelet()
        await self._serve_ports(path, endpoint)

    async def _serve_socket(self, what: str, make: Callable[[], Server]) -> None:
        await self._begin(
            functools.partial(self.sockets.serve, what, make), functools.partial(self.sockets.end, what)
        )

    async def _serve_ports(self, registration: Path, service: Path) -> None:
        options = self.options
        if options.healthcheck_port >= 0:
            self.probe = ProbeServer(options.bind_address, options.healthcheck_port, registration, service)
            await self._begin(self.probe.start, self.probe.stop)
        if options.metrics_port >= 0:
            from dray.sdk.endpoints import HttpEndpoints  # aiohttp's server is only loaded where it is wanted

            self._watch_state()
            host = options.bind_address
            self.http = HttpEndpoints(host, options.metrics_port, self.metrics.registry, self.not_ready)
            await self._begin(self.http.start, self.http.stop)

    async def _begin(self, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> None:
        self._started.append(stop)
        await start()

    def _watch_state(self) -> None:
        watch = self.metrics.watch
        watch("registered", "Whether the kubelet accepted the driver.", lambda: float(not self.not_ready()))
        watch(
            "published_devices", "Devices offered.", lambda: float(sum(len(p.devices) for p in self._pools))
        )
        watch("slice_writes", "Writes of ResourceSlices.", lambda: float(sum(self.publisher.writes.values())))
        watch("publish_errors", "Failed attempts to publish.", lambda: float(self.publisher.errors))

    # --- publishing ---

    def publish(self, pools: Sequence[Pool]) -> None:
        """Offer `pools` from now on; unhealthy devices get a taint when the driver wants that."""
        self._pools = list(pools)
        self._guard.learn(self._pools)
        try:
            offered = [self._tainted(pool) for pool in self._pools]
            self.publisher.publish(offered)
            if offered != self._offered:
                self._calls.publishing(offered)
            self._offered = offered
        except PublishError as error:
            self.handle_error(error)

    def _tainted(self, pool: Pool) -> Pool:
        unhealthy = self._health.unhealthy() if self.driver.taint_unhealthy else set()
        if not any((pool.name, device.name) in unhealthy for device in pool.devices):
            return pool
        taint = self.driver.unhealthy_taint
        devices = (
            dataclasses.replace(device, taints=(*device.taints, taint))
            if (pool.name, device.name) in unhealthy
            else device
            for device in pool.devices
        )
        return dataclasses.replace(pool, devices=tuple(devices))

    async def rediscover(self) -> None:
        """Ask the driver for its devices again and publish what changed."""
        pools = as_pools(await call(self.driver.discover), self.options.node_name)
        if pools != self._pools:
            self.publish(pools)

    # --- background ---

    async def _watch_hardware(self) -> None:
        await self._repeat("watching the hardware", self._follow_hardware)

    async def _follow_hardware(self) -> bool:
        async for _ in self.driver.watch_hardware():
            await self.rediscover()
        return True

    async def _watch_health(self) -> None:
        async def ask() -> bool:
            if self._health.update(await call(self.driver.health)) and self.driver.taint_unhealthy:
                self.publish(self._pools)
            await asyncio.sleep(self.driver.health_interval_seconds)
            return False

        await self._repeat("asking for the devices' health", ask)

    async def _repeat(self, what: str, step: Callable[[], Awaitable[bool]]) -> None:
        """Run `step` until it says that it is done; a failing one is reported and tried again ever more slowly."""
        backoff = Backoff(1.0, 60.0)
        while True:
            try:
                if await step():
                    return
                backoff.forget(what)
            except Exception as error:
                log.debug("Failure of the driver", exc_info=error)
                self.handle_error(BackgroundError(f"{what} failed: {type(error).__name__}: {error}"))
                await asyncio.sleep(backoff.next_delay(what))

    # --- device metadata ---

    async def update_metadata(
        self, claim_uid: str, changes: Mapping[tuple[str, str], DeviceMetadata]
    ) -> None:
        """New metadata for devices (pool, name) of a prepared claim. Raises ClaimError or OSError."""
        await self.preparations.update_metadata(claim_uid, changes)

    # --- device status ---

    def _on_prepared(self, claim: Claim, prepared: Sequence[PreparedDevice]) -> None:
        if type(self.driver).device_status is not Driver.device_status:
            self._tasks.start(self._write_status(claim, prepared), f"status of {claim.uid}")

    async def _write_status(self, claim: Claim, prepared: Sequence[PreparedDevice]) -> None:
        statuses = await call(self.driver.device_status, claim, prepared)
        if statuses:
            await self._statuses.write(claim, statuses)

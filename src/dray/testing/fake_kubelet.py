"""A kubelet for driver tests: it registers drivers and calls them over their real sockets, and nothing else.

    async with FakeKubelet(tmp_path) as kubelet:
        ...start a driver with kubelet.options("node")...
        plugin = await kubelet.plugin("gpu.example.com")
        reply = await plugin.prepare(claim)

It does what the real one does between a driver and itself: watches the registry directory, asks GetInfo within a
second, picks the first version of the driver's list that it knows, keeps one connection per plugin, and tells the
driver how registration ended. Faults can be switched on: an old kubelet, one that refuses, one that restarts.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import grpc.aio

from dray.api.meta import Object, name_of, namespace_of, uid_of
from dray.kits.tasks import TaskSet
from dray.sdk.claims import ClaimRef
from dray.sdk.options import Options
from dray.wire.kubelet import DRA, HEALTH, REGISTRATION, SERVICE_DRA
from dray.wire.rpc import Stub, UnixChannel

POLL_SECONDS: Final = 0.01
RETRY_SECONDS: Final = 0.5
"""Until a registration that failed is tried again."""
GET_INFO_SECONDS: Final = 1.0
CALL_SECONDS: Final = 45.0

Claimed = ClaimRef | Object
"""A claim as the kubelet names it, or the whole object."""


class PrepareError(Exception):
    """A driver's answer for one claim was an error; `str()` is its text."""


class Plugin:
    """One registered driver instance: its socket and the version spoken with it."""

    def __init__(
        self, driver: str, socket: Path, endpoint: Path, version: str, advertised: Sequence[str]
    ) -> None:
        self.driver = driver
        self.socket = socket
        self.endpoint = endpoint
        self.version = version
        self.advertised = tuple(advertised)
        self._channel = UnixChannel(endpoint)
        self._stub = self._channel.stub(DRA[version], "DRAPlugin")

    async def prepare(self, *claims: Claimed, timeout: float = CALL_SECONDS) -> dict[str, list[Any]]:
        """Claim UID -> Device messages. Raises PrepareError for the first claim with an error."""
        response = await self.call("NodePrepareResources", claims, timeout)
        return {uid: list(entry.devices) for uid, entry in _succeeded(response.claims)}

    async def unprepare(self, *claims: Claimed, timeout: float = CALL_SECONDS) -> set[str]:
        """The UIDs that were answered. Raises PrepareError for the first claim with an error."""
        response = await self.call("NodeUnprepareResources", claims, timeout)
        return {uid for uid, _ in _succeeded(response.claims)}

    async def call(self, method: str, claims: Iterable[Claimed], timeout: float = CALL_SECONDS) -> Any:
        """The raw response, with errors of claims in it. Raises grpc.aio.AioRpcError."""
        request = self._stub.new_request(method)
        for claim in claims:
            ref = _ref(claim)
            request.claims.add(namespace=ref.namespace, uid=ref.uid, name=ref.name)
        return await self._stub.call(method, request, timeout=timeout)

    async def health(self, version: str = "v1") -> AsyncGenerator[dict[str, tuple[int, str]], None]:
        """Device name -> (health, message), for each message of the health stream."""
        async with contextlib.aclosing(self.health_messages(version)) as stream:
            async for message in stream:
                yield {entry.device.device_name: (entry.health, entry.message) for entry in message.devices}

    async def health_messages(self, version: str = "v1") -> AsyncGenerator[Any, None]:
        """The NodeWatchResourcesResponses of the health stream. Raises grpc.aio.AioRpcError."""
        stub = self._channel.stub(HEALTH[version], "DRAResourceHealth")
        stream = stub.stream("NodeWatchResources")
        try:
            async for message in stream:
                yield message
        finally:
            stream.cancel()

    async def close(self) -> None:
        await self._channel.close()


@dataclasses.dataclass(frozen=True, slots=True)
class _Registration:
    inode: int
    plugin: Plugin | None
    """None while it failed."""
    again_at: float


class FakeKubelet:
    def __init__(self, root: Path, *, versions: Sequence[str] = tuple(DRA)) -> None:
        self.root = root
        self.registry = root / "plugins_registry"
        self.plugins_directory = root / "plugins"
        self.cdi_root = root / "cdi"
        self.versions = tuple(versions)
        """The versions of the DRA service that this kubelet knows."""
        self.refusal = ""
        """Not empty: refuse every registration with this reason."""
        self.impatience = 0
        """How many of the next GetInfo calls are given up at once, as if the connection broke."""
        self.get_info_seconds: list[float] = []
        """How long each successful GetInfo took."""
        self.notifications: list[tuple[str, bool, str]] = []
        """(driver, registered, error) of every NotifyRegistrationStatus sent."""
        self.failures: list[str] = []
        """What went wrong with registrations."""
        self._plugins: dict[Path, _Registration] = {}
        self._changed = asyncio.Event()
        self._tasks = TaskSet("fake-kubelet")

    def options(self, node_name: str = "node", **more: Any) -> Options:
        """Options for a driver on this kubelet's node."""
        options = Options(
            node_name=node_name,
            registrar_directory=self.registry,
            plugins_directory=self.plugins_directory,
            cdi_root=self.cdi_root,
            boot_id="boot-1",
        )
        return dataclasses.replace(options, **more)

    async def __aenter__(self) -> "FakeKubelet":
        for directory in (self.registry, self.plugins_directory, self.cdi_root):
            directory.mkdir(parents=True, exist_ok=True)
        self._tasks.start(self._watch(), "registry")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._tasks.stop()
        await self._forget(list(self._plugins))

    async def plugin(self, driver: str = "", timeout: float = 10.0) -> Plugin:
        """The newest registered instance of `driver` ("" for any), waiting for one. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while not (found := self.instances(driver)):
                self._changed.clear()
                await self._changed.wait()
        return found[-1]

    async def gone(self, driver: str, timeout: float = 10.0) -> None:
        """Wait until no instance of `driver` is registered."""
        async with asyncio.timeout(timeout):
            while self.instances(driver):
                self._changed.clear()
                await self._changed.wait()

    def instances(self, driver: str = "") -> list[Plugin]:
        """Those registered, of `driver` ("" for any), the newest last."""
        plugins = (one.plugin for one in self._plugins.values())
        return [plugin for plugin in plugins if plugin is not None and driver in ("", plugin.driver)]

    async def restart(self) -> None:
        """Forget every plugin, as a kubelet does; the next look at the registry finds them again."""
        await self._forget(list(self._plugins))

    async def _forget(self, paths: Iterable[Path]) -> None:
        for path in paths:
            plugin = self._plugins.pop(path).plugin
            if plugin is not None:
                await plugin.close()
        self._changed.set()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            present = dict(self._sockets())
            await self._forget(
                [path for path, known in self._plugins.items() if present.get(path) != known.inode]
            )
            for path, inode in present.items():
                known = self._plugins.get(path)
                if known is None or (known.plugin is None and loop.time() >= known.again_at):
                    # A plugin that was accepted goes last: the newest is called.
                    plugin = await self._register(path)
                    self._plugins.pop(path, None)
                    self._plugins[path] = _Registration(inode, plugin, loop.time() + RETRY_SECONDS)
                    self._changed.set()
            await asyncio.sleep(POLL_SECONDS)

    def _sockets(self) -> Iterable[tuple[Path, int]]:
        for path in sorted(self.registry.rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                if not path.name.startswith(".") and path.is_socket():
                    yield path, path.stat().st_ino

    async def _register(self, path: Path) -> Plugin | None:
        channel = UnixChannel(path)
        stub = channel.stub(REGISTRATION, "Registration")
        try:
            info = await self._get_info(stub)
            plugin = self._accept(path, info)
            error = "" if isinstance(plugin, Plugin) else plugin
            self.notifications.append((info.name, not error, error))
            request = stub.new_request("NotifyRegistrationStatus", plugin_registered=not error, error=error)
            await stub.call("NotifyRegistrationStatus", request, timeout=5.0)
        except grpc.aio.AioRpcError as failure:
            self.failures.append(f"{path.name}: {failure.code().name}: {failure.details()}")
            return None
        finally:
            await channel.close()
        return plugin if isinstance(plugin, Plugin) else None

    async def _get_info(self, stub: Stub) -> Any:
        if self.impatience:
            self.impatience -= 1
            return await stub.call("GetInfo", timeout=0.0)
        started = asyncio.get_running_loop().time()
        info = await stub.call("GetInfo", timeout=GET_INFO_SECONDS)
        self.get_info_seconds.append(asyncio.get_running_loop().time() - started)
        return info

    def _accept(self, path: Path, info: Any) -> Plugin | str:
        """The plugin that `info` describes, or why it is refused."""
        if self.refusal:
            return self.refusal
        if info.type != "DRAPlugin":
            return f"no handler registered for plugin type: {info.type} at socket {path}"
        known = {SERVICE_DRA[version]: version for version in self.versions}
        chosen = next((known[name] for name in info.supported_versions if name in known), None)
        if chosen is None:
            return f"none of services supported by the plugin ({list(info.supported_versions)}) are supported"
        endpoint = Path(info.endpoint) if info.endpoint else path
        return Plugin(info.name, path, endpoint, chosen, info.supported_versions)


def _succeeded(claims: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for uid, entry in claims.items():
        if entry.error:
            raise PrepareError(entry.error)
        yield uid, entry


def _ref(claim: Claimed) -> ClaimRef:
    if isinstance(claim, ClaimRef):
        return claim
    return ClaimRef(uid_of(claim), namespace_of(claim), name_of(claim))


def allocated_claim(
    name: str,
    *results: Object,
    driver: str = "gpu.example.com",
    node: str = "node",
    configs: Sequence[Object] = (),
    namespace: str = "default",
    uid: str = "",
) -> Object:
    """A ResourceClaim with an allocation; each result needs a `device`, the rest has defaults."""
    filled = [{"request": "gpu", "driver": driver, "pool": node, **result} for result in results]
    devices: Object = {"results": filled}
    if configs:
        devices["config"] = list(configs)
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": name, "namespace": namespace, "uid": uid or f"uid-{name}"},
        "spec": {},
        "status": {"allocation": {"devices": devices}},
    }

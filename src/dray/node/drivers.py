"""DRA drivers of this node: found by their registration sockets, asked who they are, dialled, and let go.

A socket that appears in `plugins_registry` is asked for its name, endpoint and versions; the answer decides whether it
is registered, and it is told. A socket that disappears takes its driver with it; when that was the driver's last one,
its ResourceSlices are wiped after a delay that a restarted driver can beat.
Source: kubernetes pkg/kubelet/pluginmanager and cm/dra/plugin, 1.36.
"""

import asyncio
import contextlib
import dataclasses
import logging
import os
import stat
from pathlib import Path
from typing import Any, Final

import grpc.aio

from dray.api import errors
from dray.api.resources import RESOURCE_SLICES
from dray.client.protocol import Client, Selection, Unreachable
from dray.kits.tasks import TaskSet
from dray.wire.kubelet import DRA, REGISTRATION
from dray.wire.rpc import UnixChannel

log = logging.getLogger("dray.node.plugins")

SCAN_SECONDS: Final = 0.1
REGISTRATION_TIMEOUT_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 1.0
WIPE_DELAY_SECONDS: Final = 30.0
DRA_TYPE: Final = "DRAPlugin"
CLIENT_CALL_TIMEOUT_SECONDS: Final = 45.0


class NotRegistered(Exception):
    def __init__(self, driver: str) -> None:
        super().__init__(f"DRA driver {driver} is not registered")


@dataclasses.dataclass(eq=False)
class Plugin:
    """One registered driver instance."""

    name: str
    socket: Path
    """Its registration socket, by which it is known."""
    version: str
    channel: UnixChannel

    async def call(self, method: str, claims: list[dict[str, str]]) -> Any:
        """One unary call about `claims` ({namespace, uid, name}). Raises grpc.aio.AioRpcError."""
        package = DRA[self.version]
        stub = self.channel.stub(package, "DRAPlugin")
        request = stub.new_request(method, claims=[package.message("Claim")(**claim) for claim in claims])
        return await stub.call(method, request, timeout=CLIENT_CALL_TIMEOUT_SECONDS)


class PluginRegistry:
    """Follows one `plugins_registry` directory."""

    def __init__(self, directory: Path, host_path: Any, client: Client, node: str) -> None:
        """`host_path(path)`: where an endpoint, as the driver names it, lies on this machine."""
        self._directory = directory
        self._host_path = host_path
        self._client = client
        self._node = node
        self._by_socket: dict[Path, Plugin] = {}
        self._seen: dict[Path, int] = {}
        self._retry_at: dict[Path, float] = {}
        self._wipes: dict[str, asyncio.Task[None]] = {}
        self._tasks = TaskSet("plugins")

    def find(self, driver: str) -> Plugin:
        """The newest instance of a driver. Raises NotRegistered."""
        instances = [plugin for plugin in self._by_socket.values() if plugin.name == driver]
        if not instances:
            raise NotRegistered(driver)
        return instances[-1]

    def is_registered(self, driver: str) -> bool:
        return any(plugin.name == driver for plugin in self._by_socket.values())

    async def run(self) -> None:
        """Follow the directory until cancelled."""
        try:
            while True:
                await self._scan()
                await asyncio.sleep(SCAN_SECONDS)
        finally:
            await self._tasks.stop()
            for plugin in list(self._by_socket.values()):
                await plugin.channel.close()

    async def _scan(self) -> None:
        present = dict(_sockets(self._directory))
        for path in [path for path in self._seen if present.get(path) != self._seen[path]]:
            await self._gone(path)
        now = asyncio.get_running_loop().time()
        for path, identity in present.items():
            if path not in self._by_socket and self._retry_at.get(path, 0) <= now:
                self._seen[path] = identity
                self._retry_at[path] = now + RETRY_SECONDS
                self._tasks.start(self._register(path), path.name)

    async def _register(self, path: Path) -> None:
        channel = UnixChannel(path)
        try:
            stub = channel.stub(REGISTRATION, "Registration")
            info = await stub.call("GetInfo", timeout=REGISTRATION_TIMEOUT_SECONDS)
            error = await self._admit(path, info)
            status = stub.new_request("NotifyRegistrationStatus", plugin_registered=not error, error=error)
            await stub.call("NotifyRegistrationStatus", status, timeout=REGISTRATION_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as failure:
            log.debug("Registration socket %s does not answer yet: %s", path, failure.details())
        finally:
            await channel.close()

    async def _admit(self, path: Path, info: Any) -> str:
        """Register the driver; returns the reason when it cannot be."""
        if info.type != DRA_TYPE:
            return f"plugins of type {info.type!r} are not supported by this node"
        offered = {version.partition(".")[0] for version in info.supported_versions}
        version = next((each for each in DRA if each in offered), None)
        if version is None:
            return (
                f"plugin {info.name} offers no version of the DRA service that this node speaks (v1, v1beta1)"
            )
        if path in self._by_socket:
            return ""
        endpoint = self._host_path(info.endpoint) if info.endpoint else path
        self._by_socket[path] = Plugin(info.name, path, version, UnixChannel(endpoint))
        if wipe := self._wipes.pop(info.name, None):
            wipe.cancel()
        log.info("Registered DRA driver %s, version %s", info.name, version)
        return ""

    async def _gone(self, path: Path) -> None:
        self._seen.pop(path, None)
        self._retry_at.pop(path, None)
        plugin = self._by_socket.pop(path, None)
        if plugin is None:
            return
        await plugin.channel.close()
        log.info("Deregistered DRA driver %s", plugin.name)
        if not self.is_registered(plugin.name):
            self._wipes[plugin.name] = self._tasks.start(self._wipe_later(plugin.name), f"wipe/{plugin.name}")

    async def _wipe_later(self, driver: str) -> None:
        await asyncio.sleep(WIPE_DELAY_SECONDS)
        await wipe_slices(self._client, self._node, driver)


async def wipe_slices(client: Client, node: str, driver: str = "") -> None:
    """Delete this node's ResourceSlices, of one driver or of all; tried until it succeeds."""
    fields = f"spec.nodeName={node}" + (f",spec.driver={driver}" if driver else "")
    delay = 1.0
    while True:
        try:
            await client.delete_collection(RESOURCE_SLICES, Selection(fields=fields))
        except (errors.StatusError, Unreachable) as error:
            log.warning("Slices of node %s were not deleted, trying again in %.0f s: %s", node, delay, error)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 300.0)
        else:
            return


def _sockets(directory: Path) -> list[tuple[Path, int]]:
    found: list[tuple[Path, int]] = []
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(directory):
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISSOCK(status.st_mode):
                    found.append((Path(entry.path), status.st_ino))
    return sorted(found)

"""The registry directory: each socket in it is a plugin that wants to be known.

Decides what counts as a plugin (a socket whose name has no leading dot, in the directory or below), and follows each
from its appearance to its disappearance. A socket made anew under an old name is a new plugin. Failed registrations
are tried again, half a second later at first and two minutes apart in the end.
"""

import asyncio
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import grpc.aio

from dray.kits.backoff import Backoff
from dray.kits.tasks import TaskSet
from dray.node.metrics import NodeMetrics
from dray.node.plugins.connection import DriverConnection
from dray.node.plugins.drivers import Drivers, RegistrationRefused
from dray.node.plugins.inotify import DirectoryWatch
from dray.wire.kubelet import PLUGIN_TYPE_DRA, REGISTRATION
from dray.wire.rpc import UnixChannel

log = logging.getLogger("dray.node.plugins")

CONNECT_SECONDS: Final = 10.0
GET_INFO_SECONDS: Final = 1.0
NOTIFY_SECONDS: Final = 5.0
RETRY_SECONDS: Final = (0.5, 122.0)


class RegistrationFailure(Exception):
    """One attempt to register a plugin failed; the text is for the log."""


class PluginWatcher:
    """Keeps `drivers` in step with the sockets below `directory` until stopped."""

    def __init__(self, directory: Path, drivers: Drivers, metrics: NodeMetrics) -> None:
        self._directory = directory
        self._drivers = drivers
        self._metrics = metrics
        self._plugins: dict[Path, tuple[int, asyncio.Task[Any]]] = {}
        self._registered: dict[Path, DriverConnection] = {}
        self.settled = asyncio.Event()
        """Every plugin that was there at the start is registered, or has failed to register once."""
        self._unsettled: set[Path] = set()
        self._changed = asyncio.Event()
        self._tasks = TaskSet("plugins")
        self._watch: DirectoryWatch | None = None

    async def run(self) -> None:
        self._watch = DirectoryWatch(self._changed.set)
        try:
            self._unsettled.update(path for path, _ in self._sockets(self._directory))
            while True:
                self._changed.clear()
                await self._look()
                self._settle()
                await self._changed.wait()
        finally:
            self._watch.close()
            await self._tasks.stop()
            for path in list(self._registered):
                await self._forget(path)

    async def _look(self) -> None:
        present = dict(self._sockets(self._directory))
        gone = [path for path, (inode, _) in self._plugins.items() if present.get(path) != inode]
        for path in gone:
            _, task = self._plugins.pop(path)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._forget(path)
        for path, inode in present.items():
            if path not in self._plugins:
                task = self._tasks.start(self._keep_registered(path), path.name)
                self._plugins[path] = (inode, task)
        self._metrics.plugin_sockets = {str(path): path in self._registered for path in self._plugins}

    def _settle(self, path: Path | None = None) -> None:
        """The first registration of `path` has succeeded or failed; or the socket is not there any more."""
        self._unsettled &= self._plugins.keys() - {path}
        if not self._unsettled:
            self.settled.set()

    def _sockets(self, directory: Path) -> Iterator[tuple[Path, int]]:
        """(path, inode) of every plugin socket; directories found on the way are watched too."""
        assert self._watch is not None
        try:
            self._watch.watch(directory)
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISSOCK(found.st_mode):
                yield Path(entry.path), found.st_ino
            elif stat.S_ISDIR(found.st_mode):
                yield from self._sockets(Path(entry.path))

    async def _keep_registered(self, path: Path) -> None:
        backoff = Backoff(*RETRY_SECONDS)
        while True:
            try:
                await self._register(path)
                self._metrics.plugin_sockets[str(path)] = True
                self._settle(path)
                return
            except RegistrationFailure as failure:
                self._settle(path)
                delay = backoff.next_delay(path)
                log.warning("RegisterPlugin error -- %s; trying again in %.1f s", failure, delay)
                await asyncio.sleep(delay)

    async def _register(self, path: Path) -> None:
        try:
            channel = UnixChannel(path)
        except (ValueError, FileNotFoundError) as error:
            raise RegistrationFailure(f"dial failed at socket {path}, err: {error}") from error
        try:
            try:
                await channel.connected(CONNECT_SECONDS)
            except TimeoutError:
                raise RegistrationFailure(
                    f"dial failed at socket {path}, err: context deadline exceeded"
                ) from None
            stub = channel.stub(REGISTRATION, "Registration")
            info = await _get_info(stub, path)
            connection = await self._accept(stub, path, info)
            try:
                await _notify(stub, path, "")
            except RegistrationFailure:
                await self._drivers.deregister(connection)
                raise
            self._registered[path] = connection
            log.info("Registered DRA driver %s at %s (%s)", info.name, path, connection.version)
        finally:
            await channel.close()

    async def _accept(self, stub: Any, path: Path, info: Any) -> DriverConnection:
        error = ""
        if info.type != PLUGIN_TYPE_DRA:
            error = f"no handler registered for plugin type: {info.type} at socket {path}"
        else:
            try:
                return self._drivers.register(
                    info.name, info.endpoint or str(path), tuple(info.supported_versions)
                )
            except (RegistrationRefused, ValueError, FileNotFoundError) as refusal:
                error = f"plugin validation failed with err: {refusal}"
        await _notify(stub, path, error)
        raise RegistrationFailure(error)

    async def _forget(self, path: Path) -> None:
        connection = self._registered.pop(path, None)
        if connection is not None:
            log.info("DRA driver %s at %s is gone", connection.driver, path)
            await self._drivers.deregister(connection)


async def _get_info(stub: Any, path: Path) -> Any:
    try:
        return await stub.call("GetInfo", timeout=GET_INFO_SECONDS)
    except grpc.aio.AioRpcError as error:
        raise RegistrationFailure(
            f"failed to get plugin info using RPC GetInfo at socket {path}, err: {error.details()}"
        ) from error


async def _notify(stub: Any, path: Path, error: str) -> None:
    request = stub.new_request("NotifyRegistrationStatus", plugin_registered=not error, error=error)
    try:
        await stub.call("NotifyRegistrationStatus", request, timeout=NOTIFY_SECONDS)
    except grpc.aio.AioRpcError as failure:
        raise RegistrationFailure(
            f"failed to send registration status at socket {path}, err: {failure.details()}"
        ) from failure

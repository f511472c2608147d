"""The health of devices as their drivers stream it, for the status of the pods that use them.

A driver's message is the complete list of its devices. A device of which nothing was heard for longer than its
timeout is Unknown, and so is every device of a driver whose stream ended. Health changes nothing but what pods show.
"""

import asyncio
import contextlib
import dataclasses
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
import orjson

from dray.api.meta import Object, format_time
from dray.kits.clock import Clock
from dray.kits.tasks import TaskSet
from dray.node.plugins.connection import DriverConnection
from dray.node.plugins.drivers import Drivers
from dray.wire.kubelet import HEALTH, SERVICE_HEALTH

log = logging.getLogger("dray.node.health")

RECONNECT_SECONDS: Final = 5.0
DEFAULT_TIMEOUT_SECONDS: Final = 30.0
MESSAGE_LIMIT: Final = 1024
_OLDEST: Final = "v1alpha1"
_NAMES: Final = ("Unknown", "Healthy", "Unhealthy")


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceHealth:
    health: str
    message: str
    timeout_seconds: float
    heard: float
    """Monotonic time of the last message."""


class HealthMonitor:
    """`on_change(driver)` is called after any device of the driver changed. Keeps its state in `path`."""

    def __init__(
        self, path: Path, drivers: Drivers, clock: Clock, on_change: Callable[[str], object]
    ) -> None:
        self._path = path
        self._drivers = drivers
        self._clock = clock
        self._on_change = on_change
        self._devices: dict[str, dict[tuple[str, str], DeviceHealth]] = {}
        self._streams: dict[DriverConnection, asyncio.Task[Any]] = {}
        self._tasks = TaskSet("health")

    async def run(self) -> None:
        self._drivers.listen(self._drivers_changed)
        try:
            await self._expire_for_ever()
        finally:
            await self._tasks.stop()

    async def _expire_for_ever(self) -> None:
        delay = 0.0
        while delay >= 0:
            await asyncio.sleep(delay)
            delay = self._expire()

    def health_of(self, driver: str, pool: str, device: str) -> tuple[str, str]:
        """(`Healthy`, `Unhealthy` or `Unknown`, message)."""
        known = self._devices.get(driver, {}).get((pool, device))
        if known is None or self._is_stale(known):
            return "Unknown", ""
        return known.health, known.message

    def _is_stale(self, known: DeviceHealth) -> bool:
        return self._clock.monotonic() - known.heard > known.timeout_seconds

    def _drivers_changed(self, driver: str) -> None:
        present = set(self._drivers.instances(driver))
        for connection in [old for old in self._streams if old.driver == driver and old not in present]:
            self._streams.pop(connection).cancel()
        for connection in present - set(self._streams):
            following = self._follow(connection, _health_version(connection))
            self._streams[connection] = self._tasks.start(following, driver)

    async def _follow(self, connection: DriverConnection, version: str) -> None:
        stub = connection.channel.stub(HEALTH[version], "DRAResourceHealth")
        try:
            while True:
                try:
                    async for message in stub.stream("NodeWatchResources"):
                        self._received(connection.driver, message.devices)
                except grpc.aio.AioRpcError as error:
                    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                        return
                    log.debug("Health of driver %s: %s", connection.driver, error.details())
                self._forget(connection.driver)
                await asyncio.sleep(RECONNECT_SECONDS)
        finally:
            self._forget(connection.driver)

    def _received(self, driver: str, devices: Iterable[Any]) -> None:
        before = self._devices.get(driver, {})
        known = dict(before)
        now = self._clock.monotonic()
        for entry in devices:
            timeout = entry.health_check_timeout_seconds
            known[entry.device.pool_name, entry.device.device_name] = DeviceHealth(
                _NAMES[entry.health] if entry.health < len(_NAMES) else "Unknown",
                _shortened(entry.message),
                timeout if timeout > 0 else DEFAULT_TIMEOUT_SECONDS,
                now,
            )
        self._devices[driver] = known
        if _shown(before) != _shown(known):
            self._save()
            self._on_change(driver)

    def _forget(self, driver: str) -> None:
        if self._devices.pop(driver, None):
            self._save()
            self._on_change(driver)

    def _expire(self) -> float:
        """Drop devices that went silent; returns the seconds until the next may have."""
        wait = DEFAULT_TIMEOUT_SECONDS
        now = self._clock.monotonic()
        for driver, devices in list(self._devices.items()):
            fresh = {key: known for key, known in devices.items() if not self._is_stale(known)}
            if len(fresh) != len(devices):
                self._devices[driver] = fresh
                self._save()
                self._on_change(driver)
            for known in fresh.values():
                wait = min(wait, known.heard + known.timeout_seconds - now)
        return max(wait, 0.1)

    def _save(self) -> None:
        state = {
            driver: {
                "Devices": {
                    f"{pool}/{name}": self._record(pool, name, known)
                    for (pool, name), known in devices.items()
                }
            }
            for driver, devices in self._devices.items()
        }
        temporary = self._path.with_name(f".{self._path.name}{os.getpid()}")
        with contextlib.suppress(OSError):
            temporary.write_bytes(orjson.dumps(state))
            temporary.rename(self._path)

    def _record(self, pool: str, name: str, known: DeviceHealth) -> Object:
        return {
            "PoolName": pool,
            "DeviceName": name,
            "Health": known.health,
            "LastUpdated": format_time(self._clock.now()),
            "HealthCheckTimeout": int(known.timeout_seconds * 1e9),
            "Message": known.message,
        }


def _health_version(connection: DriverConnection) -> str:
    """The version to stream: the newest advertised; a driver that advertises none is tried with the oldest."""
    for version, service in SERVICE_HEALTH.items():
        if service in connection.services:
            return version
    return _OLDEST


def _shown(devices: dict[tuple[str, str], DeviceHealth]) -> dict[tuple[str, str], tuple[str, str, float]]:
    return {key: (known.health, known.message, known.timeout_seconds) for key, known in devices.items()}


def _shortened(message: str) -> str:
    encoded = message.encode()
    if len(encoded) <= MESSAGE_LIMIT:
        return message
    return encoded[: MESSAGE_LIMIT - 3].decode(errors="ignore") + "..."

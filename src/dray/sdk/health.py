"""Device health for the kubelet: the DRAResourceHealth service (v1 and v1alpha1).

Every message carries all devices, and is repeated well before the kubelet's timeout even when nothing changed, for a
device it does not hear of is taken for unknown. Any number of streams may be open: two kubelet connections during a
rolling update, one of a debugging tool.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

from dray.kits.clock import Clock
from dray.sdk.driver import DeviceHealth, Health
from dray.wire.kubelet import HEALTH
from dray.wire.rpc import Handler, service_handler
from dray.wire.schema import Package

MAX_MESSAGE_BYTES: Final = 1024
_REPEATS_PER_TIMEOUT: Final = 3


class HealthBoard:
    """The last known health of all devices, and the streams that follow it."""

    def __init__(self, pool: str, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._devices: dict[tuple[str, str], DeviceHealth] = {}
        self._changed = asyncio.Event()
        self._known = asyncio.Event()

    def update(self, devices: Iterable[DeviceHealth]) -> bool:
        """Replace what is known; whether anything changed."""
        new = {(device.pool or self._pool, device.device): device for device in devices}
        changed = new != self._devices
        self._devices = new
        if changed or not self._known.is_set():
            self._known.set()
            self._changed.set()
            self._changed = asyncio.Event()
        return changed

    def unhealthy(self) -> set[tuple[str, str]]:
        """(pool, device) of the devices that are unhealthy."""
        return {key for key, device in self._devices.items() if device.health is Health.UNHEALTHY}

    def handlers(self, versions: Sequence[str] = tuple(HEALTH)) -> list[Handler]:
        return [self._handler(HEALTH[version]) for version in versions]

    def _handler(self, package: Package) -> Handler:
        async def watch(request: Any) -> AsyncIterator[Any]:
            await self._known.wait()
            while True:
                changed = self._changed
                yield self._message(package)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._repeat_after()):
                        await changed.wait()

        return service_handler(package, "DRAResourceHealth", {"NodeWatchResources": watch})

    def _repeat_after(self) -> float:
        shortest = min((device.timeout_seconds for device in self._devices.values()), default=30)
        return max(shortest / _REPEATS_PER_TIMEOUT, 1.0)

    def _message(self, package: Package) -> Any:
        response = package.message("NodeWatchResourcesResponse")()
        now = int(self._clock.now().timestamp())
        for (pool, name), device in sorted(self._devices.items()):
            entry = response.devices.add(
                health=int(device.health),
                last_updated_time=now,
                health_check_timeout_seconds=device.timeout_seconds,
                message=_shortened(device.message),
            )
            entry.device.pool_name = pool
            entry.device.device_name = name
        return response


def _shortened(message: str) -> str:
    data = message.encode()
    if len(data) <= MAX_MESSAGE_BYTES:
        return message
    return data[: MAX_MESSAGE_BYTES - 3].decode(errors="ignore") + "..."

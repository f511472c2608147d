"""Taking down the ResourceSlices of drivers that are gone, so that nobody schedules onto devices nobody serves.

At the agent's start the slices of drivers that are not there go. The kubelet wipes those of all drivers, which a driver
that is there answers by publishing again, after 30 s in which its devices are not to be had; here drivers have the time
of one registration to show that they are there. Later, a driver without a connected instance for 30 s loses its slices.
Only slices of this node (by `spec.nodeName`) are touched.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from dray.api import errors
from dray.api.resources import RESOURCE_SLICES
from dray.client.protocol import Client, Selection, Unreachable
from dray.kits.backoff import Backoff
from dray.kits.tasks import TaskSet
from dray.node.plugins.drivers import Drivers

log = logging.getLogger("dray.node.plugins")

WIPE_DELAY_SECONDS: Final = 30.0
_BACKOFF_SECONDS: Final = (1.0, 300.0)
_JITTER: Final = 0.2

Result = TypeVar("Result")


class SliceWiper:
    def __init__(self, client: Client, node_name: str, drivers: Drivers, settled: asyncio.Event) -> None:
        """`settled` is set when every driver that was there at the start has had its chance to register."""
        self._client = client
        self._node = node_name
        self._drivers = drivers
        self._settled = settled
        self._tasks = TaskSet("slices")
        self._timers: dict[str, asyncio.Task[Any]] = {}

    async def run(self) -> None:
        """Wipe once, then follow the drivers until cancelled."""
        self._drivers.listen(self._changed)
        try:
            self._tasks.start(self._wipe_missing(), "start")
            await asyncio.Event().wait()
        finally:
            await self._tasks.stop()

    def _changed(self, driver: str) -> None:
        timer = self._timers.get(driver)
        if self._drivers.is_usable(driver):
            if timer is not None:
                timer.cancel()
                del self._timers[driver]
        elif timer is None:
            self._timers[driver] = self._tasks.start(self._wipe_later(driver), driver)

    async def _wipe_later(self, driver: str) -> None:
        await asyncio.sleep(WIPE_DELAY_SECONDS)
        log.info("DRA driver %s has been gone for %.0f s: removing its slices", driver, WIPE_DELAY_SECONDS)
        await self._wipe(driver)
        self._timers.pop(driver, None)

    async def _wipe_missing(self) -> None:
        await self._settled.wait()
        fields = f"spec.nodeName={self._node}"
        found = await self._persist(
            fields, lambda: self._client.list(RESOURCE_SLICES, Selection(fields=fields))
        )
        for driver in sorted({entry["spec"]["driver"] for entry in found.items}):
            if not self._drivers.is_registered(driver):
                log.info("DRA driver %s is not there: removing its slices", driver)
                await self._wipe(driver)

    async def _wipe(self, driver: str) -> None:
        fields = f"spec.nodeName={self._node},spec.driver={driver}"
        selection = Selection(fields=fields)
        await self._persist(fields, lambda: self._client.delete_collection(RESOURCE_SLICES, selection))

    async def _persist(self, fields: str, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """The result of `attempt`, tried until the API server grants it."""
        backoff = Backoff(*_BACKOFF_SECONDS)
        while True:
            try:
                return await attempt()
            except (errors.StatusError, Unreachable) as error:
                delay = backoff.next_delay(fields) * random.uniform(1, 1 + _JITTER)
                log.warning(
                    "Cannot wipe ResourceSlices (%s), trying again in %.0f s: %s", fields, delay, error
                )
                await asyncio.sleep(delay)

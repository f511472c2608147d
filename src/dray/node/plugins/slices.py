"""Taking down the ResourceSlices of drivers that are gone, so that nobody schedules onto devices nobody serves.

At the agent's start all slices of the node go, since it is not known whose drivers are still there; a driver that is
publishes again. Later, a driver without a connected instance for 30 s loses its own. Only slices of this node (by
`spec.nodeName`) are touched.
"""

import asyncio
import logging
import random
from typing import Any, Final

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


class SliceWiper:
    def __init__(self, client: Client, node_name: str, drivers: Drivers) -> None:
        self._client = client
        self._node = node_name
        self._drivers = drivers
        self._tasks = TaskSet("slices")
        self._timers: dict[str, asyncio.Task[Any]] = {}

    async def run(self) -> None:
        """Wipe once, then follow the drivers until cancelled."""
        self._drivers.listen(self._changed)
        try:
            self._tasks.start(self._wipe(f"spec.nodeName={self._node}"), "start")
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
        await self._wipe(f"spec.nodeName={self._node},spec.driver={driver}")
        self._timers.pop(driver, None)

    async def _wipe(self, fields: str) -> None:
        backoff = Backoff(*_BACKOFF_SECONDS)
        while True:
            try:
                await self._client.delete_collection(RESOURCE_SLICES, Selection(fields=fields))
                return
            except (errors.StatusError, Unreachable) as error:
                delay = backoff.next_delay(fields) * random.uniform(1, 1 + _JITTER)
                log.warning(
                    "Cannot delete ResourceSlices (%s), trying again in %.0f s: %s", fields, delay, error
                )
                await asyncio.sleep(delay)

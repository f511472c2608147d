"""Binding conditions, for a driver's controller: devices that must be made ready before their pod is bound.

A device that publishes binding conditions lets the scheduler wait: after allocation the pod is bound only when every
one of them is True in the claim's `status.devices`, and given up when a failure condition is. Somebody has to set
them; this is the loop that does, for the devices of one driver:

    async def decide(claim, device):
        return Ready() if fabric.attached(device.device) else Wait(2.0)

    await BindingConditions(client, "fabric.example.com", decide).run()

Level-triggered: it looks at every allocated claim, asks `decide` for devices whose conditions are still open, and
writes only what changed. It may be stopped and started anywhere.
"""

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from dray.api import resources
from dray.api.errors import StatusError
from dray.api.meta import Object, ObjectKey, is_deleting, key_of, name_of, namespace_of, uid_of
from dray.client.informer import Informer
from dray.client.protocol import Client, Unreachable
from dray.client.workqueue import WorkQueue
from dray.kits.backoff import Backoff
from dray.kits.clock import Clock
from dray.kits.klog import kv
from dray.kits.tasks import TaskSet
from dray.sdk.claims import AllocatedDevice, Claim, ClaimRef, claim_for_driver
from dray.sdk.conditions import Condition
from dray.sdk.driver import DeviceStatus, call
from dray.sdk.status import StatusWriter, device_key

log = logging.getLogger("dray.sdk.binding")


@dataclasses.dataclass(frozen=True, slots=True)
class Ready:
    """The device can be used: all its binding conditions become True."""

    reason: str = "Ready"
    message: str = "Device is ready"


@dataclasses.dataclass(frozen=True, slots=True)
class Failed:
    """The device will not become ready: its failure conditions become True and the scheduler looks elsewhere."""

    message: str
    reason: str = "Failed"


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """Not yet: ask again after `seconds`."""

    seconds: float = 1.0


Decision = Ready | Failed | Wait
Decide = Callable[[Claim, AllocatedDevice], "Decision | Awaitable[Decision]"]
"""Async, or a plain function that runs in a thread. May be asked again for the same device."""


class BindingConditions:
    def __init__(self, client: Client, driver: str, decide: Decide, *, clock: Clock | None = None) -> None:
        self._driver = driver
        self._decide = decide
        self._informer = Informer(client, resources.RESOURCE_CLAIMS)
        # Beside the node's driver, which has entries of its own under the driver's name.
        self._writer = StatusWriter(client, driver, field_manager=f"{driver}-binding", clock=clock)
        self._queue: WorkQueue[ObjectKey] = WorkQueue(Backoff(0.1, 60.0))

    async def run(self) -> None:
        """Follow the claims until cancelled."""
        tasks = TaskSet("binding-conditions")
        self._informer.add_handler(on_add=self._seen, on_update=lambda old, new: self._seen(new))
        tasks.start(self._informer.run(), "informer")
        try:
            while True:
                key = await self._queue.get()
                try:
                    await self._sync(key)
                    self._queue.forget(key)
                except Exception as error:
                    log.error("Binding conditions of the claim", extra=kv(claim=str(key), err=error))
                    if not isinstance(error, (StatusError, Unreachable)):
                        log.debug("Failure of the controller", exc_info=error)
                    self._queue.retry(key)
                finally:
                    self._queue.done(key)
        finally:
            self._queue.stop()
            await tasks.stop()

    def _seen(self, obj: Object) -> None:
        if open_devices(obj, self._driver):
            self._queue.add(key_of(obj))

    async def _sync(self, key: ObjectKey) -> None:
        obj = self._informer.cache.get(key)
        if obj is None or is_deleting(obj) or not open_devices(obj, self._driver):
            return
        claim = claim_for_driver(obj, self._driver, ClaimRef(uid_of(obj), namespace_of(obj), name_of(obj)))
        statuses, waits = [], []
        for device in claim.devices:
            conditions = _conditions_of(obj, self._driver, device)
            if _is_open(device, conditions):
                decision: Decision = await call(self._decide, claim, device)
                if isinstance(decision, Wait):
                    waits.append(decision.seconds)
                else:
                    conditions = _decided(device, decision)
            if conditions:
                statuses.append(DeviceStatus(device, conditions=tuple(conditions)))
        if any(isinstance(one, Condition) for status in statuses for one in status.conditions):
            await self._writer.apply(claim, statuses)
        if waits:
            self._queue.add_after(key, min(waits))


def open_devices(obj: Object, driver: str) -> list[Object]:
    """The allocation results of `driver` in a claim whose binding conditions are not settled yet."""
    allocation = (obj.get("status") or {}).get("allocation") or {}
    results = (allocation.get("devices") or {}).get("results") or ()
    stored = {device_key(entry): entry for entry in (obj.get("status") or {}).get("devices") or ()}
    return [
        result
        for result in results
        if result["driver"] == driver
        and result.get("bindingConditions")
        and not _is_settled(result, (stored.get(device_key(result)) or {}).get("conditions") or ())
    ]


def _conditions_of(obj: Object, driver: str, device: AllocatedDevice) -> "list[Condition | Object]":
    """The device's binding conditions as stored; an apply that left them out would take them away."""
    wanted = {
        *(device.raw.get("bindingConditions") or ()),
        *(device.raw.get("bindingFailureConditions") or ()),
    }
    for entry in (obj.get("status") or {}).get("devices") or ():
        if device_key(entry) == (driver, *device.key):
            return [one for one in entry.get("conditions") or () if one["type"] in wanted]
    return []


def _is_open(device: AllocatedDevice, conditions: Iterable[Condition | Object]) -> bool:
    stored = [one for one in conditions if not isinstance(one, Condition)]
    return bool(device.raw.get("bindingConditions")) and not _is_settled(device.raw, stored)


def _is_settled(result: Mapping[str, Any], conditions: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the scheduler has its answer: all conditions hold, or one of failure does."""
    true = {condition["type"] for condition in conditions if condition.get("status") == "True"}
    return set(result.get("bindingConditions") or ()) <= true or bool(
        true & set(result.get("bindingFailureConditions") or ())
    )


def _decided(device: AllocatedDevice, decision: Ready | Failed) -> "list[Condition | Object]":
    names = "bindingConditions" if isinstance(decision, Ready) else "bindingFailureConditions"
    return [
        Condition(name, "True", decision.reason, decision.message) for name in device.raw.get(names) or ()
    ]

"""Device status in claims: `status.devices`, written by server-side apply.

Each writer applies its own entries under its own field manager, so that the entries and conditions of others stay as
they are whoever writes first. Roles made for the Go drivers allow to update the status but not to patch it: where
patching is forbidden the same is done by reading, merging and writing the whole.
"""

import datetime as dt
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from dray.api import resources
from dray.api.errors import Conflict, Forbidden, StatusError
from dray.api.meta import Object, replace_at, uid_of
from dray.client.protocol import Client, PatchType, Unreachable
from dray.kits.clock import Clock, SystemClock
from dray.kits.klog import kv
from dray.sdk.claims import AllocatedDevice, Claim, ClaimRef
from dray.sdk.conditions import Condition, NetworkData
from dray.sdk.driver import DeviceStatus

_ATTEMPTS: Final = 5

log = logging.getLogger("dray.sdk.status")


class StatusWriter:
    """Writes the entries of `driver`; `field_manager` tells several writers of one driver apart."""

    def __init__(
        self, client: Client, driver: str, *, field_manager: str = "", clock: Clock | None = None
    ) -> None:
        self._client = client
        self._driver = driver
        self._field_manager = field_manager or driver
        self._clock = clock or SystemClock()

    async def write(self, claim: Claim, statuses: Sequence[DeviceStatus]) -> bool:
        """Make `statuses` the driver's entries in the claim; whether the API took them.

        A failure is logged and fails nothing: the status informs people, it does not carry state.
        """
        try:
            await self.apply(claim, statuses)
        except (StatusError, Unreachable) as error:
            log.error(
                "The device status of the claim could not be written",
                extra=kv(claim=str(claim.ref), err=error),
            )
            return False
        return True

    async def apply(self, claim: Claim, statuses: Sequence[DeviceStatus]) -> None:
        """The same, with errors for callers who can try again. Raises StatusError or Unreachable."""
        entries = self.entries(claim, statuses)
        try:
            await self._apply(claim.ref, entries)
        except Forbidden:
            await self._update(claim.ref, entries)

    def entries(self, claim: Claim, statuses: Sequence[DeviceStatus]) -> list[Object]:
        """`statuses` in the API's form; conditions that hold already keep their time."""
        stored = {device_key(entry): entry for entry in (claim.raw.get("status") or {}).get("devices") or ()}
        now = self._clock.now()
        return [
            _entry(self._driver, one, stored.get((self._driver, *one.device.key)) or {}, now)
            for one in statuses
        ]

    async def _apply(self, ref: ClaimRef, entries: list[Object]) -> None:
        patch = {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceClaim",
            # The UID keeps the write from reaching a new claim of the same name.
            "metadata": {"name": ref.name, "namespace": ref.namespace, "uid": ref.uid},
            "status": {"devices": entries},
        }
        await self._client.patch(
            resources.RESOURCE_CLAIMS,
            ref.name,
            patch,
            ref.namespace,
            patch_type=PatchType.APPLY,
            subresource="status",
            field_manager=self._field_manager,
            force=True,
        )

    async def _update(self, ref: ClaimRef, entries: list[Object]) -> None:
        for _ in range(_ATTEMPTS):
            obj = await self._client.get(resources.RESOURCE_CLAIMS, ref.name, ref.namespace)
            if uid_of(obj) != ref.uid:
                return
            devices = merged((obj.get("status") or {}).get("devices") or [], entries)
            try:
                await self._client.update(
                    resources.RESOURCE_CLAIMS,
                    replace_at(obj, ("status", "devices"), devices),
                    subresource="status",
                )
            except Conflict:
                continue
            return
        raise Conflict(f"claim {ref} changed too often")


def device_key(entry: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """What tells the entries of `status.devices` apart."""
    return entry["driver"], entry["pool"], entry["device"], entry.get("shareID") or ""


def merged(stored: Iterable[Object], entries: Iterable[Object]) -> list[Object]:
    """`stored` with `entries` laid over it: members replace members, conditions replace those of their type."""
    devices = {device_key(entry): entry for entry in stored}
    for entry in entries:
        old = devices.get(device_key(entry)) or {}
        new = {**old, **entry}
        if old.get("conditions") and entry.get("conditions"):
            by_type = {condition["type"]: condition for condition in old["conditions"]}
            by_type |= {condition["type"]: condition for condition in entry["conditions"]}
            new["conditions"] = list(by_type.values())
        devices[device_key(entry)] = new
    return list(devices.values())


def _entry(driver: str, status: DeviceStatus, stored: Mapping[str, Any], now: dt.datetime) -> Object:
    entry = _identity(driver, status.device)
    if status.data is not None:
        entry["data"] = dict(status.data)
    if status.conditions:
        previous = stored.get("conditions") or ()
        entry["conditions"] = [
            one.to_api(previous, now) if isinstance(one, Condition) else dict(one)
            for one in status.conditions
        ]
    if isinstance(status.network_data, NetworkData):
        entry["networkData"] = status.network_data.to_api()
    elif status.network_data is not None:
        entry["networkData"] = dict(status.network_data)
    return entry


def _identity(driver: str, device: AllocatedDevice) -> Object:
    entry: Object = {"driver": driver, "pool": device.pool, "device": device.device}
    return {**entry, "shareID": device.share_id} if device.share_id else entry

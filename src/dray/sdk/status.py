"""Device status in claims: `status.devices`, written by server-side apply.

Each driver applies its own entries under its own field manager, so that the entries of others stay as they are
whoever writes first. A failure is reported but fails nothing: the status informs people, it does not carry state.
"""

import logging
from collections.abc import Sequence
from typing import Final

from dray.api import resources
from dray.api.errors import Conflict, Forbidden, StatusError
from dray.api.meta import Object, replace_at, uid_of
from dray.client.protocol import Client, PatchType, Unreachable
from dray.kits.klog import kv
from dray.sdk.claims import Claim
from dray.sdk.driver import DeviceStatus

_ATTEMPTS: Final = 5

log = logging.getLogger("dray.sdk.status")


class StatusWriter:
    def __init__(self, client: Client, driver: str) -> None:
        self._client = client
        self._driver = driver

    async def write(self, claim: Claim, statuses: Sequence[DeviceStatus]) -> bool:
        """Make `statuses` the driver's entries in the claim; whether the API took them."""
        entries = [self._entry(status) for status in statuses]
        try:
            try:
                await self._apply(claim, entries)
            except Forbidden:
                # Roles made for the Go drivers allow to update the status, but not to patch it.
                await self._update(claim, entries)
        except (StatusError, Unreachable) as error:
            log.error(
                "The device status of the claim could not be written",
                extra=kv(claim=str(claim.ref), err=error),
            )
            return False
        return True

    async def _apply(self, claim: Claim, entries: list[Object]) -> None:
        ref = claim.ref
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
            field_manager=self._driver,
            force=True,
        )

    async def _update(self, claim: Claim, entries: list[Object]) -> None:
        ref = claim.ref
        for _ in range(_ATTEMPTS):
            obj = await self._client.get(resources.RESOURCE_CLAIMS, ref.name, ref.namespace)
            if uid_of(obj) != ref.uid:
                return
            devices = (obj.get("status") or {}).get("devices") or []
            others = [entry for entry in devices if entry["driver"] != self._driver]
            try:
                await self._client.update(
                    resources.RESOURCE_CLAIMS,
                    replace_at(obj, ("status", "devices"), [*others, *entries]),
                    subresource="status",
                )
            except Conflict:
                continue
            return
        raise Conflict(f"claim {ref} changed too often")

    def _entry(self, status: DeviceStatus) -> Object:
        device = status.device
        entry: Object = {"driver": self._driver, "pool": device.pool, "device": device.device}
        if device.share_id:
            entry["shareID"] = device.share_id
        if status.data is not None:
            entry["data"] = dict(status.data)
        if status.conditions:
            entry["conditions"] = [dict(condition) for condition in status.conditions]
        if status.network_data is not None:
            entry["networkData"] = dict(status.network_data)
        return entry

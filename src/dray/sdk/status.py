"""Device status in claims: `status.devices`, written by server-side apply.

Each driver applies its own entries under its own field manager, so that the entries of others stay as they are
whoever writes first. A failure is reported but fails nothing: the status informs people, it does not carry state.
"""

import logging
from collections.abc import Sequence

from dray.api import resources
from dray.api.errors import StatusError
from dray.api.meta import Object
from dray.client.protocol import Client, PatchType, Unreachable
from dray.kits.klog import kv
from dray.sdk.claims import Claim
from dray.sdk.driver import DeviceStatus

log = logging.getLogger("dray.sdk.status")


class StatusWriter:
    def __init__(self, client: Client, driver: str) -> None:
        self._client = client
        self._driver = driver

    async def write(self, claim: Claim, statuses: Sequence[DeviceStatus]) -> bool:
        """Make `statuses` the driver's entries in the claim; whether the API took them."""
        metadata = {"name": claim.ref.name, "namespace": claim.ref.namespace, "uid": claim.uid}
        patch = {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceClaim",
            # The UID keeps the write from reaching a new claim of the same name.
            "metadata": metadata,
            "status": {"devices": [self._entry(status) for status in statuses]},
        }
        try:
            await self._client.patch(
                resources.RESOURCE_CLAIMS,
                claim.ref.name,
                patch,
                claim.ref.namespace,
                patch_type=PatchType.APPLY,
                subresource="status",
                field_manager=self._driver,
                force=True,
            )
        except (StatusError, Unreachable) as error:
            log.error(
                "The device status of the claim could not be written",
                extra=kv(claim=str(claim.ref), err=error),
            )
            return False
        return True

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

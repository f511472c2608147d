"""The log of a driver's gRPC calls: numbered, with method and claims, in the words of the Go helper's drivers.

A driver can subclass `CallLog` to say the same in its own words.
"""

import itertools
import logging
from collections.abc import Sequence
from typing import Any

from dray.kits.klog import kv
from dray.sdk.checkpoint import ReturnedDevice
from dray.sdk.claims import Claim, ClaimRef
from dray.sdk.errors import ClaimError

log = logging.getLogger("dra")


class Call:
    """One gRPC call: `fields` go into every line about it."""

    def __init__(self, number: int, method: str) -> None:
        self.fields: dict[str, Any] = {"logger": "dra", "requestID": number, "method": method}


class CallLog:
    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def begin(self, method: str) -> Call:
        """Number a call. `method` is its full gRPC name."""
        return Call(next(self._numbers), method)

    def prepare_called(self, call: Call, refs: Sequence[ClaimRef]) -> None:
        log.info("PrepareResourceClaims is called", extra=kv(**call.fields, numClaims=len(refs)))

    def preparing(self, call: Call, ref: ClaimRef) -> None:
        log.info(
            "Preparing claim", extra=kv(**call.fields, uid=ref.uid, namespace=ref.namespace, name=ref.name)
        )

    def prepared(self, call: Call, claim: Claim, devices: Sequence[ReturnedDevice]) -> None:
        requests = {device.key: device.request for device in claim.devices}
        shown = [
            {
                "Requests": [
                    requests.get((one.pool, one.device, one.share_id), name) for name in one.requests
                ],
                "PoolName": one.pool,
                "DeviceName": one.device,
                "CDIDeviceIDs": list(one.cdi_ids),
                "ShareID": one.share_id or None,
                "Metadata": None,
            }
            for one in devices
        ]
        extra = kv(**call.fields, uid=claim.uid, devices=shown)
        log.info("Returning newly prepared devices for claim", extra=extra)

    def prepare_failed(self, call: Call, ref: ClaimRef, error: ClaimError) -> None:
        log.error("Preparing claim failed", extra=kv(**call.fields, uid=ref.uid, claim=str(ref), err=error))

    def unprepare_called(self, call: Call, refs: Sequence[ClaimRef]) -> None:
        log.info("UnprepareResourceClaims is called", extra=kv(**call.fields, numClaims=len(refs)))

    def unprepare_failed(self, call: Call, ref: ClaimRef, error: ClaimError) -> None:
        log.error("Unpreparing claim failed", extra=kv(**call.fields, uid=ref.uid, claim=str(ref), err=error))

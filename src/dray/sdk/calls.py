"""The log of a driver's life with its kubelet: its start, and its gRPC calls, numbered, with method and claims.

The words are those of the Go helper's drivers; a driver can subclass `CallLog` to say the same in its own. Requests and
responses are shown whole from a verbosity on. They hold names and IDs; configuration, and what containers get, which
may hold secrets, is in none of them and never logged.
"""

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dray.kits.klog import kv, level_of
from dray.sdk.checkpoint import ReturnedDevice
from dray.sdk.claims import Claim, ClaimRef
from dray.sdk.devices import Pool
from dray.sdk.errors import ClaimError

log = logging.getLogger("dra")


class Call:
    """One gRPC call: `fields` go into every line about it."""

    def __init__(self, number: int, method: str) -> None:
        self.fields: dict[str, Any] = {"logger": "dra", "requestID": number, "method": method}


class CallLog:
    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.grpc_verbosity = 6
        """From which verbosity on requests and responses are logged; negative for never."""

    # --- the start ---

    def registered(self, socket: Path) -> None:
        log.info("Registered with the kubelet", extra=kv(logger="dra", socket=str(socket)))

    def publishing(self, pools: Sequence[Pool]) -> None:
        for pool in pools:
            extra = kv(logger="dra", poolName=pool.name, devices=len(pool.devices))
            log.info("Publishing devices", extra=extra)

    # --- any call ---

    def begin(self, method: str, request: Any) -> Call:
        """Number a call. `method` is its full gRPC name, `request` its message."""
        call = Call(next(self._numbers), method)
        self._show("gRPC request", call, request=request)
        return call

    def answered(self, call: Call, response: Any) -> None:
        self._show("gRPC response", call, response=response)

    def failed(self, call: Call, error: BaseException) -> None:
        """The call ends with a gRPC status other than OK, whether it was meant to or by a defect."""
        log.error("gRPC call failed", extra=kv(**call.fields, err=error))

    def _show(self, text: str, call: Call, **messages: Any) -> None:
        level = level_of(self.grpc_verbosity)
        if self.grpc_verbosity < 0 or not log.isEnabledFor(level):
            return
        from google.protobuf.json_format import MessageToDict  # only for those who look closely

        shown = {
            name: MessageToDict(message, preserving_proto_field_name=True)
            for name, message in messages.items()
        }
        log.log(level, text, extra=kv(**call.fields, **shown))

    # --- claims ---

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

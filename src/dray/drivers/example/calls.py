"""The call log in the sentences of the first releases of the example driver, which the tutorial prints."""

import logging
from collections.abc import Sequence
from pathlib import Path

from dray.drivers.example.release import Release
from dray.kits.klog import kv
from dray.sdk.calls import Call, CallLog
from dray.sdk.checkpoint import ReturnedDevice
from dray.sdk.claims import Claim, ClaimRef
from dray.sdk.devices import Pool
from dray.sdk.errors import ClaimError

log = logging.getLogger("dra")


def call_log(release: Release) -> CallLog:
    return FieldsCallLog() if release.logs_fields else PlainCallLog(release)


class FieldsCallLog(CallLog):
    """Says nothing at the start, as the Go driver does: people compare its log with the tutorial's."""

    def registered(self, socket: Path) -> None:
        log.debug("Registered with the kubelet", extra=kv(logger="dra", socket=str(socket)))

    def publishing(self, pools: Sequence[Pool]) -> None:
        pass


class PlainCallLog(FieldsCallLog):
    def __init__(self, release: Release) -> None:
        super().__init__()
        first = release.minor <= 1
        self._prepare = "NodePrepareResource" if first else "PrepareResourceClaims"
        self._unprepare = "NodeUnPrepareResource" if first else "UnprepareResourceClaims"

    def prepare_called(self, call: Call, refs: Sequence[ClaimRef]) -> None:
        log.info("%s is called: number of claims: %d", self._prepare, len(refs))

    def preparing(self, call: Call, ref: ClaimRef) -> None:
        """Not said by these releases."""

    def prepared(self, call: Call, claim: Claim, devices: Sequence[ReturnedDevice]) -> None:
        shown = " ".join(_device(device) for device in devices)
        log.info("Returning newly prepared devices for claim '%s': [%s]", claim.uid, shown)

    def prepare_failed(self, call: Call, ref: ClaimRef, error: ClaimError) -> None:
        log.error("error preparing devices for claim %s: %s", ref.uid, error)

    def unprepare_called(self, call: Call, refs: Sequence[ClaimRef]) -> None:
        log.info("%s is called: number of claims: %d", self._unprepare, len(refs))

    def unprepare_failed(self, call: Call, ref: ClaimRef, error: ClaimError) -> None:
        log.error("Unpreparing claim failed", extra=kv(uid=ref.uid, err=error))


def _device(device: ReturnedDevice) -> str:
    requests, ids = " ".join(device.requests), " ".join(device.cdi_ids)
    return (
        f"&Device{{RequestNames:[{requests}],PoolName:{device.pool},DeviceName:{device.device},"
        f"CDIDeviceIDs:[{ids}],}}"
    )

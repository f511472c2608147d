"""`dra_manager_state`: the claims that are prepared on the node, in the kubelet's own file format.

The outer JSON carries the inner one as a string with its CRC-32. A file that is damaged, or of a version that is not
known, is set aside for whoever wants to look into it, and never overwritten. The kubelet refuses to start then; here
the record is made anew from the API, by preparing the claims of running pods again, which drivers must bear.
"""

import contextlib
import logging
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import orjson

from dray.api.meta import Object
from dray.node.dra.claiminfo import ClaimInfo, PreparedDevice

log = logging.getLogger("dray.node.dra")

KIND: Final = "DRACheckpoint"
API_VERSION: Final = "checkpoint.dra.kubelet.k8s.io/v1"


def encode(claims: Iterable[ClaimInfo]) -> bytes:
    state = [_claim_state(claim) for claim in sorted(claims, key=lambda claim: claim.uid)]
    data = orjson.dumps({"kind": KIND, "apiVersion": API_VERSION, "ClaimInfoStateList": state})
    return orjson.dumps({"Data": data.decode(), "Checksum": zlib.crc32(data)})


def _claim_state(claim: ClaimInfo) -> Object:
    drivers = {
        driver: {"Devices": [_device_state(device) for device in devices] or None}
        for driver, devices in sorted(claim.drivers.items())
    }
    return {
        "ClaimUID": claim.uid,
        "ClaimName": claim.name,
        "Namespace": claim.namespace,
        "PodUIDs": {uid: {} for uid in sorted(claim.pods)},
        "DriverState": drivers,
    }


def _device_state(device: PreparedDevice) -> Object:
    return {
        "PoolName": device.pool,
        "DeviceName": device.device,
        "ShareID": device.share_id,
        "RequestNames": list(device.requests) or None,
        "CDIDeviceIDs": list(device.cdi_ids) or None,
    }


def decode(content: bytes) -> list[ClaimInfo]:
    """Raises ValueError saying what is wrong."""
    outer = orjson.loads(content)
    data, checksum = outer["Data"].encode(), outer["Checksum"]
    if zlib.crc32(data) != checksum:
        raise ValueError(f"checkpoint is corrupted: the checksum is {zlib.crc32(data)}, not {checksum}")
    inner = orjson.loads(data)
    if (inner.get("kind"), inner.get("apiVersion")) != (KIND, API_VERSION):
        raise ValueError(f"unknown checkpoint {inner.get('apiVersion')} {inner.get('kind')}")
    return [_read_claim(state) for state in inner.get("ClaimInfoStateList") or ()]


def _read_claim(state: Any) -> ClaimInfo:
    drivers = {
        driver: tuple(_read_device(device) for device in entry.get("Devices") or ())
        for driver, entry in (state.get("DriverState") or {}).items()
    }
    return ClaimInfo(
        state["ClaimUID"], state["ClaimName"], state["Namespace"], drivers, set(state.get("PodUIDs") or ())
    )


def _read_device(state: Any) -> PreparedDevice:
    return PreparedDevice(
        state["PoolName"],
        state["DeviceName"],
        tuple(state.get("RequestNames") or ()),
        tuple(state.get("CDIDeviceIDs") or ()),
        state.get("ShareID"),
    )


class Checkpoint:
    """The state file at `path`. Every write replaces it in one durable step."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> list[ClaimInfo]:
        """Nothing where nothing was ever saved, or the file cannot be trusted."""
        try:
            return decode(self.path.read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            aside = self.path.with_name(f"{self.path.name}.unreadable")
            log.error("DRA state file %s is unusable (%s); it is set aside as %s", self.path, error, aside)
            self.path.rename(aside)
            return []

    def save(self, claims: Iterable[ClaimInfo]) -> None:
        temporary = self.path.with_name(f".{self.path.name}{os.getpid()}")
        try:
            with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(encode(claims))
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self.path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()

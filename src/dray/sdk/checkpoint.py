"""What a driver has prepared on its node, on disk.

Decides the form of the file and how it survives crashes: a checksum over the very bytes it guards, a temporary file,
fsync, rename. Entries that a newer version of dray wrote with more members keep them. A file that cannot be read is
set aside under another name and reported, never overwritten and never a reason not to start: a driver that does not
run cannot release anything either.

The file is shared by the two processes of a rolling update: every change happens under a lock, on what is on disk.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from dray.sdk.claims import AllocatedDevice, ClaimRef
from dray.sdk.errors import CheckpointError
from dray.sdk.locks import FileLock

KIND: Final = "DriverCheckpoint"
API_VERSION: Final = "checkpoint.sdk.dray/v1"
STARTED: Final = "PrepareStarted"
"""The driver was asked to prepare; whether it did is not known."""
COMPLETED: Final = "PrepareCompleted"
_FILE_MODE: Final = 0o600


@dataclasses.dataclass(frozen=True, slots=True)
class ReturnedDevice:
    """A device as it was returned to the kubelet."""

    requests: tuple[str, ...]
    pool: str
    device: str
    cdi_ids: tuple[str, ...]
    share_id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One claim. `boot_id` is the boot of the node in which it was prepared."""

    ref: ClaimRef
    state: str
    boot_id: str
    allocated: tuple[AllocatedDevice, ...]
    returned: tuple[ReturnedDevice, ...] = ()
    cdi_spec: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Request -> document of its device metadata file."""
    unknown: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Members of the stored entry that this version does not know."""


Entries = dict[str, Entry]
"""Claim UID -> entry."""


class Checkpoint:
    def __init__(self, path: Path, on_damage: Callable[[CheckpointError], None]) -> None:
        self.path = path
        self._on_damage = on_damage
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        self._entries: Entries = {}
        self._stamp: tuple[int, int, int] | None = None

    async def read(self) -> Entries:
        """A copy of the entries on disk."""
        async with self._lock:
            self._reload()
            return dict(self._entries)

    async def change(self, edit: Callable[[Entries], None]) -> None:
        """Let `edit` change the entries and make the result durable; returns when it is on disk. Raises OSError."""
        async with self._lock:
            self._reload()
            entries = dict(self._entries)
            edit(entries)
            if entries == self._entries:
                return
            await asyncio.to_thread(_write, self.path, entries)
            self._entries = entries
            self._stamp = _stamp(self.path)

    def _reload(self) -> None:
        stamp = _stamp(self.path)
        if stamp == self._stamp and stamp is not None:
            return
        self._entries = {}
        if stamp is not None:
            try:
                self._entries = _decode(self.path.read_bytes())
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self._set_aside(error)
                stamp = None
        self._stamp = stamp

    def _set_aside(self, error: Exception) -> None:
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.damaged-{number}")).exists():
            number += 1
        self.path.rename(aside)
        self._on_damage(
            CheckpointError(
                f"the checkpoint {self.path} cannot be used ({error}); it was moved to {aside} and an empty one "
                "takes its place. Claims prepared before are still released when the kubelet asks"
            )
        )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _write(path: Path, entries: Entries) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)
        with open(descriptor, "wb") as file:
            file.write(_encode(entries))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_directory(path.parent)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encode(entries: Entries) -> bytes:
    data = orjson.dumps({"claims": {uid: _entry_to_json(entry) for uid, entry in entries.items()}}).decode()
    outer = {"kind": KIND, "apiVersion": API_VERSION, "checksum": zlib.crc32(data.encode()), "data": data}
    return json.dumps(outer).encode()


def _decode(raw: bytes) -> Entries:
    outer = orjson.loads(raw)
    if not isinstance(outer, dict):
        raise ValueError("it is no JSON object")
    if outer.get("kind") != KIND or outer.get("apiVersion") != API_VERSION:
        raise ValueError(
            f"it is a {outer.get('kind')} of {outer.get('apiVersion')}, not a {KIND} of {API_VERSION}"
        )
    data = outer["data"].encode()
    if zlib.crc32(data) != outer["checksum"]:
        raise ValueError("its checksum does not match its content")
    return {uid: _entry_from_json(uid, entry) for uid, entry in orjson.loads(data)["claims"].items()}


def _entry_to_json(entry: Entry) -> dict[str, Any]:
    return {
        **entry.unknown,
        "namespace": entry.ref.namespace,
        "name": entry.ref.name,
        "state": entry.state,
        "bootID": entry.boot_id,
        "allocated": [_allocated_to_json(device) for device in entry.allocated],
        "returned": [dataclasses.asdict(device) for device in entry.returned],
        "cdiSpec": entry.cdi_spec,
        "metadata": entry.metadata,
    }


_KNOWN: Final = frozenset(
    {"namespace", "name", "state", "bootID", "allocated", "returned", "cdiSpec", "metadata"}
)


def _entry_from_json(uid: str, stored: Mapping[str, Any]) -> Entry:
    return Entry(
        ref=ClaimRef(uid, stored["namespace"], stored["name"]),
        state=stored["state"],
        boot_id=stored["bootID"],
        allocated=tuple(AllocatedDevice(**device) for device in stored["allocated"]),
        returned=tuple(
            ReturnedDevice(
                tuple(device["requests"]),
                device["pool"],
                device["device"],
                tuple(device["cdi_ids"]),
                device["share_id"],
            )
            for device in stored["returned"]
        ),
        cdi_spec=stored["cdiSpec"],
        metadata=stored.get("metadata") or {},
        unknown={key: value for key, value in stored.items() if key not in _KNOWN},
    )


def _allocated_to_json(device: AllocatedDevice) -> dict[str, Any]:
    return {
        "request": device.request,
        "pool": device.pool,
        "device": device.device,
        "share_id": device.share_id,
        "admin_access": device.admin_access,
        "consumed_capacity": dict(device.consumed_capacity),
    }

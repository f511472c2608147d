"""What a driver has prepared on its node, on disk.

Decides what is remembered of a claim; how it survives crashes is the `journal`'s. Entries that a newer version of dray
wrote with more members keep them. A file that cannot be read is set aside under another name and reported, never
overwritten and never a reason not to start: a driver that does not run cannot release anything either.

The file is shared by the two processes of a rolling update: every change happens under a lock, on what is on disk.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from dray.sdk.claims import AllocatedDevice, ClaimRef
from dray.sdk.errors import CheckpointError
from dray.sdk.journal import Damaged, Journal, Json
from dray.sdk.locks import FileLock

FILE_NAME: Final = "checkpoint.jsonl"
STARTED: Final = "PrepareStarted"
"""The driver was asked to prepare; whether it did is not known."""
COMPLETED: Final = "PrepareCompleted"


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
        self._journal = Journal(path)
        self._entries: dict[str, tuple[Json, Entry]] = {}
        """Claim UID -> what the journal has, and what it means."""

    async def read(self) -> Entries:
        """A copy of the entries on disk."""
        async with self._lock:
            return self._read()

    async def change(self, edit: Callable[[Entries], None]) -> None:
        """Let `edit` change the entries and make the result durable; returns when it is on disk. Raises OSError."""
        async with self._lock:
            before = self._read()
            entries = dict(before)
            edit(entries)
            changes: dict[str, Json | None] = dict.fromkeys(before.keys() - entries.keys())
            for uid, entry in entries.items():
                if before.get(uid) != entry:
                    changes[uid] = _entry_to_json(entry)
            if changes:
                await asyncio.to_thread(self._journal.write, changes)

    def _read(self) -> Entries:
        try:
            stored = self._journal.read()
            decoded = {uid: self._decoded(uid, data) for uid, data in stored.items()}
        except (Damaged, ValueError, KeyError, TypeError, AttributeError) as error:
            self._set_aside(error)
            self._journal = Journal(self.path)
            decoded = {}
        self._entries = decoded
        return {uid: entry for uid, (_, entry) in decoded.items()}

    def _decoded(self, uid: str, data: Json) -> tuple[Json, Entry]:
        known = self._entries.get(uid)
        # The journal replaces objects and never changes them.
        return known if known is not None and known[0] is data else (data, _entry_from_json(uid, data))

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

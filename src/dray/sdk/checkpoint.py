"""What a driver has prepared on its node, on disk.

Decides what is remembered of a claim; how it survives crashes is the `journal`'s. Entries that a newer version of dray
wrote with more members keep them. A file that cannot be read is set aside under another name and reported, never
overwritten and never a reason not to start: a driver that does not run cannot release anything either.

The file is shared by the two processes of a rolling update: every change happens under a lock, on what is on disk.
Changes that are asked for while one is being written are written together, with one wait for the disk.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dray.sdk.claims import AllocatedDevice, ClaimRef
from dray.sdk.errors import CheckpointError
from dray.sdk.grouped import Grouped
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
Edit = Callable[[Entries], None]
"""Changes entries in place; what it changed is ignored when it raises."""


class Checkpoint:
    def __init__(self, path: Path, on_damage: Callable[[CheckpointError], None]) -> None:
        self.path = path
        self._on_damage = on_damage
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        self._journal = Journal(path)
        self._reads = Grouped(self._read_together)
        self._changes = Grouped(self._change_together)
        self._entries: dict[str, tuple[Json, Entry]] = {}
        """Claim UID -> what the journal has, and what it means."""

    async def read(self) -> Entries:
        """A copy of the entries on disk."""
        return dict(await self._reads.do(None))

    async def _read_together(self, asked: Sequence[None]) -> Sequence[Entries]:
        async with self._lock:
            return [self._read()] * len(asked)

    async def change(self, edit: Edit) -> None:
        """Let `edit` change the entries and make the result durable; returns when it is on disk.

        Raises OSError when the disk does not take it, and what `edit` raised.
        """
        await self._changes.do(edit)

    async def _change_together(self, edits: Sequence[Edit]) -> Sequence[Exception | None]:
        async with self._lock:
            before = self._read()
            entries, errors = before, list[Exception | None]()
            for edit in edits:
                changed = dict(entries)
                try:
                    edit(changed)
                except Exception as error:
                    errors.append(error)
                else:
                    entries = changed
                    errors.append(None)
            changes = _difference(before, entries)
            if changes:
                await asyncio.to_thread(self._journal.write, changes)
            return errors

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


def _difference(before: Entries, after: Entries) -> dict[str, Json | None]:
    changes: dict[str, Json | None] = dict.fromkeys(before.keys() - after.keys())
    for uid, entry in after.items():
        known = before.get(uid)
        if known is not entry and known != entry:
            changes[uid] = _entry_to_json(entry)
    return changes


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

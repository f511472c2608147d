"""Preparing and unpreparing claims so that nothing is ever half done for good.

Decides the order of steps around a driver's own work: the intent is made durable first, then the hardware, then the
CDI file, then the result. A crash between any two of them is undone at the next start; an error is undone at once.
A claim that is prepared already gets the same answer again, with its CDI file restored, and is prepared anew after a
reboot, when neither the file nor the hardware's settings survived.

Knows nothing of gRPC. The claims of one call share two writes of the checkpoint, whatever their number.
"""

import asyncio
import contextlib
import dataclasses
import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

from dray.cdi.errors import CdiError
from dray.kits.klog import kv
from dray.sdk.checkpoint import COMPLETED, STARTED, Checkpoint, Entries, Entry, ReturnedDevice
from dray.sdk.claimcdi import ClaimCdi
from dray.sdk.claims import Claim, ClaimRef
from dray.sdk.driver import DeviceMetadata, Driver, PreparedDevice, call
from dray.sdk.errors import ClaimError
from dray.sdk.locks import FileLock
from dray.sdk.metadata import MetadataFiles, updated
from dray.sdk.overlap import OverlapGuard

log = logging.getLogger("dray.sdk.preparation")

Outcome = tuple[ReturnedDevice, ...] | ClaimError
"""What became of one claim."""
OnPrepared = Callable[[Claim, Sequence[PreparedDevice]], None]


@dataclasses.dataclass(frozen=True, slots=True)
class _Done:
    """A claim that was prepared just now."""

    prepared: Sequence[PreparedDevice]
    entry: Entry


@dataclasses.dataclass(frozen=True, slots=True)
class _Failed:
    error: ClaimError
    undone: bool
    """Otherwise the claim stays known as started, and is undone before anything else happens to it."""


class Preparations:
    """Everything prepared on one node by one driver.

    With `serialize`, one claim is worked on at a time, also across the two processes of a rolling update; without it
    different claims are worked on at once, and the same claim still never twice at a time.
    """

    def __init__(
        self,
        driver: Driver,
        checkpoint: Checkpoint,
        cdi: ClaimCdi,
        guard: OverlapGuard,
        *,
        boot_id: str,
        metadata: MetadataFiles | None = None,
        serialize: bool = True,
        on_prepared: OnPrepared = lambda claim, prepared: None,
    ) -> None:
        self._driver = driver
        self._checkpoint = checkpoint
        self._cdi = cdi
        self._guard = guard
        self._metadata = metadata or MetadataFiles(checkpoint.path.parent, cdi.directory, driver.name, ())
        self._boot_id = boot_id
        self._on_prepared = on_prepared
        lock_path = checkpoint.path.with_name("serialize.lock")
        self._serialize = FileLock(lock_path) if serialize else None
        self._claim_locks: dict[str, tuple[asyncio.Lock, int]] = {}
        """Claim UID -> its lock and how many hold or await it."""

    async def restore(self, *, alone: bool = True) -> None:
        """After a start: put back missing CDI files and, when `alone`, undo what was interrupted.

        While another process of the driver runs, what looks interrupted may be its work in progress. Claims of an
        earlier boot stay known but nothing is restored for them: the kubelet prepares them again.
        """
        if alone:
            await self._undo_interrupted()
        for entry in (await self._checkpoint.read()).values():
            if self._is_current(entry):
                try:
                    await self._write_files(entry)
                except ClaimError as error:
                    # Not a reason not to start: a driver that does not run releases nothing either.
                    log.error("Restoring the files of a claim failed", extra=kv(uid=entry.ref.uid, err=error))

    async def _undo_interrupted(self) -> None:
        entries = await self._checkpoint.read()
        interrupted = [entry.ref for entry in entries.values() if entry.state == STARTED]
        for uid, error in (await self.unprepare(interrupted)).items():
            if error is not None:
                log.error("Undoing an interrupted preparation failed", extra=kv(uid=uid, err=error))
        for uid in await asyncio.to_thread(self._cdi.claims):
            if uid not in entries:
                await asyncio.to_thread(self._cdi.remove, uid)
                log.info("Removed the CDI file of a claim that is not prepared", extra=kv(uid=uid))

    async def known(self) -> Entries:
        return await self._checkpoint.read()

    # --- prepare ---

    async def prepare(self, claims: Sequence[Claim]) -> dict[str, Outcome]:
        """Claim UID -> what was prepared, or why not. Raises OSError when the checkpoint cannot be written."""
        async with self._locked(claim.uid for claim in claims):
            entries = await self._checkpoint.read()
            outcomes: dict[str, Outcome] = {}
            for claim in claims:
                try:
                    known = await self._known_result(claim, entries.get(claim.uid))
                    if known is not None:
                        outcomes[claim.uid] = known
                except ClaimError as error:
                    outcomes[claim.uid] = error
            fresh = [claim for claim in claims if claim.uid not in outcomes]
            if fresh:
                outcomes |= await self._prepare_fresh(fresh)
            return outcomes

    async def _known_result(self, claim: Claim, entry: Entry | None) -> Outcome | None:
        """The answer for a claim that is prepared already; None when it is to be prepared."""
        if entry is None:
            return None
        same_devices = entry.allocated == claim.devices
        if same_devices and entry.state == COMPLETED:
            if not self._is_current(entry):
                return None
            await self._write_files(entry)
            return entry.returned
        # Other devices than before, or nobody knows how far it came: begin from nothing.
        await self._undo(entry)
        return None

    async def _prepare_fresh(self, claims: Sequence[Claim]) -> dict[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        await self._checkpoint.change(functools.partial(self._begin, claims=claims, refused=outcomes))
        begun = [claim for claim in claims if claim.uid not in outcomes]
        if self._serialize is None:
            results = await asyncio.gather(*(self._prepare_one(claim) for claim in begun))
        else:
            results = [await self._prepare_one(claim) for claim in begun]
        done = {claim.uid: result for claim, result in zip(begun, results, strict=True)}
        await self._checkpoint.change(functools.partial(_record, done=done))
        for claim in begun:
            result = done[claim.uid]
            if isinstance(result, _Done):
                outcomes[claim.uid] = result.entry.returned
                self._on_prepared(claim, result.prepared)
            else:
                outcomes[claim.uid] = result.error
        return outcomes

    def _begin(self, entries: Entries, claims: Sequence[Claim], refused: dict[str, Outcome]) -> None:
        """Under the checkpoint's lock, so that no other claim takes the same devices meanwhile."""
        for claim in claims:
            try:
                # What an earlier boot held, the reboot took back.
                holders = {uid: entry for uid, entry in entries.items() if self._is_current(entry)}
                self._guard.check(claim, holders)
                entries[claim.uid] = self._entry(claim, STARTED)
            except ClaimError as error:
                entries.pop(claim.uid, None)
                refused[claim.uid] = error

    async def _prepare_one(self, claim: Claim) -> _Done | _Failed:
        try:
            prepared: Sequence[PreparedDevice] = ()
            if claim.devices:
                prepared = await call(self._driver.prepare, claim)
            entry = self._completed(claim, prepared)
            await self._write_files(entry)
            return _Done(prepared, entry)
        except Exception as error:
            failure = _as_claim_error(error, claim.ref, "prepare")
            try:
                await self._undo(self._entry(claim, STARTED))
            except ClaimError:
                return _Failed(failure, undone=False)
            return _Failed(failure, undone=True)

    def _completed(self, claim: Claim, prepared: Sequence[PreparedDevice]) -> Entry:
        spec, returned = self._cdi.describe(claim, prepared)
        documents = self._metadata.describe(claim, prepared)
        return dataclasses.replace(
            self._entry(claim, COMPLETED),
            returned=self._metadata.with_ids(claim.uid, returned, documents),
            cdi_spec=spec,
            metadata=documents,
        )

    async def _write_files(self, entry: Entry) -> None:
        if entry.cdi_spec is None and not entry.metadata:
            return
        try:
            await asyncio.to_thread(self._write_now, entry)
        except OSError as error:
            raise ClaimError(f"the CDI file in {self._cdi.directory} cannot be written: {error}") from None
        except CdiError as error:
            raise ClaimError(f"the metadata of claim {entry.ref} cannot be mounted: {error}") from None

    def _write_now(self, entry: Entry) -> None:
        """Whatever the entry's containers need that is missing. Raises OSError or CdiError."""
        if entry.cdi_spec is not None:
            self._cdi.write(entry.ref.uid, entry.cdi_spec)
        self._metadata.write(entry.ref, entry.metadata)

    async def update_metadata(self, uid: str, changes: Mapping[tuple[str, str], DeviceMetadata]) -> None:
        """New metadata for devices (pool, name) of a prepared claim; containers see it. Raises ClaimError or OSError."""
        async with self._locked([uid]):
            entry = (await self._checkpoint.read()).get(uid)
            if entry is None or entry.state != COMPLETED:
                raise ClaimError(f"claim {uid} is not prepared: its metadata cannot be updated")
            entry = dataclasses.replace(entry, metadata=updated(entry.metadata, changes))
            await self._checkpoint.change(lambda entries: entries.update({uid: entry}))
            await self._write_files(entry)

    # --- unprepare ---

    async def unprepare(self, refs: Sequence[ClaimRef]) -> dict[str, ClaimError | None]:
        """Claim UID -> None when it is released, or why not. Needs neither the API nor an entry."""
        if not refs:
            return {}
        async with self._locked(ref.uid for ref in refs):
            entries = await self._checkpoint.read()
            outcomes: dict[str, ClaimError | None] = {}
            for ref in refs:
                try:
                    await self._undo(entries.get(ref.uid) or Entry(ref, STARTED, self._boot_id, ()))
                    outcomes[ref.uid] = None
                except ClaimError as error:
                    outcomes[ref.uid] = error
            released = [uid for uid, error in outcomes.items() if error is None]
            await self._checkpoint.change(lambda stored: _forget(stored, released))
            return outcomes

    async def _undo(self, entry: Entry) -> None:
        try:
            await call(self._driver.unprepare, entry.ref, entry.allocated)
            await asyncio.to_thread(self._remove_files, entry.ref)
        except Exception as error:
            raise _as_claim_error(error, entry.ref, "unprepare") from error

    def _remove_files(self, ref: ClaimRef) -> None:
        self._cdi.remove(ref.uid)
        self._metadata.remove(ref)

    # --- shared ---

    @contextlib.asynccontextmanager
    async def _locked(self, uids: Iterable[str]) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            # Always in the same order, so that two calls never wait for one another.
            for uid in sorted(set(uids)):
                await stack.enter_async_context(self._claim_lock(uid))
            if self._serialize is not None:
                await stack.enter_async_context(self._serialize)
            yield

    @contextlib.asynccontextmanager
    async def _claim_lock(self, uid: str) -> AsyncIterator[None]:
        lock, users = self._claim_locks.get(uid) or (asyncio.Lock(), 0)
        self._claim_locks[uid] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._claim_locks.pop(uid)
            if users > 1:
                self._claim_locks[uid] = (lock, users - 1)

    def _is_current(self, entry: Entry) -> bool:
        return entry.boot_id == self._boot_id

    def _entry(self, claim: Claim, state: str) -> Entry:
        return Entry(claim.ref, state, self._boot_id, claim.devices)


def _record(entries: Entries, done: Mapping[str, _Done | _Failed]) -> None:
    for uid, result in done.items():
        if isinstance(result, _Done):
            entries[uid] = result.entry
        elif result.undone:
            entries.pop(uid, None)


def _forget(entries: Entries, uids: Iterable[str]) -> None:
    for uid in uids:
        entries.pop(uid, None)


def _as_claim_error(error: Exception, ref: ClaimRef, verb: str) -> ClaimError:
    if isinstance(error, ClaimError):
        return error
    # A defect of the driver, not of the claim: the log gets the traceback, the pod the gist.
    log.error("The driver failed to %s claim %s (%s)", verb, ref, ref.uid, exc_info=error)
    return ClaimError(f"{verb} failed: {type(error).__name__}: {error}")

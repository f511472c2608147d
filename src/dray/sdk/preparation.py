"""Preparing and unpreparing claims so that nothing is ever half done for good.

Decides the order of steps around a driver's own work: the intent is made durable first, then the hardware, then the
CDI file, then the result. A crash between any two of them is undone at the next start; an error is undone at once.
A claim that is prepared already gets the same answer again, with its CDI file restored, and is prepared anew after a
reboot, when neither the file nor the hardware's settings survived.

Knows nothing of gRPC. The claims of one call share two writes of the checkpoint, whatever their number, and calls that
meet at the disk share them, too; each call is answered as soon as its own result is durable.
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
from dray.sdk.grouped import Grouped
from dray.sdk.locks import ProcessTurn
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


@dataclasses.dataclass(slots=True)
class _Opening:
    """How the claims of a call stood when it came."""

    begun: list[Claim] = dataclasses.field(default_factory=list)
    completed: dict[str, Entry] = dataclasses.field(default_factory=dict)
    refused: dict[str, Outcome] = dataclasses.field(default_factory=dict)
    unclear: dict[str, Entry] = dataclasses.field(default_factory=dict)
    """To be undone, before anything else happens to the claims."""


class Preparations:
    """Everything prepared on one node by one driver.

    With `serialize`, the driver works on one claim at a time, also across the two processes of a rolling update; without
    it different claims are worked on at once, and the same claim still never twice at a time. What surrounds the
    driver's own work is done for many claims at once either way.
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
        self._turn = ProcessTurn(lock_path) if serialize else None
        self._work_lock = asyncio.Lock() if serialize else contextlib.nullcontext()
        self._files = Grouped(_in_one_thread)
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
            opening = await self._begin(claims)
            outcomes = opening.refused
            for uid, entry in opening.completed.items():
                try:
                    await self._write_files(entry)
                    outcomes[uid] = entry.returned
                except ClaimError as error:
                    outcomes[uid] = error
            if opening.begun:
                outcomes |= await self._prepare_fresh(opening.begun)
            return outcomes

    async def _begin(self, claims: Sequence[Claim]) -> _Opening:
        """Make the intent to prepare `claims` durable, of those that are to be prepared."""
        opening = _Opening()
        await self._checkpoint.change(functools.partial(self._open, claims=claims, opening=opening))
        if opening.unclear:
            for uid, entry in opening.unclear.items():
                try:
                    await self._undo(entry)
                except ClaimError as error:
                    opening.refused[uid] = error
            left = [claim for claim in claims if claim.uid not in opening.refused]
            await self._checkpoint.change(functools.partial(self._open, claims=left, opening=opening))
        return opening

    def _open(self, entries: Entries, claims: Sequence[Claim], opening: _Opening) -> None:
        """Under the checkpoint's lock, so that no other claim takes the same devices meanwhile."""
        if not opening.unclear:
            opening.unclear = self._unclear(entries, claims)
            if opening.unclear:
                return
        for claim in claims:
            entry = entries.get(claim.uid)
            if claim.uid not in opening.unclear and entry is not None and self._is_current(entry):
                opening.completed[claim.uid] = entry
                continue
            try:
                # What an earlier boot held, the reboot took back.
                holders = {uid: held for uid, held in entries.items() if self._is_current(held)}
                self._guard.check(claim, holders)
                entries[claim.uid] = self._entry(claim, STARTED)
                opening.begun.append(claim)
            except ClaimError as error:
                entries.pop(claim.uid, None)
                opening.refused[claim.uid] = error

    def _unclear(self, entries: Entries, claims: Sequence[Claim]) -> dict[str, Entry]:
        """Those that had other devices before, or of which nobody knows how far they came."""
        found = {claim.uid: entries[claim.uid] for claim in claims if claim.uid in entries}
        return {
            claim.uid: entry
            for claim in claims
            if (entry := found.get(claim.uid))
            and (entry.allocated != claim.devices or entry.state != COMPLETED)
        }

    async def _prepare_fresh(self, claims: Sequence[Claim]) -> dict[str, Outcome]:
        results = await asyncio.gather(*(self._prepare_one(claim) for claim in claims))
        done = {claim.uid: result for claim, result in zip(claims, results, strict=True)}
        await self._checkpoint.change(functools.partial(_record, done=done))
        outcomes: dict[str, Outcome] = {}
        for claim in claims:
            result = done[claim.uid]
            if isinstance(result, _Done):
                outcomes[claim.uid] = result.entry.returned
                self._on_prepared(claim, result.prepared)
            else:
                outcomes[claim.uid] = result.error
        return outcomes

    async def _prepare_one(self, claim: Claim) -> _Done | _Failed:
        try:
            prepared: Sequence[PreparedDevice] = ()
            if claim.devices:
                async with self._work_lock:
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
            await self._files.do(functools.partial(self._write_now, entry))
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
            known = [entries.get(ref.uid) or Entry(ref, STARTED, self._boot_id, ()) for ref in refs]
            errors = await asyncio.gather(*(self._release(entry) for entry in known))
            outcomes = {ref.uid: error for ref, error in zip(refs, errors, strict=True)}
            released = [uid for uid, error in outcomes.items() if error is None]
            await self._checkpoint.change(lambda stored: _forget(stored, released))
            return outcomes

    async def _release(self, entry: Entry) -> ClaimError | None:
        try:
            await self._undo(entry)
        except ClaimError as error:
            return error
        return None

    async def _undo(self, entry: Entry) -> None:
        try:
            async with self._work_lock:
                await call(self._driver.unprepare, entry.ref, entry.allocated)
            await self._files.do(functools.partial(self._remove_files, entry.ref))
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
            if self._turn is not None:
                await stack.enter_async_context(self._turn)
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


async def _in_one_thread(steps: Sequence[Callable[[], None]]) -> Sequence[Exception | None]:
    """Work on files, of several claims at once: a thread costs more than the file."""
    return await asyncio.to_thread(lambda: [_attempt(step) for step in steps])


def _attempt(step: Callable[[], None]) -> Exception | None:
    try:
        step()
    except Exception as error:
        return error
    return None


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

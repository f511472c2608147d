"""The store that survives: the same state as in memory, with a log on disk that is written first.

A write is checked against the acknowledged state, given its revision and queued; it becomes visible, and its writer
returns, once its transaction is on the disk. Writes to one object wait for each other, so a write is never checked
against a state that may not last.
"""

import asyncio
from pathlib import Path

from dray.store.backend import FIRST_REVISION, HISTORY_WINDOW
from dray.store.errors import StoreClosed, StoreCorrupt, StoreError
from dray.store.log import CURE, EVERY_RESOURCE, Compaction, Log
from dray.store.memory import State, change
from dray.store.record import Event, Object, Record, seal, unseal
from dray.store.table import Page, Watch
from dray.store.writer import FATAL, Stop, Ticket, Writer


class SqliteStore:
    """A durable `Store` in one directory. Construct it with `open`, on the loop that will use it."""

    def __init__(self, log: Log, state: State) -> None:
        self._state = state
        self._assigned = state.revision
        """The last revision given out; those above `revision` are on their way to the disk."""
        self._pending: dict[tuple[str, str], Ticket] = {}
        self._failure: StoreError | None = None
        self._writer = Writer(log, asyncio.get_running_loop(), self._settle)

    @classmethod
    def open(cls, directory: Path, history: int = HISTORY_WINDOW) -> "SqliteStore":
        """Raises StoreLocked, StoreCorrupt or StoreUnavailable."""
        log = Log.open(directory)
        try:
            state = _replay(log, history)
        except BaseException:
            log.close()
            raise
        store = cls(log, state)
        store._compact([(resource, table.trim()) for resource, table in state.tables.items()])
        return store

    @property
    def revision(self) -> int:
        return self._state.revision

    def get(self, resource: str, path: str) -> Record | None:
        return self._state.table(resource).records.get(path)

    def page(
        self, resource: str, prefix: str = "", *, after: str = "", limit: int = 0, revision: int | None = None
    ) -> Page:
        return self._state.page(resource, prefix, after, limit, revision)

    def watch(self, resource: str, after: int) -> Watch:
        self.check()
        return self._state.watch(resource, after)

    def count(self, resource: str) -> int:
        return len(self._state.table(resource).records)

    async def create(self, resource: str, path: str, obj: Object) -> Record:
        return await self._write(resource, path, obj, None)

    async def update(self, resource: str, path: str, obj: Object, expected: int) -> Record:
        return await self._write(resource, path, obj, expected)

    async def delete(self, resource: str, path: str, obj: Object, expected: int) -> Record:
        return await self._write(resource, path, obj, expected, deleted=True)

    async def _write(
        self, resource: str, path: str, obj: Object, expected: int | None, deleted: bool = False
    ) -> Record:
        loop = asyncio.get_running_loop()
        while (ahead := self._pending.get((resource, path))) is not None:
            turn = loop.create_future()
            ahead.waiters.append(turn)
            await turn
        self.check()
        previous = self._state.check(resource, path, expected)
        record = seal(path, self._assigned + 1, obj)
        self._assigned += 1
        ticket = Ticket(resource, change(record, previous, deleted), loop.create_future())
        self._pending[resource, path] = ticket
        self._writer.put(ticket)
        return await ticket.done

    def _settle(self, tickets: list[Ticket], failure: StoreError | None) -> None:
        """A batch is on the disk, or never will be."""
        forgotten: list[tuple[str, list[Event]]] = []
        for ticket in tickets:
            self._pending.pop((ticket.resource, ticket.event.record.path), None)
            if failure is None:
                forgotten.append((ticket.resource, self._state.apply(ticket.resource, ticket.event)))
            _report(ticket, failure)
        if isinstance(failure, FATAL):
            self._fail(failure)
        else:
            self._compact(forgotten)

    def _compact(self, forgotten: list[tuple[str, list[Event]]]) -> None:
        revisions: list[int] = []
        floors: dict[str, int] = {}
        for resource, events in forgotten:
            if events:
                floors[resource] = events[-1].revision
                revisions += (event.previous.revision for event in events if event.previous is not None)
                revisions += (event.revision for event in events if event.type == "DELETED")
        if floors:
            self._writer.put(Compaction(revisions, floors))

    def _fail(self, failure: StoreError) -> None:
        """The writer has ended: refuse what is still queued, and everything after."""
        self._failure = failure
        for ticket in self._pending.values():
            _report(ticket, failure)
        self._pending.clear()
        self._state.close()

    async def wait_for(self, revision: int) -> None:
        await self._state.wait_for(revision)

    async def compact(self) -> None:
        revision = self._state.revision
        tables = self._state.tables.items()
        self._compact([(resource, table.forget_history(revision)) for resource, table in tables])

    async def minute_passed(self) -> None:
        forgotten = await self._state.minute_passed()
        if self._failure is None:
            self._compact(forgotten)

    def check(self) -> None:
        if self._failure is not None:
            raise StoreClosed(str(self._failure)) from self._failure

    async def close(self) -> None:
        if self._failure is None:
            self._failure = StoreClosed("the store is closed")
            self._state.close()
            self._writer.put(Stop())
        await self._writer.stopped


def _report(ticket: Ticket, failure: StoreError | None) -> None:
    if not ticket.done.done():
        if failure is None:
            ticket.done.set_result(ticket.event.record)
        else:
            ticket.done.set_exception(failure)
    for waiter in ticket.waiters:
        if not waiter.done():
            waiter.set_result(None)


def _replay(log: Log, history: int) -> State:
    """The state that the log describes. Raises StoreCorrupt."""
    floors = log.floors()
    lowest = max(FIRST_REVISION, floors.pop(EVERY_RESOURCE, FIRST_REVISION))
    state = State(history, lowest)
    for resource, floor in floors.items():
        state.table(resource).floor = max(floor, lowest)
    revision = max([lowest, *floors.values()])
    for row in log.rows():
        try:
            record = unseal(row.path, row.revision, row.data)
        except ValueError as error:
            raise StoreCorrupt(
                f"{log.directory}: {row.resource} {row.path} at revision {row.revision} cannot be read "
                f"({error}); {CURE}"
            ) from error
        table = state.table(row.resource)
        table.load(record, row.deleted, is_history=row.revision > table.floor)
        revision = max(revision, row.revision)
    state.revision = revision
    for table in state.tables.values():
        table.finish_loading()
    return state

"""The store that lives and dies with the process: the state both stores share, with nothing behind it."""

import asyncio
from collections import deque

from dray.store.backend import FIRST_REVISION, HISTORY_MINUTES, HISTORY_WINDOW
from dray.store.errors import KeyExists, KeyMissing, RevisionConflict, StoreClosed
from dray.store.record import Event, Object, Record, seal
from dray.store.table import Page, Table, Watch


class State:
    """All tables and the revision counter, in memory. Synchronous; the stores decide when a change is applied."""

    def __init__(self, history: int = HISTORY_WINDOW, first_revision: int = FIRST_REVISION) -> None:
        self.revision = first_revision
        self.tables: dict[str, Table] = {}
        self._history = history
        self._first_revision = first_revision
        self._arrivals: list[tuple[int, asyncio.Future[None]]] = []
        self._minutes: deque[int] = deque(maxlen=HISTORY_MINUTES + 1)
        """The revision at the end of each of the last minutes."""

    def table(self, resource: str) -> Table:
        table = self.tables.get(resource)
        if table is None:
            table = self.tables[resource] = Table(self._history, self._first_revision)
        return table

    def check(self, resource: str, path: str, expected: int | None) -> Record | None:
        """The record a write replaces. `expected` None: there must be none. Raises as `Store.update` does."""
        record = self.table(resource).records.get(path)
        if expected is None:
            if record is not None:
                raise KeyExists(f"{resource} {path} exists")
            return None
        if record is None:
            raise KeyMissing(f"there is no {resource} {path}")
        if record.revision != expected:
            raise RevisionConflict(record.revision)
        return record

    def apply(self, resource: str, event: Event) -> list[Event]:
        """Make a change visible; returns the events that left the history."""
        table = self.table(resource)
        table.apply(event)
        self.revision = event.revision
        if self._arrivals:
            self._announce()
        return table.trim()

    def _announce(self) -> None:
        for wanted, arrival in self._arrivals:
            if wanted <= self.revision and not arrival.done():
                arrival.set_result(None)
        self._arrivals = [pair for pair in self._arrivals if not pair[1].done()]

    async def minute_passed(self) -> list[tuple[str, list[Event]]]:
        """Let the history age; returns the events that left it, by resource. One resource at a time: there may be many."""
        minutes = self._minutes
        minutes.append(self.revision)
        rests = minutes[-2] if len(minutes) > 1 else 0
        ends = minutes[0] if len(minutes) > HISTORY_MINUTES else 0
        forgotten: list[tuple[str, list[Event]]] = []
        for resource, table in tuple(self.tables.items()):
            table.rest(rests)
            forgotten.append((resource, table.forget_events(ends)))
            await asyncio.sleep(0)
        return forgotten

    async def wait_for(self, revision: int) -> None:
        if revision > self.revision:
            arrival = asyncio.get_running_loop().create_future()
            self._arrivals.append((revision, arrival))
            await arrival

    def page(self, resource: str, prefix: str, after: str, limit: int, revision: int | None) -> Page:
        table = self.table(resource)
        if revision is None:
            return table.page(prefix, self.revision, after, limit)
        return table.page_at(revision, prefix, after, limit)

    def watch(self, resource: str, after: int) -> Watch:
        return self.table(resource).watch(after)

    def close(self) -> None:
        for table in self.tables.values():
            table.close()


class MemoryStore:
    """A `Store` without durability: every write is acknowledged at once."""

    def __init__(self, history: int = HISTORY_WINDOW) -> None:
        self._state = State(history)
        self._closed = False

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
        return self._write(resource, path, obj, None)

    async def update(self, resource: str, path: str, obj: Object, expected: int) -> Record:
        return self._write(resource, path, obj, expected)

    async def delete(self, resource: str, path: str, obj: Object, expected: int) -> Record:
        return self._write(resource, path, obj, expected, deleted=True)

    def _write(
        self, resource: str, path: str, obj: Object, expected: int | None, deleted: bool = False
    ) -> Record:
        self.check()
        previous = self._state.check(resource, path, expected)
        record = seal(path, self._state.revision + 1, obj)
        self._state.apply(resource, change(record, previous, deleted))
        return record

    async def wait_for(self, revision: int) -> None:
        await self._state.wait_for(revision)

    async def compact(self) -> None:
        for table in self._state.tables.values():
            table.forget_history(self._state.revision)

    async def minute_passed(self) -> None:
        await self._state.minute_passed()

    def check(self) -> None:
        if self._closed:
            raise StoreClosed("the store is closed")

    async def close(self) -> None:
        self._closed = True
        self._state.close()


def change(record: Record, previous: Record | None, deleted: bool) -> Event:
    if deleted:
        return Event("DELETED", record, previous)
    return Event("MODIFIED" if previous else "ADDED", record, previous)

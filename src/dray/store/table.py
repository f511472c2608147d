"""One resource's present objects and recent changes, and the watches that follow them.

The history is a list of events with a moving start; a watch is a cursor into it, so a write costs nothing per watcher
but waking it, and a watcher that falls behind the window finds its cursor gone (`Compacted`) instead of growing a queue.
Paths sort as strings, "namespace/name": the order in which Kubernetes lists them. Used from one event loop only.
"""

import asyncio
import bisect
import dataclasses
from collections.abc import Iterator

from dray.store.errors import Compacted, StoreClosed
from dray.store.record import Event, Record

SLACK = 4
"""The history is trimmed when it exceeds the window by a quarter, so that trimming is rare and cheap."""

HISTORY_BYTES = 64 * 1024 * 1024
"""Of encoded objects in the history of one resource: the window is shorter where objects are large."""

BATCH_EVENTS = 500
BATCH_BYTES = 1024 * 1024
"""Of changes handed to a watch at once."""


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Records in path order, as of one revision."""

    records: list[Record]
    revision: int
    remaining: int = 0
    """How many more there were under the prefix, after these."""


class Table:
    def __init__(self, window: int, floor: int) -> None:
        """`floor`: the revision before which nothing is known; `window`: how many events are held at least."""
        self.window = window
        self.floor = floor
        self.records: dict[str, Record] = {}
        self.watches: set[Watch] = set()
        self.events: list[Event] = []
        self.first = 0
        """The running number of `events[0]`."""
        self._rested = 0
        """The running number of the first event that holds all it was made of."""
        self._bytes = 0
        """Of the objects in `events`."""
        self._order: list[str] = []

    # --- writing

    def apply(self, event: Event) -> None:
        """Take the change in and wake the watches. Changes come in revision order."""
        record = event.record
        if event.type == "DELETED":
            del self.records[record.path]
            del self._order[bisect.bisect_left(self._order, record.path)]
        else:
            if record.path not in self.records:
                bisect.insort(self._order, record.path)
            self.records[record.path] = record
        self.events.append(event)
        self._bytes += len(record.data)
        for watch in tuple(self.watches):  # one may be opened or closed meanwhile
            watch.wake()

    def trim(self) -> list[Event]:
        """Forget events beyond the window, if there are enough of them; returns those forgotten."""
        excess = len(self.events) - self.window
        if excess <= self.window // SLACK:
            excess = 0
        if self._bytes > HISTORY_BYTES + HISTORY_BYTES // SLACK:
            excess = max(excess, self._beyond_bytes())
        if not excess:
            return []
        forgotten = self._forget(excess)
        self.floor = forgotten[-1].revision
        return forgotten

    def _beyond_bytes(self) -> int:
        """How many of the oldest events are too much; the last is always held."""
        size = self._bytes
        for count, event in enumerate(self.events[:-1]):
            if size <= HISTORY_BYTES:
                return count
            size -= len(event.record.data)
        return len(self.events) - 1

    def forget_history(self, revision: int) -> list[Event]:
        """Forget every event up to `revision`; returns them. Nobody may ask for what was before it any more."""
        forgotten = self.forget_events(revision)
        self.floor = max(self.floor, revision)
        return forgotten

    def forget_events(self, revision: int) -> list[Event]:
        """The same, where a revision after the last of them may still be asked for."""
        forgotten = self._forget(self._events_until(revision))
        if forgotten:
            self.floor = forgotten[-1].revision
        return forgotten

    def rest(self, revision: int) -> None:
        """Let the events up to `revision` hold less memory."""
        count = self._events_until(revision)
        for event in self.events[max(0, self._rested - self.first) : count]:
            event.rest()
        self._rested = self.first + count

    def _forget(self, count: int) -> list[Event]:
        forgotten = self.events[:count]
        del self.events[:count]
        self.first += count
        self._bytes -= sum(len(event.record.data) for event in forgotten)
        return forgotten

    def load(self, record: Record, deleted: bool, is_history: bool) -> None:
        """Replay one row of the log, oldest first."""
        previous = self.records.get(record.path)
        if is_history and not (deleted and previous is None):
            kind = "DELETED" if deleted else ("MODIFIED" if previous else "ADDED")
            event = Event(kind, record, previous)  # type: ignore[arg-type]
            # As after the minute for which those who keep up are waited for: few will ask for it.
            event.rest()
            self.events.append(event)
            self._bytes += len(record.data)
        if deleted:
            self.records.pop(record.path, None)
        else:
            self.records[record.path] = record

    def finish_loading(self) -> None:
        self._order = sorted(self.records)

    # --- reading

    def page(self, prefix: str, revision: int, after: str = "", limit: int = 0) -> Page:
        """Records under `prefix` ("" or "namespace/"), after the path `after`, at most `limit` (0: all)."""
        low = bisect.bisect_right(self._order, after) if after else bisect.bisect_left(self._order, prefix)
        high = bisect.bisect_left(self._order, prefix + "\U0010ffff") if prefix else len(self._order)
        end = min(high, low + limit) if limit else high
        records = self.records
        return Page([records[path] for path in self._order[low:end]], revision, max(0, high - end))

    def page_at(self, revision: int, prefix: str, after: str = "", limit: int = 0) -> Page:
        """The same as the state was at `revision`. Raises Compacted."""
        if revision < self.floor:
            raise Compacted(revision, self.floor)
        if not self.events or self.events[-1].revision <= revision:
            return self.page(prefix, revision, after, limit)
        state = dict(self.records)
        for event in reversed(self.events):
            if event.revision <= revision:
                break
            if event.previous is None:
                state.pop(event.record.path, None)
            else:
                state[event.record.path] = event.previous
        paths = sorted(path for path in state if path.startswith(prefix) and path > after)
        end = limit or len(paths)
        return Page([state[path] for path in paths[:end]], revision, max(0, len(paths) - end))

    def watch(self, after: int) -> "Watch":
        """Follow the changes after revision `after`. Raises Compacted."""
        if after < self.floor:
            raise Compacted(after, self.floor)
        return Watch(self, self.first + self._events_until(after))

    def _events_until(self, revision: int) -> int:
        return bisect.bisect_right(self.events, revision, key=_revision_of)

    def close(self) -> None:
        for watch in tuple(self.watches):
            watch.end()

    def __iter__(self) -> Iterator[Record]:
        return (self.records[path] for path in self._order)


def _revision_of(event: Event) -> int:
    return event.revision


class Watch:
    """A cursor over one table's changes. Close it when done; one reader at a time."""

    def __init__(self, table: Table, cursor: int) -> None:
        self._table = table
        self._cursor = cursor
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._nudged = False
        table.watches.add(self)

    @property
    def has_more(self) -> bool:
        """Whether there is a change that was not handed out yet."""
        return self._cursor < self._table.first + len(self._table.events)

    def ready(self) -> list[Event]:
        """The changes since the last call, or the first of many, without waiting.

        A slow reader holds what it was handed, however much is forgotten meanwhile: so it is handed little at a time.
        Raises Compacted, or StoreClosed when it has ended.
        """
        table = self._table
        start = self._cursor - table.first
        if start < 0:
            raise Compacted(0, table.floor)
        if self._ended:
            raise StoreClosed("the watch has ended")
        events = table.events[start : start + BATCH_EVENTS]
        size = 0
        for count, event in enumerate(events):
            size += len(event.record.data)
            if size > BATCH_BYTES:
                del events[count + 1 :]
                break
        self._cursor += len(events)
        return events

    async def next(self) -> list[Event]:
        """Wait for changes; empty only when nudged. Raises Compacted when too many were missed, StoreClosed at the end."""
        while not (events := self.ready()):
            if self._nudged:
                self._nudged = False
                break
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return events

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def nudge(self) -> None:
        """Let the reader's `next` return, if there is nothing to tell even so: cheaper than a timeout for each wait."""
        self._nudged = True
        self.wake()

    def end(self) -> None:
        """Let the reader's `next` raise StoreClosed."""
        self._ended = True
        self.wake()

    def close(self) -> None:
        self._table.watches.discard(self)

"""The one thread that writes the log, and its group commit.

Changes queue up while a transaction is being synced; the next transaction takes them all. The thread knows nothing of
what they mean: it hands each batch back to the event loop with the error, if any.
"""

import asyncio
import contextlib
import dataclasses
import queue
import threading
from collections.abc import Callable
from typing import Any

from dray.store.errors import StoreClosed, StoreCorrupt, StoreError
from dray.store.log import Compaction, Log, Row
from dray.store.record import Event, Record

MAX_BATCH = 2000

FATAL = (StoreCorrupt, StoreClosed)
"""Failures after which the writer ends."""


class Ticket:
    """A change on its way to the disk, and who waits for it."""

    __slots__ = ("done", "event", "resource", "waiters")

    def __init__(self, resource: str, event: Event, done: "asyncio.Future[Record]") -> None:
        self.resource = resource
        self.event = event
        self.done = done
        """The writer's; it may be cancelled, the change is stored all the same."""
        self.waiters: list[asyncio.Future[None]] = []
        """Later writers of the same object."""

    def row(self) -> Row:
        record = self.event.record
        return Row(record.revision, self.resource, record.path, self.event.type == "DELETED", record.data)


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    pass


Work = Ticket | Compaction | Stop


class Writer:
    def __init__(
        self,
        log: Log,
        loop: asyncio.AbstractEventLoop,
        settle: Callable[[list[Ticket], StoreError | None], None],
    ) -> None:
        self._log = log
        self._loop = loop
        self._settle = settle
        self._queue: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self.stopped: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._run, name="dray-store-writer", daemon=True)
        self._thread.start()

    def put(self, work: Work) -> None:
        self._queue.put(work)

    def _run(self) -> None:
        while self._commit(self._take()):
            pass
        self._log.close()
        self._tell(self.stopped.set_result, None)

    def _tell(self, callback: Callable[..., object], *arguments: Any) -> None:
        # A loop that was closed under us has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _take(self) -> list[Work]:
        batch = [self._queue.get()]
        while len(batch) < MAX_BATCH and not isinstance(batch[-1], Stop):
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return batch

    def _commit(self, batch: list[Work]) -> bool:
        """Store a batch and report; False when the thread should end."""
        tickets = [work for work in batch if isinstance(work, Ticket)]
        compactions = [work for work in batch if isinstance(work, Compaction)]
        failure: StoreError | None = None
        if tickets or compactions:
            try:
                self._log.append([ticket.row() for ticket in tickets], compactions)
            except StoreError as error:
                failure = error
            except Exception as error:  # the waiting writers must hear of it, whatever it is
                failure = StoreClosed(f"the store's writer failed: {error!r}")
            self._tell(self._settle, tickets, failure)
        return not isinstance(batch[-1], Stop) and not isinstance(failure, FATAL)

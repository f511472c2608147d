"""Events are forgotten some time after their last change: nobody deletes them, and they would fill the disk.

When an event was last written is not stored. It is what was seen here, and for those that were there before the server
started, the latest of their own times that is not in the future. Watchers are told of the deletion like of any other.
"""

import asyncio
import contextlib
import datetime as dt
import logging
from typing import Final

from dray.api.meta import Object, parse_time
from dray.api.resources import EVENTS
from dray.kits.clock import Clock
from dray.store.backend import Store
from dray.store.errors import KeyMissing, RevisionConflict, StoreFailure
from dray.store.record import Record

log = logging.getLogger("dray.apiserver")

EVENT_TTL: Final = dt.timedelta(hours=1)
LOOK_SECONDS: Final = 30.0
BATCH: Final = 500
"""Deletions on their way to the disk at once."""


class EventExpiry:
    def __init__(self, store: Store, clock: Clock, ttl: dt.timedelta) -> None:
        self._store = store
        self._clock = clock
        self._ttl = ttl
        self._written: dict[str, tuple[int, dt.datetime]] = {}
        """By path: the revision that was seen, and when it was written."""
        self._is_first = True

    async def run(self) -> None:
        """For as long as the server runs."""
        while True:
            try:
                await self.look()
            except StoreFailure as error:
                log.warning("cannot delete expired events: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Delete what has expired. Raises StoreFailure."""
        expired = self._expired(self._clock.now())
        for start in range(0, len(expired), BATCH):
            await asyncio.gather(*(self._delete(record) for record in expired[start : start + BATCH]))

    def _expired(self, now: dt.datetime) -> list[Record]:
        written: dict[str, tuple[int, dt.datetime]] = {}
        expired: list[Record] = []
        for record in self._store.page(EVENTS.qualified).records:
            known = self._written.get(record.path)
            if known is None or known[0] != record.revision:
                known = (record.revision, _told(record.obj, now) if self._is_first else now)
            written[record.path] = known
            if now - known[1] >= self._ttl:
                expired.append(record)
        self._written, self._is_first = written, False
        return expired

    async def _delete(self, record: Record) -> None:
        last = {**record.obj, "metadata": dict(record.obj["metadata"])}
        with contextlib.suppress(KeyMissing, RevisionConflict):  # somebody was faster
            await self._store.delete(EVENTS.qualified, record.path, last, record.revision)


def _told(event: Object, now: dt.datetime) -> dt.datetime:
    """The latest time that the event itself tells of, as far as it is past; `now` where it tells none."""
    meta, series = event["metadata"], event.get("series") or {}
    texts = [meta.get("creationTimestamp"), event.get("lastTimestamp"), series.get("lastObservedTime")]
    return max((time for text in texts if text and (time := parse_time(text)) <= now), default=now)

"""WATCH: the changes of what is selected, each told once, from a revision on.

An object that comes to match the selection is ADDED to its watcher, one that ceases to is DELETED (in its last matching
form, at the revision of the change), whatever happened to it in truth.
"""

import dataclasses
import enum
from typing import Final

from dray.api import errors
from dray.api.meta import Object
from dray.apiserver.core import Call, prefix_of
from dray.apiserver.options import ListOptions
from dray.apiserver.verbs.read import Matcher, matcher, parse_version, reach
from dray.apiserver.verbs.writing import store_failures
from dray.store.errors import Compacted, StoreClosed
from dray.store.record import ChangeType, Event, Record
from dray.store.table import Watch

INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"


class Mark(enum.Enum):
    """A bookmark: everything up to a revision has been told."""

    INITIAL_END = "the present objects have been told"
    PROGRESS = "nothing happened, but time passed"


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One event for one watcher. `event` is the shared store event when it can be told as it is, else None."""

    type: ChangeType
    record: Record
    event: Event | None = None

    @property
    def object(self) -> Object:
        return self.record.obj


@dataclasses.dataclass(frozen=True, slots=True)
class Bookmark:
    revision: int
    mark: Mark


class ResourceWatch:
    """The changes of one resource, selected. Close it when done."""

    def __init__(self, call: Call, watch: Watch, matches: Matcher | None, revision: int) -> None:
        self.call = call
        self.initial: list[Change | Bookmark] = []
        """What to tell before any change."""
        self._watch = watch
        call.core.watches.add(watch)
        self._matches = matches
        self._prefix = prefix_of(call.kind.resource, call.namespace)
        self._revision = revision

    async def next(self) -> list[Change] | None:
        """Wait for changes; empty when nudged, None when the server ends the watch.

        Raises Expired when too many were missed.
        """
        self.initial = []  # told by now, and not to be held as long as the watch lasts
        while True:
            try:
                events = await self._watch.next()
            except Compacted:
                raise too_old(self._revision, self.call.core.store.revision) from None
            except StoreClosed:
                return None
            if not events:
                return []
            # Whoever watches from a revision that is to come is told nothing until then.
            if events[0].revision <= self._revision:
                events = [event for event in events if event.revision > self._revision]
            if not events:
                continue
            self._revision = events[-1].revision
            if changes := self._selected(events):
                return changes

    def nudge(self) -> None:
        """Let `next` return soon, with or without changes."""
        self._watch.nudge()

    def bookmark(self) -> Bookmark | None:
        """How far the watcher has got; None when there is something left to tell."""
        if self._watch.has_more:
            return None
        return Bookmark(self.call.core.store.revision, Mark.PROGRESS)

    def close(self) -> None:
        self.call.core.watches.discard(self._watch)
        self._watch.close()

    def _selected(self, events: list[Event]) -> list[Change]:
        prefix, matches = self._prefix, self._matches
        if prefix:
            events = [event for event in events if event.record.path.startswith(prefix)]
        if matches is None:
            return [Change(event.type, event.record, event) for event in events]
        changes = (_change(event, matches) for event in events)
        return [change for change in changes if change is not None]


def _change(event: Event, matches: Matcher) -> Change | None:
    was = event.previous is not None and matches(event.previous.obj)
    if event.type == "DELETED":
        return Change("DELETED", event.record, event) if was else None
    now = matches(event.record.obj)
    if now:
        kind: ChangeType = "MODIFIED" if was else "ADDED"
        return Change(kind, event.record, event if kind == event.type else None)
    if was and event.previous is not None:
        return Change("DELETED", _at(event.previous, event.revision))
    return None


def _at(record: Record, revision: int) -> Record:
    """The same object, told at a later revision."""
    obj = record.obj
    meta = {**obj["metadata"], "resourceVersion": str(revision)}
    return Record(record.path, revision, {**obj, "metadata": meta}, b"")


async def open_watch(call: Call, options: ListOptions) -> ResourceWatch:
    """Raises BadRequest for a bad selector, Expired for a revision no longer held, Timeout for one from the future."""
    matches = matcher(call, options)
    version = options.resource_version
    asked = parse_version(version) if version else 0
    wants_present = asked == 0 or bool(options.send_initial_events)
    store = call.core.store
    if asked and options.send_initial_events:
        await reach(call, asked)
    start = store.revision if wants_present and options.send_initial_events is not False else asked
    try:
        with store_failures():
            watch = store.watch(call.stored.qualified, min(start or store.revision, store.revision))
    except Compacted:
        raise too_old(asked, store.revision) from None
    resource_watch = ResourceWatch(call, watch, matches, start)
    if wants_present and options.send_initial_events is not False:
        resource_watch.initial = _present(call, options, matches, start)
    return resource_watch


def _present(
    call: Call, options: ListOptions, matches: Matcher | None, revision: int
) -> list[Change | Bookmark]:
    page = call.core.store.page(call.stored.qualified, prefix_of(call.kind.resource, call.namespace))
    found: list[Change | Bookmark] = [
        Change("ADDED", record) for record in page.records if matches is None or matches(record.obj)
    ]
    if options.send_initial_events and options.allow_bookmarks:
        found.append(Bookmark(revision, Mark.INITIAL_END))
    return found


def too_old(asked: int, current: int) -> errors.Expired:
    return errors.Expired(f"too old resource version: {asked} ({current})")

"""Events go an hour after their last change, whoever is there to see it."""

import datetime as dt
from typing import Any

from dray.apiserver.event_expiry import EventExpiry
from dray.store.memory import MemoryStore

TTL = dt.timedelta(hours=1)
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> dt.datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0

    def at(self, **after: float) -> None:
        self.time = START + dt.timedelta(**after)


def event(name: str, **fields: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "ns", "creationTimestamp": "2025-12-31T23:30:00Z"}
    return {"apiVersion": "v1", "kind": "Event", "metadata": meta, **fields}


def names(store: MemoryStore) -> list[str]:
    return [record.path for record in store.page("events").records]


async def test_an_event_goes_an_hour_after_it_was_seen() -> None:
    store, clock = MemoryStore(), Hands()
    expiry = EventExpiry(store, clock, TTL)
    await expiry.look()
    await store.create("events", "ns/a", event("a"))
    await expiry.look()
    clock.at(minutes=59)
    await expiry.look()
    assert names(store) == ["ns/a"]
    clock.at(minutes=60)
    await expiry.look()
    assert names(store) == []


async def test_a_change_begins_the_hour_anew() -> None:
    store, clock = MemoryStore(), Hands()
    expiry = EventExpiry(store, clock, TTL)
    record = await store.create("events", "ns/a", event("a"))
    await expiry.look()
    await store.update("events", "ns/a", event("a", count=2), record.revision)
    clock.at(minutes=20)
    await expiry.look()
    clock.at(minutes=79)
    await expiry.look()
    assert names(store) == ["ns/a"]
    clock.at(minutes=80)
    await expiry.look()
    assert names(store) == []


async def test_events_of_before_the_start_tell_their_time_but_none_in_the_future() -> None:
    store, clock = MemoryStore(), Hands()
    await store.create("events", "ns/created", event("created"))
    await store.create("events", "ns/seen", event("seen", lastTimestamp="2025-12-31T23:50:00Z"))
    await store.create("events", "ns/forged", event("forged", lastTimestamp="9999-01-01T00:00:00Z"))
    expiry = EventExpiry(store, clock, TTL)
    await expiry.look()
    clock.at(minutes=31)
    await expiry.look()
    assert names(store) == ["ns/seen"]
    clock.at(minutes=51)
    await expiry.look()
    assert names(store) == []


async def test_watchers_are_told_of_the_end() -> None:
    store, clock = MemoryStore(), Hands()
    expiry = EventExpiry(store, clock, TTL)
    record = await store.create("events", "ns/a", event("a"))
    watch = store.watch("events", record.revision)
    clock.at(hours=2)
    await expiry.look()
    assert [(change.type, change.record.path) for change in watch.ready()] == [("DELETED", "ns/a")]

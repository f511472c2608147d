"""What every store promises."""

import asyncio

import orjson
import pytest

from dray.store.backend import FIRST_REVISION, HISTORY_MINUTES, Store
from dray.store.errors import Compacted, KeyExists, KeyMissing, RevisionConflict, StoreClosed
from tests.unit.store.builders import config_map

CM = "configmaps"


async def create(store: Store, name: str, **data: str) -> int:
    return (await store.create(CM, f"ns/{name}", config_map(name, **data))).revision


async def test_an_empty_store_has_a_revision_and_no_objects(store: Store) -> None:
    assert store.revision == FIRST_REVISION
    assert store.page(CM).records == []
    assert store.get(CM, "ns/a") is None


async def test_each_write_gets_the_next_revision_whatever_the_resource(store: Store) -> None:
    first = await store.create(CM, "ns/a", config_map("a"))
    second = await store.create("secrets", "ns/a", config_map("a"))

    assert (first.revision, second.revision) == (FIRST_REVISION + 1, FIRST_REVISION + 2)
    assert store.revision == second.revision


async def test_a_record_carries_its_revision_in_the_object_and_in_the_bytes(store: Store) -> None:
    record = await store.create(CM, "ns/a", config_map("a", x="y"))

    assert record.obj["metadata"]["resourceVersion"] == str(record.revision)
    assert orjson.loads(record.data) == record.obj


async def test_the_encoding_starts_with_kind_and_api_version(store: Store) -> None:
    record = await store.create(CM, "ns/a", config_map("a"))

    assert record.data.startswith(b'{"kind":"ConfigMap","apiVersion":"v1",')


async def test_create_refuses_an_object_that_exists(store: Store) -> None:
    await create(store, "a")

    with pytest.raises(KeyExists):
        await create(store, "a")


async def test_update_replaces_only_the_expected_revision(store: Store) -> None:
    revision = await create(store, "a", x="1")
    updated = await store.update(CM, "ns/a", config_map("a", x="2"), revision)

    with pytest.raises(RevisionConflict) as conflict:
        await store.update(CM, "ns/a", config_map("a", x="3"), revision)

    assert conflict.value.current == updated.revision
    assert store.get(CM, "ns/a") is updated


async def test_update_and_delete_need_an_object(store: Store) -> None:
    with pytest.raises(KeyMissing):
        await store.update(CM, "ns/a", config_map("a"), 1)
    with pytest.raises(KeyMissing):
        await store.delete(CM, "ns/a", config_map("a"), 1)


async def test_a_deleted_object_is_gone_and_may_come_again(store: Store) -> None:
    revision = await create(store, "a")
    tombstone = await store.delete(CM, "ns/a", config_map("a"), revision)

    assert store.get(CM, "ns/a") is None
    assert tombstone.revision == revision + 1
    assert await create(store, "a") == tombstone.revision + 1


async def test_of_two_concurrent_updates_of_one_revision_one_wins(store: Store) -> None:
    revision = await create(store, "a")

    outcomes = await asyncio.gather(
        store.update(CM, "ns/a", config_map("a", x="1"), revision),
        store.update(CM, "ns/a", config_map("a", x="2"), revision),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Record", "RevisionConflict"]


async def test_of_two_concurrent_creates_one_wins(store: Store) -> None:
    outcomes = await asyncio.gather(create(store, "a"), create(store, "a"), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["KeyExists", "int"]


async def test_a_write_whose_caller_gave_up_still_frees_the_object_for_the_next(store: Store) -> None:
    revision = await create(store, "a")
    task = asyncio.create_task(store.update(CM, "ns/a", config_map("a", x="1"), revision))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    with pytest.raises(RevisionConflict) as conflict:
        await store.update(CM, "ns/a", config_map("a", x="2"), revision)

    assert conflict.value.current == revision + 1


async def test_pages_are_in_path_order_and_say_what_remains(store: Store) -> None:
    for path in ("b/x", "a/z", "a-b/x", "a/y"):
        await store.create(CM, path, config_map(path))

    page = store.page(CM, limit=3)

    assert [record.path for record in page.records] == ["a-b/x", "a/y", "a/z"]
    assert page.remaining == 1
    assert [record.path for record in store.page(CM, after="a/z").records] == ["b/x"]


async def test_a_prefix_selects_one_namespace(store: Store) -> None:
    for path in ("a/x", "a-b/x", "ab/x", "a/y"):
        await store.create(CM, path, config_map(path))

    assert [record.path for record in store.page(CM, "a/").records] == ["a/x", "a/y"]
    assert store.page(CM, "a/", limit=1).remaining == 1
    assert store.count(CM) == 4


async def test_a_page_at_an_earlier_revision_shows_the_state_of_then(store: Store) -> None:
    a = await create(store, "a", x="1")
    b = await create(store, "b")
    await store.update(CM, "ns/a", config_map("a", x="2"), a)
    await store.delete(CM, "ns/b", config_map("b"), b)
    await create(store, "c")

    then = store.page(CM, revision=b)

    assert [(record.path, record.revision) for record in then.records] == [("ns/a", a), ("ns/b", b)]
    assert [record.path for record in store.page(CM, revision=b, after="ns/a").records] == ["ns/b"]
    assert store.page(CM, revision=b, limit=1).remaining == 1
    assert [record.path for record in store.page(CM, "other/", revision=b).records] == []


async def test_a_watch_sees_changes_after_its_revision_with_what_was_before(store: Store) -> None:
    a = await create(store, "a")
    watch = store.watch(CM, a)
    updated = await store.update(CM, "ns/a", config_map("a", x="1"), a)
    deleted = await store.delete(CM, "ns/a", config_map("a", x="1"), updated.revision)
    await create(store, "b")
    await store.create("secrets", "ns/s", config_map("s"))

    events = watch.ready()

    assert [(event.type, event.revision) for event in events] == [
        ("MODIFIED", updated.revision),
        ("DELETED", deleted.revision),
        ("ADDED", deleted.revision + 1),
    ]
    assert events[0].previous is not None
    assert events[0].previous.revision == a
    assert events[1].previous is updated
    assert watch.ready() == []
    watch.close()


async def test_a_watch_from_an_earlier_revision_replays_history(store: Store) -> None:
    a = await create(store, "a")
    await create(store, "b")

    watch = store.watch(CM, a)

    assert [event.record.path for event in watch.ready()] == ["ns/b"]
    watch.close()


async def test_a_waiting_watch_is_woken_by_a_write(store: Store) -> None:
    watch = store.watch(CM, store.revision)
    waiting = asyncio.create_task(watch.next())
    await asyncio.sleep(0)

    await create(store, "a")

    assert [event.type for event in await waiting] == ["ADDED"]
    watch.close()


async def test_a_nudged_watch_returns_with_nothing_once_and_loses_no_change(store: Store) -> None:
    watch = store.watch(CM, store.revision)
    waiting = asyncio.create_task(watch.next())
    await asyncio.sleep(0)
    watch.nudge()
    assert await waiting == []

    watch.nudge()
    await create(store, "a")
    assert [event.record.path for event in await watch.next()] == ["ns/a"]
    assert await watch.next() == []  # the nudge from before
    waiting = asyncio.create_task(watch.next())
    await create(store, "b")
    assert [event.record.path for event in await waiting] == ["ns/b"]
    watch.close()


async def test_a_watch_that_falls_behind_the_window_is_told_so(open_store) -> None:  # type: ignore[no-untyped-def]
    store = open_store(history=8)
    watch = store.watch(CM, store.revision)
    for number in range(20):
        await create(store, f"n{number}")

    with pytest.raises(Compacted):
        watch.ready()
    watch.close()


async def test_history_beyond_the_window_is_compacted(open_store) -> None:  # type: ignore[no-untyped-def]
    store = open_store(history=8)
    first = await create(store, "first")
    for number in range(20):
        await create(store, f"n{number}")

    with pytest.raises(Compacted):
        store.watch(CM, first)
    with pytest.raises(Compacted):
        store.page(CM, revision=first)
    assert len(store.page(CM).records) == 21


async def test_a_quiet_resource_keeps_its_history_while_another_is_busy(open_store) -> None:  # type: ignore[no-untyped-def]
    store = open_store(history=8)
    first = await create(store, "first")
    for number in range(20):
        await store.create("events", f"ns/{number}", config_map(str(number)))

    watch = store.watch(CM, first - 1)

    assert len(watch.ready()) == 1
    watch.close()


async def test_compaction_on_demand_forgets_everything_up_to_now(store: Store) -> None:
    a = await create(store, "a")
    b = await create(store, "b")
    await store.compact()

    with pytest.raises(Compacted):
        store.watch(CM, a)
    assert store.watch(CM, b).ready() == []


async def minutes(store: Store, count: int) -> None:
    for _ in range(count):
        await store.minute_passed()


async def test_changes_that_are_minutes_old_are_told_as_they_were(store: Store) -> None:
    a = await store.create(CM, "ns/a", config_map("a", x="1"))
    b = await store.update(CM, "ns/a", config_map("a", x="2"), a.revision)
    c = await store.delete(CM, "ns/a", config_map("a", x="3"), b.revision)
    fresh = store.watch(CM, a.revision - 1).ready()
    told = [(event.type, event.record.obj, event.previous and event.previous.obj) for event in fresh]
    await minutes(store, HISTORY_MINUTES - 1)

    old = store.watch(CM, a.revision - 1).ready()

    assert [(event.type, event.record.obj, event.previous and event.previous.obj) for event in old] == told
    assert [event.revision for event in old] == [a.revision, b.revision, c.revision]
    assert store.page(CM, revision=b.revision).records[0].obj == told[1][1]


async def test_what_was_replaced_a_minute_ago_is_held_encoded_alone_and_what_is_present_parsed_too(
    store: Store,
) -> None:
    a = await store.create(CM, "ns/a", config_map("a", x="1"))
    b = await store.update(CM, "ns/a", config_map("a", x="2"), a.revision)
    [_, event] = store.watch(CM, a.revision - 1).ready()
    built = [event.encoded("form", lambda: b"once")]
    await minutes(store, 1)
    assert a.obj is a.obj
    built.append(event.encoded("form", lambda: b"twice"))

    await minutes(store, 1)

    assert a.obj is not a.obj
    assert b.obj is b.obj
    built.append(event.encoded("form", lambda: b"again"))
    assert built == [b"once", b"once", b"again"]


async def test_history_ends_after_its_minutes_and_a_quiet_resource_can_be_followed_all_the_same(
    store: Store,
) -> None:
    a = await create(store, "a")
    b = await create(store, "b")
    following = store.watch(CM, b)
    await minutes(store, HISTORY_MINUTES)
    assert len(store.watch(CM, a - 1).ready()) == 2

    await minutes(store, 1)

    with pytest.raises(Compacted):
        store.watch(CM, a)
    assert store.watch(CM, b).ready() == []
    assert [record.revision for record in store.page(CM).records] == [a, b]
    c = await create(store, "c")
    assert [event.revision for event in following.ready()] == [c]


async def test_the_state_before_the_first_write_can_be_asked_for_but_not_earlier(store: Store) -> None:
    await create(store, "a")

    assert store.page(CM, revision=FIRST_REVISION).records == []
    with pytest.raises(Compacted):
        store.page(CM, revision=1)


async def test_waiting_for_a_revision_ends_when_it_is_written(store: Store) -> None:
    waiting = asyncio.create_task(store.wait_for(FIRST_REVISION + 2))
    await create(store, "a")
    await asyncio.sleep(0)
    assert not waiting.done()

    await create(store, "b")

    await waiting


async def test_encodings_are_built_once_for_all_watchers(store: Store) -> None:
    first, second = store.watch(CM, store.revision), store.watch(CM, store.revision)
    await create(store, "a")
    built: list[int] = []

    def build() -> bytes:
        built.append(1)
        return b"line"

    lines = [event.encoded("line", build) for watch in (first, second) for event in watch.ready()]

    assert lines == [b"line", b"line"]
    assert built == [1]


async def test_closing_ends_watches_and_refuses_writes(store: Store) -> None:
    watch = store.watch(CM, store.revision)
    waiting = asyncio.create_task(watch.next())
    await asyncio.sleep(0)

    await store.close()

    with pytest.raises(StoreClosed):
        await waiting
    with pytest.raises(StoreClosed):
        await create(store, "a")
    with pytest.raises(StoreClosed):
        store.watch(CM, store.revision)


async def test_many_concurrent_writers_all_succeed_in_order(store: Store) -> None:
    watch = store.watch(CM, store.revision)

    await asyncio.gather(*(create(store, f"n{number}") for number in range(200)))

    revisions = [event.revision for event in watch.ready()]
    assert revisions == list(range(FIRST_REVISION + 1, FIRST_REVISION + 201))
    watch.close()

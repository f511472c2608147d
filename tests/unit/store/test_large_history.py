"""The history of large objects is shorter, in memory and on the disk, and a watch that is behind it is told."""

from pathlib import Path

import pytest

from dray.store import table
from dray.store.errors import Compacted
from dray.store.memory import MemoryStore
from dray.store.sqlite import SqliteStore
from tests.unit.store.builders import config_map

CM = "configmaps"
SIZE = 1000


@pytest.fixture(autouse=True)
def small_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "HISTORY_BYTES", 20 * SIZE)


async def fill(store: MemoryStore | SqliteStore, changes: int) -> None:
    record = await store.create(CM, "ns/a", config_map("a", payload="x" * SIZE))
    for _ in range(changes):
        record = await store.update(CM, "ns/a", config_map("a", payload="x" * SIZE), record.revision)


async def test_changes_of_large_objects_are_forgotten_sooner() -> None:
    store = MemoryStore()
    watch, start = store.watch(CM, store.revision), store.revision
    await fill(store, 100)
    with pytest.raises(Compacted):
        watch.ready()
    with pytest.raises(Compacted):
        store.watch(CM, start)
    recent = store.watch(CM, store.revision - 10)
    assert len(recent.ready()) == 10


async def test_one_object_larger_than_all_history_can_be_followed() -> None:
    store = MemoryStore()
    await fill(store, 1)
    record = store.get(CM, "ns/a")
    assert record is not None
    for _ in range(5):
        watch = store.watch(CM, store.revision)
        record = await store.update(CM, "ns/a", config_map("a", payload="x" * 50 * SIZE), record.revision)
        assert [event.revision for event in watch.ready()] == [record.revision]


async def test_the_disk_forgets_as_much(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "data")
    await fill(store, 400)
    await store.close()
    assert (tmp_path / "data" / "state.db").stat().st_size < 100 * SIZE
    store = SqliteStore.open(tmp_path / "data")
    with pytest.raises(Compacted):
        store.watch(CM, 101)
    assert store.count(CM) == 1
    await store.close()


async def test_a_watch_is_handed_little_at_a_time_and_all_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "BATCH_BYTES", 4 * SIZE)
    store = MemoryStore()
    watch, start = store.watch(CM, store.revision), store.revision
    await fill(store, 15)
    batches = []
    while watch.has_more:
        batches.append([event.revision for event in watch.ready()])
    assert max(map(len, batches)) <= 5
    assert [revision for batch in batches for revision in batch] == list(range(start + 1, store.revision + 1))

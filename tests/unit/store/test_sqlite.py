"""What the durable store promises beyond every store: nothing acknowledged is lost, and damage is named."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from dray.store.backend import HISTORY_MINUTES
from dray.store.errors import Compacted, StoreClosed, StoreCorrupt, StoreFull, StoreLocked, StoreUnavailable
from dray.store.log import Compaction, Log, Row
from dray.store.sqlite import SqliteStore
from tests.unit.store.builders import config_map

CM = "configmaps"


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    a = await store.create(CM, "ns/a", config_map("a", x="1"))
    b = await store.create(CM, "ns/b", config_map("b"))
    updated = await store.update(CM, "ns/a", config_map("a", x="2"), a.revision)
    deleted = await store.delete(CM, "ns/b", config_map("b"), b.revision)
    await store.close()

    again = SqliteStore.open(tmp_path)

    assert again.revision == deleted.revision
    assert [record.data for record in again.page(CM).records] == [updated.data]
    await again.close()


async def test_a_watch_resumes_across_a_restart(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    a = await store.create(CM, "ns/a", config_map("a"))
    updated = await store.update(CM, "ns/a", config_map("a", x="2"), a.revision)
    await store.delete(CM, "ns/a", config_map("a", x="2"), updated.revision)
    await store.close()

    again = SqliteStore.open(tmp_path)
    events = again.watch(CM, a.revision).ready()

    assert [event.type for event in events] == ["MODIFIED", "DELETED"]
    assert events[0].previous is not None
    assert events[0].previous.data == a.data
    await again.close()


def test_a_killed_process_loses_no_acknowledged_write(tmp_path: Path) -> None:
    script = f"""
import asyncio, os
from pathlib import Path
from dray.store.log import Compaction, Log, Row
from dray.store.sqlite import SqliteStore

async def main():
    store = SqliteStore.open(Path({str(tmp_path)!r}))
    for number in range(50):
        obj = {{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": str(number)}}}}
        await store.create("configmaps", f"ns/{{number}}", obj)
        os.write(1, f"{{number}}\\n".encode())
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)

    async def count() -> int:
        store = SqliteStore.open(tmp_path)
        await store.close()
        return store.count(CM)

    assert len(process.stdout.split()) == 50
    assert asyncio.run(count()) == 50


async def test_compacted_history_leaves_the_file_and_stays_compacted_after_a_restart(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path, history=8)
    record = await store.create(CM, "ns/a", config_map("a", x="0"))
    for number in range(1, 100):
        record = await store.update(CM, "ns/a", config_map("a", x=str(number)), record.revision)
    await store.close()

    rows = sqlite3.connect(tmp_path / "state.db").execute("SELECT count(*) FROM log").fetchone()[0]
    again = SqliteStore.open(tmp_path, history=8)

    assert rows <= 12
    assert again.page(CM).records[0].data == record.data
    with pytest.raises(Compacted):
        again.watch(CM, record.revision - 50)
    await again.close()


async def test_history_that_is_read_again_is_held_encoded_alone(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    a = await store.create(CM, "ns/a", config_map("a", x="1"))
    b = await store.update(CM, "ns/a", config_map("a", x="2"), a.revision)
    await store.delete(CM, "ns/a", config_map("a", x="2"), b.revision)
    d = await store.create(CM, "ns/d", config_map("d", x="1"))
    told = [event.record.obj for event in store.watch(CM, a.revision - 1).ready()]
    await store.close()

    again = SqliteStore.open(tmp_path)
    events = again.watch(CM, a.revision - 1).ready()

    assert [event.record.obj for event in events] == told
    parsed = {event.revision for event in events if event.record.obj is event.record.obj}
    assert parsed == {d.revision}
    await again.close()


async def test_history_that_came_to_its_end_leaves_the_file_too(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    a = await store.create(CM, "ns/a", config_map("a", x="1"))
    b = await store.update(CM, "ns/a", config_map("a", x="2"), a.revision)
    for _ in range(HISTORY_MINUTES + 1):
        await store.minute_passed()
    await store.close()

    rows = sqlite3.connect(tmp_path / "state.db").execute("SELECT revision FROM log").fetchall()
    again = SqliteStore.open(tmp_path)

    assert rows == [(b.revision,)]
    with pytest.raises(Compacted):
        again.watch(CM, a.revision)
    assert again.watch(CM, b.revision).ready() == []
    await again.close()


async def test_revisions_never_repeat_even_when_the_newest_rows_were_compacted(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    a = await store.create(CM, "ns/a", config_map("a"))
    deleted = await store.delete(CM, "ns/a", config_map("a"), a.revision)
    await store.compact()
    await store.close()

    again = SqliteStore.open(tmp_path)

    assert again.revision == deleted.revision
    await again.close()


async def test_a_second_process_is_told_who_holds_the_directory(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)

    with pytest.raises(StoreLocked, match=f"in use by process {os.getpid()}"):
        SqliteStore.open(tmp_path)
    await store.close()
    await SqliteStore.open(tmp_path).close()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"this is not a database, just some text" * 100)

    with pytest.raises(StoreCorrupt, match=r"state\.db is damaged"):
        SqliteStore.open(tmp_path)


async def test_a_row_that_is_no_object_is_named(tmp_path: Path) -> None:
    log = Log.open(tmp_path)
    log.append([Row(101, CM, "ns/a", False, b"{")])
    log.close()

    with pytest.raises(StoreCorrupt, match="configmaps ns/a at revision 101 cannot be read"):
        SqliteStore.open(tmp_path)


async def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    await SqliteStore.open(tmp_path).close()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StoreCorrupt, match="layout 99"):
        SqliteStore.open(tmp_path)


async def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreUnavailable, match="cannot use the data directory"):
        SqliteStore.open(tmp_path / "file" / "data")


class FailingLog(Log):
    """A log whose disk is full until `room` is set."""

    failure: Exception | None = None

    def append(self, rows, compactions=()):  # type: ignore[no-untyped-def]
        if self.failure is not None:
            raise self.failure
        super().append(rows, compactions)


@pytest.fixture
async def failing_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqliteStore:
    monkeypatch.setattr("dray.store.sqlite.Log", FailingLog)
    return SqliteStore.open(tmp_path)


async def test_a_full_disk_refuses_the_write_and_forgets_it(
    failing_store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FailingLog, "failure", StoreFull("no room"))
    with pytest.raises(StoreFull):
        await failing_store.create(CM, "ns/a", config_map("a"))
    assert failing_store.get(CM, "ns/a") is None

    monkeypatch.setattr(FailingLog, "failure", None)
    await failing_store.create(CM, "ns/a", config_map("a"))

    assert failing_store.count(CM) == 1
    await failing_store.close()


@pytest.mark.parametrize("failure", [StoreCorrupt("damaged"), ZeroDivisionError("a bug")])
async def test_a_writer_that_cannot_go_on_closes_the_store(
    failing_store: SqliteStore, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(FailingLog, "failure", failure)

    with pytest.raises((StoreCorrupt, StoreClosed)):
        await failing_store.create(CM, "ns/a", config_map("a"))
    with pytest.raises(StoreClosed):
        await failing_store.create(CM, "ns/a", config_map("a"))
    await failing_store.close()


def test_a_floor_never_goes_back(tmp_path: Path) -> None:
    """A sweep of old history is written after what was trimmed while it went on."""
    log = Log.open(tmp_path)
    log.append([], [Compaction([], {"pods": 164})])
    log.append([], [Compaction([], {"pods": 112, "nodes": 150})])
    assert log.floors() == {"pods": 164, "nodes": 150}
    log.close()

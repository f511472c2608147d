"""What a crash or a bad disk leaves behind: opened as a whole prefix of what was written, or refused by name."""

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from dray.store.errors import StoreCorrupt
from dray.store.log import copy_database, last_revision, start_above
from dray.store.sqlite import SqliteStore
from tests.unit.store.builders import config_map

CM = "configmaps"
State = dict[str, bytes]


async def written(directory: Path, count: int, *, history: int = 2000) -> list[State]:
    """The states that a store in `directory` went through; its files are left as a crash after the last leaves them."""
    store = SqliteStore.open(directory, history)
    states: list[State] = [{}]
    for number in range(count):
        path = f"ns/{number % 7}"
        record = store.get(CM, path)
        obj = config_map(str(number % 7), payload=str(number) * 40)
        if record is None:
            await store.create(CM, path, obj)
        elif number % 5 == 0:
            await store.delete(CM, path, obj, record.revision)
        else:
            await store.update(CM, path, obj, record.revision)
        states.append(content(store))
    shutil.copytree(directory, directory.with_name("crashed"))
    await store.close()
    return states


def content(store: SqliteStore) -> State:
    return {record.path: record.data for record in store.page(CM).records}


async def content_of(directory: Path) -> State:
    store = SqliteStore.open(directory)
    found = content(store)
    await store.close()
    return found


def copy(source: Path, number: int) -> Path:
    target = source.with_name(f"case-{number}")
    shutil.copytree(source, target)
    return target


async def test_a_log_cut_off_anywhere_opens_as_a_state_that_was_acknowledged(tmp_path: Path) -> None:
    states = await written(tmp_path / "data", 30)
    crashed = tmp_path / "crashed"
    whole = (crashed / "state.db-wal").read_bytes()
    reached = set()
    for number, length in enumerate(range(0, len(whole), 1777)):
        case = copy(crashed, number)
        (case / "state.db-wal").write_bytes(whole[:length])
        found = await content_of(case)
        assert found in states
        reached.add(states.index(found))
    assert len(reached) > 10
    assert await content_of(crashed) == states[-1]


async def test_a_changed_byte_in_the_log_costs_nothing_or_is_refused(tmp_path: Path) -> None:
    states = await written(tmp_path / "data", 30)
    crashed = tmp_path / "crashed"
    whole = (crashed / "state.db-wal").read_bytes()
    refusals: list[str] = []
    for number, place in enumerate([*range(32), *range(32, len(whole), 1013)]):
        case = copy(crashed, number)
        damaged = bytearray(whole)
        damaged[place] ^= 0x41
        (case / "state.db-wal").write_bytes(damaged)
        try:
            # The end of the log may as well have been cut off while it was written.
            assert await content_of(case) in states[-2:]
        except StoreCorrupt as error:
            refusals.append(str(error))
    assert len(refusals) > 100
    assert all("state.db-wal is damaged: frame" in text and "restore" in text for text in refusals)


async def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "data")
    await store.create(CM, "ns/a", config_map("a"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
    await store.close()
    assert set(modes.values()) == {0o600}, modes


async def test_a_half_written_end_of_the_log_costs_only_what_was_not_acknowledged(tmp_path: Path) -> None:
    states = await written(tmp_path / "data", 12)
    with (tmp_path / "crashed" / "state.db-wal").open("ab") as log:
        log.write(random.Random(7).randbytes(5000))

    assert await content_of(tmp_path / "crashed") == states[-1]


@pytest.mark.parametrize("seed", range(30))
async def test_damage_is_refused_or_harmless_but_never_served(tmp_path: Path, seed: int) -> None:
    states = await written(tmp_path / "data", 60)
    database = tmp_path / "data" / "state.db"  # closed: all of it is in one file
    damaged = bytearray(database.read_bytes())
    generator = random.Random(seed)
    for _ in range(generator.choice([1, 4, 64])):
        damaged[generator.randrange(100, len(damaged))] ^= 1 << generator.randrange(8)
    database.write_bytes(damaged)
    refusal = ""
    found = states[-1]
    try:
        found = await content_of(tmp_path / "data")
    except StoreCorrupt as error:
        refusal = str(error)

    assert found == states[-1]
    assert not refusal or ("state.db" in refusal and ("restore" in refusal or "data directory" in refusal))


async def test_a_lost_page_is_refused(tmp_path: Path) -> None:
    await written(tmp_path / "data", 200)
    database = tmp_path / "data" / "state.db"
    content = database.read_bytes()
    middle = len(content) // 2 // 4096 * 4096
    database.write_bytes(content[:middle] + bytes(4096) + content[middle + 4096 :])

    with pytest.raises(StoreCorrupt, match="damaged"):
        SqliteStore.open(tmp_path / "data")


async def test_a_changed_row_is_named(tmp_path: Path) -> None:
    await written(tmp_path / "data", 1)
    with sqlite3.connect(tmp_path / "data" / "state.db") as connection:
        connection.execute("UPDATE log SET path = 'ns/other'")
    connection.close()

    with pytest.raises(StoreCorrupt, match="configmaps ns/other at revision 101 is not what was written"):
        SqliteStore.open(tmp_path / "data")


async def test_a_copy_taken_while_others_write_is_a_state_that_was_acknowledged(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "data")
    first = await store.create(CM, "ns/a", config_map("a"))
    (tmp_path / "copy").mkdir()
    copy_database(tmp_path / "data", tmp_path / "copy" / "state.db")
    await store.create(CM, "ns/b", config_map("b"))
    await store.close()

    assert await content_of(tmp_path / "copy") == {"ns/a": first.data}
    assert last_revision(tmp_path / "copy") == first.revision


async def test_a_store_that_starts_above_sends_every_older_client_back_to_listing(tmp_path: Path) -> None:
    states = await written(tmp_path / "data", 20)
    start_above(tmp_path / "data", 5000)
    store = SqliteStore.open(tmp_path / "data")
    assert content(store) == states[-1]
    assert store.revision == 5000
    for resource in (CM, "pods"):  # pods: a kind that had no objects yet
        with pytest.raises(Exception, match="no longer held"):
            store.watch(resource, 4999)
        store.watch(resource, 5000).close()
    assert (await store.create(CM, "ns/new", config_map("new"))).revision == 5001
    await store.close()
    assert len(await content_of(tmp_path / "data")) == len(states[-1]) + 1

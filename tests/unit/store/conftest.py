"""Both stores, one suite: every claim in test_conformance holds for each."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from dray.store.backend import Store
from dray.store.memory import MemoryStore
from dray.store.sqlite import SqliteStore

OpenStore = Callable[..., Store]


@pytest.fixture(params=["memory", "sqlite"])
async def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenStore]:
    opened: list[Store] = []

    def open_one(history: int = 2000) -> Store:
        store: Store
        if request.param == "memory":
            store = MemoryStore(history)
        else:
            store = SqliteStore.open(tmp_path / "data", history)
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: OpenStore) -> Store:
    return open_store()

"""The history of changes grows old: with each minute the store holds less of it, and forgets what is too old to be asked for."""

import asyncio

from dray.store.backend import Store


async def let_history_age(store: Store) -> None:
    """For as long as the server runs."""
    while True:
        await asyncio.sleep(60)
        await store.minute_passed()

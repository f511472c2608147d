"""A snapshot that follows the cluster: one list of each kind, then its watch, and a call whenever something changed."""

import asyncio
import datetime as dt
from collections.abc import Callable, Sequence

from dray.api import errors
from dray.api.resources import Resource
from dray.cli.insight.gather import OPTIONAL
from dray.client.informer import SharedInformers
from dray.client.protocol import Client, Selection
from dray.insight.snapshot import Snapshot

GATHER_SECONDS = 0.3
"""Changes that come within this time are shown as one."""


async def follow(
    client: Client,
    resources: Sequence[Resource],
    first: Snapshot,
    show: Callable[[Snapshot], object],
    *,
    gather_seconds: float = GATHER_SECONDS,
) -> None:
    """Call `show` now and after every change, until cancelled.

    `first`: what was gathered before; kinds that it does not know are not followed.
    """
    informers = SharedInformers(client)
    changed = asyncio.Event()
    followed = {
        resource: informers.of(resource)
        for resource in resources
        if first.knows(resource) and await _is_served(client, resource)
    }
    for informer in followed.values():
        informer.add_handler(
            on_add=lambda obj: changed.set(),
            on_update=lambda old, new: changed.set(),
            on_delete=lambda obj: changed.set(),
        )
    try:
        await informers.start()
        while True:
            changed.clear()
            objects = {resource.plural: first.of(resource) for resource in resources}
            objects |= {resource.plural: informer.cache.list() for resource, informer in followed.items()}
            show(Snapshot(dt.datetime.now(dt.UTC), objects, first.unknown, server=first.server))
            await changed.wait()
            await asyncio.sleep(gather_seconds)
    finally:
        await informers.stop()


async def _is_served(client: Client, resource: Resource) -> bool:
    """Some kinds may be missing, which is no failure."""
    if resource not in OPTIONAL:
        return True
    try:
        await client.list(resource, Selection(), limit=1)
    except errors.NotFound:
        return False
    return True

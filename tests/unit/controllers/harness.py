"""Controllers on virtual time against the memory client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.client.informer import SharedInformers
from dray.controllers.base import Context, Controller
from dray.kits.clock import LoopClock
from dray.testing.memory_client import MemoryClient


@contextlib.asynccontextmanager
async def controllers(
    client: MemoryClient, *kinds: Callable[[Context], Controller], features: FeatureGates | None = None
) -> AsyncIterator[None]:
    informers = SharedInformers(client)
    context = Context(informers, LoopClock(), features or FeatureGates(), lambda name: client)
    running = [kind(context) for kind in kinds]
    await informers.start()
    tasks = [asyncio.create_task(each.run()) for each in running]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await informers.stop()


async def settle(seconds: float = 1.0) -> None:
    """Virtual time in which everything that has been caused happens."""
    await asyncio.sleep(seconds)


def obj(kind: str, name: str, namespace: str = "", *, api_version: str = "v1", **content: object) -> Object:
    meta: Object = {"name": name}
    if namespace:
        meta["namespace"] = namespace
    meta.update(content.pop("metadata", {}))  # type: ignore[arg-type]
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **content}


def names(objects: list[Object]) -> list[str]:
    return sorted(each["metadata"]["name"] for each in objects)

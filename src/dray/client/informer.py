"""A live, indexed copy of one resource: list, then watch, for ever.

The life of an informer: it asks for the present objects and everything after them in one watch (WatchList); where
the server refuses that, it lists and watches from the list's version. A watch that ends is resumed from the last
version seen. A version the server no longer holds (410) means a fresh list, compared with the copy so that handlers
see only real differences. Failures are retried with backoff; the copy stays readable meanwhile.

Objects in the cache are shared: never mutate them. Handlers are plain functions, called on the loop in event order;
a handler that raises is logged and does not stop the informer.
"""

import asyncio
import builtins
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dray.api import errors
from dray.api.meta import Object, ObjectKey, key_of
from dray.api.resources import Resource
from dray.client.protocol import EVERYTHING, Client, Selection, Unreachable, WatchEvent
from dray.kits.backoff import Backoff
from dray.kits.tasks import TaskSet

log = logging.getLogger("dray.informer")

IndexFunction = Callable[[Object], Iterable[str]]
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
PAGE_SIZE = 500


class Cache:
    """Objects by key, with named secondary indexes. Only its informer writes to it."""

    def __init__(self) -> None:
        self._objects: dict[ObjectKey, Object] = {}
        self._indexers: dict[str, IndexFunction] = {}
        self._indexes: dict[str, dict[str, dict[ObjectKey, Object]]] = {}

    def get(self, key: ObjectKey) -> Object | None:
        return self._objects.get(key)

    def find(self, name: str, namespace: str = "") -> Object | None:
        return self._objects.get(ObjectKey(namespace, name))

    def by_index(self, name: str, value: str) -> list[Object]:
        return list(self._indexes[name].get(value, {}).values())

    def keys(self) -> tuple[ObjectKey, ...]:
        """A copy of the keys: safe to walk while the cache changes."""
        return tuple(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def has_index(self, name: str) -> bool:
        return name in self._indexers

    def add_index(self, name: str, function: IndexFunction) -> None:
        self._indexers[name] = function
        self._indexes[name] = {}
        for key, obj in self._objects.items():
            self._enter(name, key, obj)

    def put(self, obj: Object) -> Object | None:
        """Store `obj`; returns the object it replaces."""
        key = key_of(obj)
        old = self._objects.get(key)
        for name in self._indexers:
            if old is not None:
                self._leave(name, key, old)
            self._enter(name, key, obj)
        self._objects[key] = obj
        return old

    def remove(self, key: ObjectKey) -> Object | None:
        old = self._objects.pop(key, None)
        if old is not None:
            for name in self._indexers:
                self._leave(name, key, old)
        return old

    def _enter(self, name: str, key: ObjectKey, obj: Object) -> None:
        index = self._indexes[name]
        for value in self._indexers[name](obj):
            index.setdefault(value, {})[key] = obj

    def _leave(self, name: str, key: ObjectKey, obj: Object) -> None:
        index = self._indexes[name]
        for value in self._indexers[name](obj):
            members = index.get(value)
            if members is not None:
                members.pop(key, None)
                if not members:
                    del index[value]

    # Last in the class: from here on `list` no longer names the built-in type.
    def list(self) -> "builtins.list[Object]":
        """All objects, in the order in which they were first seen."""
        return [*self._objects.values()]


class Informer:
    def __init__(
        self,
        client: Client,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        backoff: Backoff | None = None,
    ) -> None:
        self.client = client
        self.resource = resource
        self.selection = selection
        self.cache = Cache()
        self._handlers: list[_Handler] = []
        self._synced = asyncio.Event()
        self._version = ""
        self._advanced = asyncio.Event()
        self._backoff = backoff or Backoff(0.2, 30.0)
        self._watch_list = True
        """Whether the server is still believed to support sendInitialEvents."""

    def add_handler(
        self,
        *,
        on_add: Callable[[Object], object] | None = None,
        on_update: Callable[[Object, Object], object] | None = None,
        on_delete: Callable[[Object], object] | None = None,
    ) -> None:
        """Call back on every change; objects already in the copy are reported as added at once."""
        handler = _Handler(on_add, on_update, on_delete)
        self._handlers.append(handler)
        for obj in self.cache.list():
            handler.added(obj)

    def add_index(self, name: str, function: IndexFunction) -> None:
        self.cache.add_index(name, function)

    @property
    def is_synced(self) -> bool:
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        """Return once the copy has held everything the server had when it was asked."""
        await self._synced.wait()

    async def wait_seen(self, obj: Object, timeout_seconds: float = 5.0) -> None:
        """Wait until the copy is as new as `obj`, which the caller just wrote.

        So a loop that reads the copy next does not act on a past that it changed itself. Gives up quietly after the
        timeout: an informer that is cut off must not stop its users. Versions compare as numbers, as Kubernetes
        promises since 1.35 and has done before.
        """
        version = int(obj["metadata"]["resourceVersion"])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while not self._version or int(self._version) < version:
                    self._advanced.clear()
                    await self._advanced.wait()

    async def run(self) -> None:
        """Follow the resource until cancelled."""
        while True:
            try:
                if not self._version:
                    await self._begin()
                else:
                    await self._follow(self._version)
                self._backoff.forget("watch")
            except errors.Expired:
                self._version = ""
            except (errors.StatusError, Unreachable) as error:
                delay = self._backoff.next_delay("watch")
                log.warning(
                    "Following %s failed, trying again in %.1fs: %s", self.resource.qualified, delay, error
                )
                if isinstance(error, errors.StatusError) and error.status_code in (404, 400):
                    self._version = ""
                await asyncio.sleep(delay)

    async def _begin(self) -> None:
        if self._watch_list:
            try:
                await self._follow("", initial=True)
                return
            except (errors.Invalid, errors.BadRequest, errors.InternalError) as error:
                if self._version:
                    raise
                log.debug("%s: no initial events (%s); listing instead", self.resource.qualified, error)
                self._watch_list = False
        await self._list()

    async def _list(self) -> None:
        seen: dict[ObjectKey, Object] = {}
        token = ""
        while True:
            page = await self.client.list(
                self.resource, self.selection, limit=PAGE_SIZE, continue_token=token
            )
            seen.update((key_of(obj), obj) for obj in page.items)
            token = page.continue_token
            if not token:
                break
        self._replace(seen, page.resource_version)

    async def _follow(self, version: str, *, initial: bool = False) -> None:
        pending: dict[ObjectKey, Object] | None = {} if initial else None
        async with self.client.watch(
            self.resource, self.selection, resource_version=version, send_initial_events=initial
        ) as events:
            async for event in events:
                if pending is None:
                    self._apply(event)
                elif event.type != "BOOKMARK":
                    _collect(pending, event)
                elif _ends_initial_events(event.object):
                    self._replace(pending, event.object["metadata"]["resourceVersion"])
                    pending = None

    def _replace(self, objects: Mapping[ObjectKey, Object], version: str) -> None:
        for key in self.cache.keys():  # noqa: SIM118 - a copy, since the loop removes
            if key not in objects:
                self._removed(key)
        for obj in objects.values():
            self._changed(obj)
        self._advance(version)
        self._synced.set()

    def _advance(self, version: str) -> None:
        self._version = version
        self._advanced.set()

    def _apply(self, event: WatchEvent) -> None:
        obj = event.object
        if event.type == "DELETED":
            # The last state the object had, which may be newer than the copy.
            key = key_of(obj)
            if self.cache.get(key) is not None:
                self.cache.put(obj)
            self._removed(key)
        elif event.type != "BOOKMARK":
            self._changed(obj)
        self._advance(obj["metadata"]["resourceVersion"])

    def _changed(self, obj: Object) -> None:
        old = self.cache.get(key_of(obj))
        if old is not None and old["metadata"].get("uid") != obj["metadata"].get("uid"):
            # Deleted and created again between two looks: two objects, hence two events.
            self._removed(key_of(obj))
            old = None
        if old is not None and old["metadata"]["resourceVersion"] == obj["metadata"]["resourceVersion"]:
            return
        self.cache.put(obj)
        for handler in self._handlers:
            if old is None:
                handler.added(obj)
            else:
                handler.updated(old, obj)

    def _removed(self, key: ObjectKey) -> None:
        old = self.cache.remove(key)
        if old is not None:
            for handler in self._handlers:
                handler.deleted(old)


class _Handler:
    def __init__(
        self,
        on_add: Callable[[Object], object] | None,
        on_update: Callable[[Object, Object], object] | None,
        on_delete: Callable[[Object], object] | None,
    ) -> None:
        self._on_add = on_add
        self._on_update = on_update
        self._on_delete = on_delete

    def added(self, obj: Object) -> None:
        self._call(self._on_add, obj)

    def updated(self, old: Object, new: Object) -> None:
        self._call(self._on_update, old, new)

    def deleted(self, obj: Object) -> None:
        self._call(self._on_delete, obj)

    def _call(self, function: Callable[..., object] | None, *objects: Object) -> None:
        if function is None:
            return
        try:
            function(*objects)
        except Exception:
            log.exception("A handler failed on %s", key_of(objects[-1]))


def _collect(pending: dict[ObjectKey, Object], event: WatchEvent) -> None:
    if event.type == "DELETED":
        pending.pop(key_of(event.object), None)
    else:
        pending[key_of(event.object)] = event.object


def _ends_initial_events(bookmark: Mapping[str, Any]) -> bool:
    return (bookmark["metadata"].get("annotations") or {}).get(INITIAL_EVENTS_END) == "true"


class SharedInformers:
    """One informer per resource and selection, however many loops of a process read it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._informers: dict[tuple[Resource, Selection], Informer] = {}
        self._tasks = TaskSet("informers")
        self._running = False

    def of(self, resource: Resource, selection: Selection = EVERYTHING) -> Informer:
        """The shared informer; started at once when the others already run."""
        informer = self._informers.get((resource, selection))
        if informer is None:
            informer = self._informers[resource, selection] = Informer(self.client, resource, selection)
            if self._running:
                self._tasks.start(informer.run(), resource.plural)
        return informer

    async def start(self) -> None:
        """Run all informers; return when each has synced."""
        self._running = True
        for (resource, _), informer in self._informers.items():
            self._tasks.start(informer.run(), resource.plural)
        await asyncio.gather(*(informer.wait_synced() for informer in self._informers.values()))

    async def stop(self) -> None:
        await self._tasks.stop()

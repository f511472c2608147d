"""What is configured for admission, as it is stored now: read again only after something of it has changed.

The objects are followed through watches that are only looked at when a write is judged, so a cluster where nothing is
configured pays for a comparison. Unlike upstream, where informers lag, a rule holds from the write that made it.
"""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from dray.api.meta import Object, uid_of
from dray.api.resources import Resource
from dray.store.backend import Store
from dray.store.errors import Compacted
from dray.store.table import Watch

Made = TypeVar("Made")


class Stored(Generic[Made]):
    """The objects of one resource, each made into something once for each of its generations."""

    def __init__(self, resource: Resource, make: Callable[[Object], Made]) -> None:
        self._resource = resource
        self._make = make
        self._watch: Watch | None = None
        self._store: Store | None = None
        self._made: dict[tuple[str, int], Made] = {}
        self._current: tuple[Made, ...] = ()
        self.changes = 0
        """How often `current` gave something else than before."""

    def current(self, store: Store) -> Sequence[Made]:
        """By name."""
        watch = self._watch
        if watch is None or store is not self._store or self._has_news(watch):
            self._read(store)
        return self._current

    def _has_news(self, watch: Watch) -> bool:
        if not watch.has_more:
            return False
        try:
            return bool(watch.ready())
        except Compacted:
            return True

    def _read(self, store: Store) -> None:
        if self._watch is not None:
            self._watch.close()
        self._store = store
        self._watch = store.watch(self._resource.qualified, store.revision)
        objects = [record.obj for record in store.page(self._resource.qualified).records]
        self._made = {key: self._made.get(key) or self._make(obj) for obj in objects for key in [_key(obj)]}
        self._current = tuple(self._made.values())
        self.changes += 1


def _key(obj: Object) -> tuple[str, int]:
    return uid_of(obj), int(obj["metadata"].get("generation") or 0)

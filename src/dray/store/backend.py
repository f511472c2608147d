"""The store as the API server sees it, whichever keeps the bytes."""

from typing import Protocol

from dray.store.record import Object, Record
from dray.store.table import Page, Watch

FIRST_REVISION = 100
"""Where an empty store starts: small numbers, which clients like to invent, are always too old."""

HISTORY_WINDOW = 2000
"""Changes held for each resource: what a slow watch or a paged list may lag behind."""

HISTORY_MINUTES = 10
"""How long they are held. etcd, as kube-apiserver has it, forgets what is five to ten minutes old."""


class Store(Protocol):
    """Reads are immediate and see acknowledged writes only. Objects given to a write are taken over and mutated."""

    @property
    def revision(self) -> int:
        """Of the last acknowledged write."""
        ...

    def get(self, resource: str, path: str) -> Record | None: ...

    def page(
        self, resource: str, prefix: str = "", *, after: str = "", limit: int = 0, revision: int | None = None
    ) -> Page:
        """Records in path order. Raises Compacted for a revision no longer held."""
        ...

    def watch(self, resource: str, after: int) -> Watch:
        """Changes after revision `after`. Raises Compacted."""
        ...

    def count(self, resource: str) -> int: ...

    async def create(self, resource: str, path: str, obj: Object) -> Record:
        """Raises KeyExists."""
        ...

    async def update(self, resource: str, path: str, obj: Object, expected: int) -> Record:
        """Raises KeyMissing, or RevisionConflict unless the object is at revision `expected`."""
        ...

    async def delete(self, resource: str, path: str, obj: Object, expected: int) -> Record:
        """Remove the object; `obj` is its last state, which watchers are told. Raises as update does."""
        ...

    async def wait_for(self, revision: int) -> None:
        """Until that revision was acknowledged."""
        ...

    async def compact(self) -> None:
        """Forget all history up to now."""
        ...

    async def minute_passed(self) -> None:
        """To be called each minute: history holds less for what is a minute old, and forgets what is `HISTORY_MINUTES` old."""
        ...

    def check(self) -> None:
        """Raises StoreClosed or the failure that ended the writer, if nothing can be written any more."""
        ...

    async def close(self) -> None:
        """End the watches, then wait until everything queued is stored."""
        ...

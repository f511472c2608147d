"""What can go wrong in the store, each failure its own class; the API server translates them for its clients."""


class StoreError(Exception):
    """Any failure of the store."""


class KeyExists(StoreError):
    """Create found an object already there."""


class KeyMissing(StoreError):
    """Update or delete found no object."""


class RevisionConflict(StoreError):
    """The object is not at the revision the writer expected."""

    def __init__(self, current: int) -> None:
        super().__init__(f"the object is at revision {current}")
        self.current = current


class Compacted(StoreError):
    """The history asked for is no longer held."""

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"revision {asked} is no longer held; the oldest is {oldest}")
        self.asked = asked
        self.oldest = oldest


class StoreFailure(StoreError):
    """The store itself is at fault, not the request."""


class StoreClosed(StoreFailure):
    """The store was closed, or its writer has died; nothing more can be written."""


class StoreLocked(StoreFailure):
    """Another process has the data directory open."""


class StoreCorrupt(StoreFailure):
    """The database cannot be read; it must be restored or moved away."""


class StoreFull(StoreFailure):
    """The disk has no room for the write. Nothing of it was stored; it may be tried again."""


class StoreUnavailable(StoreFailure):
    """The disk refused the write for another reason. Nothing of it was stored."""

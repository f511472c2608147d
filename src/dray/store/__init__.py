"""The revisioned log beneath the API server: what was written, in which order, and who must hear of it.

Every write gets the next revision, one counter for all resources; an object's `resourceVersion` is the revision of its
last write. `MemoryStore` forgets with the process; `SqliteStore` acknowledges a write only once it is on the disk.
Both keep the present state, and a window of history, in memory. The store knows nothing of kinds, versions or users:
a resource is a name, an object a dict with `metadata`, and a path ("namespace/name", or "name") tells objects apart.
"""

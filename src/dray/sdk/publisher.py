"""Keeps a driver's ResourceSlices in the API as the driver wants them.

Decides when to look and when to write: at once when the driver publishes, 30 seconds after somebody else changed or
wiped a slice (the kubelet does when it restarts), and again with growing delays after errors. What has to change is
decided by `slices.plan`; this module carries it out. Slices are never deleted when a driver stops: its successor finds
them as they are.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from dray.api import resources
from dray.api.errors import Conflict, NotFound, StatusError
from dray.api.meta import Object, name_of, uid_of
from dray.client.informer import Informer
from dray.client.protocol import Client, Selection, Unreachable
from dray.client.workqueue import WorkQueue
from dray.kits.backoff import Backoff
from dray.kits.klog import kv
from dray.kits.tasks import TaskSet
from dray.sdk import slices
from dray.sdk.compare import same
from dray.sdk.devices import NEWEST, Pool
from dray.sdk.errors import BackgroundError, DroppedFieldsError, PublishError
from dray.sdk.recent import TTL_SECONDS, RecentWrites

log = logging.getLogger("dray.sdk.publisher")

SYNC_DELAY_SECONDS: Final = 30.0
"""Between a change by others and our repair, as the Go helper waits."""


class Scope(Protocol):
    """Which slices are the publisher's, and what new ones look like."""

    selection: Selection

    def owns(self, obj: Object, desired: Iterable[str]) -> bool:
        """Whether the slice `obj` is ours to change; `desired` names the pools we want."""
        ...

    def accepts(self, pool: Pool) -> str:
        """ "" when the pool can be published here, else why not."""
        ...

    async def placement(self, client: Client) -> slices.Placement: ...


class NodeScope:
    """Devices of one node: slices carry its name and belong to its Node object."""

    def __init__(self, driver: str, node_name: str, node_uid: str = "") -> None:
        self.driver = driver
        self.node_name = node_name
        self._node_uid = node_uid
        self.selection = Selection(fields=f"spec.driver={driver},spec.nodeName={node_name}")

    def owns(self, obj: Object, desired: Iterable[str]) -> bool:
        spec = obj["spec"]
        return bool(spec["driver"] == self.driver and spec.get("nodeName") == self.node_name)

    def accepts(self, pool: Pool) -> str:
        if pool.all_nodes or pool.node_selector is not None or pool.per_device_nodes:
            return "it names other nodes than this one: publish it from a ClusterScope"
        return ""

    async def placement(self, client: Client) -> slices.Placement:
        # Looked up each time slices are made: a node that was deleted and came back has a new UID, and slices that
        # belong to the old one are garbage.
        uid = self._node_uid or uid_of(await client.get(resources.NODES, self.node_name))
        owner = {"apiVersion": "v1", "kind": "Node", "name": self.node_name, "uid": uid, "controller": True}
        return slices.Placement(self.driver, self.node_name, owner, self.node_name)


class ClusterScope:
    """Devices that several nodes can use: network attached, or one pool of a node for its neighbours.

    `owner` is a reference (apiVersion, kind, name, uid) to a cluster-scoped object; without one nobody cleans up.
    """

    def __init__(self, driver: str, name: str, owner: Mapping[str, Any] | None = None) -> None:
        self.driver = driver
        self.name = name
        self.owner = None if owner is None else {**owner, "controller": True}
        self.selection = Selection(fields=f"spec.driver={driver}")

    def owns(self, obj: Object, desired: Iterable[str]) -> bool:
        if obj["spec"].get("nodeName") or obj["spec"]["driver"] != self.driver:
            return False  # the node-local pools of the same driver have their own publishers
        owners = {reference.get("uid") for reference in obj["metadata"].get("ownerReferences") or ()}
        ours = self.owner["uid"] in owners if self.owner is not None else not owners
        return ours or obj["spec"]["pool"]["name"] in desired

    def accepts(self, pool: Pool) -> str:
        if pool.all_nodes or pool.node_selector is not None or pool.per_device_nodes:
            return ""
        return "it does not say which nodes can use it: set all_nodes, node_selector or per_device_nodes"

    async def placement(self, client: Client) -> slices.Placement:
        return slices.Placement(self.driver, self.name, self.owner)


ErrorHandler = Callable[[BackgroundError], None]
ServerMinor = Callable[[], Awaitable[int]]
"""The minor version of the API server as it is now: what slices must look like depends on it."""


async def newest() -> int:
    return NEWEST


class _Desired:
    """A pool as the driver wants it, cut into slices, and as the server has stored them."""

    def __init__(self, pool: Pool) -> None:
        """Raises PublishError for a pool that can never be published."""
        self.pool = pool
        self._server_minor = NEWEST
        self._contents = slices.contents(pool)

    @property
    def depends_on_server(self) -> bool:
        return bool(self.pool.counter_sets) or any(device.node_resources for device in self.pool.devices)

    def contents(self, server_minor: int) -> list[slices.Content]:
        """The slices; whoever learns that the server keeps something else replaces elements."""
        if server_minor != self._server_minor:
            self._contents = slices.contents(self.pool, server_minor)
            self._server_minor = server_minor
        return self._contents


class Publisher:
    """`start`, then `publish` as often as wanted; `stop` leaves the slices in place."""

    def __init__(
        self,
        client: Client,
        scope: NodeScope | ClusterScope,
        on_error: ErrorHandler,
        *,
        sync_delay_seconds: float = SYNC_DELAY_SECONDS,
        server_minor: ServerMinor = newest,
    ) -> None:
        self._client = client
        self._scope = scope
        self._on_error = on_error
        self._sync_delay = sync_delay_seconds
        self._server_minor = server_minor
        self._informer = Informer(client, resources.RESOURCE_SLICES, scope.selection)
        self._recent = RecentWrites(lambda: asyncio.get_running_loop().time())
        self._desired: dict[str, _Desired] = {}
        self._published = False
        self._asked: dict[str, int] = {}
        """Pool -> how often `publish` spoke of it."""
        self._done: dict[str, int] = {}
        """Pool -> the last of these that is in the API."""
        self._advanced = asyncio.Event()
        self._queue: WorkQueue[str] = WorkQueue(Backoff(0.005, 1000.0))
        self._tasks = TaskSet("publisher")
        self.writes = {"create": 0, "update": 0, "delete": 0}
        self.errors = 0

    async def start(self) -> None:
        self._informer.add_handler(
            on_add=self._seen, on_update=lambda old, new: self._seen(new), on_delete=self._gone
        )
        self._tasks.start(self._informer.run(), "informer")
        self._tasks.start(self._work(), "sync")

    async def stop(self) -> None:
        self._queue.stop()
        await self._tasks.stop()

    def publish(self, pools: Iterable[Pool]) -> None:
        """Make `pools` what is published; pools that are not among them are deleted.

        Returns at once. Raises PublishError, publishing nothing, for pools that can never be published.
        """
        desired = {}
        for pool in pools:
            if pool.name in desired:
                raise PublishError(f"pool {pool.name!r} is given twice")
            if reason := self._scope.accepts(pool):
                raise PublishError(f"pool {pool.name!r} cannot be published: {reason}")
            desired[pool.name] = _Desired(pool)
        before = set(self._desired)
        self._desired = desired
        self._published = True
        for name in before | desired.keys() | {_pool_of(obj) for obj in self._existing()}:
            self._asked[name] = self._asked.get(name, 0) + 1
            self._queue.add(name)

    async def published(self) -> None:
        """Return once what was last given to `publish` is in the API."""
        asked = dict(self._asked)
        while any(self._done.get(pool, 0) < count for pool, count in asked.items()):
            self._advanced.clear()
            await self._advanced.wait()

    # --- following the API ---

    def _seen(self, obj: Object) -> None:
        self._changed_by_others(obj, self._recent.expects(obj))

    def _gone(self, obj: Object) -> None:
        self._changed_by_others(obj, self._recent.expects_gone(obj))

    def _changed_by_others(self, obj: Object, expected: bool) -> None:
        if self._published and not expected and self._scope.owns(obj, self._desired):
            self._queue.add_after(_pool_of(obj), self._sync_delay)

    def _existing(self) -> list[Object]:
        current = self._recent.overlay(self._informer.cache.list())
        return [obj for obj in current if self._scope.owns(obj, self._desired)]

    # --- writing ---

    async def _work(self) -> None:
        await self._informer.wait_synced()
        if self._published:
            # Pools left by an earlier instance of the driver are only known now.
            for name in {_pool_of(obj) for obj in self._existing()}:
                self._queue.add(name)
        while True:
            pool = await self._queue.get()
            asked = self._asked.get(pool, 0)
            try:
                await self._sync(pool)
                self._queue.forget(pool)
                self._finish(pool, asked)
            except (StatusError, Unreachable) as error:
                self._report(PublishError(f"pool {pool!r}: {error}"))
                self._queue.retry(pool)
            except PublishError as error:
                # Not with this API server; another attempt waits for other devices, or for a newer server.
                self._report(error)
                self._queue.forget(pool)
                self._finish(pool, asked)
            finally:
                self._queue.done(pool)

    def _finish(self, pool: str, asked: int) -> None:
        self._done[pool] = asked
        self._advanced.set()

    async def _sync(self, pool: str) -> None:
        existing = [obj for obj in self._existing() if _pool_of(obj) == pool]
        if pool not in self._desired:
            for obj in existing:
                await self._delete(obj)
            return
        wanted = self._desired[pool]
        generation = wanted.pool.generation
        desired = wanted.contents(await self._server_minor() if wanted.depends_on_server else NEWEST)
        placement = await self._scope.placement(self._client)
        todo = slices.plan(pool, generation, desired, existing, placement)
        for obj in todo.delete:
            await self._delete(obj)
        for obj in todo.update:
            await self._update(obj, desired)
        for obj in todo.create:
            await self._create(obj, desired)

    async def _delete(self, obj: Object) -> None:
        meta = obj["metadata"]
        with contextlib.suppress(NotFound):
            await self._client.delete(
                resources.RESOURCE_SLICES,
                name_of(obj),
                uid=uid_of(obj),
                resource_version=meta.get("resourceVersion", ""),
            )
        self._recent.deleted(obj)
        self._count("delete", obj)

    async def _update(self, obj: Object, desired: list[slices.Content]) -> None:
        try:
            stored = await self._client.update(resources.RESOURCE_SLICES, obj)
        except (Conflict, NotFound):
            self._recent.forget(obj)
            raise
        self._recent.wrote(stored)
        self._count("update", stored)
        self._adopt(obj, stored, desired)

    async def _create(self, obj: Object, desired: list[slices.Content]) -> None:
        stored = await self._client.create(resources.RESOURCE_SLICES, obj)
        self._recent.wrote(stored)
        # Somebody may delete it before the informer ever sees it: look once more when we stop believing in it.
        self._queue.add_after(_pool_of(stored), TTL_SECONDS + 1)
        self._count("create", stored)
        self._adopt(obj, stored, desired)

    def _adopt(self, written: Object, stored: Object, desired: list[slices.Content]) -> None:
        """When the server stored something else, settle for that: asking again for the same would never end.

        It may have filled in defaults, which is fine, or dropped what it does not know, which is reported.
        """
        index = slices.index_of(name_of(stored), len(desired))
        content = slices.content_of(stored)
        if index is None or same(content, slices.content_of(written)):
            return
        desired[index] = content
        lost = slices.dropped_fields(written["spec"], stored["spec"])
        if lost:
            gates = tuple(dict.fromkeys(slices.GATES[field] for field in lost if field in slices.GATES))
            self._report(DroppedFieldsError(_pool_of(stored), index, lost, gates))

    def _count(self, verb: str, obj: Object) -> None:
        self.writes[verb] += 1
        log.debug("Wrote a ResourceSlice", extra=kv(verb=verb, slice=name_of(obj), poolName=_pool_of(obj)))

    def _report(self, error: PublishError) -> None:
        self.errors += 1
        self._on_error(error)


def _pool_of(obj: Object) -> str:
    return str(obj["spec"]["pool"]["name"])

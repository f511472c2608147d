"""What every control loop is made of: informers, a queue of keys, and one `sync` that makes the world match.

The life of a key: an informer event enqueues it; a worker takes it and calls `sync`, which reads the caches, compares
and writes; an error puts the key back with growing delay; `RetryAfter` puts it back after a given time. A loop may be
killed anywhere: the next start reads the same state and converges.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Awaitable, Callable
from typing import ClassVar

from dray.api import errors
from dray.api.features import FeatureGates
from dray.api.meta import Object, ObjectKey, controller_of, key_of, namespace_of
from dray.api.pod_groups import group_key
from dray.api.resources import Resource
from dray.client.events import EventRecorder
from dray.client.informer import Informer, SharedInformers
from dray.client.protocol import Client, Unreachable
from dray.client.workqueue import WorkQueue, work
from dray.kits.clock import Clock
from dray.kits.tasks import TaskSet

log = logging.getLogger("dray.controllers")


class RetryAfter(Exception):
    """Nothing is wrong, but the key must be looked at again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds} s")
        self.seconds = seconds


@dataclasses.dataclass(frozen=True)
class Context:
    """What the manager hands to each controller."""

    informers: SharedInformers
    clock: Clock
    features: FeatureGates
    client_for: Callable[[str], Client]
    """The API as seen by a controller of that name: embedded, each has its own service account, as upstream."""


class Controller:
    """Subclasses name themselves, subscribe in `__init__` and implement `sync`."""

    name: ClassVar[str]
    component: ClassVar[str] = ""
    """Event source, where it is not the name."""
    account: ClassVar[str] = ""
    """Whose rights it works with, where it has none of its own."""
    gate: ClassVar[str] = ""
    """The feature without which the controller does not run, if there is one."""
    workers: ClassVar[int] = 5

    def __init__(self, context: Context) -> None:
        self.context = context
        self.clock = context.clock
        self.client = context.client_for(self.account or self.name)
        self.queue: WorkQueue[ObjectKey] = WorkQueue()
        self.recorder = EventRecorder(self.client, self.component or self.name, context.clock)

    async def sync(self, key: ObjectKey) -> None:
        """Make the world match what `key` asks for. May raise StatusError or Unreachable (retried) or RetryAfter."""
        raise NotImplementedError

    def background(self, tasks: TaskSet) -> None:
        """Start loops beside the workers, if the controller has any."""

    async def run(self) -> None:
        """Work until cancelled. The shared informers must have been started."""
        tasks = TaskSet(self.name)
        tasks.start(self.recorder.run(), "events")
        self.background(tasks)
        try:
            await work(self.queue, self.workers, self._process)
        finally:
            await tasks.stop()

    async def _process(self, key: ObjectKey) -> None:
        try:
            await self.sync(key)
        except RetryAfter as later:
            self.queue.forget(key)
            self.queue.add_after(key, later.seconds)
        except (errors.Conflict, errors.NotFound) as error:
            # The world moved on under us; the cache will show how.
            log.debug("%s: %s: %s", self.name, key, error)
            self.queue.retry(key)
        except (errors.StatusError, Unreachable) as error:
            log.warning("%s: %s failed, will be retried: %s", self.name, key, error)
            self.queue.retry(key)
        except Exception:
            log.exception("%s: %s failed unexpectedly, will be retried", self.name, key)
            self.queue.retry(key)
        else:
            self.queue.forget(key)

    # --- subscribing ---

    def informer(self, resource: Resource) -> Informer:
        return self.context.informers.of(resource)

    def watch(self, resource: Resource) -> Informer:
        """Enqueue every object of `resource` under its own key, whatever happens to it."""
        informer = self.informer(resource)
        informer.add_handler(
            on_add=self._enqueue, on_update=lambda _, new: self._enqueue(new), on_delete=self._enqueue
        )
        return informer

    def watch_owned(self, resource: Resource, owner_kind: str) -> Informer:
        """Enqueue the controller of each object of `resource` that belongs to an `owner_kind`."""
        informer = self.informer(resource)

        def enqueue_owner(obj: Object) -> None:
            owner = controller_of(obj)
            if owner is not None and owner["kind"] == owner_kind:
                self.queue.add(ObjectKey(namespace_of(obj), owner["name"]))

        def enqueue_owners(old: Object, new: Object) -> None:
            enqueue_owner(old)
            enqueue_owner(new)

        informer.add_handler(on_add=enqueue_owner, on_update=enqueue_owners, on_delete=enqueue_owner)
        return informer

    def _enqueue(self, obj: Object) -> None:
        self.queue.add(key_of(obj))


OWNER_INDEX = "owner-uid"


def index_by_owner(informer: Informer) -> Informer:
    """Let `informer.cache.by_index(OWNER_INDEX, uid)` answer what an owner controls; adding it twice is harmless."""
    if not informer.cache.has_index(OWNER_INDEX):
        informer.add_index(OWNER_INDEX, _controller_uid)
    return informer


def _controller_uid(obj: Object) -> tuple[str, ...]:
    owner = controller_of(obj)
    return (owner["uid"],) if owner else ()


GROUP_INDEX = "pod-group"


def index_by_group(pods: Informer) -> Informer:
    """Let `pods.cache.by_index(GROUP_INDEX, "namespace/name")` answer what belongs to a PodGroup; twice is harmless."""
    if not pods.cache.has_index(GROUP_INDEX):
        pods.add_index(GROUP_INDEX, _group_key)
    return pods


def _group_key(pod: Object) -> tuple[str, ...]:
    key = group_key(pod)
    return (str(key),) if key is not None else ()


async def ignore_missing(request: Awaitable[object]) -> None:
    """Await a write to an object that may be gone already."""
    with contextlib.suppress(errors.NotFound):
        await request

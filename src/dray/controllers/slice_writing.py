"""Writes slices of one manager for a service, and knows its own writes before it looks again."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dray.api.meta import Object, ObjectKey, labels_of, name_of, namespace_of
from dray.api.resources import ENDPOINT_SLICES
from dray.client.informer import Informer
from dray.controllers.base import Controller, ignore_missing
from dray.controllers.slice_sets import MANAGED_BY, SERVICE, Group, reconciled

SERVICE_INDEX: Final = "service"


class SliceWriter:
    def __init__(self, loop: Controller, slices: Informer, manager: str) -> None:
        self._loop = loop
        self._slices = slices
        self._manager = manager
        if not slices.cache.has_index(SERVICE_INDEX):
            slices.add_index(SERVICE_INDEX, _service_keys)
        slices.add_handler(
            on_add=self._changed, on_update=lambda _, new: self._changed(new), on_delete=self._changed
        )

    def _changed(self, each: Object) -> None:
        if labels_of(each).get(MANAGED_BY) == self._manager:
            for name in _service_keys(each):
                self._loop.queue.add(ObjectKey(namespace_of(each), name.partition("/")[2]))

    def own(self, key: ObjectKey) -> list[Object]:
        """The slices of the service that this manager has made."""
        found = self._slices.cache.by_index(SERVICE_INDEX, f"{key.namespace}/{key.name}")
        return [each for each in found if labels_of(each).get(MANAGED_BY) == self._manager]

    async def write(self, key: ObjectKey, groups: Iterable[Group], frame: Mapping[str, Any]) -> None:
        """Raises what the client does."""
        writes = reconciled(groups, self.own(key), frame)
        client = self._loop.client
        for each in writes.delete:
            await ignore_missing(client.delete(ENDPOINT_SLICES, name_of(each), key.namespace))
        written = [await client.update(ENDPOINT_SLICES, each) for each in writes.update]
        written += [await client.create(ENDPOINT_SLICES, each, key.namespace) for each in writes.create]
        for each in written:
            await self._slices.wait_seen(each)


def _service_keys(each: Object) -> tuple[str, ...]:
    service = labels_of(each).get(SERVICE)
    return (f"{namespace_of(each)}/{service}",) if service else ()

"""Works out what a namespace uses of its quotas: at once when pods or claims go, now and then for everything else.

What is created is charged by the API server before it is there, so only what goes, or ends, has to be noticed here.
"""

from collections.abc import Iterable
from typing import ClassVar

from dray.api import resources
from dray.api.meta import Object, ObjectKey, is_deleting, key_of, namespace_of
from dray.api.pod_requests import add_amounts
from dray.api.quantity import Quantity
from dray.api.quota import Usage, count_name, usage_of
from dray.api.resources import DEVICE_CLASSES, PODS, RESOURCE_CLAIMS, RESOURCE_QUOTAS, Resource
from dray.client.informer import Informer
from dray.client.protocol import Selection
from dray.controllers.base import Context, Controller, RetryAfter

RESYNC_SECONDS = 60.0
NAMESPACE_INDEX = "namespace"
_COUNTABLE = {
    count_name(resource): resource
    for resource in vars(resources).values()
    if isinstance(resource, Resource) and resource.namespaced
}


class Quotas(Controller):
    name: ClassVar[str] = "resourcequota-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.quotas = self._indexed(RESOURCE_QUOTAS)
        self.quotas.add_handler(on_add=self._enqueue, on_update=self._changed)
        self.classes = self.informer(DEVICE_CLASSES)
        self.cached = {resource: self._indexed(resource) for resource in (PODS, RESOURCE_CLAIMS)}
        for informer in self.cached.values():
            informer.add_handler(on_update=self._ended, on_delete=self._gone)

    def _indexed(self, resource: Resource) -> Informer:
        informer = self.informer(resource)
        if not informer.cache.has_index(NAMESPACE_INDEX):
            informer.add_index(NAMESPACE_INDEX, lambda obj: (namespace_of(obj),))
        return informer

    def _changed(self, old: Object, new: Object) -> None:
        if old.get("spec") != new.get("spec"):
            self._enqueue(new)

    def _ended(self, old: Object, new: Object) -> None:
        phases = ((old.get("status") or {}).get("phase"), (new.get("status") or {}).get("phase"))
        if phases[0] != phases[1] and phases[1] in ("Succeeded", "Failed"):
            self._gone(new)

    def _gone(self, obj: Object) -> None:
        for quota in self.quotas.cache.by_index(NAMESPACE_INDEX, namespace_of(obj)):
            self.queue.add(key_of(quota))

    async def sync(self, key: ObjectKey) -> None:
        quota = self.quotas.cache.get(key)
        if quota is None or is_deleting(quota):
            return
        hard = (quota.get("spec") or {}).get("hard") or {}
        total = await self._usage(key.namespace, hard)
        used = {name: str(total.get(name, Quantity.of(0))) for name in sorted(hard)}
        status = {"hard": hard, "used": used}
        if quota.get("status") != status:
            await self.client.update(RESOURCE_QUOTAS, {**quota, "status": status}, subresource="status")
        raise RetryAfter(RESYNC_SECONDS)

    async def _usage(self, namespace: str, names: Iterable[str]) -> Usage:
        """Of everything that quotas of these names are about."""
        total: Usage = {}
        for resource in _concerned(names):
            for obj in await self._objects(resource, namespace):
                add_amounts(total, usage_of(resource, obj, self._extended_name))
        return total

    async def _objects(self, resource: Resource, namespace: str) -> Iterable[Object]:
        if informer := self.cached.get(resource):
            return informer.cache.by_index(NAMESPACE_INDEX, namespace)
        listing = await self.client.list(resource, Selection(namespace=namespace))
        return listing.items

    def _extended_name(self, class_name: str) -> str:
        found = self.classes.cache.find(class_name)
        return ((found or {}).get("spec") or {}).get("extendedResourceName") or ""


def _concerned(names: Iterable[str]) -> set[Resource]:
    """The resources whose objects take of the named amounts."""
    found = {PODS, RESOURCE_CLAIMS}
    for name in names:
        plain = "persistentvolumeclaims" if name == "requests.storage" else name
        if resource := _COUNTABLE.get(plain) or _COUNTABLE.get(f"count/{plain}"):
            found.add(resource)
    return found

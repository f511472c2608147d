"""Works out what a namespace uses of its quotas: at once when something counted goes or changes, now and then for all.

What is created is charged by the API server before it is there, so only what goes, or ends, has to be noticed here.
Objects are followed from the first quota on that counts them.
"""

from collections.abc import Callable, Iterable
from typing import ClassVar

from dray.api import resources
from dray.api.meta import Object, ObjectKey, is_deleting, key_of, namespace_of
from dray.api.pod_requests import add_amounts
from dray.api.quantity import Quantity, parse_quantity
from dray.api.quota import Usage, count_name, extended_names, tracked, usage_of
from dray.api.quota_scopes import is_about, is_terminating
from dray.api.resources import (
    DEVICE_CLASSES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_QUOTAS,
    SERVICES,
    Resource,
)
from dray.api.volumes import attributes_classes
from dray.client.informer import Informer
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
        self.quotas.add_handler(on_add=self._enqueue, on_update=self._changed, on_delete=self._gone)
        self.classes = self.informer(DEVICE_CLASSES)
        self.followed: dict[Resource, Informer] = {RESOURCE_QUOTAS: self.quotas}
        for resource in (PODS, RESOURCE_CLAIMS):
            self._follow(resource)

    def _indexed(self, resource: Resource) -> Informer:
        informer = self.informer(resource)
        if not informer.cache.has_index(NAMESPACE_INDEX):
            informer.add_index(NAMESPACE_INDEX, lambda obj: (namespace_of(obj),))
        return informer

    def _follow(self, resource: Resource) -> Informer:
        if resource not in self.followed:
            informer = self.followed[resource] = self._indexed(resource)
            frees = _FREES.get(resource)

            def on_update(old: Object, new: Object) -> None:
                if frees is not None and frees(old, new):
                    self._gone(new)

            informer.add_handler(on_update=on_update, on_delete=self._gone)
        return self.followed[resource]

    def _changed(self, old: Object, new: Object) -> None:
        if old.get("spec") != new.get("spec"):
            self._enqueue(new)

    def _gone(self, obj: Object) -> None:
        for quota in self.quotas.cache.by_index(NAMESPACE_INDEX, namespace_of(obj)):
            self.queue.add(key_of(quota))

    async def sync(self, key: ObjectKey) -> None:
        quota = self.quotas.cache.get(key)
        if quota is None or is_deleting(quota):
            return
        hard = (quota.get("spec") or {}).get("hard") or {}
        before = quota.get("status") or {}
        used = {**(before.get("used") or {}), **await self._usage(quota, hard)}
        used = {name: used[name] for name in sorted(hard) if name in used}
        # A quota of nothing is written once, too: its status then says that nothing is left to work out.
        if before.get("hard") != hard or not _equal(before.get("used"), used):
            status = {"hard": hard, "used": used}
            await self.client.update(RESOURCE_QUOTAS, {**quota, "status": status}, subresource="status")
        raise RetryAfter(RESYNC_SECONDS)

    async def _usage(self, quota: Object, hard: Iterable[str]) -> dict[str, str]:
        """What is used of the amounts that anything can be counted for."""
        names, classes = list(hard), self._extended_names()
        total: Usage = {}
        countable: set[str] = set()
        for resource in _concerned(names):
            counted = tracked(resource, names, classes)
            countable.update(counted)
            if counted:
                informer = self._follow(resource)
                await informer.wait_synced()
                add_amounts(total, self._sum(resource, informer, quota))
        return {name: str(total.get(name, Quantity.of(0))) for name in countable}

    def _sum(self, resource: Resource, informer: Informer, quota: Object) -> Usage:
        total: Usage = {}
        for obj in informer.cache.by_index(NAMESPACE_INDEX, namespace_of(quota)):
            if is_about(quota, resource, obj):
                add_amounts(total, usage_of(resource, obj, self._extended_name, self.clock.now()))
        return total

    def _extended_names(self) -> set[str]:
        return extended_names(self.classes.cache.list())

    def _extended_name(self, class_name: str) -> str:
        found = self.classes.cache.find(class_name)
        return ((found or {}).get("spec") or {}).get("extendedResourceName") or ""


def _equal(before: dict[str, str] | None, after: dict[str, str]) -> bool:
    """As amounts: nobody needs to see `1000m` become `1`."""
    if before is None or before.keys() != after.keys():
        return False
    return all(parse_quantity(before[name]) == parse_quantity(after[name]) for name in after)


def _concerned(names: Iterable[str]) -> list[Resource]:
    """The resources whose objects may take of the named amounts."""
    found = dict.fromkeys((PODS, RESOURCE_CLAIMS, SERVICES, PERSISTENT_VOLUME_CLAIMS))
    for name in names:
        if resource := _COUNTABLE.get(name) or _COUNTABLE.get(f"count/{name}"):
            found[resource] = None
    return list(found)


def _pod_frees(old: Object, new: Object) -> bool:
    phases = [(each.get("status") or {}).get("phase") for each in (old, new)]
    if phases[0] != phases[1] and phases[1] in ("Succeeded", "Failed"):
        return True
    return is_terminating(old) != is_terminating(new) or _held(old) != _held(new)


def _held(pod: Object) -> dict[str, Object]:
    """What the containers of a pod have, which a resize changes."""
    status = pod.get("status") or {}
    every = (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ()))
    return {each.get("name") or "": each["resources"] for each in every if each.get("resources")}


def _service_frees(old: Object, new: Object) -> bool:
    return (old.get("spec") or {}).get("type") != (new.get("spec") or {}).get("type")


def _volume_claim_frees(old: Object, new: Object) -> bool:
    before, after = ((each.get("status") or {}).get("allocatedResources") for each in (old, new))
    return before != after or set(attributes_classes(old)) != set(attributes_classes(new))


_FREES: dict[Resource, Callable[[Object, Object], bool]] = {
    PODS: _pod_frees,
    SERVICES: _service_frees,
    PERSISTENT_VOLUME_CLAIMS: _volume_claim_frees,
}
"""Which changes of an object may give something back."""

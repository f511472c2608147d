"""Lets volumes, volume claims and their classes go once nobody uses them: takes off the finalizers that held them.

Source: kubernetes pkg/controller/volume/{pvcprotection,pvprotection,vacprotection}, 1.36.
"""

from collections.abc import Iterable
from typing import ClassVar

from dray.api.meta import (
    Object,
    ObjectKey,
    finalizers_of,
    is_controlled_by,
    is_deleting,
    key_of,
    name_of,
    namespace_of,
)
from dray.api.resources import (
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    VOLUME_ATTRIBUTES_CLASSES,
    Resource,
)
from dray.api.volumes import PROTECTION, attributes_classes
from dray.controllers.base import Context, Controller, ignore_missing

_CLAIM_INDEX = "volume-claims"
_CLASS_INDEX = "volume-attributes-classes"


class _Protection(Controller):
    """Of one resource. Subclasses say what is used."""

    resource: ClassVar[Resource]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.protected = self.watch(self.resource)

    def is_used(self, obj: Object) -> bool:
        raise NotImplementedError

    async def sync(self, key: ObjectKey) -> None:
        obj = self.protected.cache.get(key)
        if obj is None:
            return
        finalizer, present = PROTECTION[self.resource], finalizers_of(obj)
        if not is_deleting(obj) and finalizer not in present:
            # Made before there was anybody to put it on.
            await self._write(obj, [*present, finalizer])
        elif is_deleting(obj) and finalizer in present and not self.is_used(obj):
            await self._write(obj, [each for each in present if each != finalizer])

    async def _write(self, obj: Object, finalizers: list[str]) -> None:
        changed = {**obj, "metadata": {**obj["metadata"], "finalizers": finalizers}}
        await ignore_missing(self.client.update(self.resource, changed))


class ClaimProtection(_Protection):
    """A claim is used by every pod that has a node and names it, until the pod is gone."""

    name: ClassVar[str] = "pvc-protection-controller"
    resource: ClassVar[Resource] = PERSISTENT_VOLUME_CLAIMS

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.pods = self.informer(PODS)
        if not self.pods.cache.has_index(_CLAIM_INDEX):
            self.pods.add_index(_CLAIM_INDEX, _claim_keys)
        self.pods.add_handler(on_update=self._pod_changed, on_delete=self._pod_gone)

    def is_used(self, obj: Object) -> bool:
        return any(_uses(pod, obj) for pod in self.pods.cache.by_index(_CLAIM_INDEX, str(key_of(obj))))

    def _pod_changed(self, old: Object, new: Object) -> None:
        if is_deleting(new):
            self._pod_gone(new)

    def _pod_gone(self, pod: Object) -> None:
        for name in _claim_names(pod):
            self.queue.add(ObjectKey(namespace_of(pod), name))


def _claim_keys(pod: Object) -> Iterable[str]:
    return [str(ObjectKey(namespace_of(pod), name)) for name in _claim_names(pod)]


def _claim_names(pod: Object) -> set[str]:
    found = set()
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if volume.get("persistentVolumeClaim") is not None:
            found.add(str(volume["persistentVolumeClaim"].get("claimName") or ""))
        elif volume.get("ephemeral") is not None:
            found.add(f"{name_of(pod)}-{volume['name']}")
    return found - {""}


def _uses(pod: Object, claim: Object) -> bool:
    """A claim that was made for the pod is free as soon as the pod's containers are known to be down."""
    spec = pod["spec"]
    if not spec.get("nodeName"):
        return False
    volumes = spec.get("volumes") or ()
    if any((each.get("persistentVolumeClaim") or {}).get("claimName") == name_of(claim) for each in volumes):
        return True
    is_down = is_deleting(pod) and pod["metadata"].get("deletionGracePeriodSeconds") == 0
    return not is_down and is_controlled_by(claim, pod)


class VolumeProtection(_Protection):
    """A volume is used while it is bound."""

    name: ClassVar[str] = "pv-protection-controller"
    resource: ClassVar[Resource] = PERSISTENT_VOLUMES

    def is_used(self, obj: Object) -> bool:
        return (obj.get("status") or {}).get("phase") == "Bound"


class AttributesClassProtection(_Protection):
    """A class is used by the claims that have it or are on the way to it, and by the volumes that have it."""

    name: ClassVar[str] = "volumeattributesclass-protection-controller"
    resource: ClassVar[Resource] = VOLUME_ATTRIBUTES_CLASSES

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.users = [self.informer(each) for each in (PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES)]
        for informer in self.users:
            if not informer.cache.has_index(_CLASS_INDEX):
                informer.add_index(_CLASS_INDEX, attributes_classes)
            informer.add_handler(on_update=self._user_changed, on_delete=self._user_gone)

    def is_used(self, obj: Object) -> bool:
        return any(informer.cache.by_index(_CLASS_INDEX, name_of(obj)) for informer in self.users)

    def _user_changed(self, old: Object, new: Object) -> None:
        for name in set(attributes_classes(old)) - set(attributes_classes(new)):
            self.queue.add(ObjectKey("", name))

    def _user_gone(self, user: Object) -> None:
        for name in attributes_classes(user):
            self.queue.add(ObjectKey("", name))

"""Lets a PodGroup that is being deleted go once no pod of it is still to run, or running.

Source: kubernetes pkg/controller/scheduling/podgroupprotection, 1.36.
"""

from typing import ClassVar

from dray.api.meta import Object, ObjectKey, finalizers_of, is_deleting, replace_at
from dray.api.pod_groups import PROTECTION_FINALIZER, group_key, pod_groups_in
from dray.api.pods import is_terminal
from dray.api.resources import PODS
from dray.controllers.base import Context, Controller

ACTIVE_INDEX = "active-members"


class GroupProtection(Controller):
    name: ClassVar[str] = "podgroup-protection-controller"
    gate: ClassVar[str] = "GenericWorkload"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.pods = self.informer(PODS)
        self.groups = self.informer(pod_groups_in(context.features))
        self.pods.add_index(ACTIVE_INDEX, _active_in)
        self.pods.add_handler(on_update=self._pod_changed, on_delete=self._enqueue_group)
        self.groups.add_handler(on_add=self._consider, on_update=lambda _, group: self._consider(group))

    def _pod_changed(self, old: Object, new: Object) -> None:
        if is_terminal(new) and not is_terminal(old):
            self._enqueue_group(new)

    def _enqueue_group(self, pod: Object) -> None:
        if (key := group_key(pod)) is not None:
            self.queue.add(key)

    def _consider(self, group: Object) -> None:
        if is_deleting(group):
            self._enqueue(group)

    async def sync(self, key: ObjectKey) -> None:
        group = self.groups.cache.get(key)
        if group is None or not is_deleting(group) or PROTECTION_FINALIZER not in finalizers_of(group):
            return
        if any(True for _ in self.pods.cache.by_index(ACTIVE_INDEX, str(key))):
            return
        left = [each for each in finalizers_of(group) if each != PROTECTION_FINALIZER]
        await self.client.update(self.groups.resource, replace_at(group, ("metadata", "finalizers"), left))


def _active_in(pod: Object) -> list[str]:
    key = None if is_terminal(pod) else group_key(pod)
    return [str(key)] if key is not None else []

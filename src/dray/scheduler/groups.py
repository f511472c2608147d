"""PodGroups, and which pods belong to each: waiting, on their way to a node, or there; pods of other schedulers, too."""

from collections.abc import Collection

from dray.api.meta import Object, ObjectKey, key_of, uid_of
from dray.api.pod_groups import group_key


class PodGroups:
    def __init__(self) -> None:
        self._groups: dict[ObjectKey, Object] = {}
        self._members: dict[ObjectKey, set[str]] = {}
        self._homes: dict[str, ObjectKey] = {}

    def find(self, key: ObjectKey) -> Object | None:
        return self._groups.get(key)

    def put(self, group: Object) -> Object | None:
        """Returns what was known of the group before."""
        key = key_of(group)
        before = self._groups.get(key)
        self._groups[key] = group
        return before

    def remove(self, key: ObjectKey) -> None:
        self._groups.pop(key, None)

    def join(self, pod: Object) -> ObjectKey | None:
        """Count the pod with its group; returns the group where the pod is new to it."""
        key, uid = group_key(pod), uid_of(pod)
        if key is None or uid in self._homes:
            return None
        self._homes[uid] = key
        self._members.setdefault(key, set()).add(uid)
        return key

    def leave(self, uid: str) -> None:
        """The pod is gone, or done."""
        key = self._homes.pop(uid, None)
        if key is None:
            return
        members = self._members[key]
        members.discard(uid)
        if not members:
            del self._members[key]

    def members(self, key: ObjectKey) -> Collection[str]:
        """UIDs of the pods that belong to the group."""
        return self._members.get(key, ())

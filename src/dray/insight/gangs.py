"""The PodGroup of a pod, and what it makes of the pod's chances: a gang is placed as a whole or not at all."""

import dataclasses
from collections.abc import Sequence

from dray.api.meta import Object, ObjectKey, is_deleting, key_of, name_of, namespace_of
from dray.api.pod_groups import group_key, group_name, min_count, priority_of
from dray.api.pods import is_terminal
from dray.api.releases import reaches
from dray.api.resources import POD_GROUPS
from dray.insight.claim_state import Blocker
from dray.insight.gates import gates_of
from dray.insight.snapshot import Snapshot

_GANGS = "GangScheduling"


@dataclasses.dataclass(frozen=True, slots=True)
class Gang:
    """A PodGroup whose pods go together."""

    name: str
    """namespace/name"""
    needed: int
    placed: tuple[Object, ...]
    """Its pods that have a node."""
    waiting: tuple[Object, ...]
    """Its other pods, in the order in which the scheduler tries them."""

    @property
    def pods(self) -> tuple[Object, ...]:
        return (*self.placed, *self.waiting)

    @property
    def is_held_together(self) -> bool:
        """Whether too few have a node for one to go alone."""
        return len(self.placed) < self.needed

    def count_text(self) -> str:
        """`PodGroup ml/g places 3 pods at a time; 4 exist, 1 of them with a node`."""
        exist = f"{len(self.pods)} {'exists' if len(self.pods) == 1 else 'exist'}"
        return f"PodGroup {self.name} places {self.needed} pods at a time; {exist}, {len(self.placed)} of them with a node"


def gang_of(snapshot: Snapshot, pod: Object) -> Gang | None:
    """None for a pod whose group, if it has one, lets each of its pods go alone, or is not known."""
    if gates_of(snapshot).is_off(_GANGS) or not group_name(pod):
        return None
    group = snapshot.find(POD_GROUPS, group_name(pod), namespace_of(pod))
    needed = min_count(group) if group is not None else 0
    if not needed:
        return None
    members = [each for each in snapshot.pods if group_key(each) == group_key(pod) and not is_terminal(each)]
    placed = tuple(each for each in members if each["spec"].get("nodeName"))
    waiting = [each for each in members if _is_waiting(each)]
    return Gang(str(group_key(pod)), needed, placed, tuple(sorted(waiting, key=_rank)))


def group_blocker(snapshot: Snapshot, pod: Object) -> Blocker | None:
    """What keeps every pod of the group back before any node is looked at."""
    key = group_key(pod)
    if key is None or not snapshot.knows(POD_GROUPS):
        return None
    if (other := _priority_blocker(snapshot, key)) is not None:
        return other
    if gates_of(snapshot).is_off(_GANGS):
        return None
    if snapshot.find(POD_GROUPS, key.name, key.namespace) is None:
        others = sorted(name_of(each) for each in snapshot.groups if namespace_of(each) == key.namespace)
        there = ", ".join(others[:5]) or "none"
        return Blocker(
            f"PodGroup {key}, to which the pod belongs, does not exist (Kubernetes tells this nowhere: no event, no condition)",
            f"create it, or correct schedulingGroup.podGroupName in the pod; groups there: {there}",
        )
    gang = gang_of(snapshot, pod)
    if gang is None or len(gang.pods) >= gang.needed:
        return None
    missing = gang.needed - len(gang.pods)
    return Blocker(
        f"PodGroup {key} places {gang.needed} pods at a time, and only {_names(gang.pods)} "
        f"{'exists' if len(gang.pods) == 1 else 'exist'} (Kubernetes tells this nowhere: no event, no condition)",
        f"create {missing} more pod{'s' if missing > 1 else ''} of the group; if a controller should have, look at its events",
    )


def _priority_blocker(snapshot: Snapshot, key: ObjectKey) -> Blocker | None:
    """From 1.37 on, pods of which one is not as urgent as their group are not placed, whatever the group's policy."""
    group = snapshot.find(POD_GROUPS, key.name, key.namespace)
    wanted = priority_of(group) if group is not None else None
    if wanted is None or not reaches(gates_of(snapshot).release, "1.37"):
        return None
    waiting = [each for each in snapshot.pods if group_key(each) == key and _is_waiting(each)]
    others = [each for each in waiting if int(each["spec"].get("priority") or 0) != wanted]
    if not others:
        return None
    found = int(others[0]["spec"].get("priority") or 0)
    have = "has" if len(others) == 1 else "have"
    return Blocker(
        f"PodGroup {key} has priority {wanted}, and of its waiting pods {_names(others)} {have} another ({found}), so none of its pods is placed",
        "give the pods and the group the same priorityClassName; neither can be changed, so make anew what has the wrong one",
    )


def _is_waiting(pod: Object) -> bool:
    return not pod["spec"].get("nodeName") and not is_terminal(pod) and not is_deleting(pod)


def _names(pods: Sequence[Object]) -> str:
    names = [key_of(pod).name for pod in pods]
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{len(names)} ({', '.join(names[:4])}{more})"


def _rank(pod: Object) -> tuple[int, str, str]:
    """The most important first, then the oldest."""
    return (
        -int(pod["spec"].get("priority") or 0),
        str(pod["metadata"].get("creationTimestamp") or ""),
        name_of(pod),
    )

"""GangScheduling: the pods of a gang wait for each other, first to exist and then to be placed.

A gang is a PodGroup whose policy names a minCount. Its pods are not tried before that many of them exist (PreEnqueue),
and none of them goes to its node before that many have one (Permit). Texts are upstream's.
"""

from dray.api.meta import Object, ObjectKey
from dray.api.pod_groups import min_count
from dray.scheduler.groups import PodGroups

TOO_FEW_PODS = "waiting for minCount pods from a gang to appear in scheduling queue"
TOO_FEW_PLACES = "waiting for minCount pods from a gang to be scheduled"


def why_not_queued(key: ObjectKey, groups: PodGroups) -> str:
    """Why a pod of the group may not be tried yet; "" where it may."""
    group = groups.find(key)
    if group is None:
        return f'waiting for pods\'s pod group "{key.name}" to appear in scheduling queue'
    return TOO_FEW_PODS if len(groups.members(key)) < min_count(group) else ""


def is_quorate(group: Object, placed: int) -> bool:
    """Whether pods of the group may go to their nodes once `placed` of them have one."""
    return placed >= min_count(group)

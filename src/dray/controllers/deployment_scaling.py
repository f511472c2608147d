"""How the pods of a Deployment are shared out among its ReplicaSets, as pure arithmetic.

Every function returns new sizes by name of ReplicaSet; those that are not named keep theirs. Source: kubernetes
pkg/controller/deployment, 1.36.
"""

from collections.abc import Sequence

from dray.api.meta import Object, annotations_of, name_of
from dray.controllers.deployment_sets import (
    DESIRED,
    MAX,
    counted,
    desired,
    is_recreated,
    limits,
    summed,
    total,
    wanted,
)

Sizes = dict[str, int]


def is_rescaled(deployment: Object, sets: Sequence[Object]) -> bool:
    """Whether `spec.replicas` changed since the sets with pods were last sized."""
    sizes = (annotations_of(each).get(DESIRED, "") for each in sets if wanted(each))
    return any(text.isdigit() and int(text) != desired(deployment) for text in sizes)


def rescaled(deployment: Object, new: Object | None, old: Sequence[Object]) -> Sizes:
    """After a change of `spec.replicas`, or while paused: in proportion where a rollout is under way."""
    sets = [*old, *([new] if new is not None else [])]
    active = [each for each in sets if wanted(each)]
    if len(active) <= 1:
        only = active[0] if active else new or max(old, key=_age, default=None)
        return {name_of(only): desired(deployment)} if only is not None else {}
    if new is not None and _is_saturated(deployment, new):
        return {name_of(each): 0 for each in old if wanted(each)}
    return {} if is_recreated(deployment) else _in_proportion(deployment, active)


def size_of_new(deployment: Object, new: Object | None, old: Sequence[Object]) -> int:
    """Of the ReplicaSet of the present template, in a rolling update."""
    goal, present = desired(deployment), wanted(new) if new is not None else 0
    surge, _ = limits(deployment)
    room = goal + surge - total(old) - present
    if present > goal or is_recreated(deployment):
        return goal
    return present + max(0, min(room, goal - present))


def sizes_of_old(deployment: Object, new: Object, old: Sequence[Object]) -> Sizes:
    """Pods that are not available go first; of the others as many as can be spared."""
    _, unavailable = limits(deployment)
    minimum = desired(deployment) - unavailable
    removable = total([new, *old]) - minimum - (wanted(new) - counted(new, "availableReplicas"))
    if removable <= 0:
        return {}
    sizes = {name_of(each): wanted(each) for each in old}
    oldest_first = sorted(old, key=_age)
    for each in oldest_first:
        cut = max(0, min(removable, wanted(each) - counted(each, "availableReplicas")))
        sizes[name_of(each)] -= cut
        removable -= cut
    spare = summed([new, *old], "availableReplicas") - minimum
    for each in oldest_first:
        cut = max(0, min(spare, sizes[name_of(each)]))
        sizes[name_of(each)] -= cut
        spare -= cut
    return sizes


def _in_proportion(deployment: Object, active: Sequence[Object]) -> Sizes:
    surge, _ = limits(deployment)
    allowed = desired(deployment) + surge if desired(deployment) else 0
    missing = allowed - total(active)
    # Of sets of one size the newer grow first and the older shrink first.
    by_age = sorted(active, key=_age, reverse=missing > 0)
    largest_first = sorted(by_age, key=wanted, reverse=True)
    sizes, left = {name_of(each): wanted(each) for each in largest_first}, missing
    for each in largest_first:
        if left:
            share = _share(deployment, each, allowed)
            share = min(share, left) if missing > 0 else max(share, left)
            sizes[name_of(each)] += share
            left -= share
    first = name_of(largest_first[0])
    sizes[first] = max(0, sizes[first] + left)
    return sizes


def _share(deployment: Object, replica_set: Object, allowed: int) -> int:
    """By how many pods the set should change so that it keeps its part of the whole."""
    if not desired(deployment):
        return -wanted(replica_set)
    text = annotations_of(replica_set).get(MAX, "")
    before = int(text) if text.isdigit() else counted(deployment, "replicas")
    if not before:
        return 0
    # Halves away from zero; all numbers are positive here.
    return (2 * wanted(replica_set) * allowed + before) // (2 * before) - wanted(replica_set)


def _is_saturated(deployment: Object, new: Object) -> bool:
    goal = desired(deployment)
    told = annotations_of(new).get(DESIRED, "")
    return told == str(goal) and wanted(new) == goal == counted(new, "availableReplicas")


def _age(replica_set: Object) -> tuple[str, str]:
    return str(replica_set["metadata"].get("creationTimestamp") or ""), name_of(replica_set)

"""What a Deployment says of itself: counts, and the conditions Available, Progressing and ReplicaFailure.

Pure: the time is a value. Source: kubernetes pkg/controller/deployment, 1.36.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from dray.api.meta import Object, format_time, name_of, parse_time
from dray.controllers.deployment_sets import desired, limits, summed, total
from dray.controllers.pod_templates import workload_condition

PROGRESSING = "Progressing"
FAILURE = "ReplicaFailure"
CREATED = "NewReplicaSetCreated"
FOUND = "FoundNewReplicaSet"
NOT_CREATED = "ReplicaSetCreateError"
COMPLETE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
NO_DEADLINE = 2**31 - 1


def condition_of(obj: Object, kind: str) -> Object | None:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind), None)


def deadline(deployment: Object) -> int | None:
    """Seconds without progress after which a rollout counts as stuck; None where nobody asked."""
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return None if seconds is None or seconds == NO_DEADLINE else int(seconds)


def noted(deployment: Object, status: str, reason: str, message: str, now: dt.datetime) -> Object:
    """The deployment's status with this word about its progress."""
    old = deployment.get("status") or {}
    condition = workload_condition(PROGRESSING, status, reason, message, format_time(now))
    return {**old, "conditions": _set(old.get("conditions") or (), condition)}


def paused_or_resumed(deployment: Object, now: dt.datetime) -> Object | None:
    """The status that tells of a pause that began or ended; None when there is nothing new to tell."""
    present = condition_of(deployment, PROGRESSING)
    if deadline(deployment) is None or (present is not None and present["reason"] == TIMED_OUT):
        return None
    told, is_paused = present is not None and present["reason"] == PAUSED, deployment["spec"].get("paused")
    if is_paused and not told:
        return noted(deployment, "Unknown", PAUSED, "Deployment is paused", now)
    if told and not is_paused:
        return noted(deployment, "Unknown", "DeploymentResumed", "Deployment is resumed", now)
    return None


def status_of(deployment: Object, sets: Sequence[Object], new: Object | None, now: dt.datetime) -> Object:
    """Counts and availability; what was said of progress stays."""
    old, goal = deployment.get("status") or {}, desired(deployment)
    available = summed(sets, "availableReplicas")
    counts = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": summed(sets, "replicas"),
        "updatedReplicas": summed([new] if new is not None else [], "replicas"),
        "readyReplicas": summed(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total(sets) - available),
        "collisionCount": old.get("collisionCount"),
    }
    status: Object = {key: value for key, value in counts.items() if value}
    status["terminatingReplicas"] = summed(sets, "terminatingReplicas")
    _, unavailable = limits(deployment)
    words = (
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        if available >= goal - unavailable
        else ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    )
    condition = workload_condition("Available", *words, format_time(now))
    status["conditions"] = _set(old.get("conditions") or (), condition)
    return status


def rollout_status(
    deployment: Object, sets: Sequence[Object], new: Object | None, now: dt.datetime
) -> Object:
    """`status_of`, with a judgement of how the rollout goes and of what the ReplicaSets failed in."""
    status = status_of(deployment, sets, new, now)
    conditions = status["conditions"]
    if deadline(deployment) is None:
        conditions = _without(conditions, PROGRESSING)
    elif not _is_settled(deployment, status):
        conditions = _progress(deployment, status, new, now)
    failure = _failure(sets, new)
    if failure is None:
        conditions = _without(conditions, FAILURE)
    else:
        words = failure["status"], failure["reason"], failure["message"]
        conditions = _set(conditions, workload_condition(FAILURE, *words, format_time(now)))
    return {**status, "conditions": conditions}


def is_complete(deployment: Object, status: Object) -> bool:
    goal = desired(deployment)
    return all(
        status.get(field, 0) == goal for field in ("updatedReplicas", "replicas", "availableReplicas")
    ) and status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)


def seconds_to_deadline(deployment: Object, status: Object, now: dt.datetime) -> float | None:
    """Until the rollout counts as stuck if nothing moves; None where nobody waits for it."""
    limit, condition = deadline(deployment), condition_of({"status": status}, PROGRESSING)
    if limit is None or condition is None or condition["reason"] in (COMPLETE, TIMED_OUT):
        return None
    if is_complete(deployment, status):
        return None
    return limit - (now - parse_time(condition["lastUpdateTime"])).total_seconds()


def _is_settled(deployment: Object, status: Object) -> bool:
    condition = condition_of(deployment, PROGRESSING)
    is_all_new = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    return is_all_new and condition is not None and condition["reason"] == COMPLETE


def _progress(deployment: Object, status: Object, new: Object | None, now: dt.datetime) -> list[Any]:
    conditions: list[Any] = status["conditions"]
    what = f'ReplicaSet "{name_of(new)}"' if new is not None else f'Deployment "{name_of(deployment)}"'
    time = format_time(now)
    if is_complete(deployment, status):
        message = f"{what} has successfully progressed."
        return _set(conditions, workload_condition(PROGRESSING, "True", COMPLETE, message, time))
    if _moved(deployment.get("status") or {}, status):
        condition = workload_condition(
            PROGRESSING, "True", "ReplicaSetUpdated", f"{what} is progressing.", time
        )
        # The time of the last progress is news even where the words are the same.
        present = condition_of(deployment, PROGRESSING)
        if present is not None and present["status"] == "True":
            condition["lastTransitionTime"] = present["lastTransitionTime"]
        return [*_without(conditions, PROGRESSING), condition]
    left = seconds_to_deadline(deployment, status, now)
    if left is not None and left < 0:
        message = f"{what} has timed out progressing."
        return _set(conditions, workload_condition(PROGRESSING, "False", TIMED_OUT, message, time))
    return conditions


def _moved(before: Object, after: Object) -> bool:
    def old_ones(status: Object) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return any(after.get(field, 0) > before.get(field, 0) for field in grown) or old_ones(after) < old_ones(
        before
    )


def _failure(sets: Sequence[Object], new: Object | None) -> Object | None:
    first = [new] if new is not None else []
    failures = (condition_of(each, FAILURE) for each in [*first, *sets])
    return next((each for each in failures if each is not None), None)


def _without(conditions: Sequence[Object], kind: str) -> list[Object]:
    return [each for each in conditions if each["type"] != kind]


def _set(conditions: Sequence[Object], condition: Object) -> list[Object]:
    """Conditions with this one; the same status for the same reason is no news, whatever the message."""
    present = next((each for each in conditions if each["type"] == condition["type"]), None)
    if present is not None and present["status"] == condition["status"]:
        if present["reason"] == condition["reason"]:
            return list(conditions)
        condition = {**condition, "lastTransitionTime": present["lastTransitionTime"]}
    return [*_without(conditions, condition["type"]), condition]

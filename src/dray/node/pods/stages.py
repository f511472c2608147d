"""The stages of a pod's life on the node, and what moves it from one to the next. Pure data.

RUNNING    meant to run: its worker keeps its containers as the plan says
STOPPING   being stopped: hooks, TERM, grace, KILL
RELEASING  stopped; its devices are given back
FINISHED   nothing of it is left but its record, its logs and its status; the API object may stay for long
DELETING   its API object is being deleted
GONE       forgotten
"""

import enum
from collections.abc import Mapping
from typing import Final


class Stage(enum.Enum):
    RUNNING = "running"
    STOPPING = "stopping"
    RELEASING = "releasing"
    FINISHED = "finished"
    DELETING = "deleting"
    GONE = "gone"


class Cause(enum.Enum):
    OVER = "all its containers ended for good"
    FAILED = "the node ended it"
    DELETED = "somebody deleted it"
    REMOVED = "its API object is not there any more"
    STOPPED = "none of its containers runs"
    RELEASED = "no driver holds a device for it"


TRANSITIONS: Final[Mapping[tuple[Stage, Cause], Stage]] = {
    (Stage.RUNNING, Cause.OVER): Stage.STOPPING,
    (Stage.RUNNING, Cause.FAILED): Stage.STOPPING,
    (Stage.RUNNING, Cause.DELETED): Stage.STOPPING,
    (Stage.RUNNING, Cause.REMOVED): Stage.STOPPING,
    (Stage.STOPPING, Cause.STOPPED): Stage.RELEASING,
    (Stage.RELEASING, Cause.RELEASED): Stage.FINISHED,
    (Stage.FINISHED, Cause.DELETED): Stage.DELETING,
    (Stage.FINISHED, Cause.REMOVED): Stage.GONE,
    (Stage.DELETING, Cause.REMOVED): Stage.GONE,
}
"""Pairs that are not listed change nothing: a pod that is stopping goes on stopping when it is deleted."""


def next_stage(stage: Stage, cause: Cause) -> Stage:
    return TRANSITIONS.get((stage, cause), stage)

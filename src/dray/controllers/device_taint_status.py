"""What a DeviceTaintRule tells about its evictions: the words of its condition EvictionInProgress.

Source: recordings of Kubernetes 1.36.2.
"""

from collections.abc import Collection
from typing import NamedTuple

from dray.api.meta import ObjectKey

EVICTION_IN_PROGRESS = "EvictionInProgress"
NO_EFFECT = "NoEffect"


class Progress(NamedTuple):
    """The part of the condition that is news."""

    status: str
    reason: str
    message: str


OTHER_EFFECT = Progress("False", "OtherEffect", "Eviction only happens for the NoExecute effect.")


def eviction_progress(pending: Collection[ObjectKey], evicted: int) -> Progress:
    """For effect NoExecute: the pods that have to go, and how many went."""
    done = f"{_count(evicted, 'pod')} evicted since starting the controller." if evicted else ""
    if pending:
        need = "needs" if len(pending) == 1 else "need"
        waiting = f"{_count(len(pending), 'pod')} {need} to be evicted in {_namespaces(pending)}."
        return Progress("True", "PodsPendingEviction", f"{waiting} {done}".rstrip())
    return Progress("False", "Completed" if evicted else "NotStarted", done)


def simulated(published: int, allocated: int, pods: Collection[ObjectKey]) -> Progress:
    """For effect None: what NoExecute would do."""
    message = (
        f"{_count(published, 'published device')} selected. {_count(allocated, 'allocated device')} selected. "
        f"{_count(len(pods), 'pod')} would be evicted in {_namespaces(pods)} if the effect was NoExecute. "
        "This information will not be updated again. Recreate the DeviceTaintRule to trigger an update."
    )
    return Progress("False", NO_EFFECT, message)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _namespaces(pods: Collection[ObjectKey]) -> str:
    number = len({key.namespace for key in pods})
    return "1 namespace" if number == 1 else f"{number} different namespaces"

"""Making and removing the pods of a workload: from its template, under its name, told by events."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from dray.api import errors
from dray.api.meta import Object, is_deleting, labels_of, name_of, namespace_of, owner_reference, parse_time
from dray.api.pods import find_condition, is_ready, is_terminal
from dray.api.resources import PODS
from dray.client.events import EventRecorder
from dray.client.informer import Informer
from dray.client.protocol import Client
from dray.controllers.base import OWNER_INDEX
from dray.kits.clock import Clock

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def template_hash(template: Mapping[str, Any], collisions: int = 0) -> str:
    """A short name for the content of a pod template; equal contents have equal hashes.

    Kubernetes hashes its internal structures, so the letters differ from upstream's; length and alphabet do not.
    """
    content = orjson.dumps([template, collisions], option=orjson.OPT_SORT_KEYS)
    number = str(int.from_bytes(hashlib.sha256(content).digest()[:4], "big"))
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in number)


def pod_from(
    template: Mapping[str, Any], owner: Object, *, labels: Mapping[str, str], name: str = ""
) -> Object:
    """A new pod of `owner`; without a name the server completes `<owner>-`."""
    meta = template.get("metadata") or {}
    named = {"name": name} if name else {"generateName": f"{name_of(owner)}-"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **named,
            "namespace": namespace_of(owner),
            "labels": {**(meta.get("labels") or {}), **labels},
            **({"annotations": meta["annotations"]} if meta.get("annotations") else {}),
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": template["spec"],
    }


class PodControl:
    """Creates and deletes pods for one kind of workload."""

    def __init__(self, client: Client, pods: Informer, recorder: EventRecorder) -> None:
        self.client = client
        self.pods = pods
        self.recorder = recorder

    def pods_of(self, owner: Object) -> list[Object]:
        return self.pods.cache.by_index(OWNER_INDEX, owner["metadata"]["uid"])

    async def create(self, owner: Object, pods: Sequence[Object]) -> int:
        """Create all, return how many succeeded. Failures are told as events; the first is raised at the end."""
        results = await asyncio.gather(
            *(self._create_one(owner, pod) for pod in pods), return_exceptions=True
        )
        made = [result for result in results if isinstance(result, dict)]
        if made:
            await self.pods.wait_seen(max(made, key=lambda pod: int(pod["metadata"]["resourceVersion"])))
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(made)

    async def _create_one(self, owner: Object, pod: Object) -> Object | None:
        try:
            created = await self.client.create(PODS, pod, namespace_of(owner))
        except errors.Forbidden as error:
            if is_namespace_ending(error):
                return None
            self.recorder.event(owner, "Warning", "FailedCreate", f"Error creating: {error}")
            raise
        except errors.StatusError as error:
            self.recorder.event(owner, "Warning", "FailedCreate", f"Error creating: {error}")
            raise
        self.recorder.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {name_of(created)}")
        return created

    async def delete(self, owner: Object, pods: Sequence[Object]) -> None:
        await asyncio.gather(*(self._delete_one(owner, pod) for pod in pods))

    async def _delete_one(self, owner: Object, pod: Object) -> None:
        try:
            await self.client.delete(PODS, name_of(pod), namespace_of(pod), uid=pod["metadata"]["uid"])
        except errors.NotFound:
            return
        except errors.StatusError as error:
            self.recorder.event(owner, "Warning", "FailedDelete", f"Error deleting: {error}")
            raise
        self.recorder.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")


def is_namespace_ending(error: errors.Forbidden) -> bool:
    causes = (error.details or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def is_active(pod: Mapping[str, Any]) -> bool:
    return not is_terminal(pod) and not is_deleting(pod)


def seconds_until_available(pod: Mapping[str, Any], min_ready_seconds: int, clock: Clock) -> float | None:
    """0 when available, the wait when Ready but too young, None when not Ready."""
    if not is_ready(pod):
        return None
    if min_ready_seconds <= 0:
        return 0.0
    since = (find_condition(pod, "Ready") or {}).get("lastTransitionTime")
    if not since:
        return None
    ready_for = (clock.now() - parse_time(since)).total_seconds()
    return max(0.0, min_ready_seconds - ready_for)


def deletion_order(pod: Mapping[str, Any]) -> tuple[bool, int, bool, str]:
    """Sort key: pods that are least worth keeping first (unassigned, pending, unready, youngest)."""
    phase_rank = {"Pending": 0, "Unknown": 1, "Running": 2}
    phase = (pod.get("status") or {}).get("phase", "Pending")
    created = pod["metadata"].get("creationTimestamp") or ""
    age = "".join(chr(0x10FFFF - ord(char)) for char in created)
    return (bool(pod["spec"].get("nodeName")), phase_rank.get(phase, 2), is_ready(pod), age)


def scaled_value(value: int | str | None, total: int, default: int, *, round_up: bool) -> int:
    """An int-or-percentage of `total`; None gives the default."""
    if value is None:
        return default
    if isinstance(value, int):
        return value
    percent = int(value.rstrip("%"))
    return -(-percent * total // 100) if round_up else percent * total // 100


def matches_labels(obj: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    labels = labels_of(obj)
    return all(labels.get(key) == value for key, value in wanted.items())


def workload_condition(kind: str, status: str, reason: str, message: str, now: str) -> Object:
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }

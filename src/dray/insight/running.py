"""Pods that have a node: whether they run, and what holds them up at the kubelet if they do not."""

import dataclasses
from collections.abc import Iterator, Sequence

from dray.api.meta import Object, is_deleting, key_of
from dray.api.pods import is_terminal
from dray.api.resources import RESOURCE_SLICES
from dray.insight.snapshot import Snapshot


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    state: str
    cause: str
    advice: str = ""
    facts: tuple[str, ...] = ()


def progress_of(snapshot: Snapshot, pod: Object, allocated: Sequence[Object]) -> Progress | None:
    """None for a pod that waits for a node."""
    node = pod["spec"].get("nodeName")
    if is_terminal(pod):
        return Progress("finished", f"the pod has ended ({pod['status']['phase']})")
    if is_deleting(pod):
        return _terminating(snapshot, pod, allocated)
    if not node:
        return _binding(allocated)
    if (pod.get("status") or {}).get("phase") == "Running":
        waiting = next(_waiting(pod), "")
        if not waiting:
            return Progress("running", f"the pod runs on node {node}")
        advice = INJECTION_ADVICE if injection_failure(snapshot, pod) else ""
        facts = tuple(_warnings(snapshot, pod))
        return Progress("running", f"the pod runs on node {node}, but {waiting}", advice, facts)
    return _starting(snapshot, pod, node, allocated)


def _terminating(snapshot: Snapshot, pod: Object, allocated: Sequence[Object]) -> Progress:
    node = pod["spec"].get("nodeName") or ""
    since = pod["metadata"]["deletionTimestamp"]
    facts = tuple(_warnings(snapshot, pod))
    why = _lost_text(node, lost_drivers(snapshot, node, allocated)) if node else ""
    why = why or failed_unprepare(snapshot, pod)
    if why:
        return Progress(
            "terminating",
            f"the pod is being deleted since {since}, and its devices cannot be given back: {why}",
            f"start the driver on node {node} again: the kubelet then unprepares the devices and the pod goes",
            facts,
        )
    return Progress("terminating", f"the pod is being deleted since {since}", facts=facts)


def failed_unprepare(snapshot: Snapshot, pod: Object) -> str:
    """What the kubelet last said of devices that it could not have taken back, or ""."""
    failures = [e for e in snapshot.events_of(pod) if e.get("reason") == "FailedUnprepareDynamicResources"]
    return str(failures[-1].get("message", "")) if failures else ""


def _binding(allocated: Sequence[Object]) -> Progress | None:
    for claim in allocated:
        status = claim["status"]
        for result in (status["allocation"].get("devices") or {}).get("results") or ():
            wanted = set(result.get("bindingConditions") or ())
            if not wanted:
                continue
            done = _conditions(status, result)
            open_conditions = sorted(wanted - done)
            failed = sorted(set(result.get("bindingFailureConditions") or ()) & done)
            device = f"{result['driver']}/{result['pool']}/{result['device']}"
            if failed or open_conditions:
                what = (
                    f"reports {', '.join(failed)}"
                    if failed
                    else f"is not ready: {', '.join(open_conditions)} not set"
                )
                return Progress(
                    "pending",
                    f"devices are allocated, but device {device} of claim {key_of(claim)} {what}",
                    f"look at driver {result['driver']} (its controller sets the conditions of devices)",
                )
    return None


def _conditions(status: Object, result: Object) -> set[str]:
    """The conditions that are true for the device of a result."""
    for entry in status.get("devices") or ():
        if all(entry.get(field) == result.get(field) for field in ("driver", "pool", "device")):
            return {c["type"] for c in entry.get("conditions") or () if c.get("status") == "True"}
    return set()


def _starting(snapshot: Snapshot, pod: Object, node: str, allocated: Sequence[Object]) -> Progress:
    """What is said in the cause is not said again among the facts."""
    progress = _held_up(snapshot, pod, node, allocated)
    facts = tuple(fact for fact in progress.facts if fact.partition(": ")[2] not in progress.cause)
    return dataclasses.replace(progress, facts=facts)


def _held_up(snapshot: Snapshot, pod: Object, node: str, allocated: Sequence[Object]) -> Progress:
    facts = tuple(_warnings(snapshot, pod))
    prepare = [e for e in snapshot.events_of(pod) if e.get("reason") == "FailedPrepareDynamicResources"]
    lost = _lost_text(node, lost_drivers(snapshot, node, allocated))
    if prepare:
        text = str(prepare[-1].get("message", ""))
        if "is not registered" in text:
            return Progress(
                "scheduled",
                f"scheduled to node {node}, but the kubelet there does not know the driver: {text}",
                f"look whether the driver's pod runs on {node} and its registration socket is in plugins_registry",
                facts,
            )
        return Progress(
            "scheduled",
            f"scheduled to node {node}, but the driver cannot prepare the devices: {text}",
            f"read the log of the driver's pod on node {node}",
            facts,
        )
    if lost:
        return Progress(
            "scheduled", f"scheduled to node {node}, but {lost}", f"start the driver on {node}", facts
        )
    if failure := injection_failure(snapshot, pod):
        cause = f"scheduled to node {node}, but the runtime cannot inject its devices: {failure}"
        return Progress("scheduled", cause, INJECTION_ADVICE, facts)
    waiting = next(_waiting(pod), "") or "its containers have not started yet"
    if facts:
        return Progress("scheduled", f"scheduled to node {node}, {waiting}; {facts[-1]}", facts=facts[:-1])
    return Progress("scheduled", f"scheduled to node {node}, {waiting}")


INJECTION_ADVICE = (
    "the CDI files of the driver are gone or were never written, or the runtime reads other directories than /etc/cdi and "
    "/var/run/cdi. A driver that starts writes those that all claims share, a new pod has those of its own claims written"
)


def injection_failure(snapshot: Snapshot, pod: Object) -> str:
    """What the runtime last said of CDI where a container of the pod waits, or ""."""
    said = list(_waiting(pod))
    if not said:
        return ""
    events = [
        str(event.get("message", "")) for event in snapshot.events_of(pod) if event.get("type") == "Warning"
    ]
    return next((text for text in (*said, *reversed(events)) if "CDI" in text), "")


def _waiting(pod: Object) -> Iterator[str]:
    status = pod.get("status") or {}
    for field in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(field) or ():
            waiting = (container.get("state") or {}).get("waiting")
            if waiting:
                message = f": {waiting['message']}" if waiting.get("message") else ""
                yield f"container {container['name']} waits, {waiting.get('reason', 'no reason given')}{message}"


def _warnings(snapshot: Snapshot, pod: Object) -> Iterator[str]:
    for event in [e for e in snapshot.events_of(pod) if e.get("type") == "Warning"][-2:]:
        yield f"event {event.get('reason')}: {event.get('message')}"


def lost_drivers(snapshot: Snapshot, node: str, allocated: Sequence[Object]) -> list[str]:
    """Drivers of the pod's devices that publish nothing for the node."""
    if not snapshot.knows(RESOURCE_SLICES):
        return []
    drivers: dict[str, None] = {}
    for claim in allocated:
        for result in (claim["status"]["allocation"].get("devices") or {}).get("results") or ():
            drivers.setdefault(result["driver"])
    return [
        driver
        for driver in drivers
        if not any(
            obj["spec"]["driver"] == driver and obj["spec"].get("nodeName") in (node, None)
            for obj in snapshot.slices
        )
    ]


def _lost_text(node: str, lost: Sequence[str]) -> str:
    if not lost:
        return ""
    return (
        f"driver {', '.join(lost)} publishes nothing for node {node} any more: it is gone or not registered"
    )

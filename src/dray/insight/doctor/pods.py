"""Pods that cannot end, cannot start, or are not even looked at."""

from collections.abc import Iterator

from dray.api.meta import Object, is_deleting, key_of
from dray.insight.claim_state import read_claims
from dray.insight.doctor.finding import ERROR, Finding
from dray.insight.running import failed_unprepare, lost_drivers
from dray.insight.snapshot import Snapshot


def pod_findings(snapshot: Snapshot) -> Iterator[Finding]:
    for pod in snapshot.pods:
        subject = f"pod {key_of(pod)}"
        if is_deleting(pod):
            yield from _terminating(snapshot, pod, subject)
        elif not pod["spec"].get("nodeName"):
            yield from _given_up(pod, subject)
            for blocker in read_claims(snapshot, pod).blockers[:1]:
                yield Finding(
                    ERROR, subject, blocker.cause, "spec.resourceClaims and what it names",
                    f"dray why pod/{pod['metadata']['name']} -n {key_of(pod).namespace}", blocker.advice,
                )  # fmt: skip


def _given_up(pod: Object, subject: str) -> Iterator[Finding]:
    """The scheduler ends every attempt in an error, which is worse than having no place."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulerError":
            yield Finding(
                ERROR, subject, "the scheduler gives up on an error each time it looks at it",
                f"condition PodScheduled, reason SchedulerError: {condition.get('message', '')}",
                f"dray why pod/{key_of(pod).name} -n {key_of(pod).namespace}",
            )  # fmt: skip


def _terminating(snapshot: Snapshot, pod: Object, subject: str) -> Iterator[Finding]:
    node = pod["spec"].get("nodeName")
    if not node:
        return
    said = failed_unprepare(snapshot, pod)
    lost = lost_drivers(snapshot, node, read_claims(snapshot, pod).allocated)
    if not said and not lost:
        return
    namespace, name = key_of(pod)
    evidence = (
        f"event FailedUnprepareDynamicResources: {said}"
        if said
        else f"no slice of {', '.join(lost)} for {node}"
    )
    what = f"driver {', '.join(lost)} is gone from node {node} and" if lost else f"the driver on node {node}"
    yield Finding(
        ERROR, subject, f"cannot end: {what} cannot take its devices back",
        f"metadata.deletionTimestamp {pod['metadata']['deletionTimestamp']}; {evidence}",
        f"kubectl -n {namespace} delete pod {name} --grace-period=0 --force",
        f"better: start the driver on {node} again, then the pod ends by itself. The command leaves what the driver prepared on the node",
    )  # fmt: skip

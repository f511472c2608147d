"""Pods that cannot end, cannot start, or are not even looked at."""

from collections.abc import Iterator

from dray.api.meta import Object, is_deleting, key_of
from dray.api.resources import RESOURCE_SLICES
from dray.insight.claim_state import read_claims
from dray.insight.doctor.finding import ERROR, Finding
from dray.insight.doctor.holdings import drivers_of
from dray.insight.snapshot import Snapshot


def pod_findings(snapshot: Snapshot) -> Iterator[Finding]:
    for pod in snapshot.pods:
        subject = f"pod {key_of(pod)}"
        if is_deleting(pod):
            yield from _terminating(snapshot, pod, subject)
        elif not pod["spec"].get("nodeName"):
            for blocker in read_claims(snapshot, pod).blockers[:1]:
                yield Finding(
                    ERROR, subject, blocker.cause, "spec.resourceClaims and what it names",
                    f"dray why pod/{pod['metadata']['name']} -n {key_of(pod).namespace}", blocker.advice,
                )  # fmt: skip


def _terminating(snapshot: Snapshot, pod: Object, subject: str) -> Iterator[Finding]:
    if not snapshot.knows(RESOURCE_SLICES) or not pod["spec"].get("nodeName"):
        return
    node = pod["spec"]["nodeName"]
    publishing = {
        obj["spec"]["driver"] for obj in snapshot.slices if obj["spec"].get("nodeName") in (node, None)
    }
    claims = read_claims(snapshot, pod).allocated
    lost = sorted({driver for claim in claims for driver in drivers_of(claim)} - publishing)
    if not lost:
        return
    namespace, name = key_of(pod)
    yield Finding(
        ERROR, subject, f"cannot end: driver {', '.join(lost)} is gone from node {node} and cannot take its devices back",
        f"metadata.deletionTimestamp {pod['metadata']['deletionTimestamp']}; no slice of {', '.join(lost)} for {node}",
        f"kubectl -n {namespace} delete pod {name} --grace-period=0 --force",
        f"better: start the driver on {node} again, then the pod ends by itself. The command leaves what the driver prepared on the node",
    )  # fmt: skip

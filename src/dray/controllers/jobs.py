"""Runs each Job's pods to completion: `completions` successes, at most `parallelism` at once, `backoffLimit` failures.

A pod of a Job carries a finalizer until its end is counted, so that deleting finished pods loses no count: the uid is
first noted in status.uncountedTerminatedPods, then the finalizer goes, then the number moves into the counters.
Indexed completion is supported by annotation and environment; podFailurePolicy and successPolicy are not.
Source: kubernetes pkg/controller/job, 1.36.
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from dray.api.meta import (
    Object,
    ObjectKey,
    annotations_of,
    finalizers_of,
    format_time,
    is_deleting,
    name_of,
    namespace_of,
    parse_time,
    replace_at,
    uid_of,
)
from dray.api.pods import find_condition, is_ready, is_terminal
from dray.api.resources import JOBS, PODS
from dray.controllers.base import Context, Controller, ignore_missing, index_by_owner
from dray.controllers.pod_templates import PodControl, deletion_order, is_active, pod_from
from dray.kits.backoff import Backoff

TRACKING_FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
POD_BACKOFF = Backoff(10.0, 600.0)


@dataclasses.dataclass(frozen=True, slots=True)
class _Count:
    succeeded: int
    failed: int
    uncounted: list[Object]
    """Finished pods that still carry the finalizer."""


class Jobs(Controller):
    name: ClassVar[str] = "job-controller"
    workers: ClassVar[int] = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.jobs = self.watch(JOBS)
        self.pods = index_by_owner(self.watch_owned(PODS, "Job"))
        self.control = PodControl(self.client, self.pods, self.recorder)

    async def sync(self, key: ObjectKey) -> None:
        job = self.jobs.cache.get(key)
        if job is None:
            return
        pods = self.control.pods_of(job)
        if is_deleting(job):
            await self._release([pod for pod in pods if TRACKING_FINALIZER in finalizers_of(pod)])
            return
        count = _count(job, pods)
        active = [pod for pod in pods if is_active(pod)]
        finish = self._verdict(job, count)
        if finish is None:
            active = await self._scale(job, active, count)
        elif not _is_finished(job):
            await self.control.delete(job, active)
            active = []
        await self._report(job, active, count, finish)
        await self._release(count.uncounted)

    def _verdict(self, job: Object, count: _Count) -> tuple[str, str, str] | None:
        """(condition type, reason, message) once the job is over."""
        if condition := find_condition(job, "Complete") or find_condition(job, "Failed"):
            return condition["type"], condition.get("reason", ""), condition.get("message", "")
        spec = job["spec"]
        if count.failed > int(spec.get("backoffLimit", 6)):
            return "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        deadline = spec.get("activeDeadlineSeconds")
        started = (job.get("status") or {}).get("startTime")
        if deadline is not None and started:
            left = deadline - (self.clock.now() - parse_time(started)).total_seconds()
            if left <= 0:
                return "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
            self.queue.add_after(ObjectKey(namespace_of(job), name_of(job)), left)
        wanted = spec.get("completions")
        if wanted is not None and count.succeeded >= int(wanted):
            return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
        if (
            wanted is None
            and count.succeeded
            and not any(is_active(pod) for pod in self.control.pods_of(job))
        ):
            return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
        return None

    async def _scale(self, job: Object, active: list[Object], count: _Count) -> list[Object]:
        if job["spec"].get("suspend"):
            await self.control.delete(job, active)
            return []
        parallelism = int(job["spec"].get("parallelism", 1))
        completions = job["spec"].get("completions")
        if completions is None:
            wanted = len(active) if count.succeeded else parallelism
        else:
            wanted = min(parallelism, int(completions) - count.succeeded)
        if len(active) > wanted:
            surplus = sorted(active, key=deletion_order)[: len(active) - wanted]
            await self.control.delete(job, surplus)
            return [pod for pod in active if pod not in surplus]
        missing = wanted - len(active)
        if missing > 0 and not self._must_wait(job, count):
            await self.control.create(job, self._new_pods(job, missing))
            return [pod for pod in self.control.pods_of(job) if is_active(pod)]
        return active

    def _must_wait(self, job: Object, count: _Count) -> bool:
        """Failed pods are replaced with growing delay, counted from the latest failure."""
        if not count.failed:
            return False
        ends = [end for pod in self.control.pods_of(job) if (end := _failure_time(pod))]
        if not ends:
            return False
        due = POD_BACKOFF.delay_after(count.failed - 1)
        left = due - (self.clock.now() - parse_time(max(ends))).total_seconds()
        if left > 0:
            self.queue.add_after(ObjectKey(namespace_of(job), name_of(job)), left)
        return left > 0

    def _new_pods(self, job: Object, missing: int) -> list[Object]:
        if job["spec"].get("completionMode") != "Indexed":
            return [_job_pod(job, None) for _ in range(missing)]
        taken = {
            annotations_of(pod).get(INDEX_ANNOTATION)
            for pod in self.control.pods_of(job)
            if is_active(pod) or (pod.get("status") or {}).get("phase") == "Succeeded"
        }
        free = [index for index in range(int(job["spec"].get("completions") or 0)) if str(index) not in taken]
        return [_job_pod(job, index) for index in free[:missing]]

    async def _report(
        self, job: Object, active: Sequence[Object], count: _Count, finish: tuple[str, str, str] | None
    ) -> None:
        now = format_time(self.clock.now())
        old = job.get("status") or {}
        status: Object = {
            key: old[key] for key in ("startTime", "completionTime", "conditions") if key in old
        }
        if not job["spec"].get("suspend"):
            status.setdefault("startTime", now)
        numbers = {"active": len(active), "succeeded": count.succeeded, "failed": count.failed}
        status |= {key: value for key, value in numbers.items() if value}
        status["ready"] = sum(is_ready(pod) for pod in active)
        status["terminating"] = sum(
            is_deleting(pod) and not is_terminal(pod) for pod in self.control.pods_of(job)
        )
        status["uncountedTerminatedPods"] = _uncounted(count.uncounted)
        if finish is not None and not _is_finished(job):
            self._finish(job, status, finish, now)
        if status != old:
            await self.client.update(JOBS, {**job, "status": status}, subresource="status")

    def _finish(self, job: Object, status: Object, finish: tuple[str, str, str], now: str) -> None:
        kind, reason, message = finish
        first = "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"
        times = {"lastProbeTime": now, "lastTransitionTime": now}
        status["conditions"] = [
            *(status.get("conditions") or ()),
            *(
                {"type": each, "status": "True", **times, "reason": reason, "message": message}
                for each in (first, kind)
            ),
        ]
        if kind == "Complete":
            status["completionTime"] = now
            self.recorder.event(job, "Normal", "Completed", "Job completed")
        else:
            self.recorder.event(job, "Warning", reason, message)

    async def _release(self, pods: Sequence[Object]) -> None:
        for pod in pods:
            kept = [each for each in finalizers_of(pod) if each != TRACKING_FINALIZER]
            await ignore_missing(self.client.update(PODS, replace_at(pod, ("metadata", "finalizers"), kept)))


def _count(job: Object, pods: Sequence[Object]) -> _Count:
    status = job.get("status") or {}
    noted = status.get("uncountedTerminatedPods") or {}
    already = set(noted.get("succeeded") or ()) | set(noted.get("failed") or ())
    finished = [pod for pod in pods if is_terminal(pod) and TRACKING_FINALIZER in finalizers_of(pod)]
    fresh = [pod for pod in finished if uid_of(pod) not in already]
    succeeded = sum(pod["status"]["phase"] == "Succeeded" for pod in fresh)
    return _Count(
        int(status.get("succeeded") or 0) + succeeded,
        int(status.get("failed") or 0) + len(fresh) - succeeded,
        finished,
    )


def _uncounted(pods: Sequence[Object]) -> Object:
    by_phase: Object = {}
    for pod in pods:
        by_phase.setdefault(pod["status"]["phase"].lower(), []).append(uid_of(pod))
    return by_phase


def _is_finished(job: Object) -> bool:
    return find_condition(job, "Complete") is not None or find_condition(job, "Failed") is not None


def _failure_time(pod: Object) -> str:
    if (pod.get("status") or {}).get("phase") != "Failed":
        return ""
    ends = [
        str(state["terminated"].get("finishedAt") or "")
        for container in pod["status"].get("containerStatuses") or ()
        if (state := container.get("state") or {}).get("terminated")
    ]
    return max(ends, default="")


def _job_pod(job: Object, index: int | None) -> Object:
    pod = pod_from(job["spec"]["template"], job, labels={})
    meta = {**pod["metadata"], "finalizers": [TRACKING_FINALIZER]}
    if index is None:
        return {**pod, "metadata": meta}
    meta["annotations"] = {**(meta.get("annotations") or {}), INDEX_ANNOTATION: str(index)}
    meta["labels"] = {**meta["labels"], INDEX_ANNOTATION: str(index)}
    meta["generateName"] = f"{name_of(job)}-{index}-"
    spec = {
        **pod["spec"],
        "containers": [_with_index(container, index) for container in pod["spec"]["containers"]],
    }
    return {**pod, "metadata": meta, "spec": spec}


def _with_index(container: Object, index: int) -> Object:
    entry = {"name": "JOB_COMPLETION_INDEX", "value": str(index)}
    others = [each for each in container.get("env") or () if each["name"] != "JOB_COMPLETION_INDEX"]
    return {**container, "env": [*others, entry]}

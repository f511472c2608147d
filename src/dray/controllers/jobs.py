"""Runs each Job's pods to completion: `completions` successes, at most `parallelism` at once, `backoffLimit` failures.

A pod of a Job carries a finalizer until its end is counted, so that deleting finished pods loses no count: the uid is
first noted in status.uncountedTerminatedPods, then the finalizer goes, then the number moves into the counters. A pod that
somebody deletes counts as failed; one that the Job itself takes away, to shrink or to pause, does not count at all. That a
Job has come to its end is told at once, that it is over once all its pods are counted and gone: Kubernetes takes no other.
podFailurePolicy, successPolicy and backoffLimitPerIndex are not supported.
Source: kubernetes pkg/controller/job, 1.36.
"""

from collections.abc import Sequence
from typing import ClassVar

from dray.api.meta import (
    Object,
    ObjectKey,
    controller_of,
    finalizers_of,
    format_time,
    is_deleting,
    name_of,
    namespace_of,
    parse_time,
    uid_of,
)
from dray.api.pods import find_condition, is_ready, is_terminal
from dray.api.resources import JOBS, PODS
from dray.controllers.base import Context, Controller, ignore_missing, index_by_owner
from dray.controllers.job_pods import (
    TRACKING_FINALIZER,
    Count,
    count,
    indexes_text,
    is_indexed,
    new_pods,
    uncounted,
)
from dray.controllers.pod_templates import PodControl, deletion_order, is_active
from dray.kits.backoff import Backoff

POD_BACKOFF = Backoff(10.0, 600.0)

TRACKED_INDEX = "tracked-by-job"

_ENDS = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}
"""The conditions of a job that is over, each with the one that announces it."""


class Jobs(Controller):
    name: ClassVar[str] = "job-controller"
    workers: ClassVar[int] = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.jobs = self.watch(JOBS)
        self.pods = index_by_owner(self.watch_owned(PODS, "Job"))
        self.pods.add_index(TRACKED_INDEX, _job_that_tracks)
        self.control = PodControl(self.client, self.pods, self.recorder)
        self._last_failure: dict[ObjectKey, str] = {}
        """By job, the time of its latest failure: the pod may be gone before its successor is due."""

    async def sync(self, key: ObjectKey) -> None:
        job = self.jobs.cache.get(key)
        await self._release(self._left_behind(key, job))
        if job is None:
            self._last_failure.pop(key, None)
            return
        pods = self.control.pods_of(job)
        if is_deleting(job):
            await self._release([pod for pod in pods if TRACKING_FINALIZER in finalizers_of(pod)])
            return
        counted = count(job, pods)
        if failure := max(map(_failure_time, counted.uncounted), default=""):
            self._last_failure[key] = max(failure, self._last_failure.get(key, ""))
        active = [pod for pod in pods if is_active(pod)]
        finish = self._verdict(job, counted)
        if finish is None:
            active = await self._scale(job, active, counted)
        elif not _is_finished(job):
            await self.control.delete(job, active)
            counted, active = counted.with_failed(active), []
        await self._report(job, active, counted, finish)
        await self._release(counted.uncounted)

    def _left_behind(self, key: ObjectKey, job: Object | None) -> list[Object]:
        """Pods that nobody counts any more: their job is gone, and another may have its name."""
        uid = uid_of(job) if job is not None else ""
        tracked = self.pods.cache.by_index(TRACKED_INDEX, str(key))
        return [pod for pod in tracked if (controller_of(pod) or {}).get("uid") != uid]

    def _verdict(self, job: Object, count: Count) -> tuple[str, str, str] | None:
        """(condition type, reason, message) once it is known how the job ends."""
        for kind, first in _ENDS.items():
            if condition := find_condition(job, kind) or find_condition(job, first):
                return kind, condition.get("reason", ""), condition.get("message", "")
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

    async def _scale(self, job: Object, active: list[Object], count: Count) -> list[Object]:
        if job["spec"].get("suspend"):
            await self._take_away(job, active)
            return []
        parallelism = int(job["spec"].get("parallelism", 1))
        completions = job["spec"].get("completions")
        if completions is None:
            wanted = len(active) if count.succeeded else parallelism
        else:
            wanted = min(parallelism, int(completions) - count.succeeded)
        if len(active) > wanted:
            surplus = sorted(active, key=deletion_order)[: len(active) - wanted]
            await self._take_away(job, surplus)
            return [pod for pod in active if pod not in surplus]
        missing = wanted - len(active)
        if missing > 0 and not self._must_wait(job, count):
            await self.control.create(job, new_pods(job, self.control.pods_of(job), count.indexes, missing))
            return [pod for pod in self.control.pods_of(job) if is_active(pod)]
        return active

    def _must_wait(self, job: Object, count: Count) -> bool:
        """Failed pods are replaced with growing delay, counted from the latest failure."""
        key = ObjectKey(namespace_of(job), name_of(job))
        last = self._last_failure.get(key)
        if not count.failed or not last:
            return False
        due = POD_BACKOFF.delay_after(count.failed - 1)
        left = due - (self.clock.now() - parse_time(last)).total_seconds()
        if left > 0:
            self.queue.add_after(key, left)
        return left > 0

    async def _take_away(self, job: Object, pods: Sequence[Object]) -> None:
        """Without a trace: these pods neither failed nor succeeded."""
        await self._release(pods)
        await self.control.delete(job, pods)

    async def _report(
        self, job: Object, active: Sequence[Object], count: Count, finish: tuple[str, str, str] | None
    ) -> None:
        now = format_time(self.clock.now())
        old = job.get("status") or {}
        status: Object = {
            key: old[key] for key in ("startTime", "completionTime", "conditions") if key in old
        }
        if not _is_finished(job):
            self._pause_or_resume(job, status, now)
        numbers = {"active": len(active), "succeeded": count.succeeded, "failed": count.failed}
        status |= {key: value for key, value in numbers.items() if value}
        status["ready"] = sum(is_ready(pod) for pod in active)
        status["terminating"] = sum(
            is_deleting(pod) and not is_terminal(pod) for pod in self.control.pods_of(job)
        )
        status["uncountedTerminatedPods"] = uncounted(count.uncounted)
        if is_indexed(job) and count.indexes:
            status["completedIndexes"] = indexes_text(count.indexes)
        if finish is not None and not _is_finished(job):
            is_over = not (active or count.uncounted or status["terminating"])
            self._finish(job, status, finish, now, is_over=is_over)
        if status != old:
            await self.client.update(JOBS, {**job, "status": status}, subresource="status")

    def _pause_or_resume(self, job: Object, status: Object, now: str) -> None:
        is_paused, told = bool(job["spec"].get("suspend")), find_condition(job, "Suspended")
        word = "suspended" if is_paused else "resumed"
        was_paused = told is not None and told["status"] == "True"
        if was_paused is not is_paused:
            condition = {
                "type": "Suspended",
                "status": str(is_paused),
                "lastProbeTime": now,
                "lastTransitionTime": now,
                "reason": f"Job{word.title()}",
                "message": f"Job {word}",
            }
            others = [each for each in status.get("conditions") or () if each["type"] != "Suspended"]
            status["conditions"] = [*others, condition]
            self.recorder.event(job, "Normal", word.title(), f"Job {word}")
        if is_paused:
            status.pop("startTime", None)
        else:
            status.setdefault("startTime", now)

    def _finish(
        self, job: Object, status: Object, finish: tuple[str, str, str], now: str, *, is_over: bool
    ) -> None:
        kind, reason, message = finish
        told = status.get("conditions") or []
        known = {each["type"] for each in told}
        due = [each for each in (_ENDS[kind], *([kind] if is_over else ())) if each not in known]
        times = {"lastProbeTime": now, "lastTransitionTime": now}
        status["conditions"] = [
            *told,
            *(
                {"type": each, "status": "True", **times, "reason": reason, "message": message}
                for each in due
            ),
        ]
        if is_over and kind == "Complete":
            status["completionTime"] = now
            self.recorder.event(job, "Normal", "Completed", "Job completed")
        elif is_over:
            self.recorder.event(job, "Warning", reason, message)

    async def _release(self, pods: Sequence[Object]) -> None:
        for pod in pods:
            kept = [each for each in finalizers_of(pod) if each != TRACKING_FINALIZER]
            # Kubernetes lets this controller patch pods, and not update them.
            meta = {"resourceVersion": pod["metadata"]["resourceVersion"], "finalizers": kept}
            patch = {"metadata": meta}
            await ignore_missing(self.client.patch(PODS, name_of(pod), patch, namespace_of(pod)))


def _job_that_tracks(pod: Object) -> tuple[str, ...]:
    owner = controller_of(pod)
    if owner is None or owner["kind"] != "Job" or TRACKING_FINALIZER not in finalizers_of(pod):
        return ()
    return (str(ObjectKey(namespace_of(pod), owner["name"])),)


def _is_finished(job: Object) -> bool:
    return find_condition(job, "Complete") is not None or find_condition(job, "Failed") is not None


def _failure_time(pod: Object) -> str:
    """ "" for a pod that did not fail."""
    if is_deleting(pod) and not is_terminal(pod):
        return str(pod["metadata"]["deletionTimestamp"])
    if (pod.get("status") or {}).get("phase") != "Failed":
        return ""
    ends = [
        str(state["terminated"].get("finishedAt") or "")
        for container in pod["status"].get("containerStatuses") or ()
        if (state := container.get("state") or {}).get("terminated")
    ]
    return max(ends, default="")

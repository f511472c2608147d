"""Removes Jobs that ended `ttlSecondsAfterFinished` ago, with their pods. Source: kubernetes pkg/controller/ttlafterfinished."""

from typing import ClassVar

from dray.api import errors
from dray.api.meta import Object, ObjectKey, is_deleting, parse_time, uid_of
from dray.api.pods import find_condition
from dray.api.resources import JOBS
from dray.controllers.base import Context, Controller


class FinishedJobs(Controller):
    name: ClassVar[str] = "ttl-after-finished-controller"
    workers: ClassVar[int] = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.jobs = self.watch(JOBS)

    async def sync(self, key: ObjectKey) -> None:
        job = self.jobs.cache.get(key)
        if job is None or is_deleting(job):
            return
        left = self._seconds_left(job)
        if left is None:
            return
        if left > 0:
            self.queue.add_after(key, left)
            return
        try:
            await self.client.delete(
                JOBS, key.name, key.namespace, uid=uid_of(job), propagation_policy="Foreground"
            )
        except errors.NotFound:
            return

    def _seconds_left(self, job: Object) -> float | None:
        """None while the job runs, or where it is to stay."""
        life = job["spec"].get("ttlSecondsAfterFinished")
        end = _end_of(job)
        if life is None or end is None:
            return None
        return float(life) - (self.clock.now() - parse_time(end)).total_seconds()


def _end_of(job: Object) -> str | None:
    for kind in ("Complete", "Failed"):
        condition = find_condition(job, kind)
        if condition is not None and condition["status"] == "True":
            return str(condition["lastTransitionTime"])
    return None

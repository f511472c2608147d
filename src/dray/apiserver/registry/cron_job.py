"""CronJob: jobs on a schedule."""

import datetime as dt

from dray.api.duration import age
from dray.api.meta import Object
from dray.api.resources import CRON_JOBS
from dray.api.validation.core.cron_job import validate_cron_job, validate_cron_job_update
from dray.apiserver.registry.columns import (
    AGE,
    NAME,
    NONE,
    at,
    container_images,
    container_names,
    find,
    label_selector,
    wide,
)
from dray.apiserver.registry.job import default_policy, job_warnings
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.pod_defaults import default_template
from dray.apiserver.registry.templates import checks_pods, checks_pods_update, drops_disabled
from dray.apiserver.registry.writes import clear_status, in_turn, keep_spec, keep_status

_ZONE = (
    "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see "
    "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    for field, value in (
        ("concurrencyPolicy", "Allow"),
        ("suspend", False),
        ("successfulJobsHistoryLimit", 3),
        ("failedJobsHistoryLimit", 1),
    ):
        if spec.get(field) is None:
            spec[field] = value
    job = spec.setdefault("jobTemplate", {}).setdefault("spec", {})
    default_template(job.setdefault("template", {}))
    default_policy(job)


def _last_schedule(obj: Object, now: dt.datetime) -> str:
    last = find(obj, "status", "lastScheduleTime")
    return age(last, now) if last else NONE


_TEMPLATE = ("spec", "jobTemplate", "spec", "template")
_DROP = drops_disabled(*_TEMPLATE)
_WARN = job_warnings("spec", "jobTemplate", "spec")


def _warnings(context: WriteContext, obj: Object) -> list[str]:
    found = _WARN(context, obj)
    if context.old is not None and "TZ" in find(obj, "spec", "schedule", default=""):
        found.append(_ZONE)
    return found


CRON_JOB = Kind(
    CRON_JOBS,
    singular="cronjob",
    short_names=("cj",),
    categories=("all",),
    columns=(
        NAME,
        Column("Schedule", at("spec", "schedule"), description="When it runs, in cron's notation."),
        Column("Timezone", at("spec", "timeZone", default=NONE), description="Time zone of the schedule."),
        Column(
            "Suspend",
            lambda obj, now: str(bool(find(obj, "spec", "suspend"))),
            type="boolean",
            description="Whether it pauses.",
        ),
        Column(
            "Active",
            lambda obj, now: len(find(obj, "status", "active", default=())),
            type="integer",
            description="Jobs that run now.",
        ),
        Column("Last Schedule", _last_schedule, description="Time since a job was started."),
        AGE,
        wide("Containers", container_names(*_TEMPLATE), "Containers of the template."),
        wide("Images", container_images(*_TEMPLATE), "Images of the template."),
        wide(
            "Selector",
            lambda obj, now: label_selector(find(obj, "spec", "jobTemplate", "spec", "selector")),
            "Its pods.",
        ),
    ),
    default=_default,
    prepare_create=in_turn(clear_status, _DROP),
    prepare_update=in_turn(keep_status, _DROP),
    validate_create=checks_pods(validate_cron_job),
    validate_update=checks_pods_update(validate_cron_job_update, *_TEMPLATE),
    status=StatusStrategy(keep_spec, metadata_checks=()),
    has_generation=True,
    warnings=_warnings,
)

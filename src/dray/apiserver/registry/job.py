"""Job and CronJob: pods that are to finish, once or on a schedule."""

import datetime as dt

from dray.api.duration import age, human_duration
from dray.api.meta import Object, parse_time, uid_of
from dray.api.pods import condition_status
from dray.api.resources import CRON_JOBS, JOBS
from dray.api.validation.core.job import (
    validate_cron_job,
    validate_cron_job_update,
    validate_job,
    validate_job_update,
)
from dray.api.validation.lists import items_of
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
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.pod_defaults import default_template
from dray.apiserver.registry.templates import (
    CONTAINERS,
    IMAGES,
    SELECTOR,
    checks,
    checks_update,
    template_warnings,
)
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status

_MAX_INT32 = 2**31 - 1
_KEPT = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or "
    "set propagationPolicy=Orphan to suppress this warning"
)
_OUTCOMES = ("Complete", "Failed")
_STATES = ("Suspended", "FailureTarget", "SuccessCriteriaMet")


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec.setdefault("template", {}))
    _default_policy(spec)
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    indexed = spec.get("backoffLimitPerIndex") is not None
    replacement = "Failed" if spec.get("podFailurePolicy") is not None else "TerminatingOrFailed"
    for field, value in (
        ("parallelism", 1),
        ("backoffLimit", _MAX_INT32 if indexed else 6),
        ("completionMode", "NonIndexed"),
        ("suspend", False),
        ("manualSelector", False),
        ("podReplacementPolicy", replacement),
    ):
        if spec.get(field) is None:
            spec[field] = value
    labels = find(spec, "template", "metadata", "labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = labels  # the same: what the pods' labels become these become, too


def _default_policy(spec: Object) -> None:
    """A condition of a pod that is named in a failure policy is one that holds."""
    for rule in items_of((spec.get("podFailurePolicy") or {}).get("rules")):
        if rule.get("onPodConditions"):
            rule["onPodConditions"] = items_of(rule["onPodConditions"])
        for pattern in rule.get("onPodConditions") or ():
            if not pattern.get("status"):
                pattern["status"] = "True"


def _prepare_create(context: WriteContext, obj: Object) -> None:
    clear_status(context, obj)
    spec = obj["spec"]
    if not spec.get("manualSelector"):
        _own_pods(obj, spec)


def _own_pods(obj: Object, spec: Object) -> None:
    """A job tells its pods from all others by its own uid."""
    uid, name = uid_of(obj), obj["metadata"].get("name") or ""
    meta = spec["template"].setdefault("metadata", {})
    before = meta.get("labels")
    meta["labels"] = {
        **(before or {}),
        "controller-uid": uid,
        "job-name": name,
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
    }
    if before and obj["metadata"].get("labels") is before:
        obj["metadata"]["labels"] = dict(meta["labels"])
    selector = spec.get("selector") or {}
    own = {"batch.kubernetes.io/controller-uid": uid}
    spec["selector"] = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **own}}


def _status(job: Object, now: dt.datetime) -> str:
    for condition in _OUTCOMES:
        if condition_status(job, condition) == "True":
            return condition
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for condition in _STATES:
        if condition_status(job, condition) == "True":
            return condition
    return "Running"


def _completions(job: Object, now: dt.datetime) -> str:
    done = find(job, "status", "succeeded", default=0)
    wanted, parallel = find(job, "spec", "completions"), find(job, "spec", "parallelism", default=0)
    if wanted is not None:
        return f"{done}/{wanted}"
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _duration(job: Object, now: dt.datetime) -> str:
    started, ended = find(job, "status", "startTime"), find(job, "status", "completionTime")
    if not started:
        return ""
    end = parse_time(ended) if ended else now
    return human_duration((end - parse_time(started)).total_seconds())


JOB = Kind(
    JOBS,
    singular="job",
    keeps_dependents=True,
    kept_warning=_KEPT,
    categories=("all",),
    columns=(
        NAME,
        Column("Status", _status, description="Whether it runs, or how it ended."),
        Column("Completions", _completions, description="Pods that succeeded, of all wanted."),
        Column("Duration", _duration, description="How long it took, or takes so far."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=keep_status,
    validate_create=checks(validate_job),
    validate_update=checks_update(validate_job_update),
    status=StatusStrategy(keep_spec),
    has_generation=True,
    field_labels={"status.successful": lambda job: str(find(job, "status", "succeeded", default=0))},
    warnings=template_warnings("spec", "template"),
)


def _default_cron(obj: Object, version: str) -> None:
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
    _default_policy(job)


def _last_schedule(obj: Object, now: dt.datetime) -> str:
    last = find(obj, "status", "lastScheduleTime")
    return age(last, now) if last else NONE


_TEMPLATE = ("spec", "jobTemplate", "spec", "template")

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
    default=_default_cron,
    prepare_create=clear_status,
    prepare_update=keep_status,
    validate_create=checks(validate_cron_job),
    validate_update=checks_update(validate_cron_job_update),
    status=StatusStrategy(keep_spec),
    has_generation=True,
    warnings=template_warnings("spec", "jobTemplate", "spec", "template"),
)

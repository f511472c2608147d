"""Job: pods that are to finish."""

import datetime as dt
from collections.abc import Callable

from dray.api.duration import human_duration
from dray.api.fields import FieldError
from dray.api.meta import Object, parse_time, uid_of
from dray.api.pods import condition_status
from dray.api.resources import JOBS
from dray.api.validation.core.job import (
    NAME_LABEL,
    OLD_NAME_LABEL,
    OLD_UID_LABEL,
    UID_LABEL,
    changes_of,
    validate_job,
    validate_job_update,
)
from dray.api.validation.core.job_status import validate_job_status
from dray.api.validation.lists import items_of
from dray.api.validation.pod.rules import pod_rules
from dray.apiserver.registry.columns import (
    AGE,
    NAME,
    find,
)
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.pod_defaults import default_template
from dray.apiserver.registry.templates import (
    CONTAINERS,
    IMAGES,
    SELECTOR,
    checks_pods,
    checks_update,
    drops_disabled,
    generation_of,
    template_warnings,
)
from dray.apiserver.registry.writes import clear_status, in_turn, keep_spec, keep_status, old_of

_MAX_INT32 = 2**31 - 1
_KEPT = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or "
    "set propagationPolicy=Orphan to suppress this warning"
)
_MANY, _FEW = 100_000, 10_000
_TOO_MANY = (
    "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might "
    "not be able to track completedIndexes when a big number of indexes fail"
)
_OUTCOMES = ("Complete", "Failed")
_STATES = ("Suspended", "FailureTarget", "SuccessCriteriaMet")


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec.setdefault("template", {}))
    default_policy(spec)
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


def default_policy(spec: Object) -> None:
    """A condition of a pod that is named in a failure policy is one that holds."""
    for rule in items_of((spec.get("podFailurePolicy") or {}).get("rules")):
        if rule.get("onPodConditions"):
            rule["onPodConditions"] = items_of(rule["onPodConditions"])
        for pattern in rule.get("onPodConditions") or ():
            if not pattern.get("status"):
                pattern["status"] = "True"


_DROP = drops_disabled("spec", "template")


def _prepare_create(context: WriteContext, obj: Object) -> None:
    clear_status(context, obj)
    _DROP(context, obj)
    spec = obj["spec"]
    if not spec.get("manualSelector"):
        _own_pods(obj, spec)


def _own_pods(obj: Object, spec: Object) -> None:
    """A job tells its pods from all others by its own uid. What is said otherwise already is left to be refused."""
    uid, name = uid_of(obj), obj["metadata"].get("name") or ""
    meta = spec["template"].setdefault("metadata", {})
    before = meta.get("labels")
    own = {OLD_NAME_LABEL: name, NAME_LABEL: name, OLD_UID_LABEL: uid, UID_LABEL: uid}
    meta["labels"] = _sorted({**own, **(before or {})})
    if before and obj["metadata"].get("labels") is before:
        obj["metadata"]["labels"] = dict(meta["labels"])
    selector = spec.get("selector") or {}
    wanted = {UID_LABEL: uid, **(selector.get("matchLabels") or {})}
    spec["selector"] = {**selector, "matchLabels": _sorted(wanted)}


def _sorted(labels: Object) -> Object:
    return dict(sorted(labels.items()))


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


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    old = old_of(context)
    rules = pod_rules(context.features, find(old, "spec", "template", "spec", default={}))
    return validate_job_update(obj, old, rules, changes_of(old, context.features))


def job_warnings(*path: str) -> Callable[[WriteContext, Object], list[str]]:
    """`path` is that of the job's spec."""
    of_template = template_warnings(*path, "template", names_pods=True)

    def told(context: WriteContext, obj: Object) -> list[str]:
        found = of_template(context, obj)
        if context.old is not None and generation_of(obj) == generation_of(context.old):
            return found
        spec = find(obj, *path, default={})
        completions, parallel = spec.get("completions") or 0, spec.get("parallelism") or 0
        if spec.get("completionMode") == "Indexed" and completions > _MANY and parallel > _FEW:
            is_named = found and found[0].startswith("metadata.name")
            found.insert(1 if is_named else 0, f"{'.'.join(path)}: {_TOO_MANY}")
        return found

    return told


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
    prepare_update=in_turn(keep_status, _DROP),
    metadata_checks=("whole",),
    validate_create=checks_pods(validate_job),
    validate_update=_validate_update,
    status=StatusStrategy(keep_spec, checks_update(validate_job_status)),
    has_generation=True,
    field_labels={"status.successful": lambda job: str(find(job, "status", "succeeded", default=0))},
    warnings=job_warnings("spec"),
)

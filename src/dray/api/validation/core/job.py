"""Job and CronJob: how many pods, what counts as done or failed, and when."""

from typing import Final

from dray.api import names
from dray.api.fields import ErrorType, FieldError, Path, invalid, not_supported, required, too_long
from dray.api.meta import Object
from dray.api.validation.core.job_policies import validate_failure_policy, validate_success_policy
from dray.api.validation.core.schedule import schedule_problem, zone_problem
from dray.api.validation.core.workloads import MISMATCH, labels_of, matches_template, not_negative
from dray.api.validation.domain_names import validate_prefixed_path
from dray.api.validation.label_selector import validate_label_selector
from dray.api.validation.meta import IMMUTABLE
from dray.api.validation.pod.spec import validate_template
from dray.api.validation.sameness import same

_SPEC: Final = Path("spec")
_COUNTS: Final = (
    "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
    "backoffLimitPerIndex", "maxFailedIndexes",
)  # fmt: skip
_MODES: Final = ("NonIndexed", "Indexed")
_REPLACEMENTS: Final = ("Failed", "TerminatingOrFailed")
_MANAGER_MAX: Final = 63
_MANY: Final = 100000
"""More completions than this are allowed only with less beside them."""
_FEW: Final = 10000
_CRON_NAME_MAX: Final = 52
_ZONE_IN_SCHEDULE: Final = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
_TWO_ZONES: Final = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
_LOCAL_ZONE: Final = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"


def validate_job(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = validate_job_spec(spec, _SPEC)
    selector, template = spec.get("selector"), spec.get("template") or {}
    if selector is None:
        return [*errors, required(_SPEC.child("selector"))]
    errors += validate_label_selector(selector, _SPEC.child("selector"))
    if not matches_template(selector, template):
        errors.append(invalid(_SPEC.child("template", "metadata", "labels"), labels_of(template), MISMATCH))
    return errors


def validate_job_update(new: Object, old: Object) -> list[FieldError]:
    """The template and the selector of a job stay; so do completions, unless they follow parallelism."""
    errors = validate_job(new)
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if not same(spec.get("selector"), before.get("selector")):
        errors.append(invalid(_SPEC.child("selector"), spec.get("selector"), IMMUTABLE))
    may_change = before.get("suspend") and not (old.get("status") or {}).get("startTime")
    if not may_change and not same(spec.get("template"), before.get("template")):
        errors.append(invalid(_SPEC.child("template"), spec.get("template"), IMMUTABLE))
    indexed = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    if spec.get("completions") != before.get("completions") and not indexed:
        errors.append(invalid(_SPEC.child("completions"), spec.get("completions"), IMMUTABLE))
    if spec.get("completionMode") != before.get("completionMode"):
        errors.append(invalid(_SPEC.child("completionMode"), spec.get("completionMode"), IMMUTABLE))
    return errors


def validate_job_spec(spec: Object, path: Path) -> list[FieldError]:
    """All but the selector."""
    errors = not_negative(spec, _COUNTS, path)
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        errors.append(required(path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified"))
    if (manager := spec.get("managedBy")) is not None:
        errors += validate_prefixed_path(manager, path.child("managedBy"))
        if names.byte_length(manager) > _MANAGER_MAX:
            errors.append(too_long(path.child("managedBy"), _MANAGER_MAX))
    errors += _validate_mode(spec, path)
    template = spec.get("template") or {}
    if spec.get("podFailurePolicy") is not None:
        errors += validate_failure_policy(spec, path.child("podFailurePolicy"))
    if spec.get("successPolicy") is not None:
        errors += validate_success_policy(spec, path.child("successPolicy"))
    errors += _validate_replacement(spec, path.child("podReplacementPolicy"))
    errors += validate_template(template, path.child("template"))
    return errors + _check_restarts(spec, template, path.child("template", "spec", "restartPolicy"))


def _validate_mode(spec: Object, path: Path) -> list[FieldError]:
    mode = spec.get("completionMode")
    errors: list[FieldError] = []
    if mode is not None and mode not in _MODES:
        errors.append(not_supported(path.child("completionMode"), mode, _MODES, in_order=True))
    if mode == "Indexed":
        errors += _validate_indexes(spec, path)
    if mode in (None, "NonIndexed"):
        errors += [
            invalid(path.child(field), spec[field], "requires indexed completion mode")
            for field in ("backoffLimitPerIndex", "maxFailedIndexes")
            if spec.get(field) is not None
        ]
    return errors


def _validate_indexes(spec: Object, path: Path) -> list[FieldError]:
    completions, parallel, failed = (
        spec.get(field) for field in ("completions", "parallelism", "maxFailedIndexes")
    )
    errors: list[FieldError] = []
    if completions is None:
        errors.append(required(path.child("completions"), "when completion mode is Indexed"))
    if parallel is not None and parallel > _MANY:
        text = f"must be less than or equal to {_MANY} when completion mode is Indexed"
        errors.append(invalid(path.child("parallelism"), parallel, text))
    if completions is not None and failed is not None and failed > completions:
        text = "must be less than or equal to completions"
        errors.append(invalid(path.child("maxFailedIndexes"), failed, text))
    if failed is not None and failed > _MANY:
        errors.append(
            invalid(path.child("maxFailedIndexes"), failed, f"must be less than or equal to {_MANY}")
        )
    if completions is None or completions <= _MANY or spec.get("backoffLimitPerIndex") is None:
        return errors
    if failed is None:
        text = f"must be specified when completions is above {_MANY}"
        errors.append(required(path.child("maxFailedIndexes"), text))
    text = f"must be less than or equal to {_FEW} when completions are above {_MANY} and used with backoff limit per index"
    for field, value in (("parallelism", parallel), ("maxFailedIndexes", failed)):
        if value is not None and value > _FEW:
            errors.append(invalid(path.child(field), value, text))
    return errors


def _validate_replacement(spec: Object, path: Path) -> list[FieldError]:
    """Where failures are judged one by one, a pod is replaced only once it has failed."""
    policy = spec.get("podReplacementPolicy")
    allowed = _REPLACEMENTS[:1] if spec.get("podFailurePolicy") is not None else _REPLACEMENTS
    return [] if policy is None or policy in allowed else [not_supported(path, policy, allowed)]


def _check_restarts(spec: Object, template: Object, path: Path) -> list[FieldError]:
    policy = (template.get("spec") or {}).get("restartPolicy") or ""
    if policy in ("", "Always"):
        return [required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [not_supported(path, policy, ("OnFailure", "Never"), in_order=True)]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        return [invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []


def validate_cron_job(obj: Object) -> list[FieldError]:
    errors = _validate_cron_spec(obj, None)
    name = obj["metadata"].get("name") or ""
    if names.byte_length(name) > _CRON_NAME_MAX:
        errors.append(invalid(Path("metadata.name"), name, names.too_long(_CRON_NAME_MAX)))
    return errors


def validate_cron_job_update(new: Object, old: Object) -> list[FieldError]:
    return _validate_cron_spec(new, old.get("spec") or {})


def _validate_cron_spec(obj: Object, before: Object | None) -> list[FieldError]:
    spec = obj.get("spec") or {}
    zone = spec.get("timeZone")
    errors = _validate_schedule(spec.get("schedule") or "", zone, before)
    errors += not_negative(spec, ("startingDeadlineSeconds",))
    if before is None or before.get("timeZone") != zone:
        errors += _validate_zone(zone, _SPEC.child("timeZone"))
    policy, choices, at = (
        spec.get("concurrencyPolicy") or "",
        ("Allow", "Forbid", "Replace"),
        "concurrencyPolicy",
    )
    if not policy:
        errors.append(required(_SPEC.child(at)))
    elif policy not in choices:
        errors.append(not_supported(_SPEC.child(at), policy, choices))
    job, path = (spec.get("jobTemplate") or {}).get("spec") or {}, _SPEC.child("jobTemplate", "spec")
    errors += validate_job_spec(job, path)
    if job.get("selector") is not None:
        errors.append(invalid(path.child("selector"), job["selector"], "`selector` will be auto-generated"))
    if job.get("manualSelector"):
        # Kubernetes shows the flag as it is, and what it may be as texts.
        at_flag, choices_shown = str(path.child("manualSelector")), 'supported values: "nil", "false"'
        errors.append(FieldError(ErrorType.NOT_SUPPORTED, at_flag, True, choices_shown))
    return errors + not_negative(spec, ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"))


def _validate_schedule(schedule: str, zone: str | None, before: Object | None) -> list[FieldError]:
    """A zone in the schedule is something of old that may stay."""
    at = _SPEC.child("schedule")
    if not schedule:
        return [required(at)]
    problem = schedule_problem(schedule)
    errors = [invalid(at, schedule, problem)] if problem else []
    if "TZ" not in schedule:
        return errors
    if before is None or "TZ" not in (before.get("schedule") or ""):
        errors.append(invalid(at, schedule, _ZONE_IN_SCHEDULE))
    elif zone is not None:
        errors.append(invalid(at, schedule, _TWO_ZONES))
    return errors


def _validate_zone(zone: str | None, path: Path) -> list[FieldError]:
    if zone is None:
        return []
    if not zone:
        return [invalid(path, zone, "timeZone must be nil or non-empty string")]
    errors = [invalid(path, zone, _LOCAL_ZONE)] if zone.lower() == "local" else []
    problem = zone_problem(zone)
    return [*errors, invalid(path, zone, problem)] if problem else errors

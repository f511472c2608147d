"""CronJob: jobs on a schedule."""

from typing import Final

from dray.api import names
from dray.api.fields import ErrorType, FieldError, Path, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.core.job import validate_job_spec
from dray.api.validation.core.schedule import schedule_problem, zone_problem
from dray.api.validation.core.workload_parts import SPEC, not_negative, shown_selector
from dray.api.validation.pod.rules import NEW_POD, PodRules

_CRON_NAME_MAX: Final = 52
_ZONE_IN_SCHEDULE: Final = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
_TWO_ZONES: Final = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
_LOCAL_ZONE: Final = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"


def validate_cron_job(obj: Object, rules: PodRules = NEW_POD) -> list[FieldError]:
    errors = _validate_spec(obj, None, rules)
    name = obj["metadata"].get("name") or ""
    if names.byte_length(name) > _CRON_NAME_MAX:
        errors.append(invalid(Path("metadata.name"), name, names.too_long(_CRON_NAME_MAX)))
    return errors


def validate_cron_job_update(new: Object, old: Object, rules: PodRules = NEW_POD) -> list[FieldError]:
    return _validate_spec(new, old.get("spec") or {}, rules)


def _validate_spec(obj: Object, before: Object | None, rules: PodRules) -> list[FieldError]:
    spec = obj.get("spec") or {}
    zone = spec.get("timeZone")
    errors = _validate_schedule(spec.get("schedule") or "", zone, before)
    errors += not_negative(spec, ("startingDeadlineSeconds",))
    if before is None or before.get("timeZone") != zone:
        errors += _validate_zone(zone, SPEC.child("timeZone"))
    policy, choices, at = (
        spec.get("concurrencyPolicy") or "",
        ("Allow", "Forbid", "Replace"),
        "concurrencyPolicy",
    )
    if not policy:
        errors.append(required(SPEC.child(at)))
    elif policy not in choices:
        errors.append(not_supported(SPEC.child(at), policy, choices))
    job, path = (spec.get("jobTemplate") or {}).get("spec") or {}, SPEC.child("jobTemplate", "spec")
    errors += validate_job_spec(job, path, rules)
    if job.get("selector") is not None:
        errors.append(
            invalid(
                path.child("selector"), shown_selector(job["selector"]), "`selector` will be auto-generated"
            )
        )
    if job.get("manualSelector"):
        # Kubernetes shows the flag as it is, and what it may be as texts.
        at_flag, choices_shown = str(path.child("manualSelector")), 'supported values: "nil", "false"'
        errors.append(FieldError(ErrorType.NOT_SUPPORTED, at_flag, True, choices_shown))
    return errors + not_negative(spec, ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"))


def _validate_schedule(schedule: str, zone: str | None, before: Object | None) -> list[FieldError]:
    """A zone in the schedule is something of old that may stay."""
    at = SPEC.child("schedule")
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

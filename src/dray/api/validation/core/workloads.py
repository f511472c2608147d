"""Workloads: what makes pods from a template (DaemonSet, Deployment, ReplicaSet, StatefulSet, Job, CronJob)."""

from typing import Any

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.selectors import SelectorError, label_selector_of
from dray.api.validation.core.volume_claim import validate_claim_spec
from dray.api.validation.label_selector import is_empty, validate_label_selector
from dray.api.validation.lists import items_of
from dray.api.validation.meta import IMMUTABLE, validate_annotations, validate_labels
from dray.api.validation.pod.spec import validate_template
from dray.api.validation.sameness import same

SPEC = Path("spec")

_MISMATCH = "`selector` does not match template `labels`"
_NOT_NEGATIVE = "must be greater than or equal to 0"


def validate_daemon_set(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    selector, template = spec.get("selector"), spec.get("template") or {}
    errors = validate_label_selector(selector, SPEC.child("selector"))
    errors += _check_match(selector, template)
    if selector is not None and is_empty(selector):
        errors.append(invalid(SPEC.child("selector"), selector, "empty selector is invalid for daemonset"))
    errors += validate_template(template, SPEC.child("template"))
    errors += _check_template_policy(template, "DaemonSet")
    errors += _not_negative(spec, ("minReadySeconds",))
    errors += _validate_daemon_strategy(spec.get("updateStrategy") or {}, SPEC.child("updateStrategy"))
    return errors + _not_negative(spec, ("revisionHistoryLimit",))


def validate_daemon_set_update(new: Object, old: Object) -> list[FieldError]:
    return validate_selector_unchanged(new, old) + validate_daemon_set(new)


def validate_deployment(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = _not_negative(spec, ("replicas",))
    errors += _validate_replicated(spec, "deployment")
    errors += _validate_deployment_strategy(spec.get("strategy") or {}, SPEC.child("strategy"))
    errors += _not_negative(spec, ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"))
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds") or 0
    if deadline is not None and deadline <= ready:
        at = SPEC.child("progressDeadlineSeconds")
        errors.append(invalid(at, deadline, "must be greater than minReadySeconds"))
    return errors


def validate_replica_set(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = _not_negative(spec, ("replicas", "minReadySeconds"))
    return errors + _validate_replicated(spec, "replicaset")


_RETENTIONS = ("Retain", "Delete")


def validate_stateful_set(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = _not_negative(spec, ("replicas", "minReadySeconds", "revisionHistoryLimit"))
    policy = spec.get("podManagementPolicy") or ""
    if policy not in ("OrderedReady", "Parallel"):
        text = "must be 'OrderedReady' or 'Parallel'"
        errors.append(invalid(SPEC.child("podManagementPolicy"), policy, text))
    name, at = spec.get("serviceName") or "", SPEC.child("serviceName")
    errors += [invalid(at, name, text) for text in names.dns_label(name)] if name else []
    for field, policy in (spec.get("persistentVolumeClaimRetentionPolicy") or {}).items():
        if policy and policy not in _RETENTIONS:
            at = SPEC.child("persistentVolumeClaimRetentionPolicy", field)
            errors.append(not_supported(at, policy, _RETENTIONS, in_order=True))
    errors += _validate_replicated(spec, "statefulset")
    at = SPEC.child("volumeClaimTemplates")
    for index, template in enumerate(items_of(spec.get("volumeClaimTemplates"))):
        errors += validate_claim_spec(template.get("spec") or {}, at.index(index).child("spec"))
    return errors


def validate_selector_unchanged(new: Object, old: Object) -> list[FieldError]:
    selector = (new.get("spec") or {}).get("selector")
    if same(selector, (old.get("spec") or {}).get("selector")):
        return []
    return [invalid(SPEC.child("selector"), selector, IMMUTABLE)]


def validate_job(obj: Object) -> list[FieldError]:
    return validate_job_spec(obj.get("spec") or {}, SPEC)


def validate_job_update(new: Object, old: Object) -> list[FieldError]:
    """The template and the selector of a job stay; so do completions, unless they follow parallelism."""
    errors = validate_job(new)
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if not same(spec.get("selector"), before.get("selector")):
        errors.append(invalid(SPEC.child("selector"), spec.get("selector"), IMMUTABLE))
    may_change = before.get("suspend") and not (old.get("status") or {}).get("startTime")
    if not may_change and not same(spec.get("template"), before.get("template")):
        errors.append(invalid(SPEC.child("template"), spec.get("template"), IMMUTABLE))
    indexed = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    if spec.get("completions") != before.get("completions") and not indexed:
        errors.append(invalid(SPEC.child("completions"), spec.get("completions"), IMMUTABLE))
    if spec.get("completionMode") != before.get("completionMode"):
        errors.append(invalid(SPEC.child("completionMode"), spec.get("completionMode"), IMMUTABLE))
    return errors


_JOB_COUNTS = (
    "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
    "backoffLimitPerIndex", "maxFailedIndexes",
)  # fmt: skip


def validate_job_spec(spec: Object, path: Path, *, selector_needed: bool = True) -> list[FieldError]:
    errors = _not_negative(spec, _JOB_COUNTS, path)
    mode = spec.get("completionMode")
    if mode is not None and mode not in ("Indexed", "NonIndexed"):
        errors.append(not_supported(path.child("completionMode"), mode, ("Indexed", "NonIndexed")))
    if mode == "Indexed" and spec.get("completions") is None:
        text = "when completion mode is Indexed"
        errors.append(required(path.child("completions"), text))
    template = spec.get("template") or {}
    at = path.child("template")
    if selector_needed:
        if spec.get("selector") is None:
            errors.append(required(path.child("selector")))
        else:
            errors += validate_label_selector(spec["selector"], path.child("selector"))
            if not _matches(spec["selector"], template):
                text = _MISMATCH
                errors.append(invalid(at.child("metadata", "labels"), _labels(template), text))
    errors += validate_template(template, at)
    return errors + _check_job_policy(template, at.child("spec", "restartPolicy"))


def validate_cron_job(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    schedule, at = spec.get("schedule") or "", SPEC.child("schedule")
    errors: list[FieldError] = []
    if not schedule:
        errors.append(required(at))
    elif problem := _schedule_problem(schedule):
        errors.append(invalid(at, schedule, problem))
    errors += _not_negative(
        spec, ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
    )
    policy, choices = spec.get("concurrencyPolicy") or "", ("Allow", "Forbid", "Replace")
    if not policy:
        errors.append(required(SPEC.child("concurrencyPolicy")))
    elif policy not in choices:
        errors.append(not_supported(SPEC.child("concurrencyPolicy"), policy, choices))
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    errors += validate_job_spec(job, SPEC.child("jobTemplate", "spec"), selector_needed=False)
    name = obj["metadata"].get("name") or ""
    if len(name) > _CRON_NAME_MAX:
        at = Path("metadata.name")
        errors.append(invalid(at, name, names.too_long(_CRON_NAME_MAX)))
    return errors


_CRON_NAME_MAX = 52
_CRON_NICKNAMES = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


def _schedule_problem(schedule: str) -> str:
    """Why `schedule` is no cron expression of five fields; "" if it may be one."""
    if schedule.startswith("@"):
        every = schedule.startswith("@every ")
        return "" if every or schedule in _CRON_NICKNAMES else f"unrecognized descriptor: {schedule}"
    fields = schedule.split()
    if len(fields) != 5:
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    return ""


def _validate_replicated(spec: Object, kind: str) -> list[FieldError]:
    """Selector and template of what keeps a number of pods."""
    selector, template = spec.get("selector"), spec.get("template") or {}
    at = SPEC.child("selector")
    errors: list[FieldError] = []
    if selector is None:
        errors.append(required(at))
    else:
        errors += validate_label_selector(selector, at)
        if is_empty(selector):
            errors.append(invalid(at, selector, f"empty selector is invalid for {kind}"))
        else:
            errors += _check_match(selector, template)
    if kind == "statefulset":  # whose templates Kubernetes looks at once more
        meta, at = template.get("metadata") or {}, SPEC.child("template")
        errors += validate_labels(meta.get("labels") or {}, at.child("labels"))
        errors += validate_annotations(meta.get("annotations") or {}, at.child("annotations"))
    errors += validate_template(template, SPEC.child("template"))
    return errors + _check_template_policy(template, "ReplicaSet")


def _check_match(selector: Object | None, template: Object) -> list[FieldError]:
    if _matches(selector, template):
        return []
    return [invalid(SPEC.child("template", "metadata", "labels"), _labels(template), _MISMATCH)]


def _matches(selector: Object | None, template: Object) -> bool:
    """Whether the selector chooses the template's pods; a selector that is no selector is judged elsewhere."""
    try:
        parsed = label_selector_of(selector)
    except (SelectorError, KeyError):
        return True
    return parsed is not None and parsed.matches(_labels(template) or {})


def _labels(template: Object) -> Any:
    return (template.get("metadata") or {}).get("labels")


def _check_template_policy(template: Object, kind: str) -> list[FieldError]:
    """Pods of a workload that lasts are always restarted."""
    spec = template.get("spec") or {}
    at = SPEC.child("template", "spec")
    errors: list[FieldError] = []
    policy = spec.get("restartPolicy") or ""
    if policy != "Always":
        errors.append(not_supported(at.child("restartPolicy"), policy, ("Always",)))
    if spec.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        errors.append(forbidden(at.child("activeDeadlineSeconds"), text))
    return errors


def _check_job_policy(template: Object, path: Path) -> list[FieldError]:
    policy = (template.get("spec") or {}).get("restartPolicy") or ""
    if policy == "Always":
        return [required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [not_supported(path, policy, ("OnFailure", "Never"), in_order=True)]
    return []


def _not_negative(spec: Object, fields: tuple[str, ...], path: Path = SPEC) -> list[FieldError]:
    return [
        invalid(path.child(field), spec[field], _NOT_NEGATIVE)
        for field in fields
        if spec.get(field) is not None and spec[field] < 0
    ]


def _validate_daemon_strategy(strategy: Object, path: Path) -> list[FieldError]:
    kind = strategy.get("type") or ""
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        choices = ("RollingUpdate", "OnDelete")
        return [not_supported(path.child("type"), kind, choices, in_order=True)]
    if strategy.get("rollingUpdate") is None:
        return [required(path.child("rollingUpdate"))]
    at, rolling = path.child("rollingUpdate"), strategy["rollingUpdate"]
    errors = _validate_portions(rolling, at)
    surge, unavailable = rolling.get("maxSurge") or 0, rolling.get("maxUnavailable") or 0
    if _portion(surge) and _portion(unavailable):
        text = "may not be set when maxUnavailable is non-zero"
        errors.append(invalid(at.child("maxSurge"), surge, text))
    elif not _portion(surge) and not _portion(unavailable):
        errors.append(required(at.child("maxUnavailable"), "cannot be 0 when maxSurge is 0"))
    return errors


def _validate_deployment_strategy(strategy: Object, path: Path) -> list[FieldError]:
    kind = strategy.get("type") or ""
    rolling = strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is None:
            return []
        text = "may not be specified when strategy `type` is 'Recreate'"
        return [forbidden(path.child("rollingUpdate"), text)]
    if kind != "RollingUpdate":
        return [not_supported(path.child("type"), kind, ("Recreate", "RollingUpdate"))]
    at = path.child("rollingUpdate")
    if rolling is None:
        return [required(at, "this should be defaulted and never be nil")]
    errors = _validate_portions(rolling, at)
    unavailable = rolling.get("maxUnavailable") or 0
    if not _portion(unavailable) and not _portion(rolling.get("maxSurge") or 0):
        text = "may not be 0 when `maxSurge` is 0"
        errors.append(invalid(at.child("maxUnavailable"), unavailable, text))
    return errors


def _validate_portions(rolling: Object, path: Path) -> list[FieldError]:
    return [
        error
        for field in ("maxUnavailable", "maxSurge")
        if rolling.get(field) is not None
        for error in validate_portion(rolling[field], path.child(field))
    ]


def validate_portion(value: int | str, path: Path) -> list[FieldError]:
    """A number of pods, or a percentage of them."""
    if isinstance(value, int):
        return [invalid(path, value, _NOT_NEGATIVE)] if value < 0 else []
    if not _is_percentage(value):
        text = (
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex "
            "used for validation is '[0-9]+%')"
        )
        return [invalid(path, value, text)]
    return [] if int(value[:-1]) <= 100 else [invalid(path, value, "must not be greater than 100%")]


def _is_percentage(text: str) -> bool:
    return text.endswith("%") and text[:-1].isascii() and text[:-1].isdigit()


def _portion(value: int | str) -> int:
    return value if isinstance(value, int) else int(value[:-1]) if _is_percentage(value) else 0

"""Job: how many pods, what counts as done or failed."""

import dataclasses
from typing import Any, Final

from dray.api import names
from dray.api.features import FeatureGates
from dray.api.fields import FieldError, Path, invalid, not_supported, required, too_long
from dray.api.meta import Object, uid_of
from dray.api.pods import condition_status
from dray.api.schema.emptiness import same_by
from dray.api.schema.model import Schema
from dray.api.schema.registry import type_schema
from dray.api.selectors import selects
from dray.api.validation.core.job_policies import validate_failure_policy, validate_success_policy
from dray.api.validation.core.workload_forms import FORMS, internal_template
from dray.api.validation.core.workload_parts import (
    SPEC,
    check_match,
    is_readable,
    labels_of,
    not_negative,
    shown_selector,
)
from dray.api.validation.domain_names import validate_prefixed_path
from dray.api.validation.label_selector import validate_label_selector
from dray.api.validation.lists import items_of
from dray.api.validation.meta import IMMUTABLE, validate_meta_update
from dray.api.validation.pod.internal import internal_pod_spec
from dray.api.validation.pod.rules import NEW_POD, PodRules
from dray.api.validation.pod.spec import validate_template

UID_LABEL: Final = "batch.kubernetes.io/controller-uid"
NAME_LABEL: Final = "batch.kubernetes.io/job-name"
OLD_UID_LABEL: Final = "controller-uid"
OLD_NAME_LABEL: Final = "job-name"

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
_TEMPLATE: Final = SPEC.child("template")
_TEMPLATE_SCHEMA: Final = type_schema("core/v1", "PodTemplateSpec")
_POD_SCHEMA: Final = type_schema("core/v1", "PodSpec")
_JOB_SCHEMA: Final = type_schema("batch/v1", "JobSpec")
_SHOWN: Final = {"podFailurePolicy": "PodFailurePolicy", "successPolicy": "SuccessPolicy", "selector": "meta"}
"""Parts of a spec that messages show in a form of their own."""


def validate_job(obj: Object, rules: PodRules = NEW_POD, *, is_labelled: bool = True) -> list[FieldError]:
    """`is_labelled`: its pods have the labels that jobs have by now, beside those of old."""
    spec = obj.get("spec") or {}
    errors = _validate_generated(obj, is_labelled=is_labelled)
    errors += _validate_whole_spec(spec, rules)
    completions = spec.get("completions")
    if spec.get("completionMode") == "Indexed" and completions:
        errors += _validate_hostname(obj["metadata"].get("name") or "", completions)
    return errors


def _validate_hostname(name: str, completions: int) -> list[FieldError]:
    """That of the last pod must be one."""
    longest = f"{name}-{completions - 1}"
    if completions < 0 or not names.dns_label(longest):
        return []
    text = f"will not able to create pod with invalid DNS label: {longest}"
    return [invalid(Path("metadata.name"), name, text)]


def _validate_generated(obj: Object, *, is_labelled: bool) -> list[FieldError]:
    """The server wrote the selector and the labels of the pods, unless somebody wanted to do it himself."""
    spec, uid, name = obj.get("spec") or {}, uid_of(obj), obj["metadata"].get("name") or ""
    selector = spec.get("selector")
    if spec.get("manualSelector") or selector is None:
        return []
    labels = {OLD_UID_LABEL: uid, OLD_NAME_LABEL: name}
    if is_labelled:
        labels |= {UID_LABEL: uid, NAME_LABEL: name}
    given = labels_of(spec.get("template") or {})
    errors: list[FieldError] = []
    for key, value in labels.items():
        at = _TEMPLATE.child("metadata", "labels").key(key)
        if key not in (given or {}):
            errors.append(required(at, f"must be '{value}'"))
        elif given[key] != value:
            errors.append(invalid(at, given, f"must be '{value}'"))
    if is_readable(selector) and not selects(selector, labels):
        errors.append(
            invalid(SPEC.child("selector"), shown_selector(selector), "`selector` not auto-generated")
        )
    return errors


def _validate_whole_spec(spec: Object, rules: PodRules) -> list[FieldError]:
    errors = validate_job_spec(spec, SPEC, rules)
    selector = spec.get("selector")
    if selector is None:
        errors.append(required(SPEC.child("selector")))
    else:
        errors += validate_label_selector(selector, SPEC.child("selector"))
    if is_readable(selector):
        errors += check_match(selector, spec.get("template") or {}, _TEMPLATE)
    return errors


@dataclasses.dataclass(frozen=True, slots=True)
class JobChanges:
    """What may change of a stored job's pods."""

    placement: bool = False
    resources: bool = False
    is_labelled: bool = True
    """See `validate_job`."""


def changes_of(old: Object, features: FeatureGates) -> JobChanges:
    """While a job is suspended and no pod of it is there, pods to come may be asked for otherwise."""
    spec, status = old.get("spec") or {}, old.get("status") or {}
    suspended, started = bool(spec.get("suspend")), status.get("startTime") is not None
    rests = not started or condition_status(old, "Suspended") == "True"
    is_free = suspended and rests and not status.get("active")
    more = features.enabled("MutableSchedulingDirectivesForSuspendedJobs")
    labels = labels_of(spec.get("template") or {}) or {}
    return JobChanges(
        placement=is_free if more else suspended and not started,
        resources=is_free and features.enabled("MutablePodResourcesForSuspendedJobs"),
        is_labelled=UID_LABEL in labels and NAME_LABEL in labels,
    )


def validate_job_update(
    new: Object, old: Object, rules: PodRules = NEW_POD, changes: JobChanges = JobChanges()
) -> list[FieldError]:
    """The template and the selector of a job stay; so do completions, unless they follow parallelism.

    What is wrong with its metadata and its spec is told more than once, as Kubernetes does it.
    """
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    errors = validate_job(new, rules, is_labelled=changes.is_labelled)
    errors += validate_meta_update(new["metadata"], old["metadata"])
    errors += _validate_whole_spec(spec, rules)
    errors += _validate_completions(spec, before, SPEC.child("completions"))
    errors += _validate_same(spec, before, "selector")
    errors += _validate_template_update(spec, before, changes)
    for field in (
        "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy",
    ):  # fmt: skip
        errors += _validate_same(spec, before, field)
    return errors


def _validate_same(spec: Object, before: Object, field: str) -> list[FieldError]:
    schema = _JOB_SCHEMA.fields[field].schema
    if _same(schema, spec.get(field), before.get(field)):
        return []
    shown = _shown(field, spec.get(field))
    return [invalid(SPEC.child(field), shown, IMMUTABLE)]


def _shown(field: str, value: Any) -> Any:
    return value if value is None or field not in _SHOWN else FORMS.show(_SHOWN[field], value)


def _same(schema: Schema, left: Any, right: Any) -> bool:
    return same_by(schema, left, right) and (left is None) == (right is None)


def _validate_completions(spec: Object, before: Object, path: Path) -> list[FieldError]:
    completions = spec.get("completions")
    if completions == before.get("completions"):
        return []
    if spec.get("completionMode") != "Indexed":
        return [invalid(path, completions, IMMUTABLE)]
    if completions is None or completions == spec.get("parallelism"):
        return []
    return [invalid(path, completions, "can only be modified in tandem with spec.parallelism")]


def _validate_template_update(spec: Object, before: Object, changes: JobChanges) -> list[FieldError]:
    template, was = spec.get("template") or {}, before.get("template") or {}
    if changes.placement:
        was = _with_placement_of(template, was)
    if before.get("suspend") and changes.resources:
        pod = template.get("spec") or {}
        if same_by(_POD_SCHEMA, pod, _with_resources_of(pod, was.get("spec") or {})):
            return []
        return [invalid(SPEC.child("template.spec"), internal_pod_spec(pod), IMMUTABLE)]
    if same_by(_TEMPLATE_SCHEMA, template, was):
        return []
    return [invalid(_TEMPLATE, internal_template(template), IMMUTABLE)]


def _with_placement_of(template: Object, was: Object) -> Object:
    """The stored template with all that says where pods may go, and with labels and annotations, of the new one."""
    meta, pod = template.get("metadata") or {}, template.get("spec") or {}
    new_meta, new_pod = dict(was.get("metadata") or {}), dict(was.get("spec") or {})
    new_pod["affinity"] = _affinity(pod.get("affinity"), new_pod.get("affinity"))
    for part, source, fields in (
        (new_pod, pod, ("nodeSelector", "tolerations", "schedulingGates")),
        (new_meta, meta, ("labels", "annotations")),
    ):
        part.update({field: source.get(field) for field in fields})
    return {**was, "metadata": _without_none(new_meta), "spec": _without_none(new_pod)}


def _affinity(new: Object | None, was: Object | None) -> Object | None:
    """The stored affinity with the nodes of the new one."""
    nodes = (new or {}).get("nodeAffinity")
    if new is None and was is None:
        return None
    rest = {field: value for field, value in (was or {}).items() if field != "nodeAffinity"}
    if nodes is not None:
        return {**rest, "nodeAffinity": nodes}
    return rest if rest or new is not None else None


def _without_none(part: Object) -> Object:
    return {field: value for field, value in part.items() if value is not None}


def _same_name(left: Object, right: Object) -> bool:
    return (left.get("name") or "") == (right.get("name") or "")


def _with_resources_of(pod: Object, was: Object) -> Object:
    """The stored spec with what the new one's containers of the same names need."""
    found = dict(was)
    for field in ("containers", "initContainers"):
        containers, known = items_of(pod.get(field)), items_of(was.get(field))
        if known and len(containers) == len(known):
            found[field] = [
                _without_none({**one, "resources": new.get("resources")}) if _same_name(new, one) else one
                for new, one in zip(containers, known, strict=True)
            ]
    return found


def validate_job_spec(spec: Object, path: Path, rules: PodRules = NEW_POD) -> list[FieldError]:
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
    errors += validate_template(template, path.child("template"), rules)
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

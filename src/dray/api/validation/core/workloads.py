"""Workloads: what makes pods from a template and keeps them (DaemonSet, Deployment, ReplicaSet, StatefulSet)."""

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

MISMATCH = "`selector` does not match template `labels`"
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
    errors += not_negative(spec, ("minReadySeconds",))
    errors += _validate_daemon_strategy(spec.get("updateStrategy") or {}, SPEC.child("updateStrategy"))
    return errors + not_negative(spec, ("revisionHistoryLimit",))


def validate_daemon_set_update(new: Object, old: Object) -> list[FieldError]:
    return validate_selector_unchanged(new, old) + validate_daemon_set(new)


def validate_deployment(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = not_negative(spec, ("replicas",))
    errors += _validate_replicated(spec, "deployment")
    errors += _validate_deployment_strategy(spec.get("strategy") or {}, SPEC.child("strategy"))
    errors += not_negative(spec, ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"))
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds") or 0
    if deadline is not None and deadline <= ready:
        at = SPEC.child("progressDeadlineSeconds")
        errors.append(invalid(at, deadline, "must be greater than minReadySeconds"))
    return errors


def validate_replica_set(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = not_negative(spec, ("replicas", "minReadySeconds"))
    return errors + _validate_replicated(spec, "replicaset")


def validate_replication_controller(obj: Object) -> list[FieldError]:
    """The oldest of them chooses its pods by labels alone."""
    spec = obj.get("spec") or {}
    errors = not_negative(spec, ("minReadySeconds",))
    selector, template = spec.get("selector") or {}, spec.get("template")
    if not selector:
        errors.append(required(SPEC.child("selector")))
    errors += not_negative(spec, ("replicas",))
    if template is None:
        return [*errors, required(SPEC.child("template"))]
    if selector:
        errors += _check_match({"matchLabels": selector}, template)
    errors += validate_template(template, SPEC.child("template"))
    return errors + _check_template_policy(template, "ReplicationController")


_RETENTIONS = ("Retain", "Delete")


_SET_CHANGES = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip


def validate_stateful_set(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    return _validate_set(spec) + _validate_claims(spec) + _validate_pods(spec)


def validate_stateful_set_update(new: Object, old: Object) -> list[FieldError]:
    """The claims that were made stay as they are, and so does what names the pods and chooses them."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    errors = _validate_set(spec) + _validate_pods(spec)
    if same(_fixed(spec), _fixed(before)):
        return errors
    listing = ", ".join(f"'{field}'" for field in _SET_CHANGES[:-1])
    text = (
        f"updates to statefulset spec for fields other than {listing} and '{_SET_CHANGES[-1]}' are forbidden"
    )
    return [*errors, forbidden(SPEC, text)]


def _fixed(spec: Object) -> Object:
    """What no update changes. Whoever stored the set may not have written of its claims what goes without saying."""
    kept = {field: value for field, value in spec.items() if field not in _SET_CHANGES}
    kept["volumeClaimTemplates"] = [
        {
            **claim,
            "kind": "PersistentVolumeClaim",
            "apiVersion": "v1",
            "status": {"phase": "Pending", **(claim.get("status") or {})},
        }
        for claim in items_of(spec.get("volumeClaimTemplates"))
    ]
    return kept


def _validate_set(spec: Object) -> list[FieldError]:
    errors = not_negative(spec, ("replicas", "minReadySeconds", "revisionHistoryLimit"))
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
    return errors


def _validate_pods(spec: Object) -> list[FieldError]:
    """Each pod has a volume for each claim that is made for it, before all others and in place of one of that name."""
    template, claims = spec.get("template") or {}, items_of(spec.get("volumeClaimTemplates"))
    if not claims:
        return _validate_replicated(spec, "statefulset")
    made = [(claim.get("metadata") or {}).get("name") or "" for claim in claims]
    pod = template.get("spec") or {}
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in made]
    volumes += [volume for volume in items_of(pod.get("volumes")) if volume.get("name") not in made]
    pods = {**template, "spec": {**pod, "volumes": volumes}}
    return _validate_replicated({**spec, "template": pods}, "statefulset")


def _validate_claims(spec: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    at = SPEC.child("volumeClaimTemplates")
    for index, template in enumerate(items_of(spec.get("volumeClaimTemplates"))):
        errors += validate_claim_spec(template.get("spec") or {}, at.index(index).child("spec"))
    return errors


def validate_selector_unchanged(new: Object, old: Object) -> list[FieldError]:
    selector = (new.get("spec") or {}).get("selector")
    if same(selector, (old.get("spec") or {}).get("selector")):
        return []
    return [invalid(SPEC.child("selector"), selector, IMMUTABLE)]


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
    if matches_template(selector, template):
        return []
    return [invalid(SPEC.child("template", "metadata", "labels"), labels_of(template), MISMATCH)]


def matches_template(selector: Object | None, template: Object) -> bool:
    """Whether the selector chooses the template's pods; a selector that is no selector is judged elsewhere."""
    try:
        parsed = label_selector_of(selector)
    except (SelectorError, KeyError):
        return True
    return parsed is not None and parsed.matches(labels_of(template) or {})


def labels_of(template: Object) -> Any:
    """Labels of the pods that a template makes; None where it says nothing of them."""
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


def not_negative(spec: Object, fields: tuple[str, ...], path: Path = SPEC) -> list[FieldError]:
    """Numbers in `fields`, where there are any, are not below zero."""
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

"""StatefulSet: pods with numbers, each with claims of its own."""

from typing import Any, Final

from dray.api import names
from dray.api.fields import Choice, FieldError, Path, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.schema.emptiness import same_by
from dray.api.schema.registry import type_schema
from dray.api.validation.core.volume_claim import validate_claim_spec
from dray.api.validation.core.workload_forms import FORMS
from dray.api.validation.core.workload_parts import (
    SPEC,
    check_lasting,
    check_match,
    check_not_above_all,
    check_portion,
    is_readable,
    not_negative,
    portion,
    shown_selector,
)
from dray.api.validation.core.workloads import validate_selector
from dray.api.validation.label_selector import is_empty
from dray.api.validation.lists import items_of
from dray.api.validation.pod.annotations import validate_pod_annotations
from dray.api.validation.pod.rules import NEW_POD, PodRules
from dray.api.validation.pod.spec import validate_template, validate_template_labels

_SCHEMA: Final = type_schema("apps/v1", "StatefulSetSpec")
_TEMPLATE: Final = SPEC.child("template")
_RETENTIONS: Final = ("Retain", "Delete")
_CHANGES: Final = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip


def validate_stateful_set(obj: Object, rules: PodRules = NEW_POD) -> list[FieldError]:
    return _validate_spec(obj.get("spec") or {}, rules, is_new=True)


def validate_stateful_set_update(new: Object, old: Object, rules: PodRules = NEW_POD) -> list[FieldError]:
    """The claims that were made stay as they are, and so does what names the pods and chooses them."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    # A template that somebody stored when rules were others may stay as it is.
    was_wrong = bool(_validate_spec(before, rules))
    errors = _validate_spec(spec, rules, skips_template=was_wrong)
    if same_by(_SCHEMA, _fixed(spec), _fixed(before)):
        return errors
    listing = ", ".join(f"'{field}'" for field in _CHANGES[:-1])
    text = f"updates to statefulset spec for fields other than {listing} and '{_CHANGES[-1]}' are forbidden"
    return [*errors, forbidden(SPEC, text)]


def _fixed(spec: Object) -> Object:
    """What no update changes. Whoever stored the set may not have written of its claims what goes without saying."""
    kept = {field: value for field, value in spec.items() if field not in _CHANGES}
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


def _validate_spec(
    spec: Object, rules: PodRules, *, is_new: bool = False, skips_template: bool = False
) -> list[FieldError]:
    errors = _validate_policies(spec)
    if is_new:
        errors += _validate_claims(spec)
    errors += not_negative(spec, ("replicas", "minReadySeconds"))
    errors += not_negative(spec.get("ordinals") or {}, ("start",), SPEC.child("ordinals"))
    name, at = spec.get("serviceName") or "", SPEC.child("serviceName")
    if is_new and name:
        errors += [invalid(at, name, text) for text in names.dns_label(name)]
    selector = spec.get("selector")
    errors += validate_selector(selector, "statefulset")
    if not is_readable(selector):
        errors.append(invalid(SPEC.child("selector"), shown_selector(selector), ""))
    else:
        errors += _validate_template(spec, rules, skips_template=skips_template)
    return errors + check_lasting(spec.get("template") or {}, _TEMPLATE, "StatefulSet")


def _validate_policies(spec: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    policy = spec.get("podManagementPolicy") or ""
    if policy not in ("OrderedReady", "Parallel"):
        text = "must be 'OrderedReady' or 'Parallel'"
        errors.append(invalid(SPEC.child("podManagementPolicy"), Choice(policy), text))
    errors += _validate_strategy(spec.get("updateStrategy") or {}, SPEC.child("updateStrategy"))
    retention = spec.get("persistentVolumeClaimRetentionPolicy")
    for field in ("whenDeleted", "whenScaled") if retention is not None else ():
        if (policy := (retention or {}).get(field) or "") not in _RETENTIONS:
            at = SPEC.child("persistentVolumeClaimRetentionPolicy", field)
            errors.append(not_supported(at, policy, _RETENTIONS, in_order=True))
    return errors


def _validate_strategy(strategy: Object, path: Path) -> list[FieldError]:
    kind, rolling = strategy.get("type") or "", strategy.get("rollingUpdate")
    if not kind:
        return [required(path)]
    if kind not in ("RollingUpdate", "OnDelete"):
        shown = FORMS.show("StatefulSetUpdateStrategy", strategy)
        return [invalid(path, shown, "must be 'RollingUpdate' or 'OnDelete'")]
    if rolling is None:
        return []
    at = path.child("rollingUpdate")
    if kind == "OnDelete":
        shown = FORMS.show("RollingUpdateStatefulSet", rolling)
        return [invalid(at, shown, "only allowed for updateStrategy 'RollingUpdate'")]
    return not_negative(rolling, ("partition",), at) + _validate_unavailable(
        rolling.get("maxUnavailable"), at.child("maxUnavailable")
    )


def _validate_unavailable(value: Any, path: Path) -> list[FieldError]:
    if value is None:
        return []
    errors = check_portion(value, path)
    if not portion(value):
        errors.append(invalid(path, value, "cannot be 0"))
    return errors + check_not_above_all(value, path)


def _validate_template(spec: Object, rules: PodRules, *, skips_template: bool) -> list[FieldError]:
    """What a pod is called is settled elsewhere. It has a volume for each claim that is made for it, before all others
    and in place of one of that name."""
    selector, template = spec.get("selector"), spec.get("template") or {}
    errors: list[FieldError] = []
    if selector is None or not is_empty(selector):
        errors += check_match(selector, template, _TEMPLATE)
    pods = {**template, "spec": _pod_spec(spec, template.get("spec") or {})}
    if not skips_template:
        errors += validate_template(pods, _TEMPLATE, rules)
    # Kubernetes looks at these once more.
    meta = template.get("metadata") or {}
    errors += validate_template_labels(meta, _TEMPLATE)
    return errors + validate_pod_annotations({**pods, "metadata": meta}, _TEMPLATE.child("annotations"))


def _pod_spec(spec: Object, pod: Object) -> Object:
    found = {field: value for field, value in pod.items() if field not in ("hostname", "subdomain")}
    claims = items_of(spec.get("volumeClaimTemplates"))
    if claims:
        made = [(claim.get("metadata") or {}).get("name") or "" for claim in claims]
        volumes: list[Object] = [
            {"name": name, "persistentVolumeClaim": {"claimName": name}} for name in dict.fromkeys(made)
        ]
        volumes += [volume for volume in items_of(pod.get("volumes")) if volume.get("name") not in made]
        found["volumes"] = volumes
    return found


def _validate_claims(spec: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    at = SPEC.child("volumeClaimTemplates")
    for index, template in enumerate(items_of(spec.get("volumeClaimTemplates"))):
        errors += validate_claim_spec(template.get("spec") or {}, at.index(index).child("spec"))
    return errors

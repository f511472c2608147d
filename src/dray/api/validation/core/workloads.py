"""Workloads whose pods are alike: Deployment, ReplicaSet, ReplicationController, DaemonSet."""

from dray.api.fields import FieldError, Path, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.core.workload_forms import FORMS
from dray.api.validation.core.workload_parts import (
    SPEC,
    check_labels,
    check_lasting,
    check_match,
    check_not_above_all,
    check_portion,
    is_readable,
    not_negative,
    portion,
    shown_selector,
)
from dray.api.validation.label_selector import is_empty, validate_label_selector
from dray.api.validation.meta import IMMUTABLE
from dray.api.validation.pod.rules import NEW_POD, PodRules
from dray.api.validation.pod.spec import validate_template
from dray.api.validation.sameness import same

_SELECTOR, _TEMPLATE = SPEC.child("selector"), SPEC.child("template")


def validate_deployment(obj: Object, rules: PodRules = NEW_POD) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = not_negative(spec, ("replicas",))
    errors += _validate_replicated(spec, rules)
    errors += _validate_deployment_strategy(spec.get("strategy") or {}, SPEC.child("strategy"))
    errors += not_negative(spec, ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"))
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds") or 0
    if deadline is not None and deadline <= ready:
        at = SPEC.child("progressDeadlineSeconds")
        errors.append(invalid(at, deadline, "must be greater than minReadySeconds"))
    return errors


def validate_deployment_update(new: Object, old: Object, rules: PodRules = NEW_POD) -> list[FieldError]:
    return validate_deployment(new, rules) + _validate_selector_unchanged(new, old)


def validate_replica_set(obj: Object, rules: PodRules = NEW_POD) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = not_negative(spec, ("replicas", "minReadySeconds"))
    return errors + _validate_replicated(spec, rules)


def validate_replica_set_update(new: Object, old: Object, rules: PodRules = NEW_POD) -> list[FieldError]:
    return validate_replica_set(new, rules) + _validate_selector_unchanged(new, old)


def validate_replication_controller(obj: Object, rules: PodRules = NEW_POD) -> list[FieldError]:
    """The oldest of them chooses its pods by labels alone."""
    spec = obj.get("spec") or {}
    errors = not_negative(spec, ("minReadySeconds",))
    selector, template = spec.get("selector") or {}, spec.get("template")
    if not selector:
        errors.append(required(_SELECTOR))
    errors += not_negative(spec, ("replicas",))
    if template is None:
        return [*errors, required(_TEMPLATE)]
    if selector:
        errors += check_labels(selector, template, _TEMPLATE)
    errors += validate_template(template, _TEMPLATE, rules)
    return errors + check_lasting(template, _TEMPLATE, "ReplicationController")


def validate_daemon_set(obj: Object, rules: PodRules = NEW_POD) -> list[FieldError]:
    spec = obj.get("spec") or {}
    selector, template = spec.get("selector"), spec.get("template") or {}
    errors = validate_label_selector(selector, _SELECTOR)
    if not errors:
        errors += check_match(selector, template, _TEMPLATE)
    if selector is not None and is_empty(selector):
        shown = shown_selector(selector)
        errors.append(invalid(_SELECTOR, shown, "empty selector is invalid for daemonset"))
    errors += validate_template(template, _TEMPLATE, rules)
    errors += check_lasting(template, _TEMPLATE, "DaemonSet")
    errors += not_negative(spec, ("minReadySeconds",))
    errors += _validate_daemon_strategy(spec.get("updateStrategy") or {}, SPEC.child("updateStrategy"))
    return errors + not_negative(spec, ("revisionHistoryLimit",))


def validate_daemon_set_update(new: Object, old: Object, rules: PodRules = NEW_POD) -> list[FieldError]:
    return _validate_selector_unchanged(new, old) + validate_daemon_set(new, rules)


def _validate_selector_unchanged(new: Object, old: Object) -> list[FieldError]:
    selector = (new.get("spec") or {}).get("selector")
    if same(selector, (old.get("spec") or {}).get("selector")):
        return []
    return [invalid(_SELECTOR, shown_selector(selector), IMMUTABLE)]


def _validate_replicated(spec: Object, rules: PodRules) -> list[FieldError]:
    """Selector and template of a ReplicaSet, or of what makes some; beside a selector that is none no template counts."""
    selector, template = spec.get("selector"), spec.get("template") or {}
    errors = validate_selector(selector, "deployment")
    if not is_readable(selector):
        return [*errors, invalid(_SELECTOR, shown_selector(selector), "invalid label selector")]
    if selector is None or not is_empty(selector):
        errors += check_match(selector, template, _TEMPLATE)
    errors += validate_template(template, _TEMPLATE, rules)
    return errors + check_lasting(template, _TEMPLATE, "ReplicaSet")


def validate_selector(selector: Object | None, kind: str) -> list[FieldError]:
    """There is one, and it asks for something."""
    if selector is None:
        return [required(_SELECTOR)]
    errors = validate_label_selector(selector, _SELECTOR)
    if is_empty(selector):
        text = f"empty selector is invalid for {kind}"
        errors.append(invalid(_SELECTOR, shown_selector(selector), text))
    return errors


def _validate_daemon_strategy(strategy: Object, path: Path) -> list[FieldError]:
    kind = strategy.get("type") or ""
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        shown = FORMS.show("DaemonSetUpdateStrategy", strategy)
        return [not_supported(path, shown, ("RollingUpdate", "OnDelete"), in_order=True)]
    if strategy.get("rollingUpdate") is None:
        return [required(path.child("rollingUpdate"))]
    at, rolling = path.child("rollingUpdate"), strategy["rollingUpdate"]
    parts = [(field, rolling.get(field) or 0) for field in ("maxUnavailable", "maxSurge")]
    errors = [error for field, value in parts for error in check_portion(value, at.child(field))]
    errors += [error for field, value in parts for error in check_not_above_all(value, at.child(field))]
    unavailable, surge = (portion(value) for _, value in parts)
    if surge and unavailable:
        text = "may not be set when maxUnavailable is non-zero"
        errors.append(invalid(at.child("maxSurge"), rolling.get("maxSurge"), text))
    elif not surge and not unavailable:
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
        shown = FORMS.show("DeploymentStrategy", strategy)
        return [not_supported(path, shown, ("Recreate", "RollingUpdate"))]
    at = path.child("rollingUpdate")
    if rolling is None:
        return [required(at, "this should be defaulted and never be nil")]
    unavailable, surge = rolling.get("maxUnavailable") or 0, rolling.get("maxSurge") or 0
    errors = check_portion(unavailable, at.child("maxUnavailable"))
    errors += check_portion(surge, at.child("maxSurge"))
    if not portion(unavailable) and not portion(surge):
        text = "may not be 0 when `maxSurge` is 0"
        errors.append(invalid(at.child("maxUnavailable"), unavailable, text))
    return errors + check_not_above_all(unavailable, at.child("maxUnavailable"))

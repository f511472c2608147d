"""HorizontalPodAutoscaler: what it scales between which numbers, by which metrics, and how fast."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from dray.api import names
from dray.api.fields import Choice, FieldError, Path, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.quantity import parse_quantity
from dray.api.validation.lists import items_of
from dray.api.validation.pod.resources import validate_resource_name

_SPEC: Final = Path("spec")
_SOURCES: Final = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
"""By type, in the order in which Kubernetes looks for them."""
_TARGETS: Final = ("Utilization", "Value", "AverageValue")
_SELECTIONS: Final = ("Disabled", "Max", "Min")
_POLICIES: Final = ("Percent", "Pods")
_FROM_ZERO: Final = "must specify at least one Object or External metric to support scaling to zero replicas"
_WINDOW_MAX: Final = 3600
_PERIOD_MAX: Final = 1800
_NOT_NEGATIVE: Final = "must be greater than or equal to 0"


def validate_autoscaler(obj: Object, old: Object | None = None) -> list[FieldError]:
    """A target's apiVersion that is stored already may stay as it is."""
    spec, before = obj.get("spec") or {}, (old or {}).get("spec") or {}
    errors = _validate_bounds(spec.get("minReplicas"), spec.get("maxReplicas") or 0)
    target, known = spec.get("scaleTargetRef") or {}, before.get("scaleTargetRef") or {}
    at = _SPEC.child("scaleTargetRef")
    errors += _validate_reference(target, at)
    if old is None or _version_problem(target, needs_group=True) != _version_problem(known, needs_group=True):
        errors += _validate_version(target, at, needs_group=True)
    for index, metric in enumerate(items_of(spec.get("metrics"))):
        errors += _validate_metric(metric, _SPEC.child("metrics").index(index))
    kinds = {metric.get("type") for metric in items_of(spec.get("metrics"))}
    if spec.get("minReplicas") == 0 and not kinds & {"Object", "External"}:
        errors.append(forbidden(_SPEC.child("metrics"), _FROM_ZERO))
    behavior, at = spec.get("behavior") or {}, _SPEC.child("behavior")
    for field in ("scaleUp", "scaleDown"):
        if behavior.get(field) is not None:
            errors += _validate_rules(behavior[field], at.child(field))
    return errors


def validate_autoscaler_status(obj: Object) -> list[FieldError]:
    status, at = obj.get("status") or {}, Path("status")
    return [
        invalid(at.child(field), status[field], _NOT_NEGATIVE)
        for field in ("currentReplicas", "desiredReplicas")
        if (status.get(field) or 0) < 0
    ]


def _validate_bounds(low: int | None, high: int) -> list[FieldError]:
    errors: list[FieldError] = []
    at = _SPEC.child("maxReplicas")
    if low is not None and low < 1:
        errors.append(invalid(_SPEC.child("minReplicas"), low, "must be greater than or equal to 1"))
    if high == 0:
        errors.append(required(at, "must be set and greater than 0"))
    elif high < 0:
        errors.append(invalid(at, high, "must be greater than or equal to 1"))
    if low is not None and high < low:
        errors.append(invalid(at, high, "must be greater than or equal to `minReplicas`"))
    return errors


def _validate_reference(target: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("kind", "name"):
        value, at = target.get(field) or "", path.child(field)
        errors += (
            [invalid(at, value, text) for text in names.path_segment(value)] if value else [required(at)]
        )
    return errors


def _validate_version(target: Object, path: Path, *, needs_group: bool) -> list[FieldError]:
    problem = _version_problem(target, needs_group=needs_group)
    return [invalid(path.child("apiVersion"), target.get("apiVersion") or "", problem)] if problem else []


def _version_problem(target: Object, *, needs_group: bool) -> str:
    version = target.get("apiVersion") or ""
    if version.count("/") > 1:
        return f"unexpected GroupVersion string: {version}"
    has_group = version.partition("/")[1] and version.partition("/")[0]
    return "apiVersion must specify API group" if needs_group and not has_group else ""


def _validate_metric(metric: Object, path: Path) -> list[FieldError]:
    kind, at = metric.get("type") or "", path.child("type")
    unknown = not_supported(at, kind, tuple(_SOURCES))
    errors = [] if kind else [required(at, "must specify a metric source type")]
    errors += [] if kind in _SOURCES else [unknown]
    given = [source for source in _SOURCES.values() if metric.get(source) is not None]
    if given:
        errors += _CHECKS[given[0]](metric[given[0]], path.child(given[0]))
    expected = _SOURCES.get(kind, "")
    if not expected:
        errors.append(unknown)
    elif expected not in given:
        text = "must populate information for the given metric source"
        errors.append(required(path.child(expected), text))
    if len(given) != 1:
        text = "must populate the given metric source only"
        errors += [forbidden(path.child(source), text) for source in given if source != expected]
    return errors


def _validate_object(source: Object, path: Path) -> list[FieldError]:
    described, at = source.get("describedObject") or {}, path.child("describedObject")
    errors = _validate_reference(described, at) + _validate_version(described, at, needs_group=False)
    errors += _validate_name(source, path) + _validate_target(source, path)
    return errors + _needs(
        source, path, ("value", "averageValue"), "must set either a target value or averageValue"
    )


def _validate_external(source: Object, path: Path) -> list[FieldError]:
    errors = _validate_name(source, path) + _validate_target(source, path)
    text = "must set either a target value for metric or a per-pod target"
    errors += _needs(source, path, ("value", "averageValue"), text)
    return errors + _not_both(
        source, path, "value", "may not set both a target value for metric and a per-pod target"
    )


def _validate_pods(source: Object, path: Path) -> list[FieldError]:
    errors = _validate_name(source, path) + _validate_target(source, path)
    return errors + _needs(source, path, ("averageValue",), "must specify a positive target averageValue")


def _validate_resource(source: Object, path: Path) -> list[FieldError]:
    errors = [] if source.get("name") else [required(path.child("name"), "must specify a resource name")]
    return errors + _validate_use(source, path)


def _validate_container_resource(source: Object, path: Path) -> list[FieldError]:
    name, container = source.get("name") or "", source.get("container") or ""
    errors: list[FieldError] = []
    if name:
        errors += validate_resource_name(name, path.child("name"))
    else:
        errors.append(required(path.child("name"), "must specify a resource name"))
    if container:
        errors += [invalid(path.child("container"), container, text) for text in names.dns_label(container)]
    else:
        errors.append(required(path.child("container"), "must specify a container"))
    return errors + _validate_use(source, path)


def _validate_use(source: Object, path: Path) -> list[FieldError]:
    """A resource in use is measured in itself or in percent of what was asked for."""
    errors = _validate_target(source, path)
    text = "must set either a target raw value or a target utilization"
    errors += _needs(source, path, ("averageUtilization", "averageValue"), text)
    return errors + _not_both(
        source, path, "averageUtilization", "may not set both a target raw value and a target utilization"
    )


def _needs(source: Object, path: Path, fields: tuple[str, ...], text: str) -> list[FieldError]:
    target = source.get("target") or {}
    if any(target.get(field) is not None for field in fields):
        return []
    shown = "averageUtilization" if "averageUtilization" in fields else "averageValue"
    return [required(path.child("target", shown), text)]


def _not_both(source: Object, path: Path, field: str, text: str) -> list[FieldError]:
    target = source.get("target") or {}
    if target.get(field) is None or target.get("averageValue") is None:
        return []
    return [forbidden(path.child("target", "value" if field == "value" else "averageValue"), text)]


def _validate_name(source: Object, path: Path) -> list[FieldError]:
    name, at = (source.get("metric") or {}).get("name") or "", path.child("metric", "name")
    if not name:
        return [required(at, "must specify a metric name")]
    return [invalid(at, name, text) for text in names.path_segment(name)]


def _validate_target(source: Object, path: Path) -> list[FieldError]:
    target, at = source.get("target") or {}, path.child("target")
    kind, used = target.get("type") or "", target.get("averageUtilization")
    errors = [] if kind else [required(at.child("type"), "must specify a metric target type")]
    if kind not in _TARGETS:
        text = "must be either Utilization, Value, or AverageValue"
        errors.append(invalid(at.child("type"), Choice(kind), text))
    for field in ("value", "averageValue"):
        if target.get(field) is not None and parse_quantity(target[field]).sign() <= 0:
            shown = str(parse_quantity(target[field]))
            errors.append(invalid(at.child(field), shown, "must be positive"))
    if used is not None and used < 1:
        errors.append(invalid(at.child("averageUtilization"), used, "must be greater than 0"))
    return errors


_CHECKS: Final[Mapping[str, Callable[[Any, Path], list[FieldError]]]] = {
    "object": _validate_object,
    "external": _validate_external,
    "pods": _validate_pods,
    "resource": _validate_resource,
    "containerResource": _validate_container_resource,
}


def _validate_rules(rules: Object, path: Path) -> list[FieldError]:
    """How much at once, and how long a wish must last before it is followed."""
    window, selection, at = (
        rules.get("stabilizationWindowSeconds"),
        rules.get("selectPolicy"),
        path.child("policies"),
    )
    errors: list[FieldError] = []
    if window is not None and window < 0:
        text = "must be greater than or equal to zero"
        errors.append(invalid(path.child("stabilizationWindowSeconds"), window, text))
    if window is not None and window > _WINDOW_MAX:
        text = f"must be less than or equal to {_WINDOW_MAX}"
        errors.append(invalid(path.child("stabilizationWindowSeconds"), window, text))
    if selection is not None and selection not in _SELECTIONS:
        errors.append(not_supported(path.child("selectPolicy"), selection, _SELECTIONS))
    policies = items_of(rules.get("policies"))
    if not policies:
        errors.append(required(at, "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        errors += _validate_policy(policy, at.index(index))
    tolerance = rules.get("tolerance")
    if tolerance is not None and parse_quantity(tolerance).sign() < 0:
        errors.append(invalid(path.child("tolerance"), str(parse_quantity(tolerance)), _NOT_NEGATIVE))
    return errors


def _validate_policy(policy: Object, path: Path) -> list[FieldError]:
    kind, value, period = policy.get("type") or "", policy.get("value") or 0, policy.get("periodSeconds") or 0
    errors = [] if kind in _POLICIES else [not_supported(path.child("type"), kind, _POLICIES)]
    if value <= 0:
        errors.append(invalid(path.child("value"), value, "must be greater than zero"))
    if period <= 0:
        errors.append(invalid(path.child("periodSeconds"), period, "must be greater than zero"))
    if period > _PERIOD_MAX:
        text = f"must be less than or equal to {_PERIOD_MAX}"
        errors.append(invalid(path.child("periodSeconds"), period, text))
    return errors

"""HorizontalPodAutoscaler: how many replicas a workload may have, and by which measure; kept and shown."""

import datetime as dt

from dray.api.conversion.autoscaling import autoscaler_from_hub, autoscaler_to_hub, default_metric
from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.resources import HORIZONTAL_POD_AUTOSCALERS
from dray.api.validation.core.autoscaler import validate_autoscaler, validate_autoscaler_status
from dray.apiserver.registry.columns import AGE, NAME, NONE, UNKNOWN, find
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status

_SHOWN_METRICS = 2
_PERIOD_SECONDS = 15
_SCALE_UP: Object = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": _PERIOD_SECONDS},
        {"type": "Percent", "value": 100, "periodSeconds": _PERIOD_SECONDS},
    ],
}
_SCALE_DOWN: Object = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": _PERIOD_SECONDS}],
}


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("minReplicas") is None:
        spec["minReplicas"] = 1
    if version == "v1":
        return
    if not spec.get("metrics"):
        spec["metrics"] = [default_metric()]
    if (behavior := spec.get("behavior")) is not None:
        behavior["scaleUp"] = _rules(behavior.get("scaleUp"), _SCALE_UP)
        behavior["scaleDown"] = _rules(behavior.get("scaleDown"), _SCALE_DOWN)


def _rules(given: Object | None, defaults: Object) -> Object:
    rules = dict(given or {})
    for field, value in defaults.items():
        if rules.get(field) is None:
            rules[field] = [dict(item) for item in value] if isinstance(value, list) else value
    return rules


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_autoscaler(obj, context.old)


def _validate_status(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_autoscaler_status(obj)


def _reference(obj: Object, now: dt.datetime) -> str:
    target = find(obj, "spec", "scaleTargetRef", default={})
    return f"{target.get('kind', '')}/{target.get('name', '')}"


def _targets(obj: Object, now: dt.datetime) -> str:
    metrics = find(obj, "spec", "metrics", default=())
    current = find(obj, "status", "currentMetrics", default=())
    shown = [_target(metric, current) for metric in metrics]
    if not shown:
        return NONE
    text = ", ".join(shown[:_SHOWN_METRICS])
    more = len(shown) - _SHOWN_METRICS
    return f"{text} + {more} more..." if more > 0 else text


def _source_of(metric: Object) -> str:
    """`ContainerResource` -> `containerResource`: where a metric says what it is about."""
    kind = metric.get("type") or ""
    return kind[:1].lower() + kind[1:]


def _target(metric: Object, current: list[Object]) -> str:
    source = _source_of(metric)
    about = metric.get(source) or {}
    mine = next((seen.get(source) or {} for seen in current if _is_same(metric, seen, source)), {})
    target, now = about.get("target") or {}, mine.get("current") or {}
    name = f"{about['name']}: " if source in ("resource", "containerResource") and about.get("name") else ""
    if target.get("averageUtilization") is not None:
        used = now.get("averageUtilization")
        return f"{name}{UNKNOWN if used is None else f'{used}%'}/{target['averageUtilization']}%"
    if target.get("averageValue") is not None:
        average = "" if name or source == "pods" else " (avg)"
        return f"{name}{now.get('averageValue') or UNKNOWN}/{target['averageValue']}{average}"
    return f"{name}{now.get('value') or UNKNOWN}/{target.get('value') or UNKNOWN}"


def _is_same(metric: Object, seen: Object, source: str) -> bool:
    if seen.get("type") != metric.get("type"):
        return False
    about, other = metric.get(source) or {}, seen.get(source) or {}
    return all(about.get(key) == other.get(key) for key in ("name", "container", "metric", "describedObject"))


HORIZONTAL_POD_AUTOSCALER = Kind(
    HORIZONTAL_POD_AUTOSCALERS,
    singular="horizontalpodautoscaler",
    versions=("v2", "v1"),
    short_names=("hpa",),
    categories=("all",),
    columns=(
        NAME,
        Column("Reference", _reference, description="What it scales."),
        Column("Targets", _targets, description="What is measured, and what it shall be."),
        Column(
            "MinPods",
            lambda obj, now: str(find(obj, "spec", "minReplicas", default="<unset>")),
            description="At least so many pods.",
        ),
        Column(
            "MaxPods",
            lambda obj, now: find(obj, "spec", "maxReplicas", default=0),
            description="At most so many pods.",
        ),
        Column(
            "Replicas",
            lambda obj, now: find(obj, "status", "currentReplicas", default=0),
            description="Pods now.",
        ),
        AGE,
    ),
    default=_default,
    to_hub=autoscaler_to_hub,
    from_hub=autoscaler_from_hub,
    prepare_create=clear_status,
    prepare_update=keep_status,
    validate_create=_validate,
    validate_update=_validate,
    status=StatusStrategy(keep_spec, _validate_status),
)

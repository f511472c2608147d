"""HorizontalPodAutoscaler: v2, the form stored, to and from v1.

v1 has one target, the use of CPU. Whatever else v2 says, v1 carries as JSON in annotations, with its own names.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dray.api.meta import Object
from dray.api.schema.decoding import decode
from dray.api.schema.inspection import DecodeError
from dray.api.schema.registry import type_schema

_PREFIX: Final = "autoscaling.alpha.kubernetes.io/"
_DEFAULT_UTILIZATION: Final = 80
_METRICS, _CURRENT = _PREFIX + "metrics", _PREFIX + "current-metrics"
_CONDITIONS, _BEHAVIOR = _PREFIX + "conditions", _PREFIX + "behavior"

_Names = Mapping[str, tuple[str, ...]]
"""Field of v1 -> path in v2, of one source of metrics; or source -> fields."""

_AVERAGES: Final[_Names] = {
    "targetAverageUtilization": ("target", "averageUtilization"),
    "targetAverageValue": ("target", "averageValue"),
}
_CURRENT_AVERAGES: Final[_Names] = {
    "currentAverageUtilization": ("current", "averageUtilization"),
    "currentAverageValue": ("current", "averageValue"),
}
_METRIC: Final[_Names] = {"metricName": ("metric", "name"), "selector": ("metric", "selector")}
_EXTERNAL: Final[_Names] = {"metricName": ("metric", "name"), "metricSelector": ("metric", "selector")}
_OBJECT: Final[_Names] = {"target": ("describedObject",), **_METRIC}

_SPECS: Final[Mapping[str, _Names]] = {
    "resource": {"name": ("name",), **_AVERAGES},
    "containerResource": {"name": ("name",), "container": ("container",), **_AVERAGES},
    "pods": {**_METRIC, "targetAverageValue": ("target", "averageValue")},
    "object": {**_OBJECT, "targetValue": ("target", "value"), "averageValue": ("target", "averageValue")},
    "external": {
        **_EXTERNAL,
        "targetValue": ("target", "value"),
        "targetAverageValue": ("target", "averageValue"),
    },
}
_STATUSES: Final[Mapping[str, _Names]] = {
    "resource": {"name": ("name",), **_CURRENT_AVERAGES},
    "containerResource": {"name": ("name",), "container": ("container",), **_CURRENT_AVERAGES},
    "pods": {**_METRIC, "currentAverageValue": ("current", "averageValue")},
    "object": {**_OBJECT, "currentValue": ("current", "value"), "averageValue": ("current", "averageValue")},
    "external": {
        **_EXTERNAL,
        "currentValue": ("current", "value"),
        "currentAverageValue": ("current", "averageValue"),
    },
}
_SPEC_AMOUNTS: Final[_Names] = {"pods": ("targetAverageValue",), "object": ("targetValue",)}
_STATUS_AMOUNTS: Final[_Names] = {
    "resource": ("currentAverageValue",),
    "containerResource": ("currentAverageValue",),
    "pods": ("currentAverageValue",),
    "object": ("currentValue",),
    "external": ("currentValue",),
}
"""Amounts that v1 always has, by source; they are none where nothing is said."""
_TARGET_TYPES: Final = {
    "averageUtilization": "Utilization",
    "averageValue": "AverageValue",
    "value": "Value",
}


def default_metric() -> Object:
    """What is scaled by when nothing else is said."""
    target = {"type": "Utilization", "averageUtilization": _DEFAULT_UTILIZATION}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def autoscaler_from_hub(obj: Object, version: str) -> Object:
    if version != "v1":
        return obj
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    carried: dict[str, Any] = {
        _METRICS: [_renamed(metric, _SPECS, _SPEC_AMOUNTS) for metric in _but_cpu_target(spec)],
        _CURRENT: [_renamed(metric, _STATUSES, _STATUS_AMOUNTS) for metric in _but_cpu_use(status)],
        _CONDITIONS: status.pop("conditions", None),
        _BEHAVIOR: spec.pop("behavior", None),
    }
    metadata = dict(obj["metadata"])
    added = {key: json.dumps(value, separators=(",", ":")) for key, value in carried.items() if value}
    if added:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **added}
    status.setdefault("currentReplicas", 0)
    return {**obj, "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def autoscaler_to_hub(obj: Object, version: str) -> Object:
    if version != "v1":
        return obj
    metadata = dict(obj["metadata"])
    annotations = dict(metadata.get("annotations") or {})
    carried = {
        key: _loaded(annotations.pop(key, ""), kind)
        for key, kind in ((_METRICS, list), (_CURRENT, list), (_CONDITIONS, list), (_BEHAVIOR, dict))
    }
    if "annotations" in metadata:
        metadata["annotations"] = annotations
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    metrics = _fitting([_restored(metric, _SPECS) for metric in carried[_METRICS]], "MetricSpec")
    _collect(spec, "metrics", _cpu_target(spec), metrics)
    if not spec.get("metrics"):
        spec["metrics"] = [default_metric()]
    metrics = _fitting([_restored(metric, _STATUSES) for metric in carried[_CURRENT]], "MetricStatus")
    _collect(status, "currentMetrics", _cpu_use(status), metrics)
    if conditions := _fitting(carried[_CONDITIONS], "HorizontalPodAutoscalerCondition"):
        status["conditions"] = conditions
    carried_behavior = [carried[_BEHAVIOR]] if carried[_BEHAVIOR] else []
    for behavior in _fitting(carried_behavior, "HorizontalPodAutoscalerBehavior"):
        spec["behavior"] = behavior
    return {**obj, "apiVersion": "autoscaling/v2", "metadata": metadata, "spec": spec, "status": status}


# --- the one metric v1 knows


def _is_cpu(metric: Object, part: str) -> bool:
    resource = metric.get("resource") or {}
    return resource.get("name") == "cpu" and (resource.get(part) or {}).get("averageUtilization") is not None


def _but_cpu_target(spec: Object) -> Sequence[Object]:
    """Takes the metrics out of `spec` and writes the target of CPU use; the others are returned."""
    metrics = spec.pop("metrics", None) or []
    mine = next((metric for metric in metrics if _is_cpu(metric, "target")), None)
    if mine is not None:
        spec["targetCPUUtilizationPercentage"] = mine["resource"]["target"]["averageUtilization"]
    return [metric for metric in metrics if metric is not mine]


def _but_cpu_use(status: Object) -> Sequence[Object]:
    metrics = status.pop("currentMetrics", None) or []
    mine = next((metric for metric in metrics if _is_cpu(metric, "current")), None)
    if mine is not None:
        status["currentCPUUtilizationPercentage"] = mine["resource"]["current"]["averageUtilization"]
    return metrics


def _cpu_target(spec: Object) -> Iterator[Object]:
    percentage = spec.pop("targetCPUUtilizationPercentage", None)
    if percentage is not None:
        target = {"type": "Utilization", "averageUtilization": percentage}
        yield {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _cpu_use(status: Object) -> Iterator[Object]:
    percentage = status.pop("currentCPUUtilizationPercentage", None)
    if percentage is not None:
        current = {"averageUtilization": percentage}
        yield {"type": "Resource", "resource": {"name": "cpu", "current": current}}


def _collect(part: Object, field: str, mine: Iterator[Object], restored: Sequence[Object]) -> None:
    """What the annotation says of CPU use says more than the one number beside it."""
    about_cpu = any(_is_cpu(metric, "current") for metric in restored)
    metrics = list(restored) if about_cpu else [*restored, *mine]
    if metrics:
        part[field] = metrics


# --- a metric under other names


def _renamed(metric: Object, names: Mapping[str, _Names], always: _Names) -> Object:
    out: Object = {"type": metric.get("type")}
    for source, fields in names.items():
        if source in metric:
            found = {name: _follow(metric[source], path) for name, path in fields.items()}
            found |= {name: "0" for name in always.get(source, ()) if found.get(name) is None}
            out[source] = {name: value for name, value in found.items() if value is not None}
    return out


def _follow(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = (value or {}).get(key)
    return value


def _restored(metric: Object, names: Mapping[str, _Names]) -> Object:
    out: Object = {"type": metric.get("type")}
    for source, fields in names.items():
        if isinstance(metric.get(source), dict):
            out[source] = _moved(metric[source], fields)
    return out


def _moved(given: Object, fields: _Names) -> Object:
    out: Object = {}
    for name, path in fields.items():
        if name in given:
            place = out
            for key in path[:-1]:
                place = place.setdefault(key, {})
            place[path[-1]] = given[name]
    if target := out.get("target"):
        target["type"] = next(kind for field, kind in _TARGET_TYPES.items() if field in target)
    return out


def _fitting(values: list[Object], type_name: str) -> list[Object]:
    """`values`, or none where one of them is not of the type: nobody has judged what an annotation holds."""
    schema = type_schema("autoscaling/v2", type_name)
    try:
        for value in values:
            decode(value, schema, strict=False)
    except DecodeError:
        return []
    return values


def _loaded(text: str, kind: type) -> Any:
    """What an annotation holds; what cannot be read holds nothing, as upstream has it."""
    try:
        value = json.loads(text) if text else None
    except ValueError:
        value = None
    if kind is list:
        return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    return value if isinstance(value, dict) else {}

"""Deployment: pods of a template, replaced step by step when the template changes."""

import datetime as dt

from dray.api.meta import Object
from dray.api.resources import DEPLOYMENTS
from dray.api.validation.core.workload_status import validate_deployment_status
from dray.api.validation.core.workloads import validate_deployment, validate_deployment_update
from dray.apiserver.registry.columns import AGE, NAME, at, find
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.pod_defaults import default_template
from dray.apiserver.registry.replica_set import drop_terminating
from dray.apiserver.registry.templates import (
    CONTAINERS,
    IMAGES,
    SELECTOR,
    checks_pods,
    checks_pods_update,
    checks_update,
    drops_disabled,
    template_warnings,
)
from dray.apiserver.registry.writes import clear_status, in_turn, keep_spec, keep_status, old_of, restore


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec.setdefault("template", {}))
    for field, value in (("replicas", 1), ("revisionHistoryLimit", 10), ("progressDeadlineSeconds", 600)):
        if spec.get(field) is None:
            spec[field] = value
    strategy = spec.setdefault("strategy", {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        for field in ("maxUnavailable", "maxSurge"):
            if rolling.get(field) is None:
                rolling[field] = "25%"


def _ready(obj: Object, now: dt.datetime) -> str:
    ready = find(obj, "status", "readyReplicas", default=0)
    return f"{ready}/{find(obj, 'spec', 'replicas', default=0)}"


def _counted(obj: Object) -> object:
    """What its ReplicaSets take over of it."""
    return obj.get("spec"), obj["metadata"].get("annotations") or {}


def _prepare_status(context: WriteContext, obj: Object) -> None:
    keep_spec(context, obj)
    restore(obj["metadata"], old_of(context)["metadata"], "labels")
    drop_terminating(context, obj)


_DROP = drops_disabled("spec", "template")

DEPLOYMENT = Kind(
    DEPLOYMENTS,
    singular="deployment",
    short_names=("deploy",),
    categories=("all",),
    columns=(
        NAME,
        Column("Ready", _ready, description="Ready pods, of all wanted."),
        Column(
            "Up-to-date",
            at("status", "updatedReplicas", default=0),
            description="Pods of the present template.",
        ),
        Column(
            "Available",
            at("status", "availableReplicas", default=0),
            description="Pods that have been ready for long enough.",
        ),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
    default=_default,
    prepare_create=in_turn(clear_status, _DROP),
    prepare_update=in_turn(keep_status, _DROP),
    validate_create=checks_pods(validate_deployment),
    validate_update=checks_pods_update(validate_deployment_update, "spec", "template"),
    status=StatusStrategy(_prepare_status, checks_update(validate_deployment_status)),
    subresources=("scale",),
    has_generation=True,
    generation_of=_counted,
    warnings=template_warnings("spec", "template", names_pods=True),
)

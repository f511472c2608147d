"""Deployment: pods of a template, replaced step by step when the template changes."""

import datetime as dt

from dray.api.meta import Object
from dray.api.resources import DEPLOYMENTS
from dray.api.validation.core.workloads import validate_deployment, validate_selector_unchanged
from dray.apiserver.registry.columns import AGE, NAME, at, find
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy
from dray.apiserver.registry.pod_defaults import default_template
from dray.apiserver.registry.templates import (
    CONTAINERS,
    IMAGES,
    SELECTOR,
    checks,
    checks_update,
    template_warnings,
)
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status


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
    prepare_create=clear_status,
    prepare_update=keep_status,
    validate_create=checks(validate_deployment),
    validate_update=checks_update(
        lambda new, old: validate_deployment(new) + validate_selector_unchanged(new, old)
    ),
    status=StatusStrategy(keep_spec),
    subresources=("scale",),
    has_generation=True,
    warnings=template_warnings("spec", "template"),
)

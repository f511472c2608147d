"""DaemonSet: a pod on every node that fits."""

from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.resources import DAEMON_SETS
from dray.apiserver.registry.columns import (
    AGE,
    NAME,
    Cell,
    at,
    container_images,
    container_names,
    find,
    label_map,
    label_selector,
    wide,
)
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.pod_defaults import default_template
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status, old_of

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec.setdefault("template", {}))
    if spec.get("revisionHistoryLimit") is None:
        spec["revisionHistoryLimit"] = 10
    strategy = spec.setdefault("updateStrategy", {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        if rolling.get("maxUnavailable") is None:
            rolling["maxUnavailable"] = 1
        if rolling.get("maxSurge") is None:
            rolling["maxSurge"] = 0


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    return []


def template_generation(obj: Object) -> int:
    text = (obj["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION) or "0"
    return int(text) if text.isdigit() else 0


def _set_template_generation(obj: Object, generation: int) -> None:
    meta = obj["metadata"]
    meta["annotations"] = {**(meta.get("annotations") or {}), TEMPLATE_GENERATION: str(generation)}


def _prepare_create(context: WriteContext, obj: Object) -> None:
    clear_status(context, obj)
    _set_template_generation(obj, max(1, template_generation(obj)))


def _prepare_update(context: WriteContext, obj: Object) -> None:
    keep_status(context, obj)
    old = old_of(context)
    changed = find(obj, "spec", "template") != find(old, "spec", "template")
    _set_template_generation(obj, template_generation(old) + changed)


def _count(field: str) -> Cell:
    return at("status", field, default=0)


DAEMON_SET = Kind(
    DAEMON_SETS,
    singular="daemonset",
    short_names=("ds",),
    categories=("all",),
    columns=(
        NAME,
        Column("Desired", _count("desiredNumberScheduled"), "integer", description="Nodes to run on."),
        Column("Current", _count("currentNumberScheduled"), "integer", description="Nodes it runs on."),
        Column("Ready", _count("numberReady"), "integer", description="Nodes with a ready pod."),
        Column(
            "Up-to-date",
            _count("updatedNumberScheduled"),
            "integer",
            description="Nodes with a pod of the present template.",
        ),
        Column(
            "Available",
            _count("numberAvailable"),
            "integer",
            description="Nodes with a pod that has been ready for long enough.",
        ),
        Column(
            "Node Selector",
            lambda obj, now: label_map(find(obj, "spec", "template", "spec", "nodeSelector")),
            description="Labels a node must have.",
        ),
        AGE,
        wide("Containers", container_names("spec", "template"), "Containers of the template."),
        wide("Images", container_images("spec", "template"), "Images of the template."),
        wide("Selector", lambda obj, now: label_selector(find(obj, "spec", "selector")), "Its pods."),
    ),
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_create=_validate,
    validate_update=_validate,
    status=StatusStrategy(keep_spec),
    has_generation=True,
)

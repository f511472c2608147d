"""DaemonSet: a pod on every node that fits."""

from dray.api.meta import Object
from dray.api.resources import DAEMON_SETS
from dray.api.validation.core.workloads import validate_daemon_set, validate_daemon_set_update
from dray.api.validation.sameness import same
from dray.apiserver.registry.columns import AGE, NAME, find, label_map
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.pod_defaults import default_template
from dray.apiserver.registry.templates import (
    CONTAINERS,
    IMAGES,
    SELECTOR,
    checks,
    checks_update,
    count,
    template_warnings,
)
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


def template_generation(obj: Object) -> int:
    text = (obj["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION) or "0"
    return int(text) if text.isdigit() else 0


def _set_template_generation(obj: Object, generation: int) -> None:
    meta = obj["metadata"]
    meta["annotations"] = {**(meta.get("annotations") or {}), TEMPLATE_GENERATION: str(generation)}


def _complete(context: WriteContext, obj: Object) -> None:
    """The annotation stands for a field of old, which every writer sets."""
    _set_template_generation(obj, template_generation(obj))


def _prepare_create(context: WriteContext, obj: Object) -> None:
    clear_status(context, obj)
    _set_template_generation(obj, max(1, template_generation(obj)))


def _prepare_update(context: WriteContext, obj: Object) -> None:
    keep_status(context, obj)
    old = old_of(context)
    changed = not same(find(obj, "spec", "template"), find(old, "spec", "template"))
    _set_template_generation(obj, template_generation(old) + changed)


DAEMON_SET = Kind(
    DAEMON_SETS,
    singular="daemonset",
    short_names=("ds",),
    categories=("all",),
    shown_annotations=(TEMPLATE_GENERATION,),
    complete=_complete,
    columns=(
        NAME,
        count("Desired", "Nodes to run on.", "status", "desiredNumberScheduled"),
        count("Current", "Nodes it runs on.", "status", "currentNumberScheduled"),
        count("Ready", "Nodes with a ready pod.", "status", "numberReady"),
        count("Up-to-date", "Nodes with a pod of the template.", "status", "updatedNumberScheduled"),
        count("Available", "Nodes with a pod ready for long enough.", "status", "numberAvailable"),
        Column(
            "Node Selector",
            lambda obj, now: label_map(find(obj, "spec", "template", "spec", "nodeSelector")),
            description="Labels a node must have.",
        ),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_create=checks(validate_daemon_set),
    validate_update=checks_update(validate_daemon_set_update),
    status=StatusStrategy(keep_spec),
    has_generation=True,
    warnings=template_warnings("spec", "template"),
)

"""DaemonSet: a pod on every node that fits."""

from dray.api import errors
from dray.api.fields import quote
from dray.api.meta import Object, annotations_of
from dray.api.resources import DAEMON_SETS
from dray.api.schema.emptiness import same_by
from dray.api.schema.registry import type_schema
from dray.api.validation.core.go_numbers import whole_number
from dray.api.validation.core.workload_status import validate_daemon_set_status
from dray.api.validation.core.workloads import validate_daemon_set, validate_daemon_set_update
from dray.apiserver.registry.columns import AGE, NAME, find, label_map
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.pod_defaults import default_template
from dray.apiserver.registry.templates import (
    CONTAINERS,
    IMAGES,
    SELECTOR,
    checks_pods,
    checks_pods_update,
    checks_update,
    count,
    drops_disabled,
    template_warnings,
)
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status, old_of

_SCHEMA = type_schema("core/v1", "PodTemplateSpec")
_DROP = drops_disabled("spec", "template")
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
    """0 where the object says none that can be read."""
    number = whole_number(annotations_of(obj).get(TEMPLATE_GENERATION) or "0")
    return number if isinstance(number, int) else 0


def _read(obj: Object, version: str) -> Object:
    """Raises BadRequest for a template generation that is no number."""
    text = annotations_of(obj).get(TEMPLATE_GENERATION)
    problem = whole_number(text) if text is not None else 0
    if isinstance(problem, str):
        raise errors.BadRequest(
            f"DaemonSet in version {quote(version)} cannot be handled as a DaemonSet: "
            f"strconv.ParseInt: parsing {quote(text or '')}: {problem}"
        )
    return obj


def _set_template_generation(obj: Object, generation: int) -> None:
    meta = obj["metadata"]
    meta["annotations"] = {**(meta.get("annotations") or {}), TEMPLATE_GENERATION: str(generation)}


def _complete(context: WriteContext, obj: Object) -> None:
    """The annotation stands for a field of old, which every writer sets."""
    _set_template_generation(obj, template_generation(obj))


def _prepare_create(context: WriteContext, obj: Object) -> None:
    clear_status(context, obj)
    _DROP(context, obj)
    _set_template_generation(obj, max(1, template_generation(obj)))


def _prepare_update(context: WriteContext, obj: Object) -> None:
    keep_status(context, obj)
    _DROP(context, obj)
    old = old_of(context)
    changed = not same_by(_SCHEMA, find(obj, "spec", "template"), find(old, "spec", "template"))
    _set_template_generation(obj, template_generation(old) + changed)


def _prepare_status(context: WriteContext, obj: Object) -> None:
    """The count is a part of the spec that is written as an annotation."""
    keep_spec(context, obj)
    _set_template_generation(obj, template_generation(old_of(context)))


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
    to_hub=_read,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_create=checks_pods(validate_daemon_set),
    validate_update=checks_pods_update(validate_daemon_set_update, "spec", "template"),
    status=StatusStrategy(_prepare_status, checks_update(validate_daemon_set_status)),
    has_generation=True,
    warnings=template_warnings("spec", "template", counts=template_generation),
)

"""ReplicaSet and ReplicationController: a number of equal pods."""

from dray.api.meta import Object
from dray.api.resources import REPLICA_SETS, REPLICATION_CONTROLLERS
from dray.api.validation.core.workload_status import validate_replica_set_status
from dray.api.validation.core.workloads import (
    validate_replica_set,
    validate_replica_set_update,
    validate_replication_controller,
)
from dray.apiserver.registry.columns import AGE, NAME, find, label_map, wide
from dray.apiserver.registry.kind import Kind, StatusStrategy, WriteContext
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
from dray.apiserver.registry.writes import clear_status, in_turn, keep_spec, keep_status, old_of

_COUNTS = (
    count("Desired", "Pods that are wanted.", "spec", "replicas"),
    count("Current", "Pods there are.", "status", "replicas"),
    count("Ready", "Pods that are ready.", "status", "readyReplicas"),
)


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec.setdefault("template", {}))
    if spec.get("replicas") is None:
        spec["replicas"] = 1


def _default_controller(obj: Object, version: str) -> None:
    """Of old, labels and selector follow the template's labels, and a template that is missing is none."""
    spec = obj.setdefault("spec", {})
    if spec.get("template") is not None:
        default_template(spec["template"])
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    labels = find(obj, "spec", "template", "metadata", "labels")
    if labels:
        if not obj["spec"].get("selector"):
            obj["spec"]["selector"] = dict(labels)
        if not obj["metadata"].get("labels"):
            obj["metadata"]["labels"] = dict(labels)


def drop_terminating(context: WriteContext, obj: Object) -> None:
    """The count of pods that end has a gate."""
    was = find(old_of(context), "status", "terminatingReplicas")
    if not context.features.enabled("DeploymentReplicaSetTerminatingReplicas") and was is None:
        (obj.get("status") or {}).pop("terminatingReplicas", None)


_DROP = drops_disabled("spec", "template")
_WARN = template_warnings("spec", "template", names_pods=True)


def _controller_warnings(context: WriteContext, obj: Object) -> list[str]:
    """Of a controller that changes the template is told of that it had."""
    if context.old is None:
        return _WARN(context, obj)
    before = {**context.old, "metadata": obj["metadata"]}
    return _WARN(context, before)


REPLICA_SET = Kind(
    REPLICA_SETS,
    singular="replicaset",
    short_names=("rs",),
    categories=("all",),
    columns=(NAME, *_COUNTS, AGE, CONTAINERS, IMAGES, SELECTOR),
    default=_default,
    prepare_create=in_turn(clear_status, _DROP),
    prepare_update=in_turn(keep_status, _DROP),
    validate_create=checks_pods(validate_replica_set),
    validate_update=checks_pods_update(validate_replica_set_update, "spec", "template"),
    status=StatusStrategy(in_turn(keep_spec, drop_terminating), checks_update(validate_replica_set_status)),
    subresources=("scale",),
    has_generation=True,
    field_labels={"status.replicas": lambda obj: str(find(obj, "status", "replicas", default=0))},
    warnings=_WARN,
)

REPLICATION_CONTROLLER = Kind(
    REPLICATION_CONTROLLERS,
    singular="replicationcontroller",
    short_names=("rc",),
    categories=("all",),
    columns=(
        NAME,
        *_COUNTS,
        AGE,
        CONTAINERS,
        IMAGES,
        wide("Selector", lambda obj, now: label_map(find(obj, "spec", "selector")), "Its pods."),
    ),
    default=_default_controller,
    prepare_create=in_turn(clear_status, _DROP),
    prepare_update=in_turn(keep_status, _DROP),
    validate_create=checks_pods(validate_replication_controller),
    validate_update=checks_pods_update(
        lambda new, old, rules: validate_replication_controller(new, rules), "spec", "template"
    ),
    status=StatusStrategy(keep_spec, checks_update(validate_replica_set_status)),
    subresources=("scale",),
    reads_generate_name=False,
    has_generation=True,
    keeps_dependents=True,
    field_labels={"status.replicas": lambda obj: str(find(obj, "status", "replicas", default=0))},
    warnings=_controller_warnings,
)

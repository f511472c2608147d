"""ReplicaSet and ReplicationController: a number of equal pods."""

from dray.api.meta import Object
from dray.api.resources import REPLICA_SETS, REPLICATION_CONTROLLERS
from dray.api.validation.core.workloads import (
    validate_replica_set,
    validate_replication_controller,
    validate_selector_unchanged,
)
from dray.apiserver.registry.columns import AGE, NAME, find, label_map, wide
from dray.apiserver.registry.kind import Kind, StatusStrategy
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
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status

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
    """Of old, labels and selector follow the template's labels."""
    _default(obj, version)
    labels = find(obj, "spec", "template", "metadata", "labels")
    if labels:
        if not obj["spec"].get("selector"):
            obj["spec"]["selector"] = dict(labels)
        if not obj["metadata"].get("labels"):
            obj["metadata"]["labels"] = dict(labels)


REPLICA_SET = Kind(
    REPLICA_SETS,
    singular="replicaset",
    short_names=("rs",),
    categories=("all",),
    columns=(NAME, *_COUNTS, AGE, CONTAINERS, IMAGES, SELECTOR),
    default=_default,
    prepare_create=clear_status,
    prepare_update=keep_status,
    validate_create=checks(validate_replica_set),
    metadata_checks=("whole", "change"),
    validate_update=checks_update(
        lambda new, old: validate_replica_set(new) + validate_selector_unchanged(new, old)
    ),
    status=StatusStrategy(keep_spec),
    subresources=("scale",),
    has_generation=True,
    field_labels={"status.replicas": lambda obj: str(find(obj, "status", "replicas", default=0))},
    warnings=template_warnings("spec", "template"),
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
    prepare_create=clear_status,
    prepare_update=keep_status,
    validate_create=checks(validate_replication_controller),
    metadata_checks=("whole", "change"),
    validate_update=checks_update(lambda new, old: validate_replication_controller(new)),
    status=StatusStrategy(keep_spec),
    subresources=("scale",),
    has_generation=True,
    keeps_dependents=True,
    warnings=template_warnings("spec", "template"),
)

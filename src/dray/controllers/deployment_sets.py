"""The ReplicaSets of a Deployment as values: how many pods each wants, which revision it is, what a new one looks like."""

from collections.abc import Mapping, Sequence
from typing import Any

from dray.api.meta import (
    Object,
    annotations_of,
    labels_of,
    name_of,
    namespace_of,
    owner_reference,
    replace_at,
)
from dray.api.resources import REPLICA_SETS
from dray.controllers.pod_templates import scaled_value, template_hash

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAX = "deployment.kubernetes.io/max-replicas"
HISTORY_LIMIT = 2000
"""Characters of the list of revisions that a ReplicaSet once was."""
_NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    HISTORY,
    DESIRED,
    MAX,
}


def hash_of(deployment: Object) -> str:
    collisions = int((deployment.get("status") or {}).get("collisionCount") or 0)
    return template_hash(deployment["spec"]["template"], collisions)


def new_of(deployment: Object, sets: Sequence[Object]) -> Object | None:
    """The ReplicaSet of the present template."""
    digest = hash_of(deployment)
    return next((each for each in sets if labels_of(each).get(HASH_LABEL) == digest), None)


def is_recreated(deployment: Object) -> bool:
    return (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"


def desired(deployment: Object) -> int:
    return int(deployment["spec"].get("replicas", 1))


def limits(deployment: Object) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) as numbers of pods; both zero only where the strategy is Recreate."""
    if is_recreated(deployment):
        return 0, 0
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    replicas = desired(deployment)
    surge = scaled_value(rolling.get("maxSurge", "25%"), replicas, 1, round_up=True)
    unavailable = scaled_value(rolling.get("maxUnavailable", "25%"), replicas, 1, round_up=False)
    return (surge, min(unavailable, replicas)) if surge or unavailable else (0, min(1, replicas))


def wanted(replica_set: Object) -> int:
    return int(replica_set["spec"].get("replicas", 1))


def counted(replica_set: Object, field: str) -> int:
    return int((replica_set.get("status") or {}).get(field) or 0)


def total(sets: Sequence[Object]) -> int:
    return sum(map(wanted, sets))


def summed(sets: Sequence[Object], field: str) -> int:
    return sum(counted(each, field) for each in sets)


def revision(replica_set: Object) -> int:
    text = annotations_of(replica_set).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def size_annotations(deployment: Object) -> dict[str, str]:
    surge, _ = limits(deployment)
    return {DESIRED: str(desired(deployment)), MAX: str(desired(deployment) + surge)}


def followed(deployment: Object, new: Object, old: Sequence[Object]) -> Object:
    """`new` as it should be: the newest revision, with the deployment's annotations and its minReadySeconds."""
    annotations = {**annotations_of(new), **_own_annotations(deployment)}
    before, latest = revision(new), 1 + max(map(revision, old), default=0)
    if before < latest:
        annotations[REVISION] = str(latest)
        if before:
            annotations[HISTORY] = _appended(annotations.get(HISTORY, ""), str(before))
    spec: dict[str, Any] = {**new["spec"]}
    ready = int(deployment["spec"].get("minReadySeconds") or 0)
    if ready != int(spec.get("minReadySeconds") or 0):
        spec["minReadySeconds"] = ready
    return {**replace_at(new, ("metadata", "annotations"), annotations), "spec": spec}


def created(deployment: Object, old: Sequence[Object], replicas: int) -> Object:
    """The ReplicaSet to create for the present template."""
    digest = hash_of(deployment)
    template = deployment["spec"]["template"]
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: digest}
    selector = deployment["spec"]["selector"]
    spec: dict[str, Any] = {
        "replicas": replicas,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}},
        "template": replace_at(template, ("metadata", "labels"), labels),
    }
    if deployment["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    annotations = {
        **_own_annotations(deployment),
        REVISION: str(1 + max(map(revision, old), default=0)),
        **size_annotations(deployment),
    }
    return {
        "apiVersion": REPLICA_SETS.api_version,
        "kind": REPLICA_SETS.kind,
        "metadata": {
            "name": f"{name_of(deployment)}-{digest}",
            "namespace": namespace_of(deployment),
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": spec,
    }


def _own_annotations(deployment: Object) -> Mapping[str, str]:
    return {key: value for key, value in annotations_of(deployment).items() if key not in _NOT_COPIED}


def _appended(history: str, entry: str) -> str:
    entries = [*filter(None, history.split(",")), entry]
    while len(entries) > 1 and len(",".join(entries)) > HISTORY_LIMIT:
        entries.pop(0)
    return ",".join(entries)

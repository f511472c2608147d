"""StatefulSet and ControllerRevision: numbered pods, and the templates a workload had."""

import datetime as dt

from dray.api.fields import Path
from dray.api.meta import Object, controller_of
from dray.api.names import dns_label
from dray.api.resources import CONTROLLER_REVISIONS, STATEFUL_SETS
from dray.api.validation.core.controller_revision import (
    validate_controller_revision,
    validate_controller_revision_update,
)
from dray.api.validation.core.stateful_set import validate_stateful_set, validate_stateful_set_update
from dray.api.validation.core.workload_status import validate_stateful_set_status
from dray.api.validation.lists import items_of
from dray.api.validation.pod.warnings import claim_warnings
from dray.apiserver.registry.columns import AGE, NAME, NONE, at, find
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.pod_defaults import default_template
from dray.apiserver.registry.templates import (
    CONTAINERS,
    IMAGES,
    checks,
    checks_pods,
    checks_pods_update,
    checks_update,
    drops_disabled,
    template_warnings,
)
from dray.apiserver.registry.volume_defaults import default_volume_claim_spec
from dray.apiserver.registry.writes import clear_status, in_turn, keep_spec, keep_status


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    default_template(spec.setdefault("template", {}))
    for field, value in (
        ("podManagementPolicy", "OrderedReady"),
        ("replicas", 1),
        ("revisionHistoryLimit", 10),
    ):
        if spec.get(field) is None:
            spec[field] = value
    strategy = spec.setdefault("updateStrategy", {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        if strategy.get("rollingUpdate") is None:
            strategy["rollingUpdate"] = {}
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] == "RollingUpdate" and rolling is not None and rolling.get("partition") is None:
        rolling["partition"] = 0
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    for field in ("whenDeleted", "whenScaled"):
        if not retention.get(field):
            retention[field] = "Retain"
    for claim in spec.get("volumeClaimTemplates") or ():
        claim["kind"], claim["apiVersion"] = "PersistentVolumeClaim", "v1"
        default_volume_claim_spec(claim.setdefault("spec", {}))
        status = claim.setdefault("status", {})
        if not status.get("phase"):
            status["phase"] = "Pending"


def _ready(obj: Object, now: dt.datetime) -> str:
    ready = find(obj, "status", "readyReplicas", default=0)
    return f"{ready}/{find(obj, 'spec', 'replicas', default=0)}"


def _controller(obj: Object, now: dt.datetime) -> str:
    owner = controller_of(obj)
    if owner is None:
        return NONE
    group = owner.get("apiVersion", "").rpartition("/")[0]
    kind = owner.get("kind", "").lower()
    return f"{kind}.{group}/{owner.get('name', '')}" if group else f"{kind}/{owner.get('name', '')}"


_UNAVAILABLE = "MaxUnavailableStatefulSet"
_WARN = template_warnings("spec", "template")


def _complete(context: WriteContext, obj: Object) -> None:
    """A default that has a gate."""
    strategy = find(obj, "spec", "updateStrategy", default={})
    rolling = strategy.get("rollingUpdate") if strategy.get("type") == "RollingUpdate" else None
    if context.features.enabled(_UNAVAILABLE) and rolling is not None:
        rolling["maxUnavailable"] = rolling.get("maxUnavailable", 1)


def _drop_unavailable(context: WriteContext, obj: Object) -> None:
    path = ("spec", "updateStrategy", "rollingUpdate")
    in_use = find(context.old or {}, *path, "maxUnavailable") is not None
    if not context.features.enabled(_UNAVAILABLE) and not in_use:
        find(obj, *path, default={}).pop("maxUnavailable", None)


def _warnings(context: WriteContext, obj: Object) -> list[str]:
    found = _WARN(context, obj)
    at = Path("spec").child("volumeClaimTemplates")
    for index, claim in enumerate(items_of(find(obj, "spec", "volumeClaimTemplates"))):
        # Kubernetes writes it so.
        field = "" if context.old is None else "Spec"
        where = at.index(index).child(field) if field else at.index(index)
        found += claim_warnings(claim.get("spec") or {}, where)
    if find(obj, "spec", "revisionHistoryLimit", default=0) < 0:
        text = "a negative value retains all historical revisions; a value >= 0 is recommended"
        found.append(f"spec.revisionHistoryLimit: {text}")
    return found


_DROP = in_turn(_drop_unavailable, drops_disabled("spec", "template"))


STATEFUL_SET = Kind(
    STATEFUL_SETS,
    singular="statefulset",
    short_names=("sts",),
    categories=("all",),
    columns=(
        NAME,
        Column("Ready", _ready, description="Ready pods, of all wanted."),
        AGE,
        CONTAINERS,
        IMAGES,
    ),
    default=_default,
    complete=_complete,
    prepare_create=in_turn(clear_status, _DROP),
    prepare_update=in_turn(keep_status, _DROP),
    validate_create=checks_pods(validate_stateful_set),
    validate_update=checks_pods_update(validate_stateful_set_update, "spec", "template"),
    status=StatusStrategy(keep_spec, checks_update(validate_stateful_set_status), metadata_checks=()),
    subresources=("scale",),
    name_rule=dns_label,
    has_generation=True,
    warnings=_warnings,
)

CONTROLLER_REVISION = Kind(
    CONTROLLER_REVISIONS,
    singular="controllerrevision",
    columns=(
        NAME,
        Column("Controller", _controller, description="The workload that had this template."),
        Column("Revision", at("revision", default=0), description="The higher, the younger."),
        AGE,
    ),
    validate_create=checks(validate_controller_revision),
    validate_update=checks_update(validate_controller_revision_update),
    metadata_checks=("whole", "change"),
)

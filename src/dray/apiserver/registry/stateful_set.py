"""StatefulSet and ControllerRevision: numbered pods, and the templates a workload had."""

import datetime as dt

from dray.api.fields import FieldError, Path, invalid
from dray.api.meta import Object, controller_of
from dray.api.names import dns_label
from dray.api.resources import CONTROLLER_REVISIONS, STATEFUL_SETS
from dray.api.validation.core.workloads import validate_stateful_set, validate_stateful_set_update
from dray.api.validation.meta import IMMUTABLE
from dray.api.validation.sameness import same
from dray.apiserver.registry.columns import AGE, NAME, NONE, at, find
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.pod_defaults import default_template
from dray.apiserver.registry.templates import CONTAINERS, IMAGES, checks, checks_update, template_warnings
from dray.apiserver.registry.volume_defaults import default_volume_claim_spec
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status, old_of


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
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        if rolling.get("partition") is None:
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


def _validate_revision_update(context: WriteContext, obj: Object) -> list[FieldError]:
    if same(obj.get("data"), old_of(context).get("data")):
        return []
    return [invalid(Path("data"), obj.get("data"), IMMUTABLE)]


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
    prepare_create=clear_status,
    prepare_update=keep_status,
    validate_create=checks(validate_stateful_set),
    metadata_checks=("whole", "change"),
    validate_update=checks_update(validate_stateful_set_update),
    status=StatusStrategy(keep_spec),
    subresources=("scale",),
    name_rule=dns_label,
    has_generation=True,
    warnings=template_warnings("spec", "template"),
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
    validate_update=_validate_revision_update,
)

"""Pod: containers that run together on a node."""

from dray.api.fields import FieldError
from dray.api.meta import Object, format_time
from dray.api.qos import qos_class
from dray.api.resources import PODS
from dray.api.validation.pod.rules import pod_rules
from dray.api.validation.pod.spec import validate_pod_create
from dray.api.validation.pod.status import validate_pod_status
from dray.api.validation.pod.update import validate_ephemeral_update, validate_pod_update
from dray.api.validation.pod.warnings import pod_warnings, status_warnings
from dray.apiserver.registry.columns import find
from dray.apiserver.registry.kind import Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.pod_app_armor import read_annotations
from dray.apiserver.registry.pod_columns import COLUMNS
from dray.apiserver.registry.pod_defaults import default_pod, mirror_service_account
from dray.apiserver.registry.pod_gates import drop_disabled_pod_fields, drop_disabled_pod_status
from dray.apiserver.registry.pod_label_keys import merge_label_keys
from dray.apiserver.registry.pod_resize import RESIZE
from dray.apiserver.registry.selection import FIELD_LABEL_TEXT
from dray.apiserver.registry.writes import META_RESET_BY_STATUS, keep_status, old_of, restore

GATED = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}


def _default(obj: Object, version: str) -> None:
    default_pod(obj)
    _agree_on_addresses(obj.get("status") or {})


def _agree_on_addresses(status: Object) -> None:
    """The older field shows the first of the addresses; where both are given and differ, the older one counts."""
    address, addresses = status.get("podIP"), status.get("podIPs")
    if address and (not addresses or addresses[0].get("ip") != address):
        status["podIPs"] = [{"ip": address}]
    elif addresses and not address:
        status["podIP"] = addresses[0].get("ip") or ""


def _prepare_create(context: WriteContext, obj: Object) -> None:
    spec = obj["spec"]
    drop_disabled_pod_fields(context.features, spec, None)
    mirror_service_account(spec)
    merge_label_keys(context.features, obj)
    context.warnings.extend(read_annotations(obj))
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        spec["terminationGracePeriodSeconds"] = 1
    given = find(obj, "status", "qosClass")
    obj["status"] = {"phase": "Pending", "qosClass": given or qos_class(spec)}
    if spec.get("schedulingGates"):
        since = {"lastProbeTime": None, "lastTransitionTime": format_time(context.now)}
        obj["status"]["conditions"] = [{**GATED, **since}]


def _prepare_update(context: WriteContext, obj: Object) -> None:
    keep_status(context, obj)
    _settle(context, obj)


def _settle(context: WriteContext, obj: Object) -> None:
    """What becomes of any spec that was sent for a stored pod."""
    drop_disabled_pod_fields(context.features, obj["spec"], old_of(context).get("spec"))
    mirror_service_account(obj["spec"])
    if (obj["spec"].get("terminationGracePeriodSeconds") or 0) < 0:
        obj["spec"]["terminationGracePeriodSeconds"] = 1


def _prepare_status(context: WriteContext, obj: Object) -> None:
    old = old_of(context)
    restore(obj, old, "spec")
    for key in ("deletionTimestamp", "ownerReferences"):
        restore(obj["metadata"], old["metadata"], key)
    status = obj.setdefault("status", {})
    drop_disabled_pod_status(context.features, status, old.get("status") or {})
    for field in ("qosClass", "observedGeneration"):
        if not status.get(field):
            restore(status, old.get("status") or {}, field)


def _prepare_ephemeral(context: WriteContext, obj: Object) -> None:
    """Of the write, only spec.ephemeralContainers counts."""
    old = old_of(context)
    added = (obj.get("spec") or {}).get("ephemeralContainers")
    for key in obj.keys() | old.keys():
        if key not in ("metadata", "apiVersion", "kind"):
            restore(obj, old, key)
    obj["spec"] = {**old["spec"]}
    if added:
        obj["spec"]["ephemeralContainers"] = added
    else:
        obj["spec"].pop("ephemeralContainers", None)
    for key in META_RESET_BY_STATUS:
        if key != "deletionGracePeriodSeconds":
            restore(obj["metadata"], old["metadata"], key)
    drop_disabled_pod_fields(context.features, obj["spec"], old["spec"])


def _validate_create(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_pod_create(obj, pod_rules(context.features, None))


def _warnings(context: WriteContext, obj: Object) -> list[str]:
    """Only new pods are warned of."""
    return pod_warnings(obj) if context.old is None else []


def _status_warnings(context: WriteContext, obj: Object) -> list[str]:
    return list(status_warnings(obj.get("status") or {}))


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    old = old_of(context)
    return validate_pod_update(obj, old, pod_rules(context.features, old.get("spec")))


def _validate_status(context: WriteContext, obj: Object) -> list[FieldError]:
    newer = context.features.reaches("1.37")
    return validate_pod_status(obj, old_of(context), release_137=newer)


def _validate_ephemeral(context: WriteContext, obj: Object) -> list[FieldError]:
    old = old_of(context)
    return validate_ephemeral_update(obj, old, pod_rules(context.features, old.get("spec")))


def grace_seconds(pod: Object, asked: int | None) -> int:
    """Seconds a pod is given to end: what was asked, else its own; none before it has a node or after it ended."""
    period = asked
    if period is None:
        period = find(pod, "spec", "terminationGracePeriodSeconds", default=0)
    if not find(pod, "spec", "nodeName") or find(pod, "status", "phase") in ("Failed", "Succeeded"):
        period = 0
    return 1 if period < 0 else period


POD = Kind(
    PODS,
    singular="pod",
    short_names=("po",),
    categories=("all",),
    columns=COLUMNS,
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_create=_validate_create,
    validate_update=_validate_update,
    warnings=_warnings,
    metadata_checks=("change", "whole"),
    status=StatusStrategy(_prepare_status, _validate_status, warnings=_status_warnings),
    updatable={
        "ephemeralcontainers": StatusStrategy(_prepare_ephemeral, _validate_ephemeral, ("change", "whole")),
        "resize": RESIZE,
    },
    subresources=(
        "attach",
        "binding",
        "ephemeralcontainers",
        "eviction",
        "exec",
        "log",
        "portforward",
        "proxy",
    ),
    has_generation=True,
    graceful_delete=grace_seconds,
    returns_deleted=True,
    field_labels={
        "spec.nodeName": lambda pod: find(pod, "spec", "nodeName", default=""),
        "spec.restartPolicy": lambda pod: find(pod, "spec", "restartPolicy", default=""),
        "spec.schedulerName": lambda pod: find(pod, "spec", "schedulerName", default=""),
        "spec.serviceAccountName": lambda pod: find(pod, "spec", "serviceAccountName", default=""),
        "spec.hostNetwork": lambda pod: str(bool(find(pod, "spec", "hostNetwork"))).lower(),
        "status.phase": lambda pod: find(pod, "status", "phase", default=""),
        "status.podIP": lambda pod: find(pod, "status", "podIP", default=""),
        "status.nominatedNodeName": lambda pod: find(pod, "status", "nominatedNodeName", default=""),
    },
    unknown_field_text=FIELD_LABEL_TEXT,
)

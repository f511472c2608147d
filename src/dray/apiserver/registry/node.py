"""Node: a machine that runs pods, as its kubelet reports it."""

import datetime as dt

from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.resources import NODES
from dray.api.validation.core.node import validate_node, validate_node_update
from dray.apiserver.registry.columns import AGE, NAME, NONE, UNKNOWN, Cell, at, find, wide
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.selection import FIELD_LABEL_TEXT
from dray.apiserver.registry.writes import keep_spec, keep_status, old_of

_ROLE_PREFIX, _ROLE_LABEL = "node-role.kubernetes.io/", "kubernetes.io/role"


def _default(obj: Object, version: str) -> None:
    """What a node can allocate is all it has, unless it says otherwise; the old field shows its first pod range."""
    spec = obj.setdefault("spec", {})
    if spec.get("podCIDR") and not spec.get("podCIDRs"):
        spec["podCIDRs"] = [spec["podCIDR"]]
    elif spec.get("podCIDRs") and not spec.get("podCIDR"):
        spec["podCIDR"] = spec["podCIDRs"][0]
    status = obj.get("status")
    if status and status.get("allocatable") is None and status.get("capacity") is not None:
        status["allocatable"] = dict(status["capacity"])


def _drop_config(spec: Object, status: Object) -> None:
    """Kubelets are no longer configured through the API; what says so is not kept."""
    spec.pop("configSource", None)
    status.pop("config", None)


def _prepare_create(context: WriteContext, obj: Object) -> None:
    _drop_config(obj["spec"], obj.get("status") or {})


def _prepare_update(context: WriteContext, obj: Object) -> None:
    keep_status(context, obj)
    _drop_config(obj["spec"], {})


def _prepare_status(context: WriteContext, obj: Object) -> None:
    keep_spec(context, obj)
    _drop_config({}, obj.get("status") or {})


def _validate_create(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_node(obj)


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_node(obj) + validate_node_update(obj, old_of(context))


def _validate_status(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_node_update(obj, old_of(context))


def node_status(node: Object, now: dt.datetime) -> str:
    """`Ready`, `NotReady` or `Unknown`, and whether pods may be scheduled."""
    states = []
    for condition in find(node, "status", "conditions", default=()):
        if condition.get("type") == "Ready":
            states.append("Ready" if condition.get("status") == "True" else "NotReady")
    states = states[-1:] or ["Unknown"]
    if find(node, "spec", "unschedulable"):
        states.append("SchedulingDisabled")
    return ",".join(states)


def node_roles(node: Object, now: dt.datetime) -> str:
    roles = set()
    for key, value in (node["metadata"].get("labels") or {}).items():
        if key.startswith(_ROLE_PREFIX) and len(key) > len(_ROLE_PREFIX):
            roles.add(key.removeprefix(_ROLE_PREFIX))
        elif key == _ROLE_LABEL and value:
            roles.add(value)
    return ",".join(sorted(roles)) or NONE


def _address(kind: str) -> Cell:
    def cell(node: Object, now: dt.datetime) -> str:
        for address in find(node, "status", "addresses", default=()):
            if address.get("type") == kind:
                return str(address.get("address") or "")
        return NONE

    return cell


def _info(key: str) -> Cell:
    return lambda node, now: find(node, "status", "nodeInfo", key) or UNKNOWN


def _kernel(node: Object, now: dt.datetime) -> str:
    info = find(node, "status", "nodeInfo", default={})
    kernel = info.get("kernelVersion") or UNKNOWN
    return f"{kernel} ({info['architecture']})" if info.get("architecture") else kernel


NODE = Kind(
    NODES,
    singular="node",
    short_names=("no",),
    columns=(
        NAME,
        Column("Status", node_status, description="Whether the node is ready, and open to new pods."),
        Column("Roles", node_roles, description="Roles that labels give the node."),
        AGE,
        Column("Version", at("status", "nodeInfo", "kubeletVersion"), description="Version of the kubelet."),
        wide("Internal-IP", _address("InternalIP"), "Address inside the cluster."),
        wide("External-IP", _address("ExternalIP"), "Address outside the cluster."),
        wide("OS-Image", _info("osImage"), "Operating system."),
        wide("Kernel-Version", _kernel, "Kernel, and architecture where the node reports it."),
        wide("Container-Runtime", _info("containerRuntimeVersion"), "Container runtime and its version."),
    ),
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_create=_validate_create,
    validate_update=_validate_update,
    metadata_checks=("whole", "change"),
    status=StatusStrategy(_prepare_status, _validate_status),
    subresources=("proxy",),
    field_labels={"spec.unschedulable": lambda obj: str(bool(find(obj, "spec", "unschedulable"))).lower()},
    unknown_field_text=FIELD_LABEL_TEXT,
)

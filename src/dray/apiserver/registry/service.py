"""Service: a name and an address for a set of pods."""

import datetime as dt

from dray.api import names
from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.resources import SERVICES
from dray.api.validation.core.service import validate_service, validate_service_update
from dray.api.validation.core.service_warnings import service_warnings
from dray.api.validation.lists import items_of
from dray.apiserver.registry.columns import AGE, NAME, NONE, at, find, label_map, wide
from dray.apiserver.registry.kind import Column, Kind, StatusStrategy, WriteContext
from dray.apiserver.registry.service_allocation import allocate
from dray.apiserver.registry.service_types import ADDRESSED, drop_foreign, is_external, keep_allocated
from dray.apiserver.registry.templates import checks
from dray.apiserver.registry.writes import clear_status, keep_spec, keep_status, old_of


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    for field, value in (("sessionAffinity", "None"), ("type", "ClusterIP")):
        if not spec.get(field):
            spec[field] = value
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif (
        spec["sessionAffinity"] == "ClientIP"
        and find(spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds") is None
    ):
        spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": 10800}}
    for port in items_of(spec.get("ports")):
        if not port.get("protocol"):
            port["protocol"] = "TCP"
        if port.get("targetPort") in (None, "", 0):
            port["targetPort"] = port.get("port") or 0
    if spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is None:
        spec["allocateLoadBalancerNodePorts"] = True
    if is_external(spec) and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if spec["type"] in ADDRESSED and spec.get("internalTrafficPolicy") is None:
        spec["internalTrafficPolicy"] = "Cluster"


def _prepare_create(context: WriteContext, obj: Object) -> None:
    clear_status(context, obj)
    obj["status"].setdefault("loadBalancer", {})
    spec = obj["spec"]
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    allocate(context, obj)


def _prepare_update(context: WriteContext, obj: Object) -> None:
    keep_status(context, obj)
    spec, before = obj["spec"], old_of(context).get("spec") or {}
    keep_allocated(spec, before)
    allocate(context, obj)
    drop_foreign(spec, before)


def _external(service: Object, now: dt.datetime) -> str:
    given = find(service, "spec", "externalIPs", default=[])
    kind = find(service, "spec", "type", default="")
    if kind == "ExternalName":
        return find(service, "spec", "externalName", default="")  # type: ignore[no-any-return]
    if kind == "LoadBalancer":
        ingress = items_of(find(service, "status", "loadBalancer", "ingress"))
        reached = [one.get("ip") or one.get("hostname") or "" for one in ingress] + given
        return ",".join(reached) or "<pending>"
    return ",".join(given) or NONE


def _ports(service: Object, now: dt.datetime) -> str:
    shown = []
    for port in items_of(find(service, "spec", "ports")):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port.get('port', 0)}{node}/{port.get('protocol', '')}")
    return ",".join(shown) or NONE


def _cluster_address(service: Object, now: dt.datetime) -> str:
    return find(service, "spec", "clusterIP") or NONE


def _validate_update(context: WriteContext, obj: Object) -> list[FieldError]:
    return validate_service_update(obj, old_of(context))


SERVICE = Kind(
    SERVICES,
    singular="service",
    short_names=("svc",),
    categories=("all",),
    columns=(
        NAME,
        Column("Type", at("spec", "type"), description="How it is reached."),
        Column("Cluster-IP", _cluster_address, description="Address inside the cluster."),
        Column("External-IP", _external, description="Addresses outside the cluster."),
        Column("Port(s)", _ports, description="Ports, and those on every node."),
        AGE,
        wide("Selector", lambda obj, now: label_map(find(obj, "spec", "selector")), "Its pods."),
    ),
    default=_default,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate_create=checks(validate_service),
    validate_update=_validate_update,
    warnings=lambda context, obj: list(service_warnings(obj)),
    status=StatusStrategy(keep_spec),
    subresources=("proxy",),
    create_on_update=True,
    returns_deleted=True,
    name_rule=names.dns_label,
    field_labels={
        "spec.clusterIP": lambda obj: find(obj, "spec", "clusterIP", default=""),
        "spec.type": lambda obj: find(obj, "spec", "type", default=""),
    },
)

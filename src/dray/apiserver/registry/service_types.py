"""What services of each type have; what an update that says nothing of it keeps; what goes with a change of type.

Source: kubernetes pkg/registry/core/service, 1.36.
"""

from typing import Any, Final

from dray.api.meta import Object
from dray.api.validation.core.service_addresses import NONE
from dray.api.validation.lists import items_of

ADDRESSED: Final = ("ClusterIP", "NodePort", "LoadBalancer")
EXPOSED: Final = ("NodePort", "LoadBalancer")
_OF_ADDRESSES: Final = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def has_addresses(spec: Object) -> bool:
    return spec.get("type") in ADDRESSED


def has_node_ports(spec: Object) -> bool:
    """Whether its ports get ports of nodes by themselves."""
    if spec.get("type") == "LoadBalancer":
        return spec.get("allocateLoadBalancerNodePorts") is not False
    return spec.get("type") == "NodePort"


def may_have_node_ports(spec: Object) -> bool:
    return spec.get("type") in EXPOSED


def has_health_check(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def is_external(spec: Object) -> bool:
    """Whether anything from outside of the cluster may reach it."""
    return spec.get("type") in EXPOSED or (spec.get("type") == "ClusterIP" and bool(spec.get("externalIPs")))


def keep_allocated(spec: Object, before: Object) -> None:
    """What the server gave stays where an update leaves it out. Mutates `spec`."""
    if has_addresses(spec) and has_addresses(before):
        _keep_addresses(spec, before)
    if has_node_ports(spec) and has_node_ports(before):
        _keep_node_ports(spec, before)
    if has_health_check(spec) and has_health_check(before) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before.get("healthCheckNodePort")


def _keep_addresses(spec: Object, before: Object) -> None:
    """`clusterIPs` follows `clusterIP` where only that was changed."""
    if not spec.get("clusterIP") and before.get("clusterIP"):
        spec["clusterIP"] = before["clusterIP"]
    if spec.get("clusterIP") == before.get("clusterIP"):
        if not spec.get("clusterIPs") and before.get("clusterIPs"):
            spec["clusterIPs"] = before["clusterIPs"]
    elif not spec.get("clusterIPs") or spec["clusterIPs"] == before.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]


def _keep_node_ports(spec: Object, before: Object) -> None:
    """Ports are known by their names."""
    known = {port.get("name") or "": port.get("nodePort") for port in items_of(before.get("ports"))}
    used = {port.get("nodePort") for port in items_of(spec.get("ports"))}
    for port in items_of(spec.get("ports")):
        kept = known.get(port.get("name") or "")
        if not port.get("nodePort") and kept and kept not in used:
            port["nodePort"] = kept
            used.add(kept)


def drop_foreign(spec: Object, before: Object) -> None:
    """What the type before had and this one has not goes, unless the client says something new of it. Mutates `spec`."""
    if has_addresses(before) and not has_addresses(spec) and _same(spec, before, *_OF_ADDRESSES):
        for field in _OF_ADDRESSES:
            spec.pop(field, None)
    if may_have_node_ports(before) and not may_have_node_ports(spec):
        ports = items_of(spec.get("ports"))
        given = {port.get("nodePort") or 0 for port in items_of(before.get("ports"))}
        if all((port.get("nodePort") or 0) in {0, *given} for port in ports):
            for port in ports:
                port.pop("nodePort", None)
    for field, has in (
        ("healthCheckNodePort", has_health_check),
        ("allocateLoadBalancerNodePorts", _is_balanced),
        ("loadBalancerClass", _is_balanced),
        ("externalTrafficPolicy", is_external),
        ("internalTrafficPolicy", has_addresses),
    ):
        if has(before) and not has(spec) and _same(spec, before, field):
            spec.pop(field, None)


def _is_balanced(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer"


def _same(spec: Object, before: Object, *fields: str) -> bool:
    """Whether the client changed none of the fields; leaving them out changes nothing."""
    return all(_value(spec, field) in (_value(before, field), None) for field in fields)


def _value(spec: Object, field: str) -> Any:
    return spec.get(field) or None if field != "allocateLoadBalancerNodePorts" else spec.get(field)


def is_headless(spec: Object) -> bool:
    return spec.get("clusterIP") == NONE

"""Services: ports and selectors; and that an address, once given, stays."""

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from dray.api.meta import Object, annotations_of
from dray.api.validation.core.service_reach import (
    validate_balancing,
    validate_external_addresses,
    validate_traffic,
)
from dray.api.validation.core.service_warnings import HINTS, MODE
from dray.api.validation.lists import items_of
from dray.api.validation.meta import validate_labels

SPEC = Path("spec")
TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PROTOCOLS = ("SCTP", "TCP", "UDP")
_DAY = 86400


def validate_service(obj: Object, old: Object | None = None) -> list[FieldError]:
    """`old`: the stored one, on update."""
    spec, before = obj.get("spec") or {}, (old or {}).get("spec") or {}
    kind, ports = spec.get("type") or "", items_of(spec.get("ports"))
    errors = _validate_hints(obj)
    if not ports and spec.get("clusterIP") != "None" and kind != "ExternalName":
        errors.append(required(SPEC.child("ports")))
    errors += _validate_type(kind, spec)
    errors += _validate_ports(ports, SPEC.child("ports"))
    errors += validate_labels(spec.get("selector") or {}, SPEC.child("selector"))
    errors += _validate_affinity(spec)
    errors += validate_external_addresses(spec, before)
    if kind not in TYPES:
        errors.append(not_supported(SPEC.child("type"), kind, TYPES))
    errors += _check_numbers(kind, ports, SPEC.child("ports"))
    errors += validate_balancing(obj, old or {})
    return errors + validate_traffic(spec)


def _validate_hints(obj: Object) -> list[FieldError]:
    """Two annotations for one thing."""
    annotations = annotations_of(obj)
    hints, mode = annotations.get(HINTS), annotations.get(MODE)
    if hints is None or mode is None or hints == mode:
        return []
    text = f"must match annotations[{HINTS}] when both are specified"
    return [invalid(Path("metadata.annotations").key(MODE), mode, text)]


def _validate_affinity(spec: Object) -> list[FieldError]:
    affinity = spec.get("sessionAffinity") or ""
    if affinity not in ("ClientIP", "None"):
        return [not_supported(SPEC.child("sessionAffinity"), affinity, ("ClientIP", "None"))]
    client = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    seconds = client.get("timeoutSeconds")
    if affinity == "None" or seconds is None or 0 < seconds <= _DAY:
        return []
    at = SPEC.child("sessionAffinityConfig", "clientIP", "timeoutSeconds")
    return [invalid(at, seconds, f"must be greater than 0 and less than {_DAY}")]


def _check_numbers(kind: str, ports: list[Object], path: Path) -> list[FieldError]:
    """No two ports are the same, of the service or of the nodes."""
    nodes: set[tuple[int, str]] = set()
    numbers: set[tuple[int, str]] = set()
    forbidden_here: list[FieldError] = []
    of_nodes: list[FieldError] = []
    of_service: list[FieldError] = []
    for index, port in enumerate(ports):
        at, protocol = path.index(index), port.get("protocol") or ""
        node, number = port.get("nodePort") or 0, port.get("port") or 0
        if node and kind == "ClusterIP":
            text = "may not be used when `type` is 'ClusterIP'"
            forbidden_here.append(forbidden(at.child("nodePort"), text))
        if node and (node, protocol) in nodes:
            of_nodes.append(duplicate(at.child("nodePort"), node))
        if (number, protocol) in numbers:
            shown = {
                "Name": "",
                "Protocol": protocol,
                "AppProtocol": None,
                "Port": number,
                "TargetPort": 0,
                "NodePort": 0,
            }
            of_service.append(duplicate(at, shown))
        nodes.add((node, protocol))
        numbers.add((number, protocol))
    return forbidden_here + of_nodes + of_service


def _validate_type(kind: str, spec: Object) -> list[FieldError]:
    if kind in ("LoadBalancer", "NodePort") and spec.get("clusterIP") == "None":
        return [
            invalid(
                SPEC.child("clusterIPs").index(0), "None", f"may not be set to 'None' for {kind} services"
            )
        ]
    if kind != "ExternalName":
        return []
    given = (field for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy") if spec.get(field))
    errors = [forbidden(SPEC.child(field), "may not be set for ExternalName services") for field in given]
    return errors + _validate_external_name(spec.get("externalName") or "", SPEC.child("externalName"))


def validate_service_update(new: Object, old: Object) -> list[FieldError]:
    errors = validate_service(new, old)
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    earlier: list[FieldError] = []
    address, known = spec.get("clusterIP") or "", before.get("clusterIP") or ""
    if known and address != known and spec.get("type") != "ExternalName" != before.get("type"):
        earlier.append(invalid(SPEC.child("clusterIPs").index(0), [address], "may not change once set"))
    balanced = spec.get("type") == before.get("type") == "LoadBalancer"
    if balanced and spec.get("loadBalancerClass") != before.get("loadBalancerClass"):
        path = SPEC.child("loadBalancerClass")
        earlier.append(invalid(path, spec.get("loadBalancerClass"), "may not change once set"))
    is_local = spec.get("externalTrafficPolicy") == before.get("externalTrafficPolicy") == "Local"
    if balanced and is_local and spec.get("healthCheckNodePort") != before.get("healthCheckNodePort"):
        earlier.append(forbidden(SPEC.child("healthCheckNodePort"), "field is immutable"))
    return earlier + errors


def _validate_external_name(name: str, path: Path) -> list[FieldError]:
    name = name.removesuffix(".")
    if not name:
        return [required(path)]
    return [invalid(path, name, text) for text in names.dns_subdomain(name)]


def _validate_ports(ports: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    seen_names: set[str] = set()
    for index, port in enumerate(ports):
        at, name = path.index(index), port.get("name") or ""
        if not name and len(ports) > 1:
            errors.append(required(at.child("name")))
        elif name:
            errors += [invalid(at.child("name"), name, text) for text in names.dns_label(name)]
            if name in seen_names:
                errors.append(duplicate(at.child("name"), name))
            seen_names.add(name)
        number, protocol = port.get("port") or 0, port.get("protocol") or ""
        errors += [invalid(at.child("port"), number, text) for text in names.port_number(number)]
        if protocol not in PROTOCOLS:
            errors.append(not_supported(at.child("protocol"), protocol, PROTOCOLS))
        errors += _validate_target(port.get("targetPort"), at.child("targetPort"))
        if (protocol_name := port.get("appProtocol")) is not None:
            where = at.child("appProtocol")
            errors += [invalid(where, protocol_name, text) for text in names.qualified_name(protocol_name)]
    return errors


def _validate_target(target: int | str | None, path: Path) -> list[FieldError]:
    if isinstance(target, str):
        return [invalid(path, target, text) for text in names.port_name(target)]
    return [invalid(path, target or 0, text) for text in names.port_number(target or 0)]

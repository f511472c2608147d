"""Services: ports and selectors; and that an address, once given, stays."""

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.lists import items_of
from dray.api.validation.meta import validate_labels

SPEC = Path("spec")
TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PROTOCOLS = ("SCTP", "TCP", "UDP")
TRAFFIC = ("Cluster", "Local")


def validate_service(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    kind, ports = spec.get("type") or "", items_of(spec.get("ports"))
    errors: list[FieldError] = []
    if not ports and spec.get("clusterIP") != "None" and kind != "ExternalName":
        errors.append(required(SPEC.child("ports")))
    errors += _validate_type(kind, spec)
    errors += _validate_ports(ports, SPEC.child("ports"))
    errors += validate_labels(spec.get("selector") or {}, SPEC.child("selector"))
    if kind not in TYPES:
        errors.append(not_supported(SPEC.child("type"), kind, TYPES))
    affinity = spec.get("sessionAffinity") or ""
    if affinity not in ("ClientIP", "None"):
        errors.append(not_supported(SPEC.child("sessionAffinity"), affinity, ("ClientIP", "None")))
    if kind == "ClusterIP":
        text = "may not be used when `type` is 'ClusterIP'"
        places = (
            SPEC.child("ports").index(index).child("nodePort")
            for index, port in enumerate(ports)
            if port.get("nodePort")
        )
        errors += [forbidden(place, text) for place in places]
    return errors + _validate_traffic(kind, spec)


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


def _validate_traffic(kind: str, spec: Object) -> list[FieldError]:
    policy, path = spec.get("externalTrafficPolicy") or "", SPEC.child("externalTrafficPolicy")
    port, is_local = spec.get("healthCheckNodePort") or 0, kind == "LoadBalancer" and policy == "Local"
    errors: list[FieldError] = []
    if kind not in ("LoadBalancer", "NodePort") and not (kind == "ClusterIP" and spec.get("externalIPs")):
        if policy:
            errors.append(invalid(path, policy, "may only be set for externally-accessible services"))
    elif not policy:
        errors.append(required(path))
    elif policy not in TRAFFIC:
        errors.append(not_supported(path, policy, TRAFFIC))
    if port and not is_local:
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(invalid(SPEC.child("healthCheckNodePort"), port, text))
    inner = spec.get("internalTrafficPolicy")
    if inner is not None and inner not in TRAFFIC:
        errors.append(not_supported(SPEC.child("internalTrafficPolicy"), inner, TRAFFIC))
    if spec.get("loadBalancerClass") is not None and kind != "LoadBalancer":
        errors.append(
            forbidden(SPEC.child("loadBalancerClass"), "may only be used when `type` is 'LoadBalancer'")
        )
    return errors


def validate_service_update(new: Object, old: Object) -> list[FieldError]:
    errors = validate_service(new)
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
    seen_ports: set[tuple[int, str]] = set()
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
        if (number, protocol) in seen_ports:
            errors.append(duplicate(at, {"protocol": protocol, "port": number}))
        seen_ports.add((number, protocol))
    return errors


def _validate_target(target: int | str | None, path: Path) -> list[FieldError]:
    if isinstance(target, str):
        return [invalid(path, target, text) for text in names.port_name(target)]
    return [invalid(path, target or 0, text) for text in names.port_number(target or 0)]

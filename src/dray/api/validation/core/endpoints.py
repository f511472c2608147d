"""Endpoints and EndpointSlice: the addresses behind a service, their ports, and where traffic to them should come from."""

from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, invalid, not_supported, required, too_many
from dray.api.meta import Object
from dray.api.validation.addresses import (
    parse_address,
    validate_canonical,
    validate_plain_address,
    validate_reach,
)
from dray.api.validation.core.service import PROTOCOLS
from dray.api.validation.domain_names import validate_qualified_domain
from dray.api.validation.lists import items_of
from dray.api.validation.meta import validate_labels
from dray.api.validation.sameness import same

ADDRESS_TYPES: Final = ("FQDN", "IPv4", "IPv6")
_ADDRESSES_MAX: Final = 100
_PORTS_MAX: Final = 20000
_ENDPOINTS_MAX: Final = 1000
_HINTS_MAX: Final = 8
_NO_ADDRESSES: Final = "must specify `addresses` or `notReadyAddresses`"


def validate_endpoints(obj: Object, old: Object | None = None) -> list[FieldError]:
    """Subsets that are stored already may stay as they are."""
    if old is not None and same(obj.get("subsets"), old.get("subsets")):
        return []
    errors: list[FieldError] = []
    for index, subset in enumerate(items_of(obj.get("subsets"))):
        errors += _validate_subset(subset, Path("subsets").index(index))
    return errors


def _validate_subset(subset: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    if not subset.get("addresses") and not subset.get("notReadyAddresses"):
        errors.append(required(path, _NO_ADDRESSES))
    for field in ("addresses", "notReadyAddresses"):
        for index, address in enumerate(items_of(subset.get(field))):
            errors += _validate_endpoint_address(address, path.child(field).index(index))
    ports = items_of(subset.get("ports"))
    for index, port in enumerate(ports):
        at, name, number = path.child("ports").index(index), port.get("name") or "", port.get("port") or 0
        if not name and len(ports) > 1:
            errors.append(required(at.child("name")))
        errors += [invalid(at.child("name"), name, text) for text in names.dns_label(name)] if name else []
        errors += [invalid(at.child("port"), number, text) for text in names.port_number(number)]
        errors += _validate_protocols(port, at)
    return errors


def _validate_endpoint_address(address: Object, path: Path) -> list[FieldError]:
    text, at = address.get("ip") or "", path.child("ip")
    errors = validate_plain_address(text, at)
    if host := address.get("hostname") or "":
        errors += [invalid(path.child("hostname"), host, problem) for problem in names.dns_label(host)]
    errors += _validate_node(address, path)
    return errors + validate_reach(text, at)


def _validate_node(holder: Object, path: Path) -> list[FieldError]:
    node = holder.get("nodeName")
    if node is None:
        return []
    return [invalid(path.child("nodeName"), node, text) for text in names.dns_subdomain(node)]


def _validate_protocols(port: Object, path: Path) -> list[FieldError]:
    protocol, application = port.get("protocol"), port.get("appProtocol")
    errors: list[FieldError] = []
    if protocol is None:
        errors.append(required(path.child("protocol")))
    elif protocol not in PROTOCOLS:
        errors.append(not_supported(path.child("protocol"), protocol, PROTOCOLS))
    if application is not None:
        at = path.child("appProtocol")
        errors += [invalid(at, application, text) for text in names.qualified_name(application)]
    return errors


def validate_endpoint_slice(obj: Object, old: Object | None = None) -> list[FieldError]:
    """Endpoints that are stored already may stay as they are."""
    kind, at = obj.get("addressType") or "", Path("addressType")
    errors: list[FieldError] = []
    if not kind:
        errors.append(required(at))
    elif kind not in ADDRESS_TYPES:
        errors.append(not_supported(at, kind, ADDRESS_TYPES))
    errors += _validate_ports(items_of(obj.get("ports")), Path("ports"))
    if old is not None and same(obj.get("endpoints"), old.get("endpoints")):
        return errors
    endpoints, at = items_of(obj.get("endpoints")), Path("endpoints")
    if len(endpoints) > _ENDPOINTS_MAX:
        return [*errors, too_many(at, len(endpoints), _ENDPOINTS_MAX)]
    for index, endpoint in enumerate(endpoints):
        errors += _validate_endpoint(endpoint, kind, at.index(index))
    return errors


def _validate_ports(ports: list[Object], path: Path) -> list[FieldError]:
    if len(ports) > _PORTS_MAX:
        return [too_many(path, len(ports), _PORTS_MAX)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        name, at = port.get("name") or "", path.index(index)
        errors += [invalid(at.child("name"), name, text) for text in names.dns_label(name)] if name else []
        if name in seen:
            errors.append(duplicate(at.child("name"), name))
        seen.add(name)
        errors += _validate_protocols(port, at)
    return errors


def _validate_endpoint(endpoint: Object, kind: str, path: Path) -> list[FieldError]:
    addresses, at = [address or "" for address in endpoint.get("addresses") or ()], path.child("addresses")
    errors: list[FieldError] = []
    if not addresses:
        errors.append(required(at, "must contain at least 1 address"))
    elif len(addresses) > _ADDRESSES_MAX:
        errors.append(too_many(at, len(addresses), _ADDRESSES_MAX))
    for index, address in enumerate(addresses):
        errors += _validate_address(address, kind, at, at.index(index))
    errors += _validate_node(endpoint, path)
    errors += validate_labels(endpoint.get("deprecatedTopology") or {}, path.child("deprecatedTopology"))
    if (host := endpoint.get("hostname")) is not None:
        errors += [invalid(path.child("hostname"), host, text) for text in names.dns_label(host)]
    return errors + _validate_hints(endpoint.get("hints") or {}, path.child("hints"))


def _validate_address(address: str, kind: str, whole: Path, path: Path) -> list[FieldError]:
    if kind == "FQDN":
        return validate_qualified_domain(address, path)
    if kind not in ("IPv4", "IPv6"):
        return []
    wrong = validate_plain_address(address, path) if kind == "IPv4" else validate_canonical(address, path)
    if wrong:
        return wrong
    found = parse_address(address)
    errors = validate_reach(address, path)
    if found is not None and f"IPv{found.version}" != kind:
        errors.insert(0, invalid(whole, address, f"must be an {kind} address"))
    return errors


def _validate_hints(hints: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for field, rule in (("forZones", names.label_value), ("forNodes", names.dns_subdomain)):
        wanted, at = items_of(hints.get(field)), path.child(field)
        if len(wanted) > _HINTS_MAX:
            return [*errors, too_many(at, len(wanted), _HINTS_MAX)]
        seen: set[str] = set()
        for index, one in enumerate(wanted):
            name, where = one.get("name") or "", at.index(index).child("name")
            if name in seen:
                errors.append(duplicate(where, name))
            seen.add(name)
            errors += [invalid(where, name, text) for text in rule(name)]
    return errors

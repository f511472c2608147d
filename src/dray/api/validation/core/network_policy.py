"""NetworkPolicy: which pods it is about, and between which peers and ports it lets traffic pass."""

import ipaddress
import re
from typing import Final, TypeAlias

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.addresses import parse_address
from dray.api.validation.label_selector import validate_label_selector
from dray.api.validation.lists import items_of

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_SPEC: Final = Path("spec")
_TYPES: Final = ("Ingress", "Egress")
_PROTOCOLS: Final = ("TCP", "UDP", "SCTP")
_BAD_BLOCK: Final = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def validate_network_policy(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = validate_label_selector(spec.get("podSelector"), _SPEC.child("podSelector"))
    for field, end in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(items_of(spec.get(field))):
            errors += _validate_rule(rule, end, _SPEC.child(field).index(index))
    types, at = spec.get("policyTypes") or [], _SPEC.child("policyTypes")
    if len(types) > len(_TYPES):
        return [*errors, invalid(at, types, "may not specify more than two policyTypes")]
    unknown = [(index, kind or "") for index, kind in enumerate(types) if kind not in _TYPES]
    return errors + [not_supported(at.index(index), kind, _TYPES, in_order=True) for index, kind in unknown]


def _validate_rule(rule: Object, end: str, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, port in enumerate(items_of(rule.get("ports"))):
        errors += _validate_port(port, path.child("ports").index(index))
    for index, peer in enumerate(items_of(rule.get(end))):
        errors += _validate_peer(peer, path.child(end).index(index))
    return errors


def _validate_port(port: Object, path: Path) -> list[FieldError]:
    """One port, by number or name, or all from one number to another."""
    protocol, first, last = port.get("protocol"), port.get("port"), port.get("endPort")
    at, end = path.child("port"), path.child("endPort")
    errors: list[FieldError] = []
    if protocol is not None and protocol not in _PROTOCOLS:
        errors.append(not_supported(path.child("protocol"), protocol, _PROTOCOLS, in_order=True))
    if first is None:
        text = "may not be specified when `port` is not specified"
        return errors + ([invalid(end, last, text)] if last is not None else [])
    if isinstance(first, str):
        if last is not None:
            errors.append(invalid(end, last, "may not be specified when `port` is non-numeric"))
        return errors + [invalid(at, first, text) for text in names.port_name(first)]
    errors += [invalid(at, first, text) for text in names.port_number(first)]
    if last is None:
        return errors
    if last < first:
        errors.append(invalid(end, first, "must be greater than or equal to `port`"))
    return errors + [invalid(end, last, text) for text in names.port_number(last)]


def _validate_peer(peer: Object, path: Path) -> list[FieldError]:
    given = [
        field for field in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(field) is not None
    ]
    errors: list[FieldError] = []
    for field in ("podSelector", "namespaceSelector"):
        errors += validate_label_selector(peer.get(field), path.child(field))
    if "ipBlock" in given:
        errors += _validate_block(peer["ipBlock"], path.child("ipBlock"))
    if not given:
        errors.append(required(path, "must specify a peer"))
    elif len(given) > 1 and "ipBlock" in given:
        errors.append(forbidden(path, "may not specify both ipBlock and another peer"))
    return errors


def _validate_block(block: Object, path: Path) -> list[FieldError]:
    """A block of addresses, less some smaller ones of it."""
    text, at = block.get("cidr") or "", path.child("cidr")
    if not text:
        return [required(at)]
    whole = _network(text)
    if whole is None:
        return [invalid(at, text, _BAD_BLOCK)]
    errors: list[FieldError] = []
    for index, part in enumerate(block.get("except") or ()):
        at, inner = path.child("except").index(index), _network(part or "")
        if inner is None:
            errors.append(invalid(at, part or "", _BAD_BLOCK))
        elif inner.network_address not in whole or whole.prefixlen >= inner.prefixlen:
            errors.append(invalid(at, part, "must be a strict subset of `cidr`"))
    return errors


_LENGTH: Final = re.compile(r"0|[1-9][0-9]{0,2}")


def _network(text: str) -> _Network | None:
    """The block of `address/length`; bits behind the length do not count."""
    address, slash, length = text.partition("/")
    found = parse_address(address)
    if found is None or not slash or not _LENGTH.fullmatch(length) or int(length) > found.max_prefixlen:
        return None
    return ipaddress.ip_network(f"{found}/{length}", strict=False)

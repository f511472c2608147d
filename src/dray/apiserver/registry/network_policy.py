"""NetworkPolicy: which traffic pods may have; kept and shown, but nothing here filters."""

from dray.api.fields import FieldError, Path, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.resources import NETWORK_POLICIES
from dray.api.validation.addresses import parse_address
from dray.api.validation.label_selector import validate_label_selector
from dray.api.validation.lists import items_of
from dray.apiserver.registry.columns import AGE, NAME, find, label_selector
from dray.apiserver.registry.kind import Column, Kind, WriteContext

_SPEC = Path("spec")
_TYPES = ("Ingress", "Egress")
_PROTOCOLS = ("TCP", "UDP", "SCTP")


def _default(obj: Object, version: str) -> None:
    spec = obj.setdefault("spec", {})
    for rules in ("ingress", "egress"):
        for rule in spec.get(rules) or ():
            for port in rule.get("ports") or ():
                if not port.get("protocol"):
                    port["protocol"] = "TCP"
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    errors = validate_label_selector(spec.get("podSelector"), _SPEC.child("podSelector"))
    for position, kind in enumerate(spec.get("policyTypes") or ()):
        if kind not in _TYPES:
            errors.append(
                not_supported(_SPEC.child("policyTypes").index(position), kind, _TYPES, in_order=True)
            )
    for field, end in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(items_of(spec.get(field))):
            errors += _validate_rule(rule, end, _SPEC.child(field).index(index))
    return errors


def _validate_rule(rule: Object, end: str, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, port in enumerate(items_of(rule.get("ports"))):
        protocol, at = port.get("protocol") or "", path.child("ports").index(index).child("protocol")
        if protocol not in _PROTOCOLS:
            errors.append(not_supported(at, protocol, _PROTOCOLS, in_order=True))
    for index, peer in enumerate(items_of(rule.get(end))):
        at = path.child(end).index(index)
        for field in ("podSelector", "namespaceSelector"):
            errors += validate_label_selector(peer.get(field), at.child(field))
        if (block := peer.get("ipBlock")) is not None:
            errors += _validate_block(block.get("cidr") or "", at.child("ipBlock", "cidr"))
    return errors


def _validate_block(block: str, path: Path) -> list[FieldError]:
    if not block:
        return [required(path)]
    address, slash, length = block.partition("/")
    found = parse_address(address)
    if found is None or not length.isdecimal() or not slash or int(length) > found.max_prefixlen:
        return [invalid(path, block, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")]
    return []


NETWORK_POLICY = Kind(
    NETWORK_POLICIES,
    singular="networkpolicy",
    short_names=("netpol",),
    columns=(
        NAME,
        Column(
            "Pod-Selector",
            lambda obj, now: label_selector(find(obj, "spec", "podSelector")),
            description="Which pods it is about.",
        ),
        AGE,
    ),
    default=_default,
    validate_create=_validate,
    validate_update=_validate,
    has_generation=True,
)

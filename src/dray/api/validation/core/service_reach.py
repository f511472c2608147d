"""How a service is reached from outside of the cluster: its addresses there, who may come, and which ways traffic takes."""

import ipaddress
import re
from collections.abc import Collection
from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, not_supported, required
from dray.api.meta import Object, annotations_of
from dray.api.validation.addresses import parse_address, validate_plain_address, validate_reach

RANGES_ANNOTATION: Final = "service.beta.kubernetes.io/load-balancer-source-ranges"
_SPEC: Final = Path("spec")
_RANGES: Final = _SPEC.child("LoadBalancerSourceRanges")  # Kubernetes writes it so.
_TRAFFIC: Final = ("Cluster", "Local")
_DISTRIBUTIONS: Final = ("PreferClose", "PreferSameZone", "PreferSameNode")
_BALANCED: Final = "may only be used when `type` is 'LoadBalancer'"
_BAD_BLOCK: Final = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def validate_external_addresses(spec: Object, before: Object) -> list[FieldError]:
    """Those that the stored spec `before` has already may be written as they were."""
    known, errors = before.get("externalIPs") or (), list[FieldError]()
    for index, text in enumerate(spec.get("externalIPs") or ()):
        at = _SPEC.child("externalIPs").index(index)
        wrong = [] if text in known else validate_plain_address(text or "", at)
        errors += wrong or validate_reach(text or "", at, may_be_loopback=False)
    return errors


def validate_balancing(obj: Object, old: Object) -> list[FieldError]:
    """What only services of one type have: who may come, whether nodes have ports for it, and who makes the balancer."""
    spec, before = obj.get("spec") or {}, old.get("spec") or {}
    is_balanced = spec.get("type") == "LoadBalancer"
    errors = _validate_ranges(obj, before, old, is_balanced=is_balanced)
    if spec.get("allocateLoadBalancerNodePorts") is not None and not is_balanced:
        errors.append(forbidden(_SPEC.child("allocateLoadBalancerNodePorts"), _BALANCED))
    name, at = spec.get("loadBalancerClass"), _SPEC.child("loadBalancerClass")
    if name is None:
        return errors
    if not is_balanced:
        return [*errors, forbidden(at, _BALANCED)]
    return errors + [invalid(at, name, text) for text in names.qualified_name(name)]


def _validate_ranges(obj: Object, before: Object, old: Object, *, is_balanced: bool) -> list[FieldError]:
    """By field, or as of old by annotation."""
    ranges = (obj.get("spec") or {}).get("loadBalancerSourceRanges") or []
    given = annotations_of(obj).get(RANGES_ANNOTATION)
    if not ranges and given is None:
        return []
    path = _RANGES if ranges else Path("metadata.annotations").key(RANGES_ANNOTATION)
    errors = [] if is_balanced else [forbidden(path, _BALANCED)]
    if ranges:
        known = {text.strip() for text in before.get("loadBalancerSourceRanges") or ()}
        blocks = [(path.index(index), (text or "").strip()) for index, text in enumerate(ranges)]
        return errors + [error for at, text in blocks for error in _validate_block(text, at, known)]
    is_stored = bool(old) and annotations_of(old).get(RANGES_ANNOTATION) == given
    if given is None or is_stored or not given.strip():
        return errors
    return errors + [
        error for text in given.strip().split(",") for error in _validate_block(text.strip(), path, ())
    ]


_LENGTH: Final = re.compile(r"[0-9]{1,100}")
"""Zeros before it are told of apart."""


def _validate_block(text: str, path: Path, known: Collection[str]) -> list[FieldError]:
    if text in known:
        return []
    head, _, length = text.partition("/")
    address = parse_address(head)
    bits = 32 if address is not None and address.version == 4 else 128
    if address is None or not _LENGTH.fullmatch(length) or int(length) > bits:
        return [invalid(path, text, _BAD_BLOCK)]
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    errors: list[FieldError] = []
    if (mapped is None and validate_plain_address(head, path)) or length != str(int(length)):
        errors.append(invalid(path, text, "must not have leading 0s in IP or prefix length"))
    if mapped is not None:
        errors.append(invalid(path, text, "must not have an IPv4-mapped IPv6 address"))
    if int(address) % 2 ** (bits - int(length)):
        errors.append(invalid(path, text, "must not have bits set beyond the prefix length"))
    return errors


def validate_traffic(spec: Object) -> list[FieldError]:
    kind = spec.get("type") or ""
    policy, path = spec.get("externalTrafficPolicy") or "", _SPEC.child("externalTrafficPolicy")
    port, is_local = spec.get("healthCheckNodePort") or 0, kind == "LoadBalancer" and policy == "Local"
    errors: list[FieldError] = []
    if kind not in ("LoadBalancer", "NodePort") and not (kind == "ClusterIP" and spec.get("externalIPs")):
        if policy:
            errors.append(invalid(path, policy, "may only be set for externally-accessible services"))
    elif not policy:
        errors.append(required(path))
    elif policy not in _TRAFFIC:
        errors.append(not_supported(path, policy, _TRAFFIC))
    if port and not is_local:
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(invalid(_SPEC.child("healthCheckNodePort"), port, text))
    inner = spec.get("internalTrafficPolicy")
    if inner is not None and inner not in _TRAFFIC:
        errors.append(not_supported(_SPEC.child("internalTrafficPolicy"), inner, _TRAFFIC))
    wish = spec.get("trafficDistribution")
    if wish is not None and wish not in _DISTRIBUTIONS:
        at = _SPEC.child("trafficDistribution")
        errors.append(not_supported(at, wish, _DISTRIBUTIONS, in_order=True, is_plain=True))
    return errors

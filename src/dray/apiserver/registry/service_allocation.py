"""Addresses and ports of nodes for services: each is given once, and none that somebody has.

There is no table of them: what is given is what the stored services have, and what writes under way have taken.
"""

import hashlib
import ipaddress
import random
from collections.abc import Iterable
from typing import Final

from dray.api import errors
from dray.api.fields import FieldError, Path, invalid
from dray.api.meta import Object, name_of, uid_of
from dray.api.resources import SERVICES
from dray.api.validation.core.service_addresses import NONE, family_of, validate_addresses
from dray.api.validation.lists import items_of
from dray.apiserver.registry.kind import WriteContext
from dray.apiserver.registry.service_types import (
    has_addresses,
    has_health_check,
    has_node_ports,
    may_have_node_ports,
)

ADDRESSES: Final = ipaddress.ip_network("10.96.0.0/12")
PORTS: Final = range(30000, 32768)
_OWN_ADDRESSES: Final = 256
"""The first addresses are for services that ask for theirs."""
_OWN_PORTS: Final = 86
_FAMILY: Final = "IPv4"
_SPEC: Final = Path("spec")
_TAKEN: Final = "provided port is already allocated"


def allocate(context: WriteContext, obj: Object) -> None:
    """Give the service what its type has. Raises Invalid."""
    spec, before = obj["spec"], (context.old or {}).get("spec") or {}
    others = [each["spec"] for each in context.stored_objects(SERVICES) if uid_of(each) != uid_of(obj)]
    if has_addresses(spec):
        _settle_families(obj, spec, before)
        is_known = spec.get("clusterIP") and spec.get("clusterIPs") == before.get("clusterIPs")
        if spec.get("clusterIP") != NONE and not is_known:
            _Addresses(context, others).give(obj, spec)
    ports = _Ports(context, others)
    if may_have_node_ports(spec):
        ports.give(obj, spec, before)
    if has_health_check(spec) and not has_health_check(before):
        ports.give_health_check(obj, spec)


def _refuse(obj: Object, found: list[FieldError]) -> None:
    if found:
        raise errors.invalid("", SERVICES.kind, name_of(obj), found)


def _settle_families(obj: Object, spec: Object, before: Object) -> None:
    """This cluster has one family of addresses; a headless service without a selector may name any."""
    address, is_free = spec.get("clusterIP"), not spec.get("selector")
    if not spec.get("ipFamilyPolicy"):
        wide = address == NONE and is_free
        spec["ipFamilyPolicy"] = before.get("ipFamilyPolicy") or (
            "RequireDualStack" if wide else "SingleStack"
        )
    _refuse(obj, validate_addresses(spec))
    families = list(spec.get("ipFamilies") or ())
    policy, path, found = spec["ipFamilyPolicy"], _SPEC.child("ipFamilyPolicy"), []
    if policy == "SingleStack":
        for what, items in (("cluster IPs", spec.get("clusterIPs") or ()), ("IP families", families)):
            if len(items) == 2:
                text = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
                found.append(invalid(path, policy, text))
    for index, each in enumerate(spec.get("clusterIPs") or ()):
        if each != NONE and index >= len(families):
            families.append(family_of(each))
            if families[-1] != _FAMILY:
                text = f"{families[-1]} is not configured on this cluster"
                found.append(invalid(_SPEC.child("clusterIPs").index(index), spec["clusterIPs"], text))
    _refuse(obj, found)
    families = families or [_FAMILY]
    if address == NONE and is_free:
        if len(families) < 2 and policy != "SingleStack":
            families.append("IPv6" if families[0] == "IPv4" else "IPv4")
    else:
        found += _unconfigured(families, policy)
    _refuse(obj, found)
    spec["ipFamilies"] = families


def _unconfigured(families: list[str], policy: str) -> list[FieldError]:
    found = []
    if policy == "RequireDualStack":
        text = "this cluster is not configured for dual-stack services"
        found.append(invalid(_SPEC.child("ipFamilyPolicy"), policy, text))
    for index, family in enumerate(families):
        if family != _FAMILY:
            place = _SPEC.child("ipFamilies").index(index)
            found.append(invalid(place, family, "not configured on this cluster"))
    return found


class _Addresses:
    def __init__(self, context: WriteContext, others: Iterable[Object]) -> None:
        self._context = context
        self._taken = {address for spec in others for address in spec.get("clusterIPs") or ()}

    def _take(self, address: str) -> bool:
        return address not in self._taken and self._context.hold(("address", address))

    def give(self, obj: Object, spec: Object) -> None:
        asked = spec.get("clusterIP")
        if asked:
            if problem := self._problem(asked):
                text = f"failed to allocate IP {asked}: {problem}"
                _refuse(obj, [invalid(_SPEC.child("clusterIPs"), spec["clusterIPs"], text)])
            return
        # By uid, so that the same service gets the same address wherever it is made the first time.
        start = int.from_bytes(hashlib.sha256(uid_of(obj).encode()).digest()[:8], "big")
        room = ADDRESSES.num_addresses - _OWN_ADDRESSES - 1
        for step in range(room):
            address = str(ADDRESSES[_OWN_ADDRESSES + (start + step) % room])
            if self._take(address):
                spec["clusterIP"], spec["clusterIPs"] = address, [address]
                return
        raise errors.StatusError("failed to allocate a serviceIP: range is full")

    def _problem(self, asked: str) -> str:
        address = ipaddress.ip_address(asked)
        edges = (ADDRESSES.network_address, ADDRESSES.broadcast_address)
        if address not in ADDRESSES or address in edges:
            return "the provided network does not match the current range"
        return "" if self._take(asked) else "provided IP is already allocated"


class _Ports:
    """Ports of nodes. Two ports of a service with the same number and other protocols share one."""

    def __init__(self, context: WriteContext, others: Iterable[Object]) -> None:
        self._context = context
        self._taken = {number for spec in others for number in _numbers(spec)}

    def _problem(self, number: int) -> str:
        if number not in PORTS:
            first, last = PORTS[0], PORTS[-1]
            return f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
        return "" if self._take(number) else _TAKEN

    def _take(self, number: int) -> bool:
        if number in self._taken or not self._context.hold(("node port", number)):
            return False
        self._taken.add(number)
        return True

    def _next(self) -> int:
        """At random, so that nobody counts on one; the first few are left to who asks for them."""
        for choice in (PORTS[_OWN_PORTS:], PORTS[:_OWN_PORTS]):
            for number in random.sample(choice, len(choice)):
                if self._take(number):
                    return number
        raise errors.StatusError("failed to allocate a nodePort: range is full")

    def give(self, obj: Object, spec: Object, before: Object) -> None:
        had = set(_numbers(before))
        by_port: dict[int, int] = {}
        for index, port in enumerate(items_of(spec.get("ports"))):
            asked, shared = port.get("nodePort") or 0, by_port.get(port.get("port") or 0)
            if asked and asked != shared and asked not in had:
                if problem := self._problem(asked):
                    path = _SPEC.child("ports").index(index).child("nodePort")
                    _refuse(obj, [invalid(path, asked, problem)])
            elif not asked and has_node_ports(spec):
                asked = port["nodePort"] = shared if shared and not before else self._next()
            if asked:
                by_port.setdefault(port.get("port") or 0, asked)

    def give_health_check(self, obj: Object, spec: Object) -> None:
        """Kubernetes answers 500 to a number that it cannot give; it is the client's to choose another."""
        asked = spec.get("healthCheckNodePort") or 0
        if not asked:
            spec["healthCheckNodePort"] = self._next()
        elif problem := self._problem(asked):
            text = f"failed to allocate requested HealthCheck NodePort {asked}: {problem}"
            _refuse(obj, [invalid(_SPEC.child("healthCheckNodePort"), asked, text)])


def _numbers(spec: Object) -> list[int]:
    found = [port.get("nodePort") or 0 for port in items_of(spec.get("ports"))]
    return [number for number in (*found, spec.get("healthCheckNodePort") or 0) if number]

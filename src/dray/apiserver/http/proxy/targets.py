"""Where a proxied request goes: to which address, port and scheme, by the names `NAME`, `NAME:PORT`, `SCHEME:NAME:PORT`.

An address must be one that machines of a network have. Those of this machine alone count only for pods and kubelets of
nodes that live on it, as all nodes of an embedded cluster do: whoever may write a pod's status shall not make the server
speak to whatever else listens here.
"""

import asyncio
import dataclasses
import functools
import ipaddress
import random
import socket
import ssl
from collections.abc import Iterator
from typing import Final

from dray.api import errors
from dray.api.fields import quote
from dray.api.meta import Object
from dray.api.pods import addresses_of
from dray.api.resources import ENDPOINTS, NODES, PODS
from dray.api.validation.lists import items_of
from dray.apiserver.core import Call
from dray.apiserver.endpoint import Endpoint
from dray.apiserver.http.kubelet import kubelet_address, kubelet_endpoint
from dray.apiserver.verbs.writing import not_found

_SCHEMES: Final = ("", "http", "https")
_STANDARD_PORTS: Final = {"": 80, "http": 80, "https": 443}
_NOT_ALLOWED: Final = "address not allowed"
_LARGEST: Final = 2**63
_BROADCAST: Final = ipaddress.ip_address("255.255.255.255")


@dataclasses.dataclass(frozen=True, slots=True)
class Name:
    scheme: str
    name: str
    port: str
    """A number or, of a service, a name; "" for the first, or the only one."""


def parse_name(text: str, singular: str) -> Name:
    """Raises BadRequest."""
    parts = text.split(":")
    if len(parts) < 3:
        name = Name("", parts[0], parts[1] if len(parts) == 2 else "")
    else:
        name = Name(*parts[:3])
    if len(parts) > 3 or not name.name or name.scheme not in _SCHEMES:
        raise errors.BadRequest(f"invalid {singular} request {quote(text)}")
    return name


async def locate(call: Call, kubelet_ssl: ssl.SSLContext | None) -> Endpoint:
    """Raises BadRequest, NotFound, ServiceUnavailable, or a 500 for a node without an address."""
    name = parse_name(call.name, call.kind.singular)
    if call.kind.resource.plural == PODS.plural:
        return _pod(call, name)
    if call.kind.resource.plural == NODES.plural:
        return await _node(call, name, kubelet_ssl)
    return _service(call, name)


def _pod(call: Call, name: Name) -> Endpoint:
    pod = _found(call, name)
    port = name.port or next(_container_ports(pod), "")
    address = next(iter(addresses_of(pod)), "")
    if not (is_routed(address) or (is_local(address) and _lives_here(call, pod))):
        raise errors.BadRequest(_NOT_ALLOWED)
    return _endpoint(name.scheme, address, port)


def _container_ports(pod: Object) -> Iterator[str]:
    for container in items_of(pod["spec"].get("containers")):
        for port in items_of(container.get("ports")):
            yield str(port.get("containerPort") or 0)


def _lives_here(call: Call, pod: Object) -> bool:
    node = call.find(NODES, pod["spec"].get("nodeName") or "")
    return node is not None and is_local(kubelet_address(node))


def _service(call: Call, name: Name) -> Endpoint:
    port = name.port
    if (number := _number(port)) is not None:
        ports = items_of(_found(call, name)["spec"].get("ports"))
        found = next((each for each in ports if each.get("port") == number), None)
        if found is None:
            raise errors.ServiceUnavailable(f"no service port {number} found for service {quote(name.name)}")
        port = found.get("name") or ""
    endpoints = call.find(ENDPOINTS, name.name, call.namespace)
    if endpoints is None:
        raise not_found(_named(call, name))
    subsets = items_of(endpoints.get("subsets"))
    reachable = [
        (address["ip"], each["port"])
        for subset in subsets
        for each in items_of(subset.get("ports"))
        if (each.get("name") or "") == port
        for address in items_of(subset.get("addresses"))
        if _is_of_a_pod(call, address)
    ]
    if not reachable:
        # Kubernetes names the whole request once there are addresses, of which none will do.
        asked = call.name if subsets else name.name
        raise errors.ServiceUnavailable(f"no endpoints available for service {quote(asked)}")
    host, number = random.choice(reachable)
    return _endpoint(name.scheme, host, str(number))


def _is_of_a_pod(call: Call, address: Object) -> bool:
    """Whoever may write endpoints shall not choose what the server speaks to."""
    target, ip = address.get("targetRef") or {}, address.get("ip") or ""
    if target.get("namespace") != call.namespace:
        return False
    pod = call.find(PODS, target.get("name") or "", call.namespace)
    if pod is None or ip not in addresses_of(pod):
        return False
    return is_routed(ip) or (is_local(ip) and _lives_here(call, pod))


async def _node(call: Call, name: Name, kubelet_ssl: ssl.SSLContext | None) -> Endpoint:
    kubelet = kubelet_endpoint(_found(call, name), kubelet_ssl)
    is_kubelet = name.port in ("", str(kubelet.port))
    for address in await _resolved(kubelet.host):
        if not (is_routed(address) or (is_kubelet and is_local(address))):
            raise errors.BadRequest(_NOT_ALLOWED)
    return kubelet if is_kubelet else _endpoint(name.scheme, kubelet.host, name.port)


async def _resolved(host: str) -> list[str]:
    """Raises BadRequest for a name that nobody knows."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        raise errors.BadRequest(f"lookup {host}: no such host") from None
    return [str(entry[4][0]) for entry in found]


def _found(call: Call, name: Name) -> Object:
    """Raises NotFound."""
    obj = call.find(call.kind.resource, name.name, call.namespace)
    if obj is None:
        raise not_found(_named(call, name))
    return obj


def _named(call: Call, name: Name) -> Call:
    return dataclasses.replace(call, name=name.name)


def _number(port: str) -> int | None:
    digits = port[1:] if port[:1] in ("-", "+") else port
    if not (digits.isascii() and digits.isdigit()) or int(digits) >= _LARGEST:
        return None
    return int(port)


def _endpoint(scheme: str, host: str, port: str) -> Endpoint:
    """Raises ServiceUnavailable for a port that nothing can listen on."""
    number = int(port) if port.isascii() and port.isdigit() else -1
    if not port:
        number = _STANDARD_PORTS[scheme]
    if not 0 <= number < 65536:
        raise errors.ServiceUnavailable(
            f"error trying to reach service: dial tcp: address {port}: invalid port"
        )
    return Endpoint(host, number, unverified() if scheme == "https" else None)


@functools.cache
def unverified() -> ssl.SSLContext:
    """Pods have whatever certificates they like: the way to them is kept private, not proven."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def is_routed(address: str) -> bool:
    """Whether it is the address of one machine on a network."""
    ip = _parsed(address)
    if ip is None or ip == _BROADCAST:
        return False
    return not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified)


def is_local(address: str) -> bool:
    ip = _parsed(address)
    return ip is not None and ip.is_loopback


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    return ip.ipv4_mapped or ip if isinstance(ip, ipaddress.IPv6Address) else ip

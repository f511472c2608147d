"""Where a webhook is reached: its URL, or an address of the pods behind its service.

No traffic is routed to the addresses of services here, so the server looks for a pod itself: a ready one that the
service selects, or an address that somebody wrote down for a service without a selector.
"""

import dataclasses
import random
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from dray.api.fields import quote
from dray.api.meta import Object, is_deleting, labels_of
from dray.api.pods import is_ready, is_terminal
from dray.api.resources import ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES
from dray.api.validation.lists import items_of
from dray.apiserver.core import Core

HTTPS_PORT: Final = 443
SERVICE_LABEL: Final = "kubernetes.io/service-name"


class Unreachable(Exception):
    """There is nothing to connect to; `str()` says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    url: str
    """As errors and the Host header name it."""
    host: str
    """The name that the certificate must have."""
    service: Mapping[str, Any] | None = None
    """A ServiceReference; None: the URL itself says where to connect."""

    @classmethod
    def of(cls, client: Mapping[str, Any], seconds: int) -> "Target":
        """From a clientConfig; `seconds` is how long the webhook has."""
        service = client.get("service")
        if service is None:
            url = str(client.get("url") or "")
            return cls(_with_timeout(url, seconds), urlsplit(url).hostname or "")
        host = f"{service.get('name')}.{service.get('namespace')}.svc"
        path = (service.get("path") or "").lstrip("/")
        url = f"https://{host}:{_port(service)}/{path}"
        return cls(_with_timeout(url, seconds), host, service)

    def address(self, core: Core) -> tuple[str, int] | None:
        """Host and port to connect to; None: those of the URL. Raises Unreachable."""
        if self.service is None:
            return None
        name, namespace = str(self.service.get("name")), str(self.service.get("namespace"))
        service = core.find(SERVICES, name, namespace)
        if service is None:
            raise Unreachable(f"service {quote(name)} not found")
        spec, port = service["spec"], _port(self.service)
        if spec.get("type") == "ExternalName":
            return str(spec.get("externalName")), port
        found = next((each for each in items_of(spec.get("ports")) if each.get("port") == port), None)
        if found is None:
            raise Unreachable(f"no service port {port} found for service {quote(name)}")
        behind = (
            _pods(core, spec, found, namespace)
            if spec.get("selector")
            else _written(core, name, namespace, found)
        )
        addresses = list(behind)
        if not addresses:
            raise Unreachable(f"no endpoints available for service {quote(name)}")
        return random.choice(addresses)


def _with_timeout(url: str, seconds: int) -> str:
    return f"{url}?timeout={seconds}s"


def _port(service: Mapping[str, Any]) -> int:
    return int(service.get("port") or HTTPS_PORT)


def _pods(core: Core, spec: Object, port: Object, namespace: str) -> Iterator[tuple[str, int]]:
    selector = spec["selector"].items()
    for record in core.store.page(PODS.qualified, f"{namespace}/").records:
        pod = record.obj
        if is_deleting(pod) or is_terminal(pod) or not selector <= labels_of(pod).items():
            continue
        address = (pod.get("status") or {}).get("podIP")
        number = _container_port(pod, port)
        if address and number and (is_ready(pod) or spec.get("publishNotReadyAddresses")):
            yield address, number


def _container_port(pod: Object, port: Object) -> int | None:
    """The number behind a service port's target, which may be the name of a container's port."""
    target = str(port.get("targetPort") or port.get("port"))
    if target.isdigit():
        return int(target)
    containers = [*items_of(pod["spec"].get("containers")), *items_of(pod["spec"].get("initContainers"))]
    named = (each for container in containers for each in items_of(container.get("ports")))
    return next((int(each["containerPort"]) for each in named if each.get("name") == target), None)


def _written(core: Core, name: str, namespace: str, port: Object) -> Iterator[tuple[str, int]]:
    """Of a service without a selector: what EndpointSlices or Endpoints say."""
    wanted = port.get("name") or ""
    for record in core.store.page(ENDPOINT_SLICES.qualified, f"{namespace}/").records:
        if labels_of(record.obj).get(SERVICE_LABEL) != name:
            continue
        for number in _numbers(record.obj, wanted):
            for endpoint in items_of(record.obj.get("endpoints")):
                if (endpoint.get("conditions") or {}).get("ready") is not False:
                    yield from ((address, number) for address in endpoint.get("addresses") or ())
    endpoints = core.find(ENDPOINTS, name, namespace) or {}
    for subset in items_of(endpoints.get("subsets")):
        for number in _numbers(subset, wanted):
            yield from ((each["ip"], number) for each in items_of(subset.get("addresses")))


def _numbers(holder: Object, wanted: str) -> Iterator[int]:
    for port in items_of(holder.get("ports")):
        if (port.get("name") or "") == wanted and port.get("port"):
            yield int(port["port"])

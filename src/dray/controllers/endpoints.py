"""Writes down, in an Endpoints object of the service's name, where the pods behind each service are reached.

Clients that know EndpointSlices need none of it; the API server's proxy does. Source: kubernetes pkg/controller/endpoint, 1.36.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

import orjson

from dray.api.meta import Object, ObjectKey, annotations_of, is_deleting, labels_of
from dray.api.resources import ENDPOINTS, PODS, SERVICES
from dray.controllers.base import Context, Controller, ignore_missing
from dray.controllers.service_loop import follow_services, pods_of
from dray.controllers.service_pods import (
    address_in,
    families,
    hostname_in,
    is_followed,
    is_served,
    labels_for,
    ports_at,
    reference_to,
)

MANAGED_BY: Final = "endpoints.kubernetes.io/managed-by"
OVER_CAPACITY: Final = "endpoints.kubernetes.io/over-capacity"
MOST: Final = 1000
"""Addresses in one object."""


class ServiceEndpoints(Controller):
    name: ClassVar[str] = "endpoint-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.services = self.watch(SERVICES)
        self.endpoints = self.watch(ENDPOINTS)
        self.pods = self.informer(PODS)
        follow_services(self, self.services, self.pods)

    async def sync(self, key: ObjectKey) -> None:
        service = self.services.cache.get(key)
        old = self.endpoints.cache.get(key)
        if service is None:
            if old is not None and labels_of(old).get(MANAGED_BY) == self.name:
                await ignore_missing(self.client.delete(ENDPOINTS, key.name, key.namespace))
            return
        if not is_followed(service):
            return
        subsets, is_cut = _limited(subsets_of(service, pods_of(self.pods, service)))
        wanted = _endpoints(key, service, old, subsets, is_cut=is_cut)
        if old is None:
            written = await self.client.create(ENDPOINTS, wanted, key.namespace)
        elif _content(old) != _content(wanted):
            written = await self.client.update(ENDPOINTS, wanted)
        else:
            return
        await self.endpoints.wait_seen(written)


def _endpoints(
    key: ObjectKey, service: Object, old: Object | None, subsets: list[Object], *, is_cut: bool
) -> Object:
    meta: Object = (
        dict(old["metadata"]) if old is not None else {"name": key.name, "namespace": key.namespace}
    )
    meta["labels"] = {**labels_for(service, MANAGED_BY), MANAGED_BY: ServiceEndpoints.name}
    known = annotations_of(old) if old is not None else {}
    annotations = {key: text for key, text in known.items() if key != OVER_CAPACITY}
    if is_cut:
        annotations[OVER_CAPACITY] = "truncated"
    meta.pop("annotations", None)
    if annotations:
        meta["annotations"] = annotations
    found: Object = {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta}
    return found | ({"subsets": subsets} if subsets else {})


def _content(endpoints: Object) -> Any:
    return endpoints.get("subsets") or [], labels_of(endpoints), annotations_of(endpoints)


def subsets_of(service: Object, pods: Iterable[Object]) -> list[Object]:
    """Ports that lead to the same pods stand together, as do the pods; both in order."""
    family = families(service)[0]
    behind: dict[bytes, tuple[Object | None, dict[str, tuple[Object, bool]]]] = {}
    for pod in pods:
        address = address_in(pod, family)
        if not address or (is_deleting(pod) and not is_served(service, pod)):
            continue
        entry = _address(service, pod, address)
        for port in _ports(service, pod):
            _, places = behind.setdefault(orjson.dumps(port), (port, {}))
            places[entry["targetRef"]["uid"]] = (entry, is_served(service, pod))
    together: dict[bytes, Object] = {}
    for _, (port, places) in sorted(behind.items()):
        subset = _subset(places.values())
        known = together.setdefault(orjson.dumps(subset), subset)
        if port is not None:
            known.setdefault("ports", []).append(port)
    return list(together.values())


def _ports(service: Object, pod: Object) -> list[Object | None]:
    """None: the service has no ports, and is about names alone."""
    if not service["spec"].get("ports"):
        return [None]
    return [{key: value for key, value in port.items() if value != ""} for port in ports_at(service, pod)]


def _address(service: Object, pod: Object, address: str) -> Object:
    parts = {
        "ip": address,
        "hostname": hostname_in(service, pod),
        "nodeName": pod["spec"].get("nodeName"),
        "targetRef": reference_to(pod),
    }
    return {key: value for key, value in parts.items() if value}


def _subset(places: Iterable[tuple[Object, bool]]) -> Object:
    ordered = sorted(places, key=lambda place: (place[0]["ip"], place[0]["targetRef"]["uid"]))
    parts = {
        "addresses": [entry for entry, is_ready in ordered if is_ready],
        "notReadyAddresses": [entry for entry, is_ready in ordered if not is_ready],
    }
    return {key: entries for key, entries in parts.items() if entries}


def _limited(subsets: list[Object]) -> tuple[list[Object], bool]:
    """No more addresses than one object may have, ready ones first; and whether some were left out."""
    left, is_cut = MOST, False
    kept: list[Object] = []
    for subset in subsets:
        found = dict(subset)
        for field in ("addresses", "notReadyAddresses"):
            entries = subset.get(field) or []
            is_cut = is_cut or len(entries) > left
            if entries[:left]:
                found[field] = entries[:left]
            else:
                found.pop(field, None)
            left -= len(entries[:left])
        if found.keys() & {"addresses", "notReadyAddresses"}:
            kept.append(found)
    return kept, is_cut

"""Writes down, in EndpointSlices, where the pods behind each service are reached, in every family of its addresses.

Source: kubernetes staging/src/k8s.io/endpointslice and pkg/controller/endpointslice, 1.36.
"""

from collections.abc import Iterable
from typing import ClassVar, Final

import orjson

from dray.api.meta import Object, ObjectKey, is_deleting, labels_of, name_of, namespace_of
from dray.api.pods import is_ready
from dray.api.resources import ENDPOINT_SLICES, NODES, PODS, SERVICES
from dray.controllers.base import Context, Controller
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
from dray.controllers.slice_sets import MANAGED_BY, SERVICE, Group
from dray.controllers.slice_writing import SliceWriter

ZONE: Final = "topology.kubernetes.io/zone"
MANAGER: Final = "endpointslice-controller.k8s.io"


class ServiceSlices(Controller):
    name: ClassVar[str] = "endpointslice-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.services = self.watch(SERVICES)
        self.pods = self.informer(PODS)
        self.nodes = self.informer(NODES)
        self.slices = self.informer(ENDPOINT_SLICES)
        self._writer = SliceWriter(self, self.slices, MANAGER)
        follow_services(self, self.services, self.pods)
        self.nodes.add_handler(on_add=self._zone_known, on_update=self._node_updated)

    def _node_updated(self, old: Object, new: Object) -> None:
        if labels_of(old).get(ZONE) != labels_of(new).get(ZONE):
            self._zone_known(new)

    def _zone_known(self, node: Object) -> None:
        for service in self.services.cache.list():
            self._enqueue(service)

    async def sync(self, key: ObjectKey) -> None:
        service = self.services.cache.get(key)
        if service is None or is_deleting(service) or not is_followed(service):
            return  # slices of a service that is gone go with their owner
        groups = self._groups(service, list(pods_of(self.pods, service)))
        await self._writer.write(key, groups, frame_of(service))

    def _groups(self, service: Object, pods: Iterable[Object]) -> list[Group]:
        found: list[Group] = []
        for family in families(service):
            by_ports: dict[bytes, tuple[list[Object], list[Object]]] = {}
            for pod in pods:
                if not address_in(pod, family) or not self._is_placed(service, pod):
                    continue
                ports = ports_at(service, pod)
                _, endpoints = by_ports.setdefault(orjson.dumps(ports), (ports, []))
                endpoints.append(self._endpoint(service, pod, family))
            groups = [Group(family, ports, endpoints) for ports, endpoints in by_ports.values()]
            found += groups or [Group(family, [], [])]
        return found

    def _is_placed(self, service: Object, pod: Object) -> bool:
        """Of a pod on a node that is gone, or not known yet, nobody can say that it answers."""
        node = pod["spec"].get("nodeName") or ""
        if service["spec"].get("publishNotReadyAddresses"):
            return True
        return self.nodes.cache.find(node) is not None

    def _endpoint(self, service: Object, pod: Object, family: str) -> Object:
        node = pod["spec"].get("nodeName") or ""
        known = self.nodes.cache.find(node) if node else None
        parts = {
            "addresses": [address_in(pod, family)],
            "conditions": {
                "ready": is_served(service, pod),
                "serving": is_ready(pod),
                "terminating": is_deleting(pod),
            },
            "hostname": hostname_in(service, pod),
            "targetRef": reference_to(pod),
            "nodeName": node,
            "zone": labels_of(known).get(ZONE) if known is not None else "",
        }
        return {key: value for key, value in parts.items() if value}


def frame_of(service: Object) -> Object:
    name = name_of(service)
    owner = {
        "apiVersion": "v1",
        "kind": "Service",
        "name": name,
        "uid": service["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    labels = labels_for(service, MANAGED_BY, SERVICE)
    return {
        "generateName": f"{name}-",
        "namespace": namespace_of(service),
        "labels": {**labels, SERVICE: name, MANAGED_BY: MANAGER},
        "ownerReferences": [owner],
    }

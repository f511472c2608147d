"""Repeats as EndpointSlices what somebody wrote down in Endpoints for a service without a selector.

Source: kubernetes pkg/controller/endpointslicemirroring, 1.36.
"""

from typing import ClassVar, Final

from dray.api.meta import Object, ObjectKey, annotations_of, is_deleting, labels_of, name_of, namespace_of
from dray.api.resources import ENDPOINT_SLICES, ENDPOINTS, SERVICES
from dray.controllers.base import Context, Controller
from dray.controllers.service_pods import family_of
from dray.controllers.slice_sets import MANAGED_BY, SERVICE, Group
from dray.controllers.slice_writing import SliceWriter

SKIP: Final = "endpointslice.kubernetes.io/skip-mirror"
LEADER: Final = "control-plane.alpha.kubernetes.io/leader"
MANAGER: Final = "endpointslicemirroring-controller.k8s.io"
_NOT_COPIED: Final = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "endpoints.kubernetes.io/last-change-trigger-time",
)


class EndpointsMirroring(Controller):
    name: ClassVar[str] = "endpointslicemirroring-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.endpoints = self.watch(ENDPOINTS)
        self.services = self.watch(SERVICES)
        self._writer = SliceWriter(self, self.informer(ENDPOINT_SLICES), MANAGER)

    async def sync(self, key: ObjectKey) -> None:
        endpoints = self.endpoints.cache.get(key)
        service = self.services.cache.get(key)
        if endpoints is None or service is None or not _is_mirrored(endpoints, service):
            await self._writer.write(key, (), {"labels": {}})
            return
        await self._writer.write(key, groups_of(endpoints), frame_of(endpoints))


def _is_mirrored(endpoints: Object, service: Object) -> bool:
    if is_deleting(endpoints) or service["spec"].get("selector"):
        return False
    return labels_of(endpoints).get(SKIP) != "true" and LEADER not in annotations_of(endpoints)


def groups_of(endpoints: Object) -> list[Group]:
    """One a subset and family of addresses."""
    found: list[Group] = []
    for subset in endpoints.get("subsets") or ():
        ports = [{"name": "", "protocol": "TCP", **port} for port in subset.get("ports") or ()]
        by_family: dict[str, list[Object]] = {}
        for field, is_ready in (("addresses", True), ("notReadyAddresses", False)):
            for address in subset.get(field) or ():
                by_family.setdefault(family_of(address["ip"]), []).append(_endpoint(address, is_ready))
        found += [Group(family, ports, entries) for family, entries in by_family.items()]
    return found


def _endpoint(address: Object, is_ready: bool) -> Object:
    parts = {
        "addresses": [address["ip"]],
        "conditions": {"ready": is_ready},
        "hostname": address.get("hostname"),
        "targetRef": address.get("targetRef"),
        "nodeName": address.get("nodeName"),
    }
    return {key: value for key, value in parts.items() if value}


def frame_of(endpoints: Object) -> Object:
    name = name_of(endpoints)
    owner = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "name": name,
        "uid": endpoints["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    labels = {key: text for key, text in labels_of(endpoints).items() if key not in (MANAGED_BY, SERVICE)}
    annotations = annotations_of(endpoints)
    return {
        "generateName": f"{name}-",
        "namespace": namespace_of(endpoints),
        "labels": {**labels, SERVICE: name, MANAGED_BY: MANAGER},
        "annotations": {key: text for key, text in annotations.items() if key not in _NOT_COPIED},
        "ownerReferences": [owner],
    }

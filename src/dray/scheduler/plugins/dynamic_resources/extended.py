"""Extended resources that devices provide: which class stands for a resource name, and the claim a pod needs for them.

A class provides the name in its `spec.extendedResourceName`, and always `deviceclass.resource.kubernetes.io/<class>`.
Where several classes claim one name the newest wins, then the smaller class name, however they came and went (1.36
forgets the others until it is restarted).

Per node: a resource is *delegated* to devices where the node itself offers none of it. The claim for what is delegated
has a request per long-lived container; init containers use the requests of containers that start after them, since they
are done before those begin, and share one more request for what is missing.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dray.api.meta import Object, name_of, namespace_of, owner_reference
from dray.api.pod_requests import amount_of
from dray.scheduler.assume import EXTENDED_CLAIM_ANNOTATION

IMPLICIT_PREFIX = "deviceclass.resource.kubernetes.io/"
UNNAMED = "<extended-resources>"
"""The name of the claim as long as it exists only in memory."""


def is_extended(name: str) -> bool:
    """Whether devices may provide a resource of this name."""
    if name.startswith(IMPLICIT_PREFIX):
        return True
    if name.startswith("requests.") or "/" not in name:
        return False
    return "kubernetes.io/" not in name


class ExtendedResources:
    """Resource names by the device classes that provide them."""

    def __init__(self) -> None:
        self._classes: dict[str, Object] = {}
        self._providers: dict[str, list[str]] = {}

    def put(self, device_class: Object) -> None:
        self.remove(name_of(device_class))
        self._classes[name_of(device_class)] = device_class
        if resource := _explicit_name(device_class):
            self._providers.setdefault(resource, []).append(name_of(device_class))

    def remove(self, class_name: str) -> None:
        old = self._classes.pop(class_name, None)
        resource = _explicit_name(old) if old is not None else ""
        if resource:
            self._providers[resource].remove(class_name)

    def class_of(self, resource: str) -> str | None:
        """The class that stands for a resource, if any."""
        if resource.startswith(IMPLICIT_PREFIX):
            name = resource.removeprefix(IMPLICIT_PREFIX)
            return name if name in self._classes else None
        names = self._providers.get(resource)
        if not names:
            return None
        newest = max(self._created(name) for name in names)
        return min(name for name in names if self._created(name) == newest)

    def _created(self, class_name: str) -> str:
        # RFC 3339 in UTC with whole seconds sorts as text.
        return str(self._classes[class_name]["metadata"].get("creationTimestamp") or "")

    def classes_for(self, requests: Mapping[str, int]) -> dict[str, str]:
        """The class of each requested resource that one stands for."""
        found = {}
        for resource, amount in requests.items():
            if amount and is_extended(resource) and (name := self.class_of(resource)) is not None:
                found[resource] = name
        return found


def _explicit_name(device_class: Object) -> str:
    return str((device_class.get("spec") or {}).get("extendedResourceName") or "")


@dataclasses.dataclass(frozen=True, slots=True)
class _Use:
    """One container's need of one resource."""

    position: int
    container: str
    request: str
    amount: int
    is_brief: bool
    """An init container that ends before the next one starts."""


def make_claim(pod: Object, classes: Mapping[str, str], uid: str) -> tuple[Object, list[Object]]:
    """The claim for `classes` (resource name to class name), and the pod status's request mappings for it.

    The claim exists in memory only: its name is a placeholder, `uid` the caller's choice.
    """
    requests: list[Object] = []
    mappings: list[Object] = []
    for resource in sorted(classes):
        uses = list(_uses(pod, resource))
        needed, pairs = _share_out(uses)
        requests += [_request(name, classes[resource], amount) for name, amount in needed.items()]
        mappings += [
            {"containerName": container, "resourceName": resource, "requestName": request}
            for container, request in pairs
        ]
    requests.sort(key=lambda request: str(request["name"]))
    owner = owner_reference(pod, controller=True, block=False)
    claim: Object = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {
            "name": UNNAMED,
            "generateName": f"{name_of(pod)}-extended-resources-",
            "namespace": namespace_of(pod),
            "uid": uid,
            "annotations": {EXTENDED_CLAIM_ANNOTATION: "true"},
            "ownerReferences": [owner],
        },
        "spec": {"devices": {"requests": requests}},
        "status": {},
    }
    return claim, mappings


def _request(name: str, class_name: str, amount: int) -> Object:
    exactly = {"deviceClassName": class_name, "allocationMode": "ExactCount", "count": amount}
    return {"name": name, "exactly": exactly}


def _uses(pod: Object, resource: str) -> Iterable[_Use]:
    spec = pod["spec"]
    init: Sequence[Mapping[str, Any]] = spec.get("initContainers") or ()
    for position, container in enumerate([*init, *spec["containers"]]):
        requests = (container.get("resources") or {}).get("requests") or {}
        amount = amount_of(resource, requests.get(resource, 0))
        if amount:
            number = sorted(requests).index(resource)
            brief = position < len(init) and container.get("restartPolicy") != "Always"
            yield _Use(position, container["name"], f"container-{position}-request-{number}", amount, brief)


def _share_out(uses: Sequence[_Use]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Requests with amounts, and (container, request) pairs: long-lived containers first."""
    lasting = [use for use in uses if not use.is_brief]
    needed = {use.request: use.amount for use in lasting}
    pairs = [(use.container, use.request) for use in lasting]
    reused: list[tuple[str, str]] = []
    lacking: list[tuple[_Use, int]] = []
    for use in uses:
        if not use.is_brief:
            continue
        missing = use.amount
        for later in lasting:
            if missing > 0 and later.position > use.position:
                reused.append((use.container, later.request))
                missing -= later.amount
        if missing > 0:
            lacking.append((use, missing))
    if lacking:
        largest, amount = max(lacking, key=lambda entry: entry[1])
        needed[largest.request] = amount
        reused += [(use.container, largest.request) for use, _ in lacking]
    return needed, pairs + reused

"""What is known of the health of devices: from kubelets, from drivers, from what devices publish of themselves.

A kubelet reports the health of devices in use in the status of their pods; a driver may set conditions on the devices of
a claim, or publish an attribute. The worst that anybody says counts. Nothing said is not healthy but unknown: "".
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from dray.allocation import DeviceID
from dray.api.meta import Object, ObjectKey, namespace_of
from dray.api.pods import claims_of, is_terminal
from dray.api.resources import RESOURCE_CLAIMS
from dray.insight.snapshot import Snapshot

HEALTHY, UNHEALTHY, UNKNOWN = "healthy", "unhealthy", "unknown"
_RANK = {HEALTHY: 0, UNKNOWN: 1, UNHEALTHY: 2}
_CONDITIONS = ("Ready", "Healthy")
"""Conditions of a device in use that speak of its health: False is bad."""
_ATTRIBUTES = ("healthy", "health")


class Health(NamedTuple):
    state: str
    """`healthy`, `unhealthy`, `unknown`: whoever watches it does not know."""
    reason: str = ""


def health_of(snapshot: Snapshot) -> Mapping[DeviceID, Health]:
    """Only devices of which somebody says something."""
    found: dict[DeviceID, Health] = {}
    for device, health in _reports(snapshot):
        known = found.get(device)
        if known is None or _RANK[health.state] > _RANK[known.state]:
            found[device] = health
    return found


def _reports(snapshot: Snapshot) -> Iterator[tuple[DeviceID, Health]]:
    for obj in snapshot.slices:
        yield from _published(obj)
    for claim in snapshot.claims:
        yield from _conditions(claim)
    for pod in snapshot.pods:
        if not is_terminal(pod):
            yield from _of_kubelet(snapshot, pod)


def _published(obj: Object) -> Iterator[tuple[DeviceID, Health]]:
    spec = obj["spec"]
    for device in spec.get("devices") or ():
        for name, value in (device.get("attributes") or {}).items():
            if name.rpartition("/")[2].lower() in _ATTRIBUTES:
                state = _state_of(next(iter(value.values()), None))
                reason = f"it publishes {name} {next(iter(value.values()), '')}" if state != HEALTHY else ""
                yield DeviceID(spec["driver"], spec["pool"]["name"], device["name"]), Health(state, reason)


def _state_of(value: object) -> str:
    if isinstance(value, bool):
        return HEALTHY if value else UNHEALTHY
    text = str(value).lower()
    if text in ("healthy", "ok", "good", "true"):
        return HEALTHY
    return UNKNOWN if text in ("", "unknown", "none") else UNHEALTHY


def _conditions(claim: Object) -> Iterator[tuple[DeviceID, Health]]:
    for entry in (claim.get("status") or {}).get("devices") or ():
        device = DeviceID(entry["driver"], entry["pool"], entry["device"])
        for condition in entry.get("conditions") or ():
            if condition.get("type") not in _CONDITIONS:
                continue
            if condition.get("status") == "False":
                text = condition.get("message") or condition.get("reason") or "no reason given"
                yield device, Health(UNHEALTHY, f"{condition['type']} is False: {text}")
            elif condition.get("status") == "True":
                yield device, Health(HEALTHY)


def _of_kubelet(snapshot: Snapshot, pod: Object) -> Iterator[tuple[DeviceID, Health]]:
    status = pod.get("status") or {}
    entries = None
    for field in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(field) or ():
            for item in container.get("allocatedResourcesStatus") or ():
                if entries is None:
                    entries = {entry.name: entry.claim for entry in claims_of(pod)}
                kind, _, rest = str(item.get("name", "")).partition(":")
                name, _, request = rest.partition("/")
                key = ObjectKey(namespace_of(pod), entries.get(name) or "")
                if kind == "claim" and key.name:
                    for resource in item.get("resources") or ():
                        yield from _of_resource(snapshot, key, request, resource)


def _of_resource(
    snapshot: Snapshot, key: ObjectKey, request: str, resource: Object
) -> Iterator[tuple[DeviceID, Health]]:
    """The devices that a kubelet's entry is about: it may name them by a CDI device, which stands for any of them."""
    devices = _allocated(snapshot, key, request)
    name = str(resource.get("resourceID", ""))
    meant = [device for device in devices if str(device) == name]
    meant = meant or [
        device for device in devices if name.endswith((f"-{device.device}", f"={device.device}"))
    ]
    if not meant and len(devices) == 1:
        meant = devices
    state = str(resource.get("health", "")).lower()
    state = state if state in _RANK else UNKNOWN
    message = str(resource.get("message") or "")
    for device in meant:
        yield device, Health(state, message or ("the kubelet says so" if state == UNHEALTHY else ""))


def _allocated(snapshot: Snapshot, key: ObjectKey, request: str) -> list[DeviceID]:
    claim = snapshot.find(RESOURCE_CLAIMS, key.name, key.namespace)
    allocation = ((claim or {}).get("status") or {}).get("allocation") or {}
    return [
        DeviceID(result["driver"], result["pool"], result["device"])
        for result in (allocation.get("devices") or {}).get("results") or ()
        if request in ("", result["request"], result["request"].partition("/")[0])
    ]

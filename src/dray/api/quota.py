"""What an object takes of a namespace's quota, by the names that quotas use.

Counted: objects of every kind (`count/PLURAL.GROUP`, and plain names for old kinds), what pods request and are limited
to, the devices that claims ask of each class, and the storage that volume claims request. Amounts are quantities, as
quotas print them.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from dray.api.meta import Object, annotations_of
from dray.api.pod_requests import add_amounts, sum_of_containers
from dray.api.quantity import Quantity, parse_quantity
from dray.api.resources import PODS, RESOURCE_CLAIMS, Resource

Usage = dict[str, Quantity]

DEVICES_OF_ALL: Final = 32
"""What a request for all devices of a class is charged: as many as one allocation can have."""
EXTENDED_CLAIM: Final = "resource.kubernetes.io/extended-resource-claim"
COMPUTE: Final = frozenset(
    {"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"}
)
"""Of these a quota demands that every container says how much it takes."""
_BARE: Final = ("cpu", "memory", "ephemeral-storage")
_OLD_COUNTS: Final = frozenset(
    {"configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services"}
)  # fmt: skip
_ONE: Final = Quantity.of(1)


def count_name(resource: Resource) -> str:
    """`count/pods`, `count/resourceclaims.resource.k8s.io`."""
    return f"count/{resource.plural}.{resource.group}" if resource.group else f"count/{resource.plural}"


def usage_of(resource: Resource, obj: Object, extended_name: Callable[[str], str] = lambda name: "") -> Usage:
    """`extended_name` tells the extended resource that a device class stands for, "" for none."""
    if resource == PODS:
        return pod_usage(obj)
    usage = {count_name(resource): _ONE}
    if not resource.group and resource.plural in _OLD_COUNTS:
        usage[resource.plural] = _ONE
    if resource == RESOURCE_CLAIMS:
        _charge_devices(usage, obj, extended_name)
    elif not resource.group and resource.plural == "persistentvolumeclaims":
        asked = ((obj.get("spec") or {}).get("resources") or {}).get("requests") or {}
        usage["requests.storage"] = parse_quantity(asked.get("storage") or "0")
    return usage


def pod_usage(pod: Object) -> Usage:
    """A pod that has ended takes nothing but its place among the objects."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return {"count/pods": _ONE}
    usage = {"count/pods": _ONE, "pods": _ONE}
    spec = pod.get("spec") or {}
    for name, amount in _total(spec, "requests").items():
        usage[f"requests.{name}"] = amount
        if name in _BARE or name.startswith("hugepages-"):
            usage[name] = amount
    for name, amount in _total(spec, "limits").items():
        usage[f"limits.{name}"] = amount
    return usage


def undeclared(pod: Object, names: Iterable[str]) -> dict[str, list[str]]:
    """Of the compute resources in `names`, those that some containers say nothing of: name -> these containers."""
    needed = COMPUTE & set(names)
    missing: dict[str, list[str]] = {}
    spec = pod.get("spec") or {}
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        resources = container.get("resources") or {}
        said = {f"limits.{name}" for name in resources.get("limits") or {}}
        for name in resources.get("requests") or {}:
            said |= {name, f"requests.{name}"}
        for name in needed - said:
            missing.setdefault(name, []).append(container.get("name") or "")
    return missing


def _charge_devices(usage: Usage, claim: Object, extended_name: Callable[[str], str]) -> None:
    """The scheduler's claims for a pod's extended resources were charged with the pod."""
    is_charged = annotations_of(claim).get(EXTENDED_CLAIM) == "true"
    for request in ((claim.get("spec") or {}).get("devices") or {}).get("requests") or ():
        for class_name, devices in _devices_by_class(request).items():
            amount = Quantity.of(devices)
            add_amounts(usage, {f"{class_name}.deviceclass.resource.k8s.io/devices": amount})
            if is_charged:
                continue
            add_amounts(usage, {f"requests.deviceclass.resource.kubernetes.io/{class_name}": amount})
            if extended := extended_name(class_name):
                add_amounts(usage, {f"requests.{extended}": amount})


def _devices_by_class(request: Object) -> dict[str, int]:
    """Of alternatives the worst case for each class."""
    found: dict[str, int] = {}
    for selection in request.get("firstAvailable") or (request.get("exactly") or {},):
        mode, name = selection.get("allocationMode"), selection.get("deviceClassName") or ""
        devices = {"ExactCount": selection.get("count") or 0, "All": DEVICES_OF_ALL}.get(mode or "", 0)
        found[name] = max(found.get(name, 0), devices)
    return found


def _total(spec: Mapping[str, Any], field: str) -> Usage:
    """What containers need together, or an init container before them; overhead and pod-level amounts included."""
    total = sum_of_containers(spec, lambda container: _amounts(container.get("resources"), field))
    total.update(_amounts(spec.get("resources"), field))
    if field == "requests" or total:
        add_amounts(
            total, {name: parse_quantity(text) for name, text in (spec.get("overhead") or {}).items()}
        )
    return total


def _amounts(resources: Mapping[str, Any] | None, field: str) -> Usage:
    return {name: parse_quantity(text) for name, text in ((resources or {}).get(field) or {}).items()}

"""What an object takes of a namespace's quota, by the names that quotas use.

Counted: objects of every kind (`count/PLURAL.GROUP`, and plain names for old kinds), what pods request and are limited
to, the devices that claims ask of each class, and the storage that volume claims request. Amounts are quantities, as
quotas print them.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from dray.api.meta import Object, annotations_of, name_of, parse_time
from dray.api.pod_requests import add_amounts, is_infeasible, sum_of_containers
from dray.api.quantity import Quantity, parse_quantity
from dray.api.resources import PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_CLAIMS, SERVICES, Resource

Usage = dict[str, Quantity]
ExtendedName = Callable[[str], str]
"""From a device class to the extended resource that it stands for, "" for none."""

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
_STORAGE_CLASS: Final = ".storageclass.storage.k8s.io/"
_CLASS_ANNOTATION: Final = "volume.beta.kubernetes.io/storage-class"
_DEVICES_SUFFIX: Final = ".deviceclass.resource.k8s.io/devices"
_IMPLICIT: Final = "requests.deviceclass.resource.kubernetes.io/"
_POD_LEVEL: Final = ("cpu", "memory", "hugepages-")
_SERVICES: Final = ("count/services", "services", "services.nodeports", "services.loadbalancers")
_CLAIMED: Final = ("persistentvolumeclaims", "requests.storage")
_OF_PODS: Final = frozenset(
    {"count/pods", "pods", *_BARE, *(f"{part}.{name}" for part in ("requests", "limits") for name in _BARE)}
)


def count_name(resource: Resource) -> str:
    """`count/pods`, `count/resourceclaims.resource.k8s.io`."""
    return f"count/{resource.plural}.{resource.group}" if resource.group else f"count/{resource.plural}"


def extended_names(classes: Iterable[Object]) -> set[str]:
    """Of device classes that stand for an extended resource, both its names: its own and that of the class."""
    found = set()
    for each in classes:
        if name := (each.get("spec") or {}).get("extendedResourceName"):
            found |= {name, f"{_IMPLICIT.removeprefix('requests.')}{name_of(each)}"}
    return found


def tracked(resource: Resource, names: Iterable[str], extended: Iterable[str] = ()) -> list[str]:
    """Of the `names` of a quota, those that objects of the resource can take of. `extended`: see `extended_names`."""
    if resource == PODS:
        return [name for name in names if _is_of_pods(name)]
    if resource == SERVICES:
        return [name for name in names if name in _SERVICES]
    if resource == PERSISTENT_VOLUME_CLAIMS:
        return [name for name in names if _is_of_volume_claims(name)]
    counts = {count_name(resource), resource.plural if _is_old(resource) else ""}
    if resource == RESOURCE_CLAIMS:
        counts |= {f"requests.{name}" for name in extended}
        return [name for name in names if name in counts or name.endswith(_DEVICES_SUFFIX)]
    return [name for name in names if name in counts]


def _is_old(resource: Resource) -> bool:
    return not resource.group and resource.plural in _OLD_COUNTS


def _is_of_pods(name: str) -> bool:
    if name in _OF_PODS or name.startswith(("hugepages-", "requests.hugepages-", _IMPLICIT)):
        return True
    return name.startswith("requests.") and "/" in name and "kubernetes.io/" not in name


def _is_of_volume_claims(name: str) -> bool:
    plain = name.rpartition(_STORAGE_CLASS)[2]
    return name == "count/persistentvolumeclaims" or plain in _CLAIMED


def usage_of(
    resource: Resource,
    obj: Object,
    extended_name: ExtendedName = lambda name: "",
    now: dt.datetime | None = None,
) -> Usage:
    """What the object takes, by every name that it could be counted under. `now`: see `pod_usage`."""
    if resource == PODS:
        return pod_usage(obj, now)
    usage = {count_name(resource): _ONE}
    if _is_old(resource):
        usage[resource.plural] = _ONE
    if resource == RESOURCE_CLAIMS:
        _charge_devices(usage, obj, extended_name)
    elif resource == SERVICES:
        _charge_ports(usage, obj.get("spec") or {})
    elif resource == PERSISTENT_VOLUME_CLAIMS:
        _charge_storage(usage, obj)
    return usage


def _charge_ports(usage: Usage, spec: Mapping[str, Any]) -> None:
    """Ports on nodes are charged by intent: they are handed out only after this."""
    ports = spec.get("ports") or ()
    is_balanced = spec.get("type") == "LoadBalancer"
    if is_balanced and spec.get("allocateLoadBalancerNodePorts") is False:
        ports = [port for port in ports if port.get("nodePort")]
    usage["services.nodeports"] = Quantity.of(
        len(ports) if is_balanced or spec.get("type") == "NodePort" else 0
    )
    usage["services.loadbalancers"] = Quantity.of(int(is_balanced))


def _charge_storage(usage: Usage, claim: Object) -> None:
    """Once for all classes, and once more for the claim's own class. Storage counts in whole bytes."""
    spec = claim.get("spec") or {}
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    granted = ((claim.get("status") or {}).get("allocatedResources") or {}).get("storage")
    if asked is not None:
        amount = parse_quantity(asked)
        if granted is not None:
            amount = max(amount, parse_quantity(granted))
        if not amount.is_integer():
            amount = Quantity.of(amount.value(), amount.format)
        usage["requests.storage"] = amount
    if name := annotations_of(claim).get(_CLASS_ANNOTATION) or spec.get("storageClassName"):
        usage.update({f"{name}{_STORAGE_CLASS}{each}": usage[each] for each in _CLAIMED if each in usage})


def pod_usage(pod: Object, now: dt.datetime | None = None) -> Usage:
    """A pod that has ended takes nothing but its place among the objects; nor does one that by `now` should have."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed") or _is_overdue(
        pod.get("metadata") or {}, now
    ):
        return {"count/pods": _ONE}
    usage = {"count/pods": _ONE, "pods": _ONE}
    for name, amount in _total(pod, "requests").items():
        if (
            "/" not in name
            or "kubernetes.io/" not in name
            or name.startswith(_IMPLICIT.removeprefix("requests."))
        ):
            usage[f"requests.{name}"] = amount
        if name in _BARE or name.startswith("hugepages-"):
            usage[name] = amount
    for name, amount in _total(pod, "limits").items():
        if name in _BARE:
            usage[f"limits.{name}"] = amount
    return usage


def _is_overdue(meta: Mapping[str, Any], now: dt.datetime | None) -> bool:
    """Deleted, and its grace over twice: its node does not answer."""
    grace = meta.get("deletionGracePeriodSeconds")
    if now is None or not meta.get("deletionTimestamp") or grace is None:
        return False
    return now > parse_time(meta["deletionTimestamp"]) + dt.timedelta(seconds=grace)


def undeclared(pod: Object, names: Iterable[str]) -> dict[str, list[str]]:
    """Of the compute resources in `names`, those that some containers say nothing of: name -> these containers.

    A pod that says something for all of its containers together need not say it of each.
    """
    needed = COMPUTE & set(names)
    missing: dict[str, list[str]] = {}
    spec = pod.get("spec") or {}
    whole = spec.get("resources") or {}
    if any(name.startswith(_POD_LEVEL) for part in ("requests", "limits") for name in whole.get(part) or ()):
        return missing
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        resources = container.get("resources") or {}
        said = {f"limits.{name}" for name in resources.get("limits") or {}}
        for name in resources.get("requests") or {}:
            said |= {name, f"requests.{name}"}
        for name in needed - said:
            missing.setdefault(name, []).append(container.get("name") or "")
    return missing


def _charge_devices(usage: Usage, claim: Object, extended_name: ExtendedName) -> None:
    """The scheduler's claims for a pod's extended resources were charged with the pod."""
    is_charged = annotations_of(claim).get(EXTENDED_CLAIM) == "true"
    for request in ((claim.get("spec") or {}).get("devices") or {}).get("requests") or ():
        for class_name, devices in _devices_by_class(request).items():
            amount = Quantity.of(devices)
            add_amounts(usage, {f"{class_name}{_DEVICES_SUFFIX}": amount})
            if is_charged:
                continue
            add_amounts(usage, {f"{_IMPLICIT}{class_name}": amount})
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


def _total(pod: Object, field: str) -> Usage:
    """What containers need together, or an init container before them; overhead and pod-level amounts included.

    While containers are resized they count with the larger of what they shall have and what they still have, and with
    that alone where their node will never grant more.
    """
    spec = pod.get("spec") or {}
    held = _held(pod, field)
    is_refused = bool(held) and is_infeasible(pod)

    def amounts_of(container: Mapping[str, Any]) -> Usage:
        has = held.get(container.get("name") or "", {})
        amounts = {} if has and is_refused else _amounts(container.get("resources"), field)
        for name, amount in has.items():
            amounts[name] = max(amounts.get(name, amount), amount)
        return amounts

    total = sum_of_containers(spec, amounts_of)
    whole = _amounts(spec.get("resources"), field)
    total.update({name: amount for name, amount in whole.items() if name.startswith(_POD_LEVEL)})
    overhead = {name: parse_quantity(text) for name, text in (spec.get("overhead") or {}).items()}
    if field == "limits":
        overhead = {name: amount for name, amount in overhead.items() if name in total and total[name].sign()}
    add_amounts(total, overhead)
    return total


def _held(pod: Object, field: str) -> dict[str, Usage]:
    """By container, what its status says it has."""
    held: dict[str, Usage] = {}
    status = pod.get("status") or {}
    for container in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        amounts = _amounts(container.get("resources"), field)
        if field == "requests":
            for name, text in (container.get("allocatedResources") or {}).items():
                granted = parse_quantity(text)
                amounts[name] = max(amounts.get(name, granted), granted)
        if amounts:
            held[container.get("name") or ""] = amounts
    return held


def _amounts(resources: Mapping[str, Any] | None, field: str) -> Usage:
    return {name: parse_quantity(text) for name, text in ((resources or {}).get(field) or {}).items()}

"""LimitRanges: what containers get that say nothing, and what containers, pods and volume claims may ask for.

Source: kubernetes plugin/pkg/admission/limitranger, 1.36.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dray.api.meta import Object
from dray.api.pod_requests import sum_of_containers
from dray.api.quantity import Quantity, parse_quantity
from dray.api.resources import PERSISTENT_VOLUME_CLAIMS, PODS, Resource

ANNOTATION: Final = "kubernetes.io/limit-ranger"
CONTAINER: Final = "Container"
POD: Final = "Pod"
VOLUME_CLAIM: Final = "PersistentVolumeClaim"
STANDARD: Final = (POD, CONTAINER, VOLUME_CLAIM)
_WHOLE_POD: Final = ("cpu", "memory")
"""What a pod can say for all of its containers, and is held to here."""

Amounts = dict[str, Quantity]


def fill_in(item: Object) -> None:
    """Defaults of a limit of containers that follow from its other amounts. Mutates it."""
    if item.get("type") != CONTAINER:
        return
    default, request = dict(item.get("default") or {}), dict(item.get("defaultRequest") or {})
    for name, amount in (item.get("max") or {}).items():
        default.setdefault(name, amount)
    for source in (default, item.get("min") or {}):
        for name, amount in source.items():
            request.setdefault(name, amount)
    for field, amounts in (("default", default), ("defaultRequest", request)):
        if amounts:
            item[field] = amounts


def apply_defaults(limit_range: Object, pod: Object) -> None:
    """Give what containers do not say, and note in an annotation what was given. Mutates the pod."""
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}
    for item in _items(limit_range, CONTAINER):
        limits.update(item.get("default") or {})
        requests.update(item.get("defaultRequest") or {})
    notes: list[str] = []
    for field, word in (("containers", "container"), ("initContainers", "init container")):
        for container in pod["spec"].get(field) or ():
            given = {
                "request": _give(container, "requests", requests),
                "limit": _give(container, "limits", limits),
            }
            notes += [
                f"{names} {what} for {word} {container['name']}" for what, names in given.items() if names
            ]
    if notes:
        metadata = pod["metadata"]
        text = f"LimitRanger plugin set: {'; '.join(notes)}"
        metadata["annotations"] = {**(metadata.get("annotations") or {}), ANNOTATION: text}


def _give(container: Object, field: str, defaults: Mapping[str, str]) -> str:
    """The names of what was given."""
    resources = container.get("resources") or {}
    missing = {name: defaults[name] for name in sorted(defaults) if name not in (resources.get(field) or {})}
    if missing:
        container["resources"] = {**resources, field: {**(resources.get(field) or {}), **missing}}
    return ", ".join(missing)


def complaints(limit_range: Object, resource: Resource, obj: Object) -> list[str]:
    """What the object asks for that the range does not allow."""
    found: list[str] = []
    spec = obj.get("spec") or {}
    if resource == PERSISTENT_VOLUME_CLAIMS:
        requests = _amounts(spec.get("resources"), "requests")
        for item in _items(limit_range, VOLUME_CLAIM):
            found += _below(item, requests, {})
            found += _above_by_requests(item, requests)
    if resource != PODS:
        return found
    for item in (limit_range.get("spec") or {}).get("limits") or ():
        if item.get("type") == CONTAINER:
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
                resources = container.get("resources")
                found += _outside(item, _amounts(resources, "requests"), _amounts(resources, "limits"))
        elif item.get("type") == POD:
            found += _outside(item, _of_pod(spec, "requests"), _of_pod(spec, "limits"))
    return found


def _items(limit_range: Object, kind: str) -> list[Object]:
    return [each for each in (limit_range.get("spec") or {}).get("limits") or () if each.get("type") == kind]


def _of_pod(spec: Mapping[str, Any], field: str) -> Amounts:
    total = sum_of_containers(spec, lambda container: _amounts(container.get("resources"), field))
    whole = _amounts(spec.get("resources"), field)
    total.update({name: whole[name] for name in _WHOLE_POD if name in whole})
    return total


def _amounts(resources: Mapping[str, Any] | None, field: str) -> Amounts:
    return {name: parse_quantity(text) for name, text in ((resources or {}).get(field) or {}).items()}


def _bounds(item: Object, field: str) -> Iterator[tuple[str, Quantity]]:
    for name, text in sorted((item.get(field) or {}).items()):
        yield name, parse_quantity(text)


def _outside(item: Object, requests: Amounts, limits: Amounts) -> list[str]:
    return [*_below(item, requests, limits), *_above(item, requests, limits), *_apart(item, requests, limits)]


def _below(item: Object, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, least in _bounds(item, "min"):
        head = f"minimum {name} usage per {item['type']} is {least}"
        if name not in requests:
            yield f"{head}.  No request is specified"
        elif requests[name] < least:
            yield f"{head}, but request is {requests[name]}"
        elif name in limits and limits[name] < least:
            yield f"{head}, but limit is {limits[name]}"


def _above(item: Object, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, most in _bounds(item, "max"):
        head = f"maximum {name} usage per {item['type']} is {most}"
        if name not in limits:
            yield f"{head}.  No limit is specified"
        elif limits[name] > most:
            yield f"{head}, but limit is {limits[name]}"
        elif name in requests and requests[name] > most:
            yield f"{head}, but request is {requests[name]}"


def _above_by_requests(item: Object, requests: Amounts) -> Iterator[str]:
    for name, most in _bounds(item, "max"):
        head = f"maximum {name} usage per {item['type']} is {most}"
        if name not in requests:
            yield f"{head}.  No request is specified"
        elif requests[name] > most:
            yield f"{head}, but request is {requests[name]}"


def _apart(item: Object, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, most in _bounds(item, "maxLimitRequestRatio"):
        head = f"{name} max limit to request ratio per {item['type']} is {most}"
        request, limit = requests.get(name), limits.get(name)
        if not request:
            yield f"{head}, but no request is specified or request is 0"
        elif not limit:
            yield f"{head}, but no limit is specified or limit is 0"
        elif limit.nanos * 10**9 > most.nanos * request.nanos:
            yield f"{head}, but provided ratio is {limit.nanos / request.nanos:.6f}"

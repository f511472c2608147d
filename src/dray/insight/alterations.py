"""Objects with one thing different: what a remedy would make of a claim, a class or a slice.

Refuses to know: which difference is worth trying (`suggestions`).
"""

from collections.abc import Iterator

from dray.api.meta import Object, key_of, name_of
from dray.insight.evidence import find_request
from dray.insight.world import Change, World


def selectors_of(world: World, claim: Object) -> Iterator[tuple[str, str, int, str]]:
    """(request, class or "", number, expression) of all that a claim asks."""
    for name in request_names(claim):
        raw = find_request(claim, name)
        class_name = raw.get("deviceClassName") or ""
        obj = world.device_class(class_name) or {}
        for where, items in (
            (class_name, (obj.get("spec") or {}).get("selectors")),
            ("", raw.get("selectors")),
        ):
            for number, item in enumerate(items or ()):
                if item.get("cel"):
                    yield name, where, number, item["cel"].get("expression") or ""


def request_names(claim: Object) -> Iterator[str]:
    for raw in (claim["spec"].get("devices") or {}).get("requests") or ():
        if raw.get("firstAvailable"):
            yield from (f"{raw['name']}/{each['name']}" for each in raw["firstAvailable"])
        else:
            yield raw["name"]


def asking(claim: Object) -> Change:
    return Change(claims={str(key_of(claim)): claim})


def with_devices(claim: Object, **fields: object) -> Object:
    spec = claim["spec"]
    return {**claim, "spec": {**spec, "devices": {**spec["devices"], **fields}}}


def with_request(claim: Object, name: str, **fields: object) -> Object:
    """The claim with some fields of a request (or alternative) replaced; None removes one."""
    request, _, alternative = name.partition("/")

    def changed(raw: Object) -> Object:
        return {key: value for key, value in {**raw, **fields}.items() if value is not None}

    requests = []
    for raw in claim["spec"]["devices"]["requests"]:
        if raw["name"] != request:
            requests.append(raw)
        elif alternative:
            each = [changed(sub) if sub["name"] == alternative else sub for sub in raw["firstAvailable"]]
            requests.append({**raw, "firstAvailable": each})
        else:
            requests.append({**raw, "exactly": changed(raw["exactly"])})
    return with_devices(claim, requests=requests)


def without_term(
    world: World, claim: Object, request: str, selector: str, term: str, of_class: str
) -> Change:
    """The selector with `true` in place of the term; all of it goes where the term cannot be cut out."""
    rest = selector.replace(term, "true", 1) if term != selector and term in selector else "true"
    return with_expression(world, claim, request, selector, rest, of_class)


def with_expression(
    world: World, claim: Object, request: str, selector: str, other: str, of_class: str
) -> Change:
    """Another expression in place of a selector, of the request or, where it is named, of its class."""
    if of_class:
        return Change(classes=[with_class_selector(world.device_class(of_class) or {}, selector, other)])
    raw = find_request(claim, request)
    changed = [
        {"cel": {"expression": other}} if (item.get("cel") or {}).get("expression") == selector else item
        for item in raw.get("selectors") or ()
    ]
    return asking(with_request(claim, request, selectors=changed))


def without_capacity(claim: Object, request: str, name: str) -> Object:
    """The claim with no wish for one capacity in a request."""
    wishes = (find_request(claim, request).get("capacity") or {}).get("requests") or {}
    kept = {key: value for key, value in wishes.items() if key != name}
    return with_request(claim, request, capacity={"requests": kept} if kept else None)


def with_toleration(claim: Object, request: str, taint: str) -> Object:
    tolerations = [
        *(find_request(claim, request).get("tolerations") or ()),
        {"key": taint, "operator": "Exists"},
    ]
    return with_request(claim, request, tolerations=tolerations)


def with_class_selector(obj: Object, selector: str, rest: str) -> Object:
    spec = obj.get("spec") or {}
    changed = [
        {"cel": {"expression": rest}} if (item.get("cel") or {}).get("expression") == selector else item
        for item in spec.get("selectors") or ()
    ]
    return {**obj, "spec": {**spec, "selectors": changed}}


def constraints_without(claim: Object, gone: str) -> list[Object]:
    """The constraints without a request that is gone."""
    kept = []
    for constraint in claim["spec"]["devices"].get("constraints") or ():
        requests = constraint.get("requests")
        left = [name for name in requests or () if name.partition("/")[0] != gone]
        if left or not requests:
            kept.append({**constraint, "requests": left} if requests else constraint)
    return kept


def with_slice_count(raw: Object, count: int) -> Object:
    spec = raw["spec"]
    return {**raw, "spec": {**spec, "pool": {**spec["pool"], "resourceSliceCount": count}}}


def made_valid(raw: Object) -> Object:
    """Without what pools are found invalid for: duplicates and counters that do not exist."""
    spec = raw["spec"]
    pool = {**spec["pool"], "name": f"{spec['pool']['name']}-{name_of(raw)}", "resourceSliceCount": 1}
    devices: list[Object] = []
    for device in spec.get("devices") or ():
        if all(device["name"] != other["name"] for other in devices):
            devices.append({key: value for key, value in device.items() if key != "consumesCounters"})
    return {**raw, "spec": {**spec, "pool": pool, "devices": devices}}


def clones_of(owner: Object, device: Object, number: int, node: str, model: str) -> Object:
    """A slice with free, untainted copies of a device, on one node. `model` tells it from such slices of other devices."""
    bare = {
        key: value
        for key, value in device.items()
        if key not in ("taints", "consumesCounters", "nodeName", "nodeSelector", "allNodes", "bindingConditions", "bindingFailureConditions", "bindsToNode")
    }  # fmt: skip
    driver = owner["spec"]["driver"]
    return {
        "metadata": {"name": f"zz-like-{model}-{node}"},
        "spec": {
            "driver": driver,
            "nodeName": node,
            "pool": {"name": f"zz-like-{model}-{node}", "generation": 1, "resourceSliceCount": 1},
            "devices": [{**bare, "name": f"one-more-{i}"} for i in range(number)],
        },
    }

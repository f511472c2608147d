"""Devices that fail, get a taint, or are more than there were."""

from collections.abc import Callable, Iterator
from typing import Any

from dray.allocation.taints import selects
from dray.api.meta import Object, key_of, name_of
from dray.api.resources import DEVICE_TAINT_RULES, NODES, RESOURCE_SLICES
from dray.insight.snapshot import Snapshot
from dray.insight.whatif.evicting import evict, evict_tainted, results_of
from dray.insight.whatif.nodes import taint_text
from dray.insight.whatif.scenario import NotThere, Scenario

MAX_DEVICES_ADDED = 10_000
_IDENTITIES = ("uuid", "serial")
"""Parts of the names of attributes that tell one device from all others."""

DeviceKey = tuple[str, str, str]
"""Driver, pool, device."""


def selector_of(snapshot: Snapshot, text: str) -> Object:
    """`driver`, `driver/pool` or `driver/pool/device` as the deviceSelector of a taint rule. Raises NotThere."""
    parts = text.split("/")
    selector = dict(zip(("driver", "pool", "device"), parts, strict=False))
    if len(parts) <= 3 and any(selects(selector, key) for key, _, _ in _published(snapshot)):
        return selector
    some = list(dict.fromkeys("/".join(key) for key, _, _ in _published(snapshot)))[:3]
    raise NotThere(
        f"there is no device {text}; write driver, driver/pool or driver/pool/device, such as {', '.join(some)}"
        if some
        else f"there is no device {text}: no driver publishes any"
    )


def _published(snapshot: Snapshot) -> Iterator[tuple[DeviceKey, Object, Object]]:
    """Every device with its slice."""
    for obj in snapshot.slices:
        spec = obj["spec"]
        for device in spec.get("devices") or ():
            yield (spec["driver"], spec["pool"]["name"], device["name"]), device, obj


def fail_devices(scenario: Scenario, text: str) -> Scenario:
    """The devices are published no more; pods that use them are evicted. Raises NotThere."""
    selector = selector_of(scenario.snapshot, text)
    users = [
        pod
        for claim in scenario.snapshot.claims
        if any(selects(selector, _key(result)) for result in results_of(claim))
        for pod in scenario.snapshot.pods_by_claim.get(key_of(claim), ())
    ]
    changed = evict(scenario, users, f"{text} fails")
    return changed.replaced(
        RESOURCE_SLICES,
        [_without(obj, lambda key: selects(selector, key)) for obj in changed.snapshot.slices],
    )


def _key(result: Object) -> DeviceKey:
    return result["driver"], result["pool"], result["device"]


def _without(obj: Object, gone: Callable[[DeviceKey], bool]) -> Object:
    spec = obj["spec"]
    devices = spec.get("devices") or ()
    kept = [d for d in devices if not gone((spec["driver"], spec["pool"]["name"], d["name"]))]
    return obj if len(kept) == len(devices) else {**obj, "spec": {**spec, "devices": kept}}


def taint_devices(scenario: Scenario, text: str, taint: Object) -> Scenario:
    """As a DeviceTaintRule would; NoExecute drives out who does not tolerate it. Raises NotThere."""
    selector = selector_of(scenario.snapshot, text)
    rule = {
        "kind": "DeviceTaintRule",
        "metadata": {"name": f"what-if-{len(scenario.snapshot.taint_rules)}"},
        "spec": {"deviceSelector": selector, "taint": taint},
    }
    return with_rule(scenario, rule, f"{text} is tainted {taint_text(taint)}")


def with_rule(scenario: Scenario, rule: Object, what: str = "") -> Scenario:
    """With a DeviceTaintRule in force."""
    spec = rule["spec"]
    selector, taint = spec.get("deviceSelector"), spec["taint"]
    what = what or f"DeviceTaintRule {name_of(rule)} taints its device {taint_text(taint)}"
    changed = scenario.put(DEVICE_TAINT_RULES, [rule])
    # A rule without a selector is for no device.
    return evict_tainted(changed, taint, lambda key: selector is not None and selects(selector, key), what)


def with_slice(scenario: Scenario, obj: Object) -> Scenario:
    """With a ResourceSlice, new or changed; NoExecute taints of its devices drive out who does not tolerate them."""
    changed = scenario.put(RESOURCE_SLICES, [obj])
    spec = obj["spec"]
    pool = (spec["driver"], spec["pool"]["name"])
    for device in spec.get("devices") or ():
        for taint in device.get("taints") or ():
            changed = evict_tainted(
                changed, taint, lambda key, name=device["name"]: key == (*pool, name),  # type: ignore[misc]
                f"{'/'.join(pool)}/{device['name']} is tainted {taint_text(taint)}",
            )  # fmt: skip
    return changed


def add_devices(scenario: Scenario, text: str, count: int, node: str = "") -> Scenario:
    """`count` more devices like one: beside it, or on another node. Raises NotThere."""
    parts = tuple(text.split("/"))
    found = next((entry for entry in _published(scenario.snapshot) if entry[0] == parts), None)
    if found is None:
        selector_of(scenario.snapshot, text)
        raise NotThere(f"{text} is no single device; write driver/pool/device")
    _, device, home = found
    if device.get("consumesCounters"):
        raise NotThere(
            f"{text} is a partition: more like it would share its silicon. Add a node, or a whole pool with --file"
        )
    if count > MAX_DEVICES_ADDED:
        raise NotThere(f"{count} devices are more than the {MAX_DEVICES_ADDED} that are looked at")
    more = [_copy(device, number) for number in range(count)]
    if not node or node == home["spec"].get("nodeName"):
        return scenario.put(RESOURCE_SLICES, [_with(home, more)])
    return scenario.put(RESOURCE_SLICES, [_on_node(scenario.snapshot, home, more, node)])


def _copy(device: Object, number: int) -> Object:
    """Another device of the same make: what identifies the first is not the second's."""
    suffix = f"-new-{number}"
    attributes: dict[str, Any] = {}
    for name, value in (device.get("attributes") or {}).items():
        is_identity = any(part in name.lower() for part in _IDENTITIES) and "string" in value
        attributes[name] = {"string": f"{value['string']}{suffix}"} if is_identity else value
    copy = {key: value for key, value in device.items() if key != "taints"}
    return {**copy, "name": f"{device['name']}{suffix}", **({"attributes": attributes} if attributes else {})}


def _with(obj: Object, devices: list[Object]) -> Object:
    spec = obj["spec"]
    return {**obj, "spec": {**spec, "devices": [*(spec.get("devices") or ()), *devices]}}


def _on_node(snapshot: Snapshot, home: Object, devices: list[Object], node: str) -> Object:
    """The driver's slice on the node with these devices too, or a new one in a pool of its own."""
    if snapshot.find(NODES, node) is None:
        raise NotThere(f"there is no node {node}")
    driver = home["spec"]["driver"]
    for obj in snapshot.slices:
        spec = obj["spec"]
        if spec["driver"] == driver and spec.get("nodeName") == node and spec.get("devices"):
            return _with(obj, devices)
    pool = {"name": f"{node}-new", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": driver, "nodeName": node, "pool": pool, "devices": devices}
    return {"kind": "ResourceSlice", "metadata": {"name": f"{node}-{driver}-new"}, "spec": spec}

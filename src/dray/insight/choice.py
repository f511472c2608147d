"""Why a claim has the devices it has, and why not others: every other device of the node, with what speaks against it."""

import dataclasses
from collections.abc import Iterator

from dray.allocation import DeviceID
from dray.allocation.slices import Device
from dray.allocation.taints import blocking_taint
from dray.api.meta import Object, key_of, name_of
from dray.insight.evidence import ask_selector, find_request, holder_of, one_line
from dray.insight.world import World, identity


@dataclasses.dataclass(frozen=True, slots=True)
class Other:
    """Devices that were not chosen, for one reason."""

    reason: str
    devices: tuple[DeviceID, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceChoice:
    claim: str
    request: str
    device: DeviceID
    reason: str
    others: tuple[Other, ...]
    trouble: str = ""
    """What is wrong with the device now: gone, tainted."""


def explain_choices(world: World, claim: Object) -> Iterator[DeviceChoice]:
    """One for each device of the claim's allocation."""
    results = (((claim.get("status") or {}).get("allocation") or {}).get("devices") or {}).get(
        "results"
    ) or ()
    mine = {DeviceID(r["driver"], r["pool"], r["device"]) for r in results}
    for result in results:
        device = DeviceID(result["driver"], result["pool"], result["device"])
        found = _published(world, device)
        yield DeviceChoice(
            str(key_of(claim)), result["request"], device, _reason(found), tuple(_others(world, claim, result, mine, found)),
            _trouble(world, device, found, result),
        )  # fmt: skip


def _reason(device: Device | None) -> str:
    if device is None:
        return "what it was chosen for cannot be seen any more"
    return "the first in search order (driver, pool, slice, device) that suited and was free; there is no scoring of devices"


def _published(world: World, device: DeviceID) -> Device | None:
    for key, pool in world.index.inventory.pools.items():
        if (key.driver, key.name) == (device.driver, device.pool):
            return next(iter(pool.devices_named(device.device)), None)
    return None


def _trouble(world: World, device: DeviceID, found: Device | None, result: Object) -> str:
    if found is None:
        return f"driver {device.driver} does not publish the device any more"
    taints = world.index.taint_rules.taints_of(found.slice, found.bit)
    taint = blocking_taint(taints, result.get("tolerations") or ())
    if taint is not None:
        return f"tainted now: {taint['key']}:{taint['effect']}"
    return ""


def _others(
    world: World, claim: Object, result: Object, mine: set[DeviceID], chosen: Device | None
) -> Iterator[Other]:
    if chosen is None:
        return
    raw = find_request(claim, result["request"])
    groups: dict[str, list[DeviceID]] = {}
    for device in _neighbours(world, chosen):
        if device.id not in mine:
            groups.setdefault(_against(world, claim, raw, device), []).append(device.id)
    for reason, devices in sorted(groups.items(), key=lambda item: -len(item[1])):
        yield Other(reason, tuple(devices))


def _neighbours(world: World, chosen: Device) -> Iterator[Device]:
    """The devices that the same node sees, in search order."""
    node_name = chosen.slice.node_name
    node = next((n for n in world.snapshot.nodes if name_of(n) == node_name), None)
    if node is not None:
        yield from world.index.inventory.view(node).devices
        return
    for entry in world.index.inventory.slices.values():
        if entry.pool == chosen.slice.pool and entry.generation == chosen.slice.generation:
            yield from entry.devices


def _against(world: World, claim: Object, raw: Object, device: Device) -> str:
    class_name = raw.get("deviceClassName") or ""
    obj = world.device_class(class_name) or {}
    for where, items in (
        (f"not of class {class_name}", (obj.get("spec") or {}).get("selectors")),
        ("not selected", raw.get("selectors")),
    ):
        for item in items or ():
            accepted, term, seen, asked = ask_selector(
                item["cel"]["expression"], device.slice.driver, device.raw
            )
            if not accepted:
                return f"{where}: {', '.join(part for part in (seen, asked) if part) or one_line(term)}"
    usage = world.index.usage.of_pool(device.slice.pool)
    holders = [uid for uid in usage.holders(device.name) if uid != identity(claim)]
    if holders and not device.multi:
        return f"held by claim {holder_of(world, holders[0]).claim}"
    taints = world.index.taint_rules.taints_of(device.slice, device.bit)
    taint = blocking_taint(taints, raw.get("tolerations") or ())
    if taint is not None:
        return f"tainted {taint['key']}:{taint['effect']}"
    return "would do too, as things are now"

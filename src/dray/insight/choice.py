"""Why a claim has the devices it has, and why not others: asked of the allocator again, with the claim's devices free.

Three questions are put to it. What would the claim get now? What without its devices? And for every other device that
the node sees: would the claim fit with this one in place of one of its own? To ask for certain devices, every device
gets a mark (an attribute that no driver publishes) and the request a selector on the marks; so all rules stay in force,
constraints and counters included.

Refuses to know: what was so when the claim was allocated; answers are about now, with everything else as it is.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dray.allocation import Allocated, DeviceID, Unsatisfiable
from dray.allocation.node_selector import InvalidNodeSelector, parse_node_selector
from dray.allocation.slices import Device
from dray.allocation.taints import blocking_taint
from dray.api.meta import Object, key_of, name_of
from dray.insight.alterations import with_devices, with_request
from dray.insight.evidence import Examiner, NodeEvidence, find_request
from dray.insight.wording import charge_text
from dray.insight.world import Broken, Change, Outcome, World, identity

MAX_TRIED = 128
"""Other devices that are tried one by one for a request."""
MAX_TRIED_IN_ALL = 512
"""For all requests of a claim together; each has its share."""
_MARK_DOMAIN, _MARK_NAME = "dray.insight", "mark"

Found = tuple[str, DeviceID]
"""The request's name in a result, and the device."""


@dataclasses.dataclass(frozen=True, slots=True)
class Other:
    """Devices that were not chosen, for one reason."""

    reason: str
    devices: tuple[DeviceID, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceChoice:
    """The devices that one request got."""

    claim: str
    request: str
    devices: tuple[DeviceID, ...]
    reason: str
    without: str
    """What would be if they were not there; "" where it could not be asked."""
    others: tuple[Other, ...]
    trouble: str = ""
    """What is wrong with the devices now: gone, tainted."""


def explain_choices(world: World, claim: Object) -> Iterator[DeviceChoice]:
    """One for each request of the claim's allocation."""
    by_request: dict[str, list[Object]] = {}
    for result in _results(claim):
        by_request.setdefault(result["request"], []).append(result)
    node = _node_of(world, claim)
    limit = min(MAX_TRIED, MAX_TRIED_IN_ALL // max(len(by_request), 1))
    for request, results in by_request.items():
        devices = tuple(map(_device_id, results))
        trouble = _trouble(world, results)
        if node is None:
            reason = "why these cannot be asked again: no node is known on which the claim could be allocated"
            yield DeviceChoice(str(key_of(claim)), request, devices, reason, "", (), trouble)
            continue
        with _Retrial(world, claim, node).open() as retrial:
            yield DeviceChoice(
                str(key_of(claim)), request, devices, retrial.now(request, devices), retrial.without(request, devices),
                tuple(retrial.others(request, devices, limit)), trouble,
            )  # fmt: skip


class _Retrial:
    """One claim asked for again on its node."""

    def __init__(self, world: World, claim: Object, node: Object) -> None:
        self._world = world
        self._claim = {key: value for key, value in claim.items() if key != "status"}
        self._freed = identity(claim)
        self._node = node
        self._examiner = Examiner(world)
        self._neighbours: Sequence[Device] = world.index.inventory.view(node).devices
        self._marks = {device.id: number for number, device in enumerate(self._neighbours)}

    @contextlib.contextmanager
    def open(self) -> Iterator["_Retrial"]:
        slices = {id(device.slice): device.slice.raw for device in self._neighbours}
        marked = [self._marked(raw) for raw in slices.values()]
        with self._world.changed(Change(freed=[self._freed], slices=marked)):
            yield self

    def _marked(self, raw: Object) -> Object:
        spec = raw["spec"]
        devices = [
            {**device, "attributes": {**(device.get("attributes") or {}), **self._mark(spec, device)}}
            for device in spec.get("devices") or ()
        ]
        return {**raw, "spec": {**spec, "devices": devices}}

    def _mark(self, spec: Object, device: Object) -> Object:
        number = self._marks.get(DeviceID(spec["driver"], spec["pool"]["name"], device["name"]), -1)
        return {f"{_MARK_DOMAIN}/{_MARK_NAME}": {"int": number}}

    def now(self, request: str, devices: Sequence[DeviceID]) -> str:
        outcome = self._ask(self._claim)
        if not isinstance(outcome, Allocated):
            return f"asked again it would get none: {self._against(outcome, request, None)}"
        found = _found(outcome)
        again = [device for name, device in found if name == request]
        if set(again) == set(devices):
            return (
                "asked again, the allocator takes the same: the first in search order (driver, pool, slice, device) "
                "that suit and are free; there is no scoring of devices"
            )
        taken = again or [device for _, device in found]
        alternative = f" for {found[0][0]}" if not again and found else ""
        return (
            f"asked again, the allocator would take {_names(taken)}{alternative} instead, the first in search order that "
            "suit and are free now: when it chose, something else was in the way, or the devices were published in another order"
        )

    def without(self, request: str, devices: Sequence[DeviceID]) -> str:
        """What the allocator does when these devices may not be taken."""
        if not isinstance(self._ask(self._claim), Allocated):
            return ""
        outcome = self._ask(self._restricted(request, devices, inside=False))
        if isinstance(outcome, Allocated):
            return f"without {_these(devices)} it takes {_names([d for n, d in _found(outcome) if n == request])}"
        return f"without {_these(devices)} it does not fit: {self._against(outcome, request, None)}"

    def others(self, request: str, devices: Sequence[DeviceID], limit: int) -> Iterator[Other]:
        """Of at most `limit` others; the rest is named as not tried."""
        raw = find_request(self._claim, request)
        if raw.get("allocationMode") == "All":
            return
        candidates = [device.id for device in self._neighbours if device.id not in devices]
        groups: dict[str, list[DeviceID]] = {}
        for device in candidates[:limit]:
            groups.setdefault(self._instead(request, devices, device), []).append(device)
        if rest := candidates[limit:]:
            groups["not tried, since there are so many"] = rest
        for reason, found in sorted(groups.items(), key=lambda item: -len(item[1])):
            yield Other(reason, tuple(found))

    def _instead(self, request: str, devices: Sequence[DeviceID], other: DeviceID) -> str:
        """Why the claim does not have `other` in place of the last of its devices."""
        outcome = self._ask(self._restricted(request, [*devices[:-1], other], inside=True))
        if isinstance(outcome, Allocated):
            later = self._marks[other] > max(self._marks.get(device, -1) for device in devices)
            return (
                f"would do as well{', later in search order' if later else ', though it was not taken then'}"
            )
        return self._against(outcome, request, other)

    def _ask(self, claim: Object) -> Outcome:
        return self._world.ask([claim], self._node)

    def _restricted(self, request: str, devices: Sequence[DeviceID], *, inside: bool) -> Object:
        """The claim with a request that takes its devices from these only, or from all but these."""
        marks = ", ".join(str(self._marks[device]) for device in devices if device in self._marks)
        inner = f'device.attributes["{_MARK_DOMAIN}"].{_MARK_NAME} in [{marks}]'
        selector = {"cel": {"expression": inner if inside else f"!({inner})"}}
        claim = _only_alternative(self._claim, request)
        kept = find_request(claim, request).get("selectors") or ()
        return with_request(claim, request, selectors=[*kept, selector])

    def _against(self, outcome: Outcome, request: str, device: DeviceID | None) -> str:
        """What refused a device, or where it is None the request; the mark's own selector apart."""
        evidence = self._evidence(outcome)
        if evidence.error:
            return evidence.error
        for each in evidence.requests:
            if not each.seen:
                return "no device is published there any more"
            if each.request != request or each.claim != str(key_of(self._claim)):
                continue
            for charge in each.charges:
                if f'"{_MARK_DOMAIN}"' in charge.subject or f'"{_MARK_DOMAIN}"' in charge.selector:
                    continue
                if device is None:
                    return charge_text(charge, each.class_name)
                if device in charge.devices:
                    return charge_text(charge.of([device]), each.class_name).removeprefix("1 ")
        if evidence.obstacles:
            return evidence.obstacles[0].text
        return "no other suits" if device is None else "not together with the claim's other devices"

    def _evidence(self, outcome: Outcome) -> NodeEvidence:
        claims = [self._claim]
        if isinstance(outcome, Unsatisfiable):
            return self._examiner.examine(outcome, claims)
        if isinstance(outcome, Broken) and outcome.refusal is not None:
            return self._examiner.examine(outcome.refusal, claims, outcome.text)
        text = "" if isinstance(outcome, Allocated) else outcome.text
        return NodeEvidence((name_of(self._node),), (), (), text)


def _only_alternative(claim: Object, request: str) -> Object:
    """An alternative that was taken stands alone, since the ones before it would be taken first."""
    name, _, alternative = request.partition("/")
    if not alternative:
        return claim
    requests = [
        {**raw, "firstAvailable": [each for each in raw["firstAvailable"] if each["name"] == alternative]}
        if raw["name"] == name
        else raw
        for raw in claim["spec"]["devices"]["requests"]
    ]
    return with_devices(claim, requests=requests)


def _results(claim: Object) -> Sequence[Object]:
    allocation = (claim.get("status") or {}).get("allocation") or {}
    results: Sequence[Object] = (allocation.get("devices") or {}).get("results") or ()
    return results


def _device_id(result: Mapping[str, Any]) -> DeviceID:
    return DeviceID(result["driver"], result["pool"], result["device"])


def _found(outcome: Allocated) -> list[Found]:
    return [
        (result["request"], _device_id(result))
        for allocation in outcome.results
        for result in (allocation.get("devices") or {}).get("results") or ()
    ]


def _node_of(world: World, claim: Object) -> Object | None:
    """The node that the claim's pods run on, or one that its allocation allows."""
    nodes = {name_of(node): node for node in world.snapshot.nodes}
    for pod in world.snapshot.pods_by_claim.get(key_of(claim), ()):
        if (name := pod["spec"].get("nodeName")) in nodes:
            return nodes[name]
    published = (_published(world, _device_id(result)) for result in _results(claim))
    for device in published:
        if device is not None and device.slice.node_name in nodes:
            return nodes[device.slice.node_name]
    selector = ((claim.get("status") or {}).get("allocation") or {}).get("nodeSelector")
    try:
        allowed = parse_node_selector(selector) if selector else None
    except InvalidNodeSelector:
        return None
    return next((node for node in nodes.values() if allowed is None or allowed.matches(node)), None)


def _published(world: World, device: DeviceID) -> Device | None:
    for key, pool in world.index.inventory.pools.items():
        if (key.driver, key.name) == (device.driver, device.pool):
            return next(iter(pool.devices_named(device.device)), None)
    return None


def _trouble(world: World, results: Sequence[Object]) -> str:
    troubles: dict[str, list[str]] = {}
    for result in results:
        device = _device_id(result)
        found = _published(world, device)
        if found is None:
            text = f"driver {device.driver} does not publish it any more"
        else:
            taints = world.index.taint_rules.taints_of(found.slice, found.bit)
            taint = blocking_taint(taints, result.get("tolerations") or ())
            if taint is not None and world.features.device_taints:
                text = f"tainted now: {taint['key']}:{taint['effect']}"
            else:
                text = ""
        if text:
            troubles.setdefault(text, []).append(device.device)
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in troubles.items())


def _these(devices: Sequence[DeviceID]) -> str:
    return "it" if len(devices) == 1 else "them"


def _names(devices: Sequence[DeviceID]) -> str:
    shown = ", ".join(str(device) for device in devices[:3])
    return shown + (f" and {len(devices) - 3} more" if len(devices) > 3 else "")

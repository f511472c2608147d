"""How many devices there are for a request, and how many each rule takes away, in the order people think in.

The allocator looks at what is free first, since that is cheap; people ask first whether a device would suit at all. So
devices in use that would not suit either are charged to the selector here, and "taken" means: it would have done.

Refuses to know: what to do about it (`suggestions`, `remedies`); words of the command line.
"""

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dray.allocation import DeviceID, PoolKey, Unsatisfiable
from dray.allocation.rejections import Rejection, Rule, Shortage
from dray.allocation.slices import Device
from dray.api.meta import Object, key_of, name_of, parse_time
from dray.api.pod_groups import group_name, reserves_group
from dray.cel import CelCompileError, CelRuntimeError, DeviceInput, compile_selector
from dray.cel.environment import Environment
from dray.insight.world import World

CLASS_SELECTOR = "class selector"
REQUEST_SELECTOR = "selector"
TAKEN = "taken"
NOT_FOR_NODE = "other node"
_TOLD_BY_COUNTS = (Rule.NO_DEVICES, Rule.TOO_FEW)
"""What the numbers of each request say already."""
_ENVIRONMENT = Environment(list_type_attributes=True)


@dataclasses.dataclass(frozen=True, slots=True)
class Holder:
    """A claim that holds a device, and the pods that may use it."""

    claim: str
    """namespace/name, or the UID where the claim is not known."""
    pods: tuple[str, ...]
    since: dt.datetime | None
    uid: str
    groups: tuple[str, ...] = ()
    """PodGroups that it is reserved for; their pods are among `pods`."""

    def users(self) -> str:
        """`pod a, b` or `PodGroup g (2 pods)`; "" where it is reserved for nobody."""
        if self.groups:
            count = f"{len(self.pods)} {'pod' if len(self.pods) == 1 else 'pods'}"
            return f"PodGroup {', '.join(self.groups)} ({count})"
        return f"pod {', '.join(self.pods)}" if self.pods else ""


@dataclasses.dataclass(frozen=True, slots=True)
class Charge:
    """Devices that one rule takes away from a request, for one reason."""

    rule: str
    subject: str
    """The sub-expression, the taint's key, the counter, the capacity."""
    devices: tuple[DeviceID, ...]
    values: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """What was seen, each with the number of devices: `memory is 80Gi` -> 16."""
    asked: str = ""
    """What was asked for instead, as a sentence goes on: `you ask for at least 100Gi`."""
    holders: tuple[Holder, ...] = ()
    selector: str = ""
    """The whole expression of which `subject` is a part."""

    @property
    def count(self) -> int:
        return len(self.devices)

    def of(self, devices: Sequence[DeviceID]) -> "Charge":
        """The same, of some of the devices. What was seen is told only where it is the same on all."""
        values = {next(iter(self.values)): len(devices)} if len(self.values) == 1 else {}
        return dataclasses.replace(self, devices=tuple(devices), values=values)

    def words(self) -> str:
        """`memory is 80Gi on 16 of 16, you ask for at least 100Gi`."""
        parts = sorted(self.values.items(), key=lambda item: -item[1])
        if not parts:
            return self.asked
        if len(parts) == 1:
            seen = f"{parts[0][0]} on {parts[0][1]} of {self.count}"
        else:
            shown = [f"{text} on {number}" for text, number in _shortened(parts[:4])]
            if len(parts) > 4:
                shown.append(f"{len(parts) - 4} other values")
            seen = ", ".join(shown)
        return f"{seen}, {self.asked}" if self.asked else seen


def _shortened(parts: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """`model is A on 3, B on 2`: the name once."""
    head = parts[0][0].partition(" is ")[0] + " is "
    for i, (text, number) in enumerate(parts):
        yield (text.removeprefix(head) if i else text), number


@dataclasses.dataclass(frozen=True, slots=True)
class RequestEvidence:
    """One request, or one alternative of it, on one node or on several that are alike."""

    claim: str
    request: str
    class_name: str
    wanted: int
    all_devices: bool
    seen: int
    left: int
    """Of `seen`; both of one node."""
    charges: tuple[Charge, ...]

    @property
    def missing(self) -> int:
        return max((self.wanted or int(self.all_devices)) - self.left, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Obstacle:
    """What no single request is to blame for: a constraint, a pool, counters."""

    rule: str
    text: str
    subject: str = ""
    claim: str = ""
    pool: PoolKey | None = None
    holders: tuple[Holder, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class NodeEvidence:
    """What stands in the way on nodes that are alike. `text` where the attempt broke off with an error."""

    nodes: tuple[str, ...]
    requests: tuple[RequestEvidence, ...]
    obstacles: tuple[Obstacle, ...]
    error: str = ""

    @property
    def missing(self) -> int:
        return sum(request.missing for request in self.requests)


class Examiner:
    """Turns refusals into evidence."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._selected: dict[tuple[str, int], tuple[Object, Verdict]] = {}
        """By selector and identity of the device's JSON, which is kept so that the identity stays its own."""

    def examine(self, refusal: Unsatisfiable, claims: Sequence[Object], error: str = "") -> NodeEvidence:
        """`claims` as asked, `error` where the scheduler would have ended in one."""
        report = refusal.report
        by_key = {key_of(claim): claim for claim in claims}
        requests = tuple(
            self._request(shortage, report.about(shortage), by_key[shortage.claim])
            for shortage in report.shortages
        )
        joint = [r for r in report.rejections if not r.devices and r.rule not in _TOLD_BY_COUNTS]
        return NodeEvidence((refusal.node,), requests, tuple(map(self._obstacle, joint)), error)

    def _obstacle(self, rejection: Rejection) -> Obstacle:
        text = rejection.detail
        if rejection.pool is not None:
            state = "is incomplete" if rejection.rule is Rule.POOL_INCOMPLETE else "is invalid"
            text = f"pool {rejection.pool} {state}: {rejection.detail}"
        claim = str(rejection.claim) if rejection.claim else ""
        holders = self.holders(rejection.holders)
        return Obstacle(rejection.rule.value, text, rejection.subject, claim, rejection.pool, holders)

    def _request(self, shortage: Shortage, rejections: Iterable[Rejection], claim: Object) -> RequestEvidence:
        raw = find_request(claim, shortage.request)
        own = [item["cel"]["expression"] for item in raw.get("selectors") or () if item.get("cel")]
        obj = self._world.device_class(shortage.class_name) or {}
        of_class = [
            item["cel"]["expression"]
            for item in (obj.get("spec") or {}).get("selectors") or ()
            if item.get("cel")
        ]
        charges = _Charges()
        for rejection in rejections:
            for identity in rejection.devices:
                device = self._device(identity, shortage)
                if rejection.rule in (Rule.IN_USE, Rule.SELECTOR) and device is not None:
                    found = self._refused(device, of_class, own)
                    if found is not None:
                        charges.add(*found, identity)
                        continue
                rule = TAKEN if rejection.rule is Rule.IN_USE else rejection.rule.value
                charges.add_plain(rule, rejection, identity, self._holders_of(identity, rejection))
        return RequestEvidence(
            str(shortage.claim), shortage.request, shortage.class_name, shortage.wanted, shortage.all_devices,
            shortage.seen, shortage.left, charges.in_order(),
        )  # fmt: skip

    def _device(self, identity: DeviceID, shortage: Shortage) -> Device | None:
        pool = self._world.index.inventory.pools.get(PoolKey(identity.driver, identity.pool))
        newest: Device | None = None
        for device in pool.devices_named(identity.device) if pool else ():
            if newest is None or device.slice.generation > newest.slice.generation:
                newest = device
        return newest

    def _refused(
        self, device: Device, of_class: Sequence[str], own: Sequence[str]
    ) -> tuple[str, str, str, str, str] | None:
        """The rule, selector, term, what was seen and what is asked; None: all selectors accept it."""
        for rule, selectors in ((CLASS_SELECTOR, of_class), (REQUEST_SELECTOR, own)):
            for selector in selectors:
                accepted, term, seen, asked = self._ask(selector, device)
                if not accepted:
                    return rule, selector, term, seen, asked
        return None

    def _ask(self, selector: str, device: Device) -> "Verdict":
        seen = self._world.as_selected(device.raw)
        if seen is not device.raw:
            return ask_selector(selector, device.slice.driver, seen)
        key = (selector, id(seen))
        if key not in self._selected:
            self._selected[key] = (seen, ask_selector(selector, device.slice.driver, seen))
        return self._selected[key][1]

    def _holders_of(self, identity: DeviceID, rejection: Rejection) -> tuple[Holder, ...]:
        if rejection.rule is Rule.IN_USE:
            usage = self._world.index.usage.of_pool(PoolKey(identity.driver, identity.pool))
            return self.holders(usage.holders(identity.device))
        return self.holders(rejection.holders)

    def holders(self, uids: Iterable[str]) -> tuple[Holder, ...]:
        return tuple(holder_of(self._world, uid) for uid in uids)


def holder_of(world: World, uid: str) -> Holder:
    claim = world.snapshot.claim_by_uid.get(uid)
    if claim is None:
        return Holder(uid, (), None, uid)
    status = claim.get("status") or {}
    reserved = status.get("reservedFor") or ()
    groups = tuple(entry["name"] for entry in reserved if reserves_group(entry))
    members = [
        name_of(pod)
        for pod in (world.snapshot.pods_by_claim.get(key_of(claim), ()) if groups else ())
        if group_name(pod) in groups
    ]
    own = [entry["name"] for entry in reserved if entry.get("resource", "pods") == "pods"]
    pods = (*own, *members)
    when = (status.get("allocation") or {}).get("allocationTimestamp") or claim["metadata"].get(
        "creationTimestamp"
    )
    return Holder(str(key_of(claim)), pods, parse_time(when) if when else None, uid, groups)


def find_request(claim: Object, name: str) -> Object:
    """The request or alternative that results call `name`: the part that names a class. {} where there is none."""
    request, _, alternative = name.partition("/")
    for raw in (claim["spec"].get("devices") or {}).get("requests") or ():
        if raw["name"] == request:
            if not alternative:
                return raw.get("exactly") or {}
            return next((each for each in raw.get("firstAvailable") or () if each["name"] == alternative), {})
    return {}


Verdict = tuple[bool, str, str, str]


def ask_selector(selector: str, driver: str, raw: Object) -> Verdict:
    """Whether a selector accepts a device; else the term that is false, what was seen, what is asked."""
    try:
        compiled = compile_selector(selector, _ENVIRONMENT)
        device = DeviceInput.of(driver, raw)
        if compiled.matches(device):
            return True, "", "", ""
        found = compiled.explain(device).findings
    except CelCompileError as error:
        return False, selector, "", f"it does not compile: {error}"
    except CelRuntimeError as error:
        try:
            failed = compile_selector(selector, _ENVIRONMENT).explain(DeviceInput.of(driver, raw)).findings
        except CelRuntimeError:
            failed = ()
        source = failed[0].source if failed else selector
        return False, source, f"{one_line(source)} fails with: {error}", ""
    if not found:
        return False, selector, f"{one_line(selector)} is false", ""
    seen, comma, asked = found[0].words.partition(", you ask for ")
    return False, found[0].source, seen, f"you ask for {asked}" if comma else ""


def one_line(text: str) -> str:
    return " ".join(text.split())


_ORDER = (
    CLASS_SELECTOR, REQUEST_SELECTOR, NOT_FOR_NODE, TAKEN, Rule.CONDITIONS.value, Rule.PARTITIONS.value,
    Rule.TAINT.value, Rule.COMPATIBILITY.value, Rule.CAPACITY.value, Rule.COUNTERS.value,
)  # fmt: skip


class _Charges:
    """Collects charges that are alike."""

    def __init__(self) -> None:
        self._devices: dict[tuple[str, str, str, str], list[DeviceID]] = {}
        self._values: dict[tuple[str, str, str, str], Counter[str]] = {}
        self._holders: dict[tuple[str, str, str, str], dict[str, Holder]] = {}

    def add(self, rule: str, selector: str, term: str, seen: str, asked: str, device: DeviceID) -> None:
        self._put((rule, term, asked, selector), device, seen, ())

    def add_plain(self, rule: str, rejection: Rejection, device: DeviceID, holders: Sequence[Holder]) -> None:
        self._put((rule, rejection.subject, "", ""), device, rejection.detail, holders)

    def _put(
        self, key: tuple[str, str, str, str], device: DeviceID, seen: str, holders: Sequence[Holder]
    ) -> None:
        self._devices.setdefault(key, []).append(device)
        values = self._values.setdefault(key, Counter())
        if seen:
            values[seen] += 1
        self._holders.setdefault(key, {}).update((holder.uid, holder) for holder in holders)

    def in_order(self) -> tuple[Charge, ...]:
        charges = [
            Charge(
                rule, term, tuple(devices), dict(self._values[key]), asked,
                tuple(self._holders[key].values()), selector,
            )
            for key, devices in self._devices.items()
            for rule, term, asked, selector in [key]
        ]  # fmt: skip
        return tuple(sorted(charges, key=lambda charge: (_rank(charge.rule), -charge.count)))


def _rank(rule: str) -> int:
    return _ORDER.index(rule) if rule in _ORDER else len(_ORDER)


def grouped(evidence: Sequence[NodeEvidence]) -> list[NodeEvidence]:
    """Nodes that say the same put together; those nearest to a solution first, then the most nodes."""
    groups: dict[object, list[NodeEvidence]] = {}
    for each in evidence:
        groups.setdefault(_likeness(each), []).append(each)
    merged = [_merge(group) for group in groups.values()]
    return sorted(merged, key=nearness)


def nearness(evidence: NodeEvidence) -> tuple[bool, bool, int, int]:
    nothing = any(not request.seen for request in evidence.requests)
    return bool(evidence.error), nothing, evidence.missing, -len(evidence.nodes)


def _likeness(evidence: NodeEvidence) -> object:
    requests = tuple(
        (r.claim, r.request, r.seen, r.left, tuple((c.rule, c.subject, c.count) for c in r.charges))
        for r in evidence.requests
    )
    return requests, tuple((o.rule, o.subject) for o in evidence.obstacles), evidence.error


def _merge(group: Sequence[NodeEvidence]) -> NodeEvidence:
    if len(group) == 1:
        return group[0]
    first = group[0]
    requests = tuple(
        dataclasses.replace(
            request, charges=tuple(_merge_charges(charges) for charges in zip(*(e.requests[i].charges for e in group), strict=True))
        )
        for i, request in enumerate(first.requests)
    )  # fmt: skip
    return dataclasses.replace(first, nodes=tuple(e.nodes[0] for e in group), requests=requests)


def _merge_charges(charges: Sequence[Charge]) -> Charge:
    values: Counter[str] = Counter()
    for charge in charges:
        values.update(charge.values)
    devices = tuple(device for charge in charges for device in charge.devices)
    holders = {holder.uid: holder for charge in charges for holder in charge.holders}
    return dataclasses.replace(
        charges[0], devices=devices, values=dict(values), holders=tuple(holders.values())
    )

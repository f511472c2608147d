"""What an obstacle suggests: changes that may remove it, those that promise most first. Whether one does is tried in `remedies`."""

from collections.abc import Iterator, Sequence

from dray.allocation.rejections import Rule
from dray.allocation.slices import Device
from dray.api.meta import Object, key_of, name_of
from dray.insight.alterations import (
    asking,
    clones_of,
    constraints_without,
    made_valid,
    request_names,
    with_devices,
    with_request,
    with_slice_count,
    with_toleration,
    without_capacity,
    without_term,
)
from dray.insight.evidence import (
    CLASS_SELECTOR,
    REQUEST_SELECTOR,
    TAKEN,
    Charge,
    Examiner,
    Holder,
    NodeEvidence,
    Obstacle,
    RequestEvidence,
    find_request,
    one_line,
)
from dray.insight.gates import with_gate
from dray.insight.invalid_input import InvalidInputs, pool_in
from dray.insight.remedy import Remedy
from dray.insight.wording import charge_text, holder_text
from dray.insight.world import Change, World

_MAX_CLONES = 64
_MAX_MODELS = 8
"""Kinds of devices of other nodes that are tried where a node has none that suit."""


class Suggestions:
    """For claims on one node, as the world has them at the moment of asking."""

    def __init__(self, world: World, examiner: Examiner, claims: Sequence[Object], node: Object) -> None:
        self._world = world
        self._examiner = examiner
        self._claims = claims
        self._node = node

    def current(self) -> list[Object]:
        """The claims as the changes in force would have them."""
        return [self._world.as_asked(claim) for claim in self._claims]

    def of(self, evidence: NodeEvidence) -> Iterator[Remedy]:
        """Those that promise most first."""
        if evidence.error:
            yield from InvalidInputs(self._world, self.current()).of(evidence.error)
            if pool := pool_in(evidence.error):
                yield from self._of_pool(pool, evidence.error)
        for obstacle in evidence.obstacles:
            yield from self._of_obstacle(obstacle)
        short = [request for request in evidence.requests if request.missing]
        for request in sorted(short, key=lambda request: request.missing):
            for charge in _by_promise(request):
                yield from self._of_charge(request, charge)
            yield from self._fewer(request)
            yield from self._not_all(request)
            yield from self._more_devices(request, request.missing)
        if not short:
            together = sum(request.wanted or 1 for request in evidence.requests)
            for request in evidence.requests:
                yield from self._more_devices(request, together)
                yield from self._not_all(request)
        if not short and not evidence.obstacles and not evidence.error:
            at_odds = Obstacle(Rule.COMBINATION.value, "the requests cannot be served together")
            for claim in self.current():
                yield from self._drop_constraints(claim, at_odds)
                yield from self._fewer_of_each(claim, at_odds)

    def _of_obstacle(self, obstacle: Obstacle) -> Iterator[Remedy]:
        if obstacle.pool is not None:
            yield from self._of_pool(str(obstacle.pool), obstacle.text)
            return
        claims = [c for c in self.current() if not obstacle.claim or str(key_of(c)) == obstacle.claim]
        if obstacle.rule in (Rule.MATCH.value, Rule.DISTINCT.value, Rule.COMBINATION.value):
            for claim in claims:
                yield from self._drop_constraints(claim, obstacle)
        if obstacle.holders:
            yield from self._free(obstacle.text, obstacle.holders, ("counters", obstacle.claim))
        if obstacle.rule in (
            Rule.SHARED_BY_REQUESTS.value,
            Rule.COUNTERS.value,
            Rule.COMBINATION.value,
            Rule.TOO_MANY.value,
        ):
            yield from self._release_all(obstacle)
            for claim in claims:
                yield from self._fewer_of_each(claim, obstacle)

    def _of_pool(self, pool: str, text: str) -> Iterator[Remedy]:
        entries = [e for e in self._world.index.inventory.slices.values() if str(e.pool) == pool]
        newest = max((entry.generation for entry in entries), default=0)
        raws = [entry.raw for entry in entries if entry.generation == newest]
        driver = pool.partition("/")[0]
        if "incomplete" in text or "being updated" in text:
            completed = [with_slice_count(raw, len(raws)) for raw in raws]
            advice = f"wait until driver {driver} has published the whole pool, or restart the driver there"
        else:
            completed = [made_valid(raw) for raw in raws]
            advice = (
                f"driver {driver} contradicts itself in pool {pool}: report it, restart or update the driver"
            )
        yield Remedy(text, advice, Change(slices=completed), ("pool", pool))

    def _drop_constraints(self, claim: Object, obstacle: Obstacle) -> Iterator[Remedy]:
        constraints = (claim["spec"].get("devices") or {}).get("constraints") or ()
        for i, constraint in enumerate(constraints):
            attribute = constraint.get("matchAttribute") or constraint.get("distinctAttribute") or ""
            if obstacle.subject and attribute != obstacle.subject:
                continue
            kept = [each for j, each in enumerate(constraints) if j != i]
            kind = "matchAttribute" if constraint.get("matchAttribute") else "distinctAttribute"
            changed = with_devices(claim, constraints=kept)
            yield Remedy(
                obstacle.text,
                f"drop constraint #{i} ({kind} {attribute}) of claim {key_of(claim)}, or free devices that agree",
                asking(changed),
                ("constraint", str(key_of(claim)), kind, attribute, str(len(constraints))),
            )

    def _of_charge(self, request: RequestEvidence, charge: Charge) -> Iterator[Remedy]:
        claim = next(c for c in self.current() if str(key_of(c)) == request.claim)
        text = f"claim {request.claim}, request {request.request}: {charge_text(charge, request.class_name)}"
        key = (charge.rule, request.claim, request.request, charge.subject)
        match charge.rule:
            case "class selector" | "selector":
                yield from self._of_selector(claim, request, charge, text, key)
            case "taken":
                needed = charge.holders[: max(request.missing, 1)]
                yield from self._free(text, needed, (*key, *(h.uid for h in needed)))
                yield from self._free(text, charge.holders, (*key, "all"))
            case "taint":
                change = asking(with_toleration(claim, request.request, charge.subject))
                advice = f"remove taint {charge.subject} from the devices, or tolerate it in request {request.request}"
                yield Remedy(text, advice, change, key)
            case "capacity":
                if find_request(claim, request.request).get("capacity"):
                    changed = without_capacity(claim, request.request, charge.subject)
                    advice = f"ask for less {charge.subject} in request {request.request}"
                    yield Remedy(text, advice, asking(changed), key)
                yield from self._free(text, charge.holders, (*key, "free"))
            case "counters":
                yield from self._free(text, charge.holders, (*key, "free"))
            case Rule.PARTITIONS.value:
                yield from self._turn_on("DRAPartitionableDevices", text)
            case Rule.CONDITIONS.value:
                yield from self._turn_on("DRADeviceBindingConditions", text)

    def _turn_on(self, gate: str, text: str) -> Iterator[Remedy]:
        change = Change(features=with_gate(self._world.features, gate))
        advice = f"turn on feature gate {gate} in kube-apiserver and kube-scheduler"
        yield Remedy(text, advice, change, ("gate", gate))

    def _of_selector(
        self, claim: Object, request: RequestEvidence, charge: Charge, text: str, key: tuple[str, ...]
    ) -> Iterator[Remedy]:
        if "allowMultipleAllocations" in charge.subject and self._world.is_blind_to_sharing:
            yield from self._turn_on("DRAConsumableCapacity", text)
        of_class = charge.rule == CLASS_SELECTOR
        where = request.class_name if of_class else ""
        change = without_term(self._world, claim, request.request, charge.selector, charge.subject, where)
        term = one_line(charge.subject)
        advice = (
            f"use another DeviceClass than {where} for request {request.request} (its selector wants {term})"
            if of_class
            else f"drop or change `{term}` in the selector of request {request.request}"
        )
        yield Remedy(text, advice, change, (*key, charge.selector))

    def _free(self, text: str, known: Sequence[Holder], key: tuple[str, ...]) -> Iterator[Remedy]:
        if known:
            shown = [holder_text(holder) for holder in known[:3]]
            if len(known) > 3:
                shown.append(f"{len(known) - 3} more")
            advice = f"free what {', '.join(shown)} hold{'s' if len(known) == 1 else ''}"
            yield Remedy(text, advice, Change(freed=[holder.uid for holder in known]), key)

    def _release_all(self, obstacle: Obstacle) -> Iterator[Remedy]:
        """Everything that is held where this node looks."""
        uids: dict[str, None] = {}
        view = self._world.index.inventory.view(self._node)
        for part in view.parts:
            usage = self._world.index.usage.of_pool(part.slice.pool)
            for device in part.slice.devices:
                uids.update(dict.fromkeys(usage.holders(device.name)))
        holders = self._examiner.holders(uids)
        yield from self._free(obstacle.text, holders, ("release", obstacle.rule, obstacle.claim))

    def _fewer(self, request: RequestEvidence) -> Iterator[Remedy]:
        if request.all_devices or not 0 < request.left < request.wanted:
            return
        claim = next(c for c in self.current() if str(key_of(c)) == request.claim)
        text = (
            f"claim {request.claim}, request {request.request}: {request.wanted} devices wanted, "
            f"{request.left} can be had"
        )
        change = asking(with_request(claim, request.request, count=request.left))
        advice = f"ask for {request.left} instead of {request.wanted} in request {request.request}"
        yield Remedy(text, advice, change, ("count", request.claim, request.request))

    def _fewer_of_each(self, claim: Object, obstacle: Obstacle) -> Iterator[Remedy]:
        for name in request_names(claim):
            raw = find_request(claim, name)
            count = raw.get("count") or 0
            if raw.get("allocationMode") == "All":
                change = asking(with_request(claim, name, allocationMode="ExactCount", count=1))
                advice = f"ask for a number of devices instead of all in request {name}"
                yield Remedy(obstacle.text, advice, change, ("all", str(key_of(claim)), name))
            if raw.get("allocationMode") != "ExactCount" or count < 2:
                continue
            change = asking(with_request(claim, name, count=count - 1))
            advice = f"ask for {count - 1} instead of {count} in request {name}"
            yield Remedy(obstacle.text, advice, change, ("count", str(key_of(claim)), name, str(count)))
        requests = (claim["spec"].get("devices") or {}).get("requests") or ()
        for raw in requests if len(requests) > 1 else ():
            kept = [each for each in requests if each is not raw]
            change = asking(
                with_devices(claim, requests=kept, constraints=constraints_without(claim, raw["name"]))
            )
            advice = f"move request {raw['name']} to a claim of another pod"
            yield Remedy(obstacle.text, advice, change, ("request", str(key_of(claim)), raw["name"]))

    def _not_all(self, request: RequestEvidence) -> Iterator[Remedy]:
        if not request.all_devices or not request.left:
            return
        claim = next(c for c in self.current() if str(key_of(c)) == request.claim)
        text = f"claim {request.claim}, request {request.request}: all devices wanted, {request.left} of {request.seen} can be had"
        changed = with_request(claim, request.request, allocationMode="ExactCount", count=request.left)
        advice = (
            f"ask for a number of devices instead of all in request {request.request}, at most {request.left}"
        )
        yield Remedy(text, advice, asking(changed), ("all", request.claim, request.request))

    def _more_devices(self, request: RequestEvidence, enough: int) -> Iterator[Remedy]:
        """Free copies of a device in a pool of their own: what one more of its kind would bring. Of the node's own first."""
        if request.all_devices and request.seen:
            return  # More devices are more that it wants.
        text = (
            f"claim {request.claim}, request {request.request}: {request.wanted or 1} of class {request.class_name} "
            f"wanted, {request.left} of {request.seen} devices left"
        )
        number = min(max(enough, request.wanted, 1), _MAX_CLONES)
        plural = "s" if number > 1 else ""
        for device in self._models(request):
            clones = clones_of(device.slice.raw, device.raw, number, name_of(self._node), str(device.id))
            advice = f"add {number} device{plural} like {device.id} here"
            key = ("clone", request.claim, request.request, str(device.id))
            yield Remedy(text, advice, Change(slices=[clones]), key)

    def _models(self, request: RequestEvidence) -> list[Device]:
        """A device of this node that the request's selectors accept; else some of other nodes, each of another make."""
        refused = {
            device
            for charge in request.charges
            if charge.rule in (CLASS_SELECTOR, REQUEST_SELECTOR)
            for device in charge.devices
        }
        own = self._world.index.inventory.view(self._node).devices
        for device in own:
            if device.id not in refused:
                return [device]
        seen = {device.id for device in own}
        makes: dict[str, Device] = {}
        for entry in self._world.index.inventory.slices.values():
            for device in entry.devices[:_MAX_MODELS]:
                if device.id not in seen and len(makes) < _MAX_MODELS:
                    makes.setdefault(repr(sorted((device.raw.get("attributes") or {}).items())), device)
        return list(makes.values())


def _by_promise(request: RequestEvidence) -> list[Charge]:
    """What refused devices that get furthest first: those of the last rule need the least change."""
    return sorted(request.charges, key=lambda c: (_DEPTH.get(c.rule, 5), -c.count))


_DEPTH = {TAKEN: 0, "taint": 1, "capacity": 1, "counters": 1, REQUEST_SELECTOR: 2, CLASS_SELECTOR: 3}

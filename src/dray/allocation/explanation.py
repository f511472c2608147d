"""Working out a `Report`: leading the devices of a refused attempt past the rules once more, this time with reasons.

The reasons hold for the state of the attempt; who holds what is looked up when they are asked for.
"""

import contextlib
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from dray.allocation.attributes import elements_among
from dray.allocation.bounds import Bounds
from dray.allocation.capacity import NotOffered, short_of
from dray.allocation.choices import Choice
from dray.allocation.crowding import is_crowded
from dray.allocation.expressions import Expression, Failure
from dray.allocation.identities import PoolKey
from dray.allocation.lanes import ClaimOnNode
from dray.allocation.model import RESULTS_MAX, SearchAborted
from dray.allocation.problem import Problem, positions
from dray.allocation.rejections import Rejection, Report, Rule, Shortage
from dray.allocation.search import Search
from dray.allocation.slices import Device
from dray.allocation.state import State
from dray.allocation.taints import blocking_taint
from dray.api.meta import ObjectKey, key_of, name_of
from dray.api.quantity import Quantity

_SHOWN = 4
"""So many derived values stand in a sentence."""

_STEPS_MAX = 2000
"""How far the last resort, searching again to see how far it comes, may go."""


class Reason(NamedTuple):
    """Why one device does not do for one option."""

    rule: Rule
    detail: str = ""
    subject: str = ""
    holders: tuple[str, ...] = ()


def explain(problem: Problem) -> Report:
    """Why the attempt that `problem` stands for found nothing."""
    rejections = list(_pool_rejections(problem))
    shortages: list[Shortage] = []
    nearest: Shortage | None = None
    for question in problem.questions:
        mine = []
        for choice in question.choices:
            found, shortage = _charge_devices(problem, choice)
            if shortage.missing and not found:
                found.append(_too_few(shortage))
            rejections += found
            mine.append(shortage)
        shortages += mine
        least = min(mine, key=lambda shortage: shortage.missing)
        if least.missing and (nearest is None or least.missing < nearest.missing):
            nearest = least
    if nearest is None:
        rejections += _Together(problem).rejections()
    return Report(name_of(problem.node), tuple(shortages), tuple(rejections), nearest)


def _too_few(shortage: Shortage) -> Rejection:
    """No rule refused a device; there just are not as many."""
    wanted = "all" if shortage.all_devices else shortage.wanted
    detail = f"{wanted} wanted, {shortage.seen} in all"
    return Rejection(Rule.TOO_FEW, shortage.claim, shortage.request, detail=detail)


def _pool_rejections(problem: Problem) -> Iterator[Rejection]:
    if not problem.pools:
        yield Rejection(Rule.NO_DEVICES, None, "", detail="no pool has devices for this node")
    for pool in problem.pools:
        if pool.incomplete:
            slices = problem.setting.inventory.pools.get(pool.key)
            text = slices.progress() if slices is not None else "not all its slices are published"
            yield Rejection(Rule.POOL_INCOMPLETE, None, "", pool.key, detail=text)
        elif pool.invalid:
            yield Rejection(Rule.POOL_INVALID, None, "", pool.key, detail=pool.invalid)


def _charge_devices(problem: Problem, choice: Choice) -> tuple[list[Rejection], Shortage]:
    claim = key_of(problem.objects[choice.claim])
    judge = _Judge(problem, choice)
    groups: dict[tuple[PoolKey, Rule, str, str], tuple[list[Device], dict[str, None]]] = {}
    left = 0
    whole = choice.option.all_devices
    for position, device in enumerate(problem.view.devices):
        if whole and choice.candidates and not choice.candidates >> position & 1:
            continue  # not one of "all devices"
        reason = judge.reason(position, device)
        if reason is None:
            left += 1
            continue
        key = (device.slice.pool, reason.rule, reason.detail, reason.subject)
        devices, holders = groups.setdefault(key, ([], {}))
        devices.append(device)
        holders.update(dict.fromkeys(reason.holders))
    rejections = [
        Rejection(
            rule, claim, choice.option.name, pool, tuple(device.id for device in devices), detail, subject, tuple(holders)
        )
        for (pool, rule, detail, subject), (devices, holders) in groups.items()
    ]  # fmt: skip
    seen = len(problem.view.devices)
    option = choice.option
    return rejections, Shortage(claim, option.name, option.class_name, choice.count, whole, seen, left)


class _Judge:
    """Tells for one option which rule refuses a device first."""

    def __init__(self, problem: Problem, choice: Choice) -> None:
        self._problem = problem
        self._choice = choice
        self._option = choice.option
        self._left = problem.counters()

    def reason(self, position: int, device: Device) -> Reason | None:
        """None: the device would do."""
        rules = (self._in_use, self._published, self._selected, self._tolerated, self._capable, self._counted)
        for rule in rules:
            if (reason := rule(position, device)) is not None:
                return reason
        return None

    def _in_use(self, position: int, device: Device) -> Reason | None:
        if self._option.admin or not self._problem.used >> position & 1:
            return None
        usage = self._problem.setting.usage.of_pool(device.slice.pool)
        return Reason(Rule.IN_USE, holders=usage.holders(device.name))

    def _published(self, position: int, device: Device) -> Reason | None:
        features = self._problem.features
        if device.slice.conditional >> device.bit & 1 and not features.device_binding_and_status:
            return Reason(Rule.CONDITIONS)
        if device.consumes and not features.partitionable_devices:
            return Reason(Rule.PARTITIONS)
        return None

    def _selected(self, position: int, device: Device) -> Reason | None:
        matcher = self._problem.setting.matcher
        match = matcher.match(device.slice, self._option.filter, 1 << device.bit)
        if match.doubtful >> device.bit & 1:
            return Reason(Rule.SELECTOR, "a selector fails for it")
        if not match.accepted >> device.bit & 1:
            expression = matcher.first_false(device.slice, self._option.filter, device.bit)
            return Reason(Rule.SELECTOR, *_why_false(matcher.explain(device, expression), expression))
        allowed = self._problem.view.allowed
        if allowed is not None and not allowed >> position & 1:
            return Reason(Rule.NODE)
        return None

    def _tolerated(self, position: int, device: Device) -> Reason | None:
        if self._problem.features.device_taints:
            taints = self._problem.setting.rules.taints_of(device.slice, device.bit)
            taint = blocking_taint(taints, self._option.tolerations.raw)
            if taint is not None:
                value = f"={taint['value']}" if taint.get("value") else ""
                text = f"{taint['key']}{value}:{taint['effect']}"
                return Reason(Rule.TAINT, text, taint["key"])
        if self._problem.incompatible >> position & 1:
            return Reason(Rule.COMPATIBILITY)
        return None

    def _capable(self, position: int, device: Device) -> Reason | None:
        if not self._choice.weighed >> position & 1 and not self._option.capacity:
            return None
        portion = self._problem.portion(self._option, position)
        if isinstance(portion, NotOffered):
            return Reason(Rule.CAPACITY, f"{portion.capacity}: {portion.reason}", portion.capacity)
        held = self._problem.shared.get(position, {})
        short = short_of(device.capacities, portion, held)
        if short is None:
            return None
        asked = next(share.amount for share in portion if share.name == short.name)
        left = _billionths(short.value.nanos - held.get(short.name, 0), short.value)
        holders = self._problem.setting.usage.of_pool(device.slice.pool).holders(device.name)
        return Reason(Rule.CAPACITY, f"{short.name}: {asked} wanted, {left} left", short.name, holders)

    def _counted(self, position: int, device: Device) -> Reason | None:
        if not self._problem.drawing >> position & 1:
            return None
        table = self._problem.tables[device.slice.pool]
        if table.overdrawn:
            return Reason(Rule.COUNTERS, "the pool's counters are overdrawn", holders=self._drawers(device))
        for index, amount in self._problem.draw_of(position):
            if self._left[index] < amount:
                set_name, counter = table.names[index - table.offset]
                shown = f"{Quantity(amount, -9)} wanted, {Quantity(self._left[index], -9)} left"
                detail = f"{counter} of {set_name}: {shown}"
                return Reason(Rule.COUNTERS, detail, counter, self._drawers(device, set_name))
        return None

    def _drawers(self, device: Device, set_name: str = "") -> tuple[str, ...]:
        """The claims that hold devices of the pool which draw on a counter set (or on any)."""
        key = device.slice.pool
        usage = self._problem.setting.usage.of_pool(key)
        found: dict[str, None] = {}
        for entry in self._problem.setting.inventory.pools[key].slices.values():
            for bit in positions(entry.held & entry.counted):
                other = entry.devices[bit]
                if not set_name or any(name == set_name for name, _, _ in other.consumes):
                    found.update(dict.fromkeys(usage.holders(other.name)))
        return tuple(found)


def _billionths(amount: int, like: Quantity) -> Quantity:
    """An amount in the notation of another quantity."""
    return Quantity(amount, -9, like.format)


def _why_false(explained: str | Failure, expression: Expression) -> tuple[str, str]:
    return (explained.text if isinstance(explained, Failure) else explained), expression.text


class _Together:
    """Requests that would each find enough alone: what keeps them from it together?"""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._bounds = Bounds(problem)
        self._firm = [q.choices[0] for q in problem.questions if len(q.choices) == 1]

    def rejections(self) -> list[Rejection]:
        found = [*self._constraints(), *self._same_devices(), *self._counters(), *self._too_many()]
        return found or [self._combination()]

    def _key(self, claim: int) -> ObjectKey:
        return key_of(self._problem.objects[claim])

    def _constraints(self) -> Iterator[Rejection]:
        for claim, on_node in enumerate(self._problem.claims):
            for number, constraint in enumerate(on_node.plan.constraints):
                covered = [
                    choice for choice in self._firm if choice.claim == claim and number in choice.option.constraints
                ]  # fmt: skip
                wanted = sum(choice.count for choice in covered)
                if wanted < 2:
                    continue
                if constraint.distinct:
                    yield from self._variety(claim, on_node, number, covered, wanted)
                else:
                    yield from self._agreement(claim, on_node, number, covered, wanted)

    def _agreement(
        self, claim: int, on_node: ClaimOnNode, number: int, covered: Sequence[Choice], wanted: int
    ) -> Iterator[Rejection]:
        attribute = on_node.plan.constraints[number].attribute
        best, best_value = 0, ""
        for (_, value), members in on_node.matching(number, covered).values:
            have = sum(
                min(choice.count, (self._bounds.possible(choice) & mine).bit_count())
                for choice, mine in zip(covered, members, strict=True)
            )
            if have > best:
                best, best_value = have, str(value)
        if best < wanted:
            tail = f"at most {best} share one ({best_value})" if best else "no free device has it"
            detail = f"{_names(covered)} want {wanted} devices with the same {attribute}, {tail}"
            detail += self._derived(on_node, number, covered)
            yield Rejection(Rule.MATCH, self._key(claim), "", detail=detail, subject=attribute)

    def _variety(
        self, claim: int, on_node: ClaimOnNode, number: int, covered: Sequence[Choice], wanted: int
    ) -> Iterator[Rejection]:
        attribute = on_node.plan.constraints[number].attribute
        possible = [(on_node.index_for(choice, number), self._bounds.possible(choice)) for choice in covered]
        values = len(elements_among(possible))
        if values < wanted:
            detail = f"{_names(covered)} want {wanted} devices that differ in {attribute}, {values} values are free"
            detail += self._derived(on_node, number, covered)
            yield Rejection(Rule.DISTINCT, self._key(claim), "", detail=detail, subject=attribute)

    def _derived(self, on_node: ClaimOnNode, number: int, covered: Sequence[Choice]) -> str:
        """What the requests derive from the devices that they could have; "" where none derives.

        Devices are counted, not named, since nodes that refuse for equal reasons are told together.
        """
        told = []
        for choice in covered:
            lane = choice.lane_of(number)
            if lane == number:
                continue
            possible = self._bounds.possible(choice)
            counts = [
                (value, (members & possible).bit_count())
                for (_, value), members in on_node.indexes[lane].groups.items()
                if members & possible
            ]
            values = [f"{value} on {count}" for value, count in counts[:_SHOWN]]
            if len(counts) > _SHOWN:
                values.append(f"{len(counts) - _SHOWN} other values")
            told.append(f"{choice.option.name} derives {', '.join(values) or 'nothing'}")
        return f"; {'; '.join(told)}" if told else ""

    def _same_devices(self) -> Iterator[Rejection]:
        bounds = self._bounds
        for size in (2, 3, len(self._firm)):
            for group in combinations(self._firm, size):
                demands = [bounds.demand(choice, bounds.possible(choice), choice.count) for choice in group]
                if is_crowded(demands):
                    union = 0
                    for demand in demands:
                        union |= demand.devices
                    wanted = sum(choice.count for choice in group)
                    detail = (
                        f"{_names(group)} together want {wanted} of the same {union.bit_count()} free devices"
                    )
                    claim = self._key(group[0].claim)
                    yield Rejection(Rule.SHARED_BY_REQUESTS, claim, "", detail=detail)
                    return

    def _counters(self) -> Iterator[Rejection]:
        tally = self._bounds.tally
        if tally is None:
            return
        left = self._problem.counters()
        for choice in self._firm:
            room = tally.room(choice, self._bounds.possible(choice), left)
            if room < choice.count:
                name = choice.option.name
                detail = (
                    f"request {name} wants {choice.count} devices, the counters that are left carry {room}"
                )
                yield Rejection(Rule.COUNTERS, self._key(choice.claim), name, detail=detail)
                return
        if tally.overspends([(choice, choice.count) for choice in self._firm], left):
            detail = f"{_names(self._firm)} together draw more from the shared counters than is left"
            yield Rejection(Rule.COUNTERS, None, "", detail=detail)

    def _too_many(self) -> Iterator[Rejection]:
        for claim in range(len(self._problem.claims)):
            questions = [q for q in self._problem.questions if q.claim == claim]
            least = sum(
                min(c.count for c in q.choices if c.candidates.bit_count() >= c.count) for q in questions
            )
            if least > RESULTS_MAX:
                detail = f"the alternatives that could be had come to {least} devices, a claim may have {RESULTS_MAX}"
                yield Rejection(Rule.TOO_MANY, self._key(claim), "", detail=detail)

    def _combination(self) -> Rejection:
        """The last resort: how many devices fit together at most, and which request then finds none."""
        deepest = _Deepest(self._problem, self._bounds)
        with contextlib.suppress(SearchAborted):
            deepest.run()
        wanted = sum(choice.count for choice in self._firm)
        detail = f"{deepest.depth} of {wanted} devices fit together at most"
        if deepest.request:
            detail = f"{detail}; then {deepest.request} finds none that its constraints let in"
        return Rejection(Rule.COMBINATION, None, "", detail=detail)


class _Deepest(Search):
    """A search that remembers how far it came."""

    def __init__(self, problem: Problem, bounds: Bounds) -> None:
        super().__init__(problem, bounds, None, _STEPS_MAX)
        self.depth = 0
        self.request = ""

    def _record(self, child: State, choice: Choice, low: int, position: int) -> None:
        super()._record(child, choice, low, position)
        depth, last = 0, child.last
        while last is not None:
            depth, last = depth + 1, last[0]
        if depth > self.depth:
            self.depth = depth
            self.request = self._request_after(choice, child)

    def _request_after(self, choice: Choice, child: State) -> str:
        taken = sum(1 for other in _picks(child) if other is choice)
        if taken < choice.count:
            return f"request {choice.option.name}"
        numbers = [i for i, q in enumerate(self._questions) if choice in q.choices]
        following = self._questions[numbers[0] + 1 :]
        return f"request {following[0].request.name}" if following else ""


def _picks(state: State) -> Iterator[Choice]:
    last = state.last
    while last is not None:
        yield last[1]
        last = last[0]


def _names(choices: Sequence[Choice]) -> str:
    names = list(dict.fromkeys(choice.option.name for choice in choices))
    return f"request {names[0]}" if len(names) == 1 else f"requests {', '.join(names)}"

"""One attempt on one node, laid out for the search: requests as sets of devices.

Everything that does not depend on which devices the attempt picks is decided here: which devices are selected, free and
tolerated; what "all devices" means; whether the input is fit to be worked with. Sets of devices are integers, bit *i*
standing for position *i* of the node's view.

Refuses to know: how to choose. Source: the validation phase of `Allocate`, Kubernetes 1.36.2.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from dray.allocation.capacity import NotOffered, Portion, shares_of, short_of
from dray.allocation.choices import Choice, Question
from dray.allocation.counters import CounterTable, Draw, may_coexist
from dray.allocation.deriving import Deriver
from dray.allocation.expressions import Failure, Filter, MatchError
from dray.allocation.inventory import Inventory, NodeView, Pool
from dray.allocation.lanes import ClaimOnNode, lay_out
from dray.allocation.matching import Matcher
from dray.allocation.model import Features, InvalidInput
from dray.allocation.requests import ClaimPlan, Option, claim_text, too_many
from dray.allocation.slices import Device
from dray.allocation.taints import TaintRules
from dray.allocation.usage import Usage
from dray.api.meta import Object


class Setting(NamedTuple):
    """Where an attempt takes place: the parts of the index that owns it."""

    features: Features
    inventory: Inventory
    matcher: Matcher
    deriver: Deriver
    usage: Usage
    rules: TaintRules
    classes: Mapping[str, Object]
    new_share_id: Callable[[], str]


class Problem:
    """Claims and a node, as sets. Built by `pose`; a snapshot, but for what it only reads to explain."""

    __slots__ = (
        "_draws",
        "claims",
        "counted",
        "drawing",
        "features",
        "incompatible",
        "multi",
        "node",
        "objects",
        "plans",
        "pools",
        "questions",
        "rationed",
        "setting",
        "shared",
        "tables",
        "used",
        "view",
    )

    def __init__(self, setting: Setting, view: NodeView, pools: Sequence[Pool], node: Object) -> None:
        self.setting = setting
        self.features = setting.features
        self.view = view
        self.pools = pools
        self.node = node
        self.objects: Sequence[Object] = ()
        """The claims."""
        self.plans: Sequence[ClaimPlan] = ()
        self.questions: list[Question] = []
        self.claims: list[ClaimOnNode] = []
        self.used = self.multi = self.counted = self.rationed = 0
        for entry, offset in view.parts:
            self.used |= entry.used << offset
            self.multi |= entry.multi << offset
            self.counted |= entry.counted << offset
            self.rationed |= entry.rationed << offset
        self.tables: dict[object, CounterTable] = {}
        """Counters by pool key, for pools with candidates that draw on them."""
        self.drawing = 0
        """Devices that take from counters when they are picked first."""
        self.incompatible = 0
        """Devices that may not join those held by others (compatibility groups)."""
        self._draws: dict[int, Draw] = {}
        self.shared: dict[int, Mapping[str, int]] = {}
        """What others have taken of devices that can be shared, by position."""
        if self.multi:
            self._read_shares()
        if self.counted and self.features.partitionable_devices:
            self._read_counters()

    def _read_shares(self) -> None:
        for entry, offset in self.view.parts:
            if not entry.multi:
                continue
            shared = self.setting.usage.of_pool(entry.pool).shared
            for name, shares in shared.items():
                bit = entry.by_name.get(name)
                if bit is not None and entry.multi >> bit & 1:
                    self.shared[offset + bit] = shares.total

    def _read_counters(self) -> None:
        size = 0
        for pool in self.pools:
            if pool.counter_sets and pool.usable:
                table = self.tables[pool.key] = CounterTable(pool, size)
                size += len(table.available)
        self.drawing = self.counted
        for position in self.shared:
            # A device that is shared already has taken its counters with the first share.
            self.drawing &= ~(1 << position)
        if self.features.compatibility_groups:
            self.incompatible = self._incompatible()

    def _incompatible(self) -> int:
        found = 0
        for pool in self.pools:
            holders = [
                entry.devices[bit]
                for entry in (*pool.slices, *pool.others)
                for bit in positions(entry.held & entry.counted)
            ]
            for position in positions(self.counted) if holders else ():
                device = self.view.devices[position]
                if device.slice.pool == pool.key and not all(may_coexist(device, held) for held in holders):
                    found |= 1 << position
        return found

    def counters(self) -> list[int]:
        """What is left of all counters, as the vector on which `draw_of` indexes."""
        return [amount for table in self.tables.values() for amount in table.available]

    def draw_of(self, position: int) -> Draw:
        found = self._draws.get(position)
        if found is None:
            device = self.view.devices[position]
            found = self._draws[position] = self.tables[device.slice.pool].draw_of(device)
        return found

    def portion(self, option: Option, position: int) -> Portion:
        """What one use of the device by `option` takes of its capacities."""
        device = self.view.devices[position]
        key = (device.bit, option.capacity_key)
        found = device.slice.portions.get(key)
        if found is None:
            found = shares_of(device.capacities, option.capacity, self.features, device.slice.driver)
            device.slice.portions[key] = found
        return found

    def fits(self, option: Option, position: int, taken: Mapping[str, int]) -> bool:
        """Whether the device has enough capacity left after what others hold and `taken`."""
        portion = self.portion(option, position)
        if isinstance(portion, NotOffered):
            return False
        held = self.shared.get(position, taken)
        if held is taken:
            return short_of(self.view.devices[position].capacities, portion, taken) is None
        return short_of(self.view.devices[position].capacities, portion, held, taken) is None

    def matched(self, wanted: Filter, *, in_use: bool) -> tuple[int, int]:
        """Positions that a filter accepts, and those at which it may fail; devices in use count only if asked for."""
        accepted = failed = 0
        matcher = self.setting.matcher
        for entry, offset in self.view.parts:
            devices = entry.whole if in_use else entry.whole & ~entry.used
            match = matcher.match(entry, wanted, devices)
            accepted |= (match.accepted & devices) << offset
            failed |= (match.doubtful & devices) << offset
        if not self.features.device_binding_and_status:
            for entry, offset in self.view.parts:
                hidden = entry.conditional << offset
                accepted &= ~hidden
                failed &= ~hidden
        if self.view.allowed is not None:
            accepted &= self.view.allowed
        return accepted, failed

    def untolerated(self, option: Option) -> int:
        """Positions with a taint that keeps the option away."""
        blocked = 0
        if not self.features.device_taints:
            return blocked
        rules = self.setting.rules
        for entry, offset in self.view.parts:
            if entry.tainted or rules:
                blocked |= rules.blocked(entry, option.tolerations) << offset
        return blocked

    def settle(self, choice: Choice, position: int) -> None:
        """The turn of a device has come for which a selector may fail. If it does not, the problem is to be posed anew.

        Raises: InvalidInput, with the error of upstream.
        """
        device = self.view.devices[position]
        error = self.setting.matcher.settle(device, choice.option.filter)
        if error is not None:
            raise InvalidInput(self._match_text(choice.option, error, device, choice.claim))

    def _match_text(self, option: Option, error: MatchError, device: Device, claim: int) -> str:
        class_name, number = option.filter.origin(error.number)
        owner = f"class {class_name}" if class_name else claim_text(self.objects[claim])
        if error.failure.compiling:
            return f"{owner}: selector #{number}: CEL compile error: {error.failure.text}"
        if not self.features.release_137:
            return f"{owner}: selector #{number}: CEL runtime error: {error.failure.text}"
        return f"{owner}: selector #{number} on device {device.id}: CEL runtime error: {_hinted(error.failure.text)}"

    def underived(self, choice: Choice, position: int) -> InvalidInput:
        """The error of a device whose turn has come, and which has no value for a constraint that let it come so far.

        The text is modelled on that of selectors.
        """
        number = next(i for i, devices in enumerate(choice.underived) if devices >> position & 1)
        option, device = choice.option, self.view.devices[position]
        attribute = self.claims[choice.claim].plan.constraints[option.constraints[number]].attribute
        derivation = option.derived[number]
        assert derivation is not None  # only those that are derived can fail to be
        failure = self.setting.deriver.value_of(device, derivation)
        assert isinstance(failure, Failure)
        owner = (
            f"{claim_text(self.objects[choice.claim])}, request {option.name}: derived attribute {attribute}"
        )
        if failure.compiling:
            return InvalidInput(f"{owner}: CEL compile error: {failure.text}")
        return InvalidInput(f"{owner} on device {device.id}: CEL runtime error: {_hinted(failure.text)}")


def _hinted(failure: str) -> str:
    return failure + _HINT if failure.startswith("no such key") else failure


_HINT = (
    ". consider using CEL optional chaining (.? followed by orValue()) or guarding the check with has() "
    "for optional fields"
)


def positions(devices: int) -> list[int]:
    """The bits of a set, ascending."""
    found = []
    while devices:
        low = devices & -devices
        found.append(low.bit_length() - 1)
        devices ^= low
    return found


def pose(problem: Problem, objects: Sequence[Object], plans: Sequence[ClaimPlan]) -> None:
    """Lay out the claims on the node of `problem`, checking them in the order of upstream.

    Raises: InvalidInput.
    """
    problem.objects = objects
    problem.plans = plans
    for number, plan in enumerate(plans):
        where = claim_text(objects[number]) if plan.error or plan.wrong or plan.open_ended else ""
        for request in plan.requests:
            choices = [_choice(problem, option, number) for option in request.options]
            problem.questions.append(Question(request, number, choices))
        if plan.open_ended:
            counts = {
                id(c.option): c.count for q in problem.questions if q.claim == number for c in q.choices
            }
            if wrong := too_many(plan, lambda option, counts=counts: counts[id(option)]):  # type: ignore[misc]
                raise InvalidInput(where + wrong)
        if wrong := plan.wrong if plan.open_ended else plan.error:
            raise InvalidInput(where + wrong)
        choices = [choice for q in problem.questions if q.claim == number for choice in q.choices]
        setting, lists = problem.setting, problem.features.list_type_attributes
        problem.claims.append(lay_out(problem.view, setting.deriver, plan, choices, lists=lists))


def _choice(problem: Problem, option: Option, claim: int) -> Choice:
    if option.wrong:
        raise InvalidInput(claim_text(problem.objects[claim]) + option.wrong)
    choice = Choice(option, claim)
    accepted, failed = problem.matched(option.filter, in_use=option.admin or option.all_devices)
    choice.weighed = _weighed(problem, option, accepted)
    if option.all_devices:
        _gather_all(problem, choice, accepted, failed)
        choice.barred = _unusable(problem, option) | (0 if option.admin else problem.used)
        return choice
    choice.candidates = accepted & ~_unusable(problem, option)
    choice.weighed &= choice.candidates
    choice.failing = failed
    choice.hazardous = failed != 0
    return choice


def _weighed(problem: Problem, option: Option, devices: int) -> int:
    """Those of `devices` whose capacity decides whether the option can have them."""
    if not problem.features.consumable_capacity:
        return 0
    return devices if option.capacity else devices & problem.rationed


def _unusable(problem: Problem, option: Option) -> int:
    """Positions that nothing in the attempt can make usable for the option."""
    unusable = problem.untolerated(option) | problem.incompatible
    if problem.counted:
        if not problem.features.partitionable_devices:
            return unusable | problem.counted
        for entry, offset in problem.view.parts:
            table = problem.tables.get(entry.pool)
            if table is not None and table.overdrawn:
                unusable |= (entry.counted << offset) & problem.drawing
    return unusable


def _gather_all(problem: Problem, choice: Choice, accepted: int, failed: int) -> None:
    """Decide which devices "all devices" are: those selected that have capacity, free or not."""
    option = choice.option
    if failed or not all(pool.usable for pool in problem.pools):
        _settle_in_order(problem, choice, failed)
        accepted, _ = problem.matched(option.filter, in_use=True)
        choice.weighed = _weighed(problem, option, accepted)
    for position in positions(choice.weighed):
        if not problem.fits(option, position, {}):
            accepted &= ~(1 << position)
    choice.candidates = accepted
    choice.weighed &= accepted
    choice.count = accepted.bit_count()
    choice.hazardous = bool(option.constraints)


def _settle_in_order(problem: Problem, choice: Choice, failed: int) -> None:
    """Raise for whichever comes first in search order: a pool in no good state or a failing selector, if any."""
    offset = 0
    claim = claim_text(problem.objects[choice.claim])
    shown = choice.option.name.rpartition("/")[2]
    for pool in problem.pools:
        if not pool.usable:
            state = "being updated" if pool.incomplete else "invalid"
            raise InvalidInput(
                f"{claim}, request {shown}: asks for all devices, but resource pool {pool.key} is currently {state}"
            )
        size = sum(len(entry.devices) for entry in pool.slices)
        for bit in positions(failed >> offset & ((1 << size) - 1)):
            problem.settle(choice, offset + bit)
        offset += size

"""Why not: which rule took which devices from which request, and how close it came.

Nothing here is computed unless somebody asks. For every request the visible devices are led past the rules in the order
in which the allocator applies them, and each is charged to the first rule that refuses it. Where every request would
find enough devices alone, what is impossible together is looked for: a value that all must share, values that must
differ, counters, requests that want the same devices; and last, how far the search came.

Refuses to know: events, conditions, consoles; it gives typed values and one sentence.
"""

import dataclasses
import enum
from collections.abc import Iterable, Sequence

from dray.allocation.identities import DeviceID, PoolKey
from dray.api.meta import ObjectKey


class Rule(enum.Enum):
    """What refused devices, in the order in which the rules are asked."""

    NO_DEVICES = "no devices"
    """The node sees none at all."""
    POOL_INCOMPLETE = "pool incomplete"
    POOL_INVALID = "pool invalid"
    IN_USE = "in use"
    CONDITIONS = "binding conditions off"
    SELECTOR = "selector"
    NODE = "other node"
    PARTITIONS = "partitionable devices off"
    TAINT = "taint"
    COMPATIBILITY = "compatibility groups"
    CAPACITY = "capacity"
    COUNTERS = "counters"
    TOO_FEW = "too few"
    """The node does not see as many devices as a request wants, though no rule refuses any."""
    MATCH = "matchAttribute"
    DISTINCT = "distinctAttribute"
    SHARED_BY_REQUESTS = "same devices"
    """Several requests together want more devices than there are for them."""
    TOO_MANY = "too many results"
    COMBINATION = "combination"
    """Each rule can be kept, but not all at once."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rejection:
    """One rule refused devices of one pool to one request, for one and the same reason.

    Where the rule concerns no single claim, request or pool, that is None or "".
    """

    rule: Rule
    claim: ObjectKey | None
    request: str
    """As results name it: `request` or `request/alternative`."""
    pool: PoolKey | None = None
    devices: tuple[DeviceID, ...] = ()
    """In search order; what was refused."""
    detail: str = ""
    """The reason in words: `model is "A100"`, `dedicated=infra:NoSchedule`, `memory: 8Gi asked, 2Gi left`."""
    subject: str = ""
    """What decided: the selector's expression, the attribute, the counter, the capacity, the taint's key."""
    holders: tuple[str, ...] = ()
    """UIDs of the claims that hold what is missing."""

    @property
    def count(self) -> int:
        return len(self.devices)


@dataclasses.dataclass(frozen=True, slots=True)
class Shortage:
    """What one option of a request wanted and what the rules left it."""

    claim: ObjectKey
    request: str
    class_name: str
    wanted: int
    all_devices: bool
    """Wanted are all that the selectors accept (`wanted` of them), and at least one."""
    seen: int
    """Devices of pools in good state that the node can see."""
    left: int
    """Those that no rule refused when the request is looked at alone."""

    @property
    def missing(self) -> int:
        return max((self.wanted or int(self.all_devices)) - self.left, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """Everything that is known about one refusal."""

    node: str
    shortages: tuple[Shortage, ...]
    """One for each option of each request."""
    rejections: tuple[Rejection, ...]
    nearest: Shortage | None = None
    """The request with the fewest devices missing among those that miss any."""

    def about(self, shortage: Shortage) -> list[Rejection]:
        """The rejections that took devices from one option."""
        key = (shortage.claim, shortage.request)
        return [rejection for rejection in self.rejections if (rejection.claim, rejection.request) == key]

    def summary(self) -> str:
        """What stopped the attempt, for people; equal on nodes that refuse for equal reasons, so it names no node."""
        blocker = self.nearest
        if blocker is None:
            joint = [rejection for rejection in self.rejections if rejection.rule in _JOINT]
            return joint[0].detail if joint else "no combination of devices fits"
        wanted = _many(blocker.wanted, "device")
        if blocker.all_devices:
            wanted = f"all {wanted}" if blocker.wanted else "all devices, at least one,"
        head = (
            f"claim {blocker.claim}, request {blocker.request} wants {wanted} of class {blocker.class_name}"
        )
        if not blocker.seen:
            troubled = [r for r in self.rejections if r.rule in (Rule.POOL_INCOMPLETE, Rule.POOL_INVALID)]
            reason = "; ".join(f"pool {r.pool}: {r.detail}" for r in troubled) or "no devices are published"
            return f"{head}, but {reason}"
        charges = [_charge(group) for group in _by_reason(self.about(blocker))]
        if len(charges) > _SHOWN:
            charges[_SHOWN:] = [f"{_many(len(charges) - _SHOWN, 'other reason')}"]
        refused = ", ".join(charges)
        tail = f": of {_many(blocker.seen, 'device')} {refused}" if refused else ""
        return f"{head}, {blocker.left} can be had{tail}"


_JOINT = frozenset(
    (Rule.MATCH, Rule.DISTINCT, Rule.SHARED_BY_REQUESTS, Rule.TOO_MANY, Rule.COMBINATION, Rule.COUNTERS)
)

_SHOWN = 4
"""So many reasons stand in a sentence."""

_VERBS = {
    Rule.IN_USE: "in use",
    Rule.CONDITIONS: "wait for binding conditions, which are off",
    Rule.SELECTOR: "not selected",
    Rule.NODE: "for other nodes",
    Rule.PARTITIONS: "partitions, which are off",
    Rule.TAINT: "tainted",
    Rule.COMPATIBILITY: "not compatible with devices in use",
    Rule.CAPACITY: "without enough capacity",
    Rule.COUNTERS: "without enough counters",
}


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _by_reason(rejections: Iterable[Rejection]) -> list[list[Rejection]]:
    """Rejections by the same rule over the same subject, over all pools; those of most devices first."""
    groups: dict[tuple[Rule, str, str], list[Rejection]] = {}
    for rejection in rejections:
        if rejection.devices:
            groups.setdefault((rejection.rule, rejection.subject, rejection.detail), []).append(rejection)
    return sorted(groups.values(), key=lambda group: -sum(rejection.count for rejection in group))


def _charge(group: Sequence[Rejection]) -> str:
    first = group[0]
    count = sum(rejection.count for rejection in group)
    text = f"{count} {_VERBS.get(first.rule, first.rule.value)}"
    return f"{text} ({first.detail})" if first.detail else text

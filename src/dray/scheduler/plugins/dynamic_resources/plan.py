"""One pod's devices in one attempt: what is allocated already, what is still to be, and what fits on which node.

`make_plan` refuses pods whose claims cannot be worked with (PreFilter); `DevicePlan.check` answers for a node (Filter).
The plan keeps what it found, so that a chosen node needs no second search and a failure can be explained.
Refuses to know: which nodes are asked, and in which order.
"""

import dataclasses
import datetime as dt
import itertools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dray.allocation import DeviceIndex, InvalidInput, Unsatisfiable
from dray.allocation.attempt import Attempt
from dray.allocation.nodes import NodeOrder
from dray.api.features import FeatureGates
from dray.api.meta import Object, ObjectKey, key_of, uid_of
from dray.api.placement import matches_node_selector
from dray.api.pod_groups import CLAIMS_GATE
from dray.scheduler.assume import ClaimLedger, allocation_of
from dray.scheduler.happenings import DYNAMIC_RESOURCES
from dray.scheduler.plugins.dynamic_resources import conditions
from dray.scheduler.plugins.dynamic_resources.extended import ExtendedResources, make_claim
from dray.scheduler.plugins.dynamic_resources.node_allocatable import (
    Taken,
    UnknownAmount,
    claims_refused,
    rejection,
    taken_by,
)
from dray.scheduler.plugins.dynamic_resources.references import ClaimProblem, claims_of_group, find_claims
from dray.scheduler.plugins.dynamic_resources.sharing import Team
from dray.scheduler.pod_view import PodView
from dray.scheduler.snapshot import NodeView
from dray.scheduler.verdict import Rejection, SchedulingError

CANNOT_ALLOCATE = Rejection(DYNAMIC_RESOURCES, ("cannot allocate all claims",), resolvable=False)
BAD_POOLS = Rejection(DYNAMIC_RESOURCES, ("invalid resource pools were encountered",), resolvable=False)
NOT_AVAILABLE = Rejection(DYNAMIC_RESOURCES, ("resourceclaim not available on the node",), resolvable=False)
STALE_EXTENDED = Rejection(DYNAMIC_RESOURCES, ("cannot schedule extended resource claim",), resolvable=False)

MAX_ALTERNATIVES = 8
MEMO_LIMIT = 64


class NotPlannable(Exception):
    """The pod fits nowhere, whatever the node (a PreFilter refusal)."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.rejection = Rejection(DYNAMIC_RESOURCES, (message,), resolvable=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    gates: FeatureGates
    filter_timeout_seconds: float = 10.0
    """How long the search on one node may take; 0 for no limit."""
    binding_timeout_seconds: float = 600.0

    @property
    def binding_conditions(self) -> bool:
        return self.gates.enabled("DRADeviceBindingConditions") and self.gates.enabled(
            "DRAResourceClaimDeviceStatus"
        )

    @property
    def group_claims(self) -> bool:
        return self.gates.enabled(CLAIMS_GATE)

    @property
    def node_allocatable(self) -> bool:
        return self.gates.enabled("DRANodeAllocatableResources")


@dataclasses.dataclass(frozen=True, slots=True)
class Special:
    """The in-memory claim for extended resources on nodes that delegate the same ones."""

    claim: Object
    mappings: list[Object]


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """Devices found on one node: the allocation of each claim that had none."""

    allocations: list[tuple[Object, Object]]
    special: Special | None = None
    special_allocation: Object | None = None
    taken: Sequence[Taken] = ()
    """What the claims take of what the node itself allocates."""


NOTHING_TO_CHOOSE = Choice([])

Classes = Mapping[str, Object]


def make_plan(
    pod: PodView,
    *,
    ledger: ClaimLedger,
    index: DeviceIndex,
    classes: Classes,
    extended: ExtendedResources,
    settings: Settings,
    now: dt.datetime,
    team: Team | None = None,
) -> "DevicePlan | None":
    """None for a pod that needs no devices. Raises NotPlannable and SchedulingError.

    `team`: the pods that are placed together with this one.
    """
    try:
        claims = find_claims(pod.pod, ledger.find, with_groups=settings.group_claims)
    except ClaimProblem as problem:
        raise NotPlannable(str(problem)) from problem
    delegable: Mapping[str, str] = {}
    if settings.gates.enabled("DRAExtendedResource"):
        delegable = extended.classes_for(pod.requests)
    if not claims and not delegable:
        return None
    plan = DevicePlan(pod, index, delegable, settings, now)
    if team is not None and settings.group_claims:
        plan.of_group = frozenset(claims_of_group(pod.pod, team.group))
        plan.consumers |= {uid_of(team.group)} if team.group is not None else set()
    plan.has_stale_extended_claim = bool(delegable) and ledger.extended_claim_of(pod.uid) is not None
    for claim in claims:
        allocation = allocation_of(claim)
        if allocation is not None:
            plan.allocated.append(_Allocated(claim, allocation))
        elif team is not None and uid_of(claim) in team.chosen:
            plan.adopt(claim, team.chosen[uid_of(claim)])
        elif ledger.is_in_flight(uid_of(claim)):
            raise NotPlannable(f"resource claim {key_of(claim)} is in the process of being allocated")
        else:
            _validate(claim, classes, settings.gates)
            plan.pending.append(claim)
    return plan


def _validate(claim: Object, classes: Classes, gates: FeatureGates) -> None:
    for request in _requests(claim):
        name = request["name"]
        if exactly := request.get("exactly"):
            _validate_class(name, exactly, classes)
        elif alternatives := request.get("firstAvailable"):
            if not gates.enabled("DRAPrioritizedList"):
                raise NotPlannable(
                    f"resource claim {key_of(claim)}, request {name}: has subrequests, "
                    "but the DRAPrioritizedList feature is disabled"
                )
            for alternative in alternatives:
                _validate_class(f"{name}/{alternative['name']}", alternative, classes)
        else:
            raise NotPlannable(f"resource claim {key_of(claim)}, request {name}: unknown request type")


def _validate_class(request: str, wanted: Mapping[str, Any], classes: Classes) -> None:
    class_name = wanted.get("deviceClassName")
    if not class_name:
        raise SchedulingError(
            f'running PreFilter plugin "{DYNAMIC_RESOURCES}": request {request}: unsupported request type'
        )
    if class_name not in classes:
        raise NotPlannable(f"request {request}: device class {class_name} does not exist")


class _Allocated:
    """A claim that has its devices; they tie the pod to the nodes that reach them."""

    __slots__ = ("allocation", "claim", "names", "selector")

    def __init__(self, claim: Object, allocation: Object) -> None:
        self.claim = claim
        self.allocation = allocation
        self.selector = allocation.get("nodeSelector")
        self.names = _only_names(self.selector)
        """The nodes, where the selector does nothing but name them."""

    def reaches(self, node: NodeView) -> bool:
        if self.names is not None:
            return node.name in self.names
        if self.selector is None:
            return True
        assert node.node is not None
        return matches_node_selector(self.selector, node.node)


def _only_names(selector: Mapping[str, Any] | None) -> frozenset[str] | None:
    terms = (selector or {}).get("nodeSelectorTerms") or ()
    names: set[str] = set()
    for term in terms:
        fields: Sequence[Mapping[str, Any]] = term.get("matchFields") or ()
        if term.get("matchExpressions") or len(fields) != 1 or fields[0].get("operator") != "In":
            return None
        names.update(fields[0].get("values") or ())
    return frozenset(names) if terms else None


class DevicePlan:
    """What `make_plan` found, and the answers for the nodes asked so far."""

    def __init__(
        self,
        pod: PodView,
        index: DeviceIndex,
        delegable: Mapping[str, str],
        settings: Settings,
        now: dt.datetime,
    ) -> None:
        self.pod = pod
        self.allocated: list[_Allocated] = []
        self.pending: list[Object] = []
        self.adopted: list[tuple[Object, Object]] = []
        """Claims that others of the group were given devices for in this attempt, among `allocated` too."""
        self.of_group: frozenset[ObjectKey] = frozenset()
        """The claims that are reserved for the pod's group instead of the pod."""
        self.delegable = delegable
        """Resource names that devices provide on nodes that do not, with their classes."""
        self.has_stale_extended_claim = False
        self.choices: dict[str, Choice] = {}
        self.unavailable: dict[str, Object] = {}
        """Allocated claims, by UID, that kept a node from being used."""
        self.unsatisfiable: list[Unsatisfiable] = []
        self.consumers = frozenset((pod.uid,))
        """Whose reservations let the pod use a claim: its own, and those of its group."""
        self._index = index
        self._settings = settings
        self._now = now
        self._attempts: dict[frozenset[str], tuple[Attempt, Special | None]] = {}

    def adopt(self, claim: Object, allocation: Object) -> None:
        """Take over what another pod of the group was given in this attempt."""
        self.adopted.append((claim, allocation))
        self.allocated.append(_Allocated(claim, allocation))

    @property
    def claims(self) -> list[Object]:
        return [each.claim for each in self.allocated] + self.pending

    @property
    def depends_on_containers(self) -> bool:
        """Whether it matters which containers use the claims."""
        return self._settings.node_allocatable

    @property
    def depends_on_room(self) -> bool:
        """Whether it matters what a node has left beside devices."""
        return self._settings.node_allocatable

    @property
    def has_alternatives(self) -> bool:
        return any("firstAvailable" in request for claim in self.pending for request in _requests(claim))

    def delegates(self, resource: str, node: NodeView) -> bool:
        """Whether devices, not the node, provide the resource there."""
        return resource in self.delegable and not node.allocatable.get(resource)

    def candidates(self, order: NodeOrder, start: int) -> Iterator[Object] | None:
        """The nodes on which the search has a chance, or an error to tell; None where any node may.

        All others cannot allocate all claims.
        """
        if not self.pending or self.delegable:
            return None
        try:
            attempt, _ = self._attempt(frozenset())
            nodes = attempt.candidate_nodes(order, start)
            first = next(nodes, None)
        except InvalidInput:
            # It counts only if a node gets as far as the devices: there it is told.
            return None
        return iter(()) if first is None else itertools.chain((first,), nodes)

    def check(self, node: NodeView, **budget: Any) -> Rejection | None:
        """Why the devices do not fit on `node`; None when they do, and `choices` has them.

        `budget` goes to the search (`max_steps`, `should_stop`). Raises SchedulingError where the whole attempt is
        void, SearchAborted when the budget was spent.
        """
        delegated = frozenset(name for name in self.delegable if self.delegates(name, node))
        if delegated and self.has_stale_extended_claim:
            return STALE_EXTENDED
        unavailable = [each.claim for each in self.allocated if not self._is_available(each, node)]
        choice = NOTHING_TO_CHOOSE
        if self.pending or delegated:
            found = self._search(node, delegated, budget)
            if isinstance(found, Rejection):
                return found
            choice = found
        if self._settings.node_allocatable:
            found = self._take_from(node, choice)
            if isinstance(found, Rejection):
                return found
            choice = found
        if unavailable:
            self.unavailable.update((uid_of(claim), claim) for claim in unavailable)
            return NOT_AVAILABLE
        self.choices[node.name] = choice
        return None

    def _take_from(self, node: NodeView, choice: Choice) -> Choice | Rejection:
        """The choice with what it takes of the node's own resources."""
        allocated = [(each.claim, each.allocation) for each in self.allocated]
        allocated += choice.allocations
        if choice.special is not None and choice.special_allocation is not None:
            allocated.append((choice.special.claim, choice.special_allocation))
        newer = self._settings.gates.reaches("1.37")
        try:
            taken = taken_by(self.pod.pod, allocated, self._index.find_device, newer=newer)
        except UnknownAmount as error:
            raise SchedulingError(f'running "{DYNAMIC_RESOURCES}" filter plugin: {error}') from error
        adopted = {uid_of(claim) for claim, _ in self.adopted}
        refusal = claims_refused(taken, self.consumers, adopted) or rejection(self.pod, node, taken)
        return refusal if refusal is not None else dataclasses.replace(choice, taken=taken)

    def _is_available(self, allocated: _Allocated, node: NodeView) -> bool:
        if not allocated.reaches(node):
            return False
        claim = allocated.claim
        if not self._settings.binding_conditions or not conditions.has_conditions(claim):
            return True
        try:
            if conditions.is_ready(claim):
                return True
        except conditions.BindingConditionFailed:
            return False
        return conditions.seconds_left(claim, self._now, self._settings.binding_timeout_seconds) >= 0

    def _search(
        self, node: NodeView, delegated: frozenset[str], budget: Mapping[str, Any]
    ) -> Choice | Rejection:
        try:
            attempt, special = self._attempt(delegated)
            assert node.node is not None
            outcome = attempt.on_node(node.node, **budget)
        except InvalidInput as error:
            if error.only_this_node:
                if error.unsatisfiable is not None:
                    self.unsatisfiable.append(error.unsatisfiable)
                return BAD_POOLS
            raise SchedulingError(f'running "{DYNAMIC_RESOURCES}" filter plugin: {error}') from error
        if isinstance(outcome, Unsatisfiable):
            self.unsatisfiable.append(outcome)
            return CANNOT_ALLOCATE
        results: list[Object] = outcome.results
        allocations = list(zip(self.pending, results, strict=False))
        return Choice(allocations, special, results[-1] if special else None)

    def _attempt(self, delegated: frozenset[str]) -> tuple[Attempt, Special | None]:
        """The prepared search for nodes that delegate these resources."""
        known = self._attempts.get(delegated)
        if known is None:
            special = None
            claims = list(self.pending)
            if delegated:
                classes = {name: self.delegable[name] for name in delegated}
                special = Special(*make_claim(self.pod.pod, classes, str(uuid.uuid4())))
                claims.append(special.claim)
            known = self._attempts[delegated] = (self._index.prepare(claims), special)
        return known

    def score(self, node: str) -> int:
        """How far forward in their lists the alternatives are that this node gives the pod. More is better."""
        choice = self.choices.get(node)
        if choice is None:
            return 0
        chosen = [(each.claim, each.allocation) for each in self.allocated]
        chosen += choice.allocations
        return sum(_alternatives_score(claim, allocation) for claim, allocation in chosen)


def _requests(claim: Object) -> list[Object]:
    requests: list[Object] = (claim["spec"].get("devices") or {}).get("requests") or []
    return requests


def _alternatives_score(claim: Object, allocation: Object) -> int:
    taken = {result["request"] for result in (allocation.get("devices") or {}).get("results") or ()}
    total = 0
    for request in _requests(claim):
        for position, alternative in enumerate(request.get("firstAvailable") or ()):
            if f"{request['name']}/{alternative['name']}" in taken:
                total += MAX_ALTERNATIVES - position
    return total

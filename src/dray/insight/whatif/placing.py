"""Putting pods on nodes, one after the other, by the rules that `why` explains: taints, labels, room, other
pods, devices, quotas.

A pod goes to the first node that fits, so an answer is "these fit together", not where the scheduler would put each.
Placing only takes: a node that has refused a pod refuses every later pod that asks for the same, but for rules on other
pods (`company`). That is what lets thousands of pods be put on thousands of nodes in seconds.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import orjson

from dray.allocation import Allocated, InvalidInput
from dray.api.meta import (
    Object,
    ObjectKey,
    is_deleting,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    replace_at,
    uid_of,
)
from dray.api.pods import is_terminal
from dray.insight.claim_state import read_claims, scheduling_gates_of
from dray.insight.gates import gates_of
from dray.insight.node_fit import NodeFit, extended_claim, extended_classes
from dray.insight.node_room import NodeRoom
from dray.insight.node_share import NodeShare
from dray.insight.quotas import QuotaLine, add_asked, device_quotas
from dray.insight.snapshot import Snapshot
from dray.insight.whatif.company import Company, asks_for_company, can_reopen
from dray.insight.whatif.nodes import Growth
from dray.insight.whatif.refusal import refusal_text
from dray.insight.world import World
from dray.scheduler.plugins.dynamic_resources.node_allocatable import as_placed

EXTENDED_GATE = "DRAExtendedResource"
_SPEC_FIELDS = (
    "nodeSelector", "affinity", "tolerations", "overhead", "resources", "topologySpreadConstraints",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Placed:
    pod: Object
    node: str


@dataclasses.dataclass(frozen=True, slots=True)
class Pending:
    pod: Object
    reason: str


@dataclasses.dataclass(slots=True)
class _Ask:
    """What a pod wants, as far as placing goes."""

    pod: Object
    free: list[Object]
    """Claims that need devices."""
    held: list[Object]
    """Claims that have devices; they decide where the pod can go."""
    by_devices: Mapping[str, str]
    key: bytes
    """Equal for pods that ask for the same."""
    reopens: bool
    """Whether a node that refuses it may take it later."""
    suits_others: Callable[[Object], bool]
    """Whether the pods around a node let it there."""

    def claims_on(self, node_offers: Mapping[str, int]) -> list[Object]:
        """The claims to allocate on a node: extended resources that the node counts itself come from it."""
        if not self.by_devices:
            return self.free
        delegated = {name: cls for name, cls in self.by_devices.items() if not node_offers.get(name)}
        special = extended_claim(self.pod, delegated)
        return [*self.free, special] if special else self.free


class _Search:
    """The nodes that may still take a pod of one kind of ask, in order."""

    def __init__(self, nodes: Iterator[Object]) -> None:
        self._nodes = nodes
        self.current = next(nodes, None)
        self.beyond = 0
        """Of the nodes that were added, those that refused."""
        self.reason = ""

    def restart(self, nodes: Iterator[Object]) -> None:
        self._nodes, self.beyond = nodes, 0
        self.advance()

    def advance(self) -> None:
        self.current = next(self._nodes, None)


class Placing:
    """A cluster that fills up. Not safe for several threads."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.world = World(snapshot)
        self._rooms = NodeRoom(snapshot.pods_by_node)
        self._share = NodeShare(self.world, self._rooms)
        self._nodes = self.world.index.order(snapshot.nodes)
        self._more: list[Object] = []
        """Nodes that were added."""
        self._claims: dict[ObjectKey, Object] = {}
        """Claims that got devices here."""
        self._searches: dict[bytes, _Search] = {}
        self._quotas = device_quotas(snapshot)
        self._asked: dict[tuple[str, str], int] = {}
        """What pods without a place that were made anew ask for, not counted against quotas before they are made."""
        self._undo: list[Callable[[], object]] | None = None
        self._own_resources = _node_resources(snapshot)
        self._has_extended = not gates_of(snapshot).is_off(EXTENDED_GATE)
        self._company = Company(snapshot) if any(map(asks_for_company, snapshot.pods)) else None
        for claim in snapshot.claims if self._quotas else ():
            if _is_new(claim):
                add_asked(self._asked, claim)

    def place(self, pod: Object, *, explain: bool = True) -> Placed | Pending:
        """Put the pod on the first node that fits, with its devices. Without `explain` reasons may be "", and it is quick."""
        read = read_claims(self.snapshot, pod)
        blockers = [gate] if (gate := scheduling_gates_of(pod)) else list(read.blockers)
        if blockers:
            return Pending(pod, blockers[0].cause)
        claims = [self._claims.get(key_of(claim), claim) for claim in (*read.pending, *read.allocated)]
        new = [claim for claim in claims if _is_new(claim) and key_of(claim) not in self._claims]
        if exceeded := self._exceeded(new):
            return Pending(pod, exceeded)
        ask = self._ask(pod, claims)
        search = self._searches.get(ask.key)
        if search is None:
            search = self._searches[ask.key] = _Search(self._candidates(ask))
        elif ask.reopens:
            search.restart(self._candidates(ask))
        node = self._find(ask, search)
        if node is None:
            if explain and not search.reason:
                search.reason = self._refusal(ask)
            return Pending(pod, search.reason)
        self._count_quota(new)
        return Placed(pod, node)

    def why_not(self, pod: Object) -> str:
        """The reason of a pod that was refused."""
        outcome = self.place(pod)
        return outcome.reason if isinstance(outcome, Pending) else ""

    def _refusal(self, ask: _Ask) -> str:
        # Of added nodes the last one is as empty as any that could be added.
        nodes = self._more[-1:] or self.snapshot.nodes
        fit = NodeFit(self.snapshot, ask.pod, ask.held, ask.by_devices, self._rooms)
        others = self._company.against(ask.pod) if self._company else None
        return refusal_text(
            self.world, ask.pod, ask.claims_on({}), nodes,
            lambda node: [*fit.reasons(node), *(others(node) if others else ())],
            (lambda node, found: self._crowded(ask, node, found)[0]) if self._share.is_counted else None,
        )  # fmt: skip

    def _crowded(self, ask: _Ask, node: Object, found: Sequence[tuple[Object, Object]]) -> tuple[str, Object]:
        """What is against the node given the devices that were found there, or ""; and the pod as it counts there."""
        held = [(claim, claim["status"]["allocation"]) for claim in ask.held]
        taken = self._share.taken(ask.pod, [*held, *found])
        given = frozenset(uid_of(claim) for claim in ask.held if key_of(claim) in self._claims)
        against = self._share.against(ask.pod, node, taken, given)
        return against, as_placed(ask.pod, name_of(node), taken) if taken else ask.pod

    def _ask(self, pod: Object, claims: Sequence[Object]) -> _Ask:
        free = [claim for claim in claims if not (claim.get("status") or {}).get("allocation")]
        held = [claim for claim in claims if (claim.get("status") or {}).get("allocation")]
        by_devices = extended_classes(self.snapshot.classes, pod) if self._has_extended else {}
        spec = pod["spec"]
        shown = {name: spec[name] for name in _SPEC_FIELDS if name in spec}
        sizes = [
            [container.get("resources"), container.get("restartPolicy")]
            for field in ("containers", "initContainers")
            for container in spec.get(field) or ()
        ]
        wants = [claim["spec"] for claim in free]
        # Other pods tell a pod by its namespace and labels.
        known_by = [namespace_of(pod), sorted(labels_of(pod).items())] if self._company else []
        held_names = [list(key_of(claim)) for claim in held]
        key = orjson.dumps([shown, sizes, wants, held_names, known_by])
        return _Ask(
            pod, free, held, by_devices, key, can_reopen(pod),
            self._company.allows(pod, key) if self._company else lambda node: True,
        )  # fmt: skip

    def _candidates(self, ask: _Ask) -> Iterator[Object]:
        """Every node that may take the pod, without those that have no devices for it."""
        if not ask.free and not ask.by_devices:
            return iter(self._nodes.nodes)
        if self._own_resources.intersection(ask.by_devices):
            return iter(self._nodes.nodes)
        try:
            return self.world.index.prepare(ask.claims_on({})).candidate_nodes(self._nodes)
        except InvalidInput:
            return iter(self._nodes.nodes)

    def _find(self, ask: _Ask, search: _Search) -> str | None:
        fit = NodeFit(self.snapshot, ask.pod, ask.held, ask.by_devices, self._rooms)
        while search.current is not None:
            if self._put(ask, fit, search.current):
                return name_of(search.current)
            search.advance()
        while search.beyond < len(self._more):
            if self._put(ask, fit, self._more[search.beyond]):
                return name_of(self._more[search.beyond])
            search.beyond += 1
        return None

    def _put(self, ask: _Ask, fit: NodeFit, node: Object) -> bool:
        if not fit.allows(node) or not ask.suits_others(node):
            return False
        room = self._rooms.of(node)
        claims = ask.claims_on(room.allocatable)
        found: list[tuple[Object, Object]] = []
        if claims:
            outcome = self.world.ask(claims, node)
            if not isinstance(outcome, Allocated):
                return False
            found = list(zip(claims, outcome.results, strict=True))
        against, placed = self._crowded(ask, node, found) if self._share.is_counted else ("", ask.pod)
        if against:
            return False
        for claim, allocation in found:
            self._give(claim, allocation)
        self._put_pod(placed, node)
        return True

    def _put_pod(self, pod: Object, node: Object) -> None:
        room = self._rooms.of(node)
        room.put(pod)
        self._can_undo(functools.partial(room.take, pod))
        if self._company:
            self._company.put(pod, node)
            self._can_undo(functools.partial(self._company.take, pod))

    def _give(self, claim: Object, allocation: Object) -> None:
        key = key_of(claim)
        given = replace_at(claim, ("status", "allocation"), allocation)
        before = self._claims.get(key)
        self._claims[key] = given
        self.world.index.put_claim(given)

        def take_back() -> None:
            self.world.index.put_claim(claim)
            if before is None:
                del self._claims[key]
            else:
                self._claims[key] = before

        self._can_undo(take_back)

    # --- quotas ---

    def _exceeded(self, new: Sequence[Object]) -> str:
        """The quota that forbids to make the claims of a pod, or ""."""
        if not self._quotas or not new:
            return ""
        more: dict[tuple[str, str], int] = {}
        for claim in new:
            add_asked(more, claim)
        for line in self._quotas:
            wanted = more.get((line.namespace, line.class_name), 0)
            used = line.used - self._asked.get((line.namespace, line.class_name), 0)
            if wanted and used + wanted > line.hard:
                return _quota_text(line, used, wanted)
        return ""

    def _count_quota(self, new: Sequence[Object]) -> None:
        for claim in new if self._quotas else ():
            add_asked(self._asked, claim, -1)
            self._can_undo(functools.partial(add_asked, self._asked, claim))

    # --- growing ---

    def add_node(self, growth: Growth) -> None:
        """One more node with its daemon pods and what they hold; it is tried after all others."""
        node = growth.node
        self._more.append(node)
        self._can_undo(self._more.pop)
        index = self.world.index
        for obj in growth.slices:
            index.put_slice(obj)
            self._can_undo(functools.partial(index.remove_slice, name_of(obj)))
        if self._company:
            self._company.put_node(node)
            self._can_undo(functools.partial(self._company.take_node, node))
        for made in growth.pods:
            self._put_pod(made.pod, node)
            outcome = self.world.ask(made.claims, node) if made.claims else None
            if isinstance(outcome, Allocated):
                for claim, allocation in zip(made.claims, outcome.results, strict=True):
                    self._give(claim, allocation)

    @contextlib.contextmanager
    def trial(self) -> Iterator[None]:
        """Take back, at the end, whatever is placed and added meanwhile."""
        before, searches = self._undo, self._searches
        self._undo = []
        # Who has been refused everywhere is refused everywhere still; only added nodes can help.
        self._searches = {key: _Search(iter(())) for key, known in searches.items() if known.current is None}
        try:
            yield
        finally:
            for step in reversed(self._undo):
                step()
            self._undo, self._searches = before, searches

    def _can_undo(self, step: Callable[[], object]) -> None:
        if self._undo is not None:
            self._undo.append(step)


def _node_resources(snapshot: Snapshot) -> set[str]:
    """The resources that some node counts itself."""
    return {
        name
        for node in snapshot.nodes
        for name, amount in ((node.get("status") or {}).get("allocatable") or {}).items()
        if str(amount) != "0"
    }


def _is_new(claim: Object) -> bool:
    """Whether the claim exists in no cluster yet."""
    return not claim["metadata"].get("resourceVersion") and str(claim["metadata"].get("uid", "")).startswith(
        "new "
    )


def _quota_text(line: QuotaLine, used: int, wanted: int) -> str:
    return (
        f"quota {line.quota} of namespace {line.namespace} allows {line.hard} {line.subject}, "
        f"{used} are asked for already and this needs {wanted}"
    )


def needs_place(pod: Object) -> bool:
    return not pod["spec"].get("nodeName") and not is_terminal(pod) and not is_deleting(pod)


def in_turn(pods: Sequence[Object]) -> list[Object]:
    """Those that need a place, the more important first, else in the given order."""
    return sorted(filter(needs_place, pods), key=lambda pod: -int(pod["spec"].get("priority") or 0))

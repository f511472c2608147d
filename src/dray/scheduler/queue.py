"""Pods that wait to be scheduled, and why each one waits.

A pod is in exactly one place:

    gated          a PreEnqueue plugin keeps it out, silently, until the thing it waits for happens
    active         to be scheduled now; highest priority first, then the longest waiting
    backoff        failed recently; active again when its backoff (1 s doubling to 10 s) is over
    unschedulable  no node fits; stays until something happens that may change that, or five minutes
    in flight      popped; the caller owes `done`, `unschedulable` or `failed`

Pods that a happening woke need not sit out their backoff when there is nothing better to do; pods whose attempt broke
off with an error must. The queue decides order and time; whether a pod may enter is asked of `gate`.

Changed only by the scheduling task, between attempts, hence nothing can happen to a pod in flight unseen.
"""

import dataclasses
import heapq
import itertools
from collections.abc import Callable, Iterable
from typing import Literal

from dray.api.meta import Object, ObjectKey, is_deleting, key_of, uid_of
from dray.api.pod_groups import group_key
from dray.kits.clock import Clock
from dray.scheduler.happenings import LIFTS, OF_GROUPS, Happening, Kind

INITIAL_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 10.0
LEFTOVER_SECONDS = 300.0
"""How long a pod stays unschedulable before it is tried again though nothing happened."""

Place = Literal["gated", "active", "backoff", "unschedulable", "in flight"]


@dataclasses.dataclass(frozen=True, slots=True)
class Gate:
    """Why a pod may not be queued: a plugin and its words, which nobody but the log and `dray why` sees."""

    plugin: str
    message: str


@dataclasses.dataclass(slots=True, eq=False)
class QueuedPod:
    pod: Object
    uid: str
    priority: int
    first_seen: float
    place: Place = "active"
    since: float = 0.0
    """When it was put where it is; among equals the earliest is scheduled first."""
    attempts: int = 0
    unschedulable_count: int = 0
    error_count: int = 0
    """Consecutive attempts that broke off."""
    backoff_until: float = 0.0
    must_back_off: bool = False
    plugins: frozenset[str] = frozenset()
    """Who refused it in its last attempt."""
    gate: Gate | None = None
    claims: frozenset[ObjectKey] = frozenset()
    ticket: int = 0
    """Of the heap entry that counts; older entries are stale."""

    @property
    def key(self) -> ObjectKey:
        return key_of(self.pod)


class SchedulingQueue:
    def __init__(
        self,
        clock: Clock,
        *,
        gate: Callable[[Object], Gate | None],
        claims_of: Callable[[Object], Iterable[ObjectKey]],
        on_enter: Callable[[Place, Kind], object] = lambda place, kind: None,
    ) -> None:
        """`claims_of`: the claims a pod uses, as far as their names are known yet."""
        self._clock = clock
        self._gate = gate
        self._claims_of = claims_of
        self._on_enter = on_enter
        self._pods: dict[str, QueuedPod] = {}
        self._by_claim: dict[ObjectKey, dict[str, QueuedPod]] = {}
        self._by_group: dict[ObjectKey, dict[str, QueuedPod]] = {}
        self._active: list[tuple[int, float, int, QueuedPod]] = []
        self._backoff: list[tuple[float, int, QueuedPod]] = []
        self._willing: list[tuple[int, float, int, QueuedPod]] = []
        self._leftovers: list[tuple[float, int, QueuedPod]] = []
        self._refused_by: dict[str, dict[QueuedPod, None]] = {}
        """Unschedulable pods by the plugins that refused them."""
        self._places: dict[Place, set[QueuedPod]] = {
            "gated": set(),
            "active": set(),
            "backoff": set(),
            "unschedulable": set(),
            "in flight": set(),
        }
        self._tickets = itertools.count(1)

    def __len__(self) -> int:
        return len(self._pods)

    def count(self, place: Place) -> int:
        return len(self._places[place])

    def pods(self) -> list[QueuedPod]:
        return list(self._pods.values())

    def find(self, uid: str) -> QueuedPod | None:
        return self._pods.get(uid)

    def put(self, pod: Object) -> None:
        """A pod that waits for a node appeared or changed."""
        item = self._pods.get(uid_of(pod))
        if item is None:
            self._add(pod)
            return
        old, item.pod = item.pod, pod
        item.priority = _priority(pod)
        self._index(item)
        if item.place == "gated":
            self._admit(item, Kind.POD_UPDATED)
        elif item.place == "unschedulable" and _may_help(old, pod):
            self._wake(item, Kind.POD_UPDATED)

    def _add(self, pod: Object) -> None:
        now = self._clock.monotonic()
        item = QueuedPod(pod, uid_of(pod), _priority(pod), first_seen=now)
        self._pods[item.uid] = item
        self._places[item.place].add(item)
        self._index(item)
        if (group := group_key(pod)) is not None:
            self._by_group.setdefault(group, {})[item.uid] = item
        self._admit(item, Kind.POD_ADDED)

    def remove(self, uid: str) -> QueuedPod | None:
        item = self._pods.pop(uid, None)
        if item is not None:
            self._leave(item)
            item.ticket = 0
            for key in item.claims:
                _drop(self._by_claim, key, item)
            if (group := group_key(item.pod)) is not None:
                _drop(self._by_group, group, item)
        return item

    def pop(self) -> QueuedPod | None:
        """The next pod to schedule, now in flight; None when there is none at this time."""
        self._advance()
        # Nobody active: somebody who was woken may as well skip the rest of the backoff.
        item = self._next_of(self._active) or self._next_of(self._willing)
        if item is not None:
            item.attempts += 1
            self._move(item, "in flight")
        return item

    def take_group(self, key: ObjectKey) -> list[QueuedPod]:
        """All other pods of a PodGroup that may be scheduled, backoff or not; they are now in flight."""
        waiting = ("active", "backoff", "unschedulable")
        taken = [item for item in self._by_group.get(key, {}).values() if item.place in waiting]
        for item in taken:
            item.attempts += 1
            self._move(item, "in flight")
        return taken

    def next_deadline(self) -> float | None:
        """The monotonic time at which `pop` may have a new answer though nothing happens."""
        self._drop_stale()
        times = [heap[0][0] for heap in (self._backoff, self._leftovers) if heap]
        return min(times, default=None)

    def done(self, item: QueuedPod) -> None:
        """The pod is on its way to a node. It stays known, in flight, until it is removed or failed."""
        item.error_count = 0

    def unschedulable(self, item: QueuedPod, plugins: frozenset[str]) -> None:
        """No node fitted. With no plugin to blame the pod is tried again after a backoff."""
        if item.uid not in self._pods:
            return
        item.unschedulable_count += 1
        item.error_count = 0
        item.plugins = plugins
        self._set_backoff(item, item.unschedulable_count)
        item.must_back_off = False
        if plugins:
            self._enter_unschedulable(item)
        else:
            self._enter_backoff(item, Kind.FAILED)

    def failed(self, item: QueuedPod) -> None:
        """The attempt, or the binding, broke off."""
        if item.uid not in self._pods:
            return
        item.error_count += 1
        item.plugins = frozenset()
        self._set_backoff(item, item.error_count)
        item.must_back_off = True
        self._enter_backoff(item, Kind.FAILED)

    def notice(self, happening: Happening) -> None:
        """Let everybody whom `happening` may help try again."""
        for item in self._concerned(happening):
            if item.place == "gated":
                self._admit(item, happening.kind)
            elif item.place == "unschedulable" and not item.plugins.isdisjoint(LIFTS[happening.kind]):
                self._wake(item, happening.kind)

    def activate(self, uids: Iterable[str]) -> None:
        """Try these again without delay."""
        for uid in uids:
            item = self._pods.get(uid)
            if item is not None and item.place in ("unschedulable", "backoff"):
                self._enter_active(item, Kind.POD_UPDATED)

    def _concerned(self, happening: Happening) -> list[QueuedPod]:
        if happening.key is not None and happening.kind in OF_GROUPS:
            return list(self._by_group.get(happening.key, {}).values())
        if happening.key is not None:
            return list(self._by_claim.get(happening.key, {}).values())
        # What gates a pod is itself or its own claims; no other news can open the gate.
        concerned: dict[QueuedPod, None] = {}
        for plugin in LIFTS[happening.kind]:
            concerned.update(self._refused_by.get(plugin, {}))
        return list(concerned)

    def _admit(self, item: QueuedPod, kind: Kind) -> None:
        """Ask the gate; pods that pass go to active, or to backoff where theirs still runs."""
        item.gate = self._gate(item.pod)
        if item.gate is None:
            self._wake(item, kind)
        elif item.place != "gated":
            self._move(item, "gated")
            self._on_enter("gated", kind)

    def _wake(self, item: QueuedPod, kind: Kind) -> None:
        item.gate = self._gate(item.pod)
        if item.gate is not None:
            self._move(item, "gated")
            self._on_enter("gated", kind)
        elif item.backoff_until > self._clock.monotonic():
            self._enter_backoff(item, kind)
        else:
            self._enter_active(item, kind)

    def _enter_active(self, item: QueuedPod, kind: Kind) -> None:
        self._move(item, "active")
        heapq.heappush(self._active, (-item.priority, item.since, item.ticket, item))
        self._on_enter("active", kind)

    def _enter_backoff(self, item: QueuedPod, kind: Kind) -> None:
        self._move(item, "backoff")
        heapq.heappush(self._backoff, (item.backoff_until, item.ticket, item))
        if not item.must_back_off:
            heapq.heappush(self._willing, (-item.priority, item.backoff_until, item.ticket, item))
        self._on_enter("backoff", kind)

    def _enter_unschedulable(self, item: QueuedPod) -> None:
        self._move(item, "unschedulable")
        for plugin in item.plugins:
            self._refused_by.setdefault(plugin, {})[item] = None
        heapq.heappush(self._leftovers, (item.since + LEFTOVER_SECONDS, item.ticket, item))
        self._on_enter("unschedulable", Kind.FAILED)

    def _set_backoff(self, item: QueuedPod, failures: int) -> None:
        seconds = min(INITIAL_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 10), MAX_BACKOFF_SECONDS)
        item.backoff_until = self._clock.monotonic() + seconds

    def _move(self, item: QueuedPod, place: Place) -> None:
        self._leave(item)
        self._places[place].add(item)
        item.place = place
        item.since = self._clock.monotonic()
        item.ticket = next(self._tickets)

    def _leave(self, item: QueuedPod) -> None:
        self._places[item.place].discard(item)
        if item.place == "unschedulable":
            for plugin in item.plugins:
                self._refused_by[plugin].pop(item, None)

    def _advance(self) -> None:
        now = self._clock.monotonic()
        self._drop_stale()
        while self._backoff and self._backoff[0][0] <= now:
            self._enter_active(heapq.heappop(self._backoff)[2], Kind.BACKOFF_OVER)
            self._drop_stale()
        while self._leftovers and self._leftovers[0][0] <= now:
            self._wake(heapq.heappop(self._leftovers)[2], Kind.TIMEOUT)
            self._drop_stale()

    def _drop_stale(self) -> None:
        for heap in (self._backoff, self._leftovers):
            while heap and heap[0][1] != heap[0][2].ticket:
                heapq.heappop(heap)

    def _next_of(self, heap: list[tuple[int, float, int, QueuedPod]]) -> QueuedPod | None:
        while heap:
            _, _, ticket, item = heapq.heappop(heap)
            if ticket == item.ticket:
                return item
        return None

    def _index(self, item: QueuedPod) -> None:
        claims = frozenset(self._claims_of(item.pod))
        for key in item.claims - claims:
            _drop(self._by_claim, key, item)
        for key in claims - item.claims:
            self._by_claim.setdefault(key, {})[item.uid] = item
        item.claims = claims


def _drop(index: dict[ObjectKey, dict[str, QueuedPod]], key: ObjectKey, item: QueuedPod) -> None:
    members = index.get(key)
    if members is not None:
        members.pop(item.uid, None)
        if not members:
            del index[key]


def _priority(pod: Object) -> int:
    return int(pod["spec"].get("priority") or 0)


def _may_help(old: Object, new: Object) -> bool:
    """Whether an update of a waiting pod can change its fate. Its own conditions and nomination cannot."""
    if is_deleting(old) != is_deleting(new):
        return True
    if old["spec"] != new["spec"] or old["metadata"].get("labels") != new["metadata"].get("labels"):
        return True
    fields = ("resourceClaimStatuses", "extendedResourceClaimStatus")
    before, after = old.get("status") or {}, new.get("status") or {}
    return any(before.get(field) != after.get(field) for field in fields)

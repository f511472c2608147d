"""Which nodes need not be asked: what is remembered of refusals, and how many free devices of a kind each node has.

Two memories, both by node number and both kept right by the changes that the index reports:

    refusals   nodes that refused a list of claims; forgotten when something there changed that could help
    headroom   per kind of device (filter and tolerations), how many are free on each node, and whether that is all that
               can be said of them: a node is *safe* where asking about the kind cannot end in an error

A node is *hopeless* for an attempt only where that follows from what has not changed since; a node that could answer
with an error is never hopeless, because the error must be seen.

Refuses to know: how devices are chosen.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from dray.allocation.inventory import NodeView
from dray.allocation.problem import Setting
from dray.allocation.requests import ClaimPlan, Kind, Want
from dray.api.meta import Object

_LOG_MAX = 100_000
_KINDS_MAX = 256
_MANY = 1 << 30
"""More free devices than anybody asks for."""
_EVERYWHERE = -1


class Change(NamedTuple):
    """Something changed on a node (or everywhere): could it help a claim that was refused?"""

    node: int
    helps: bool


class ChangeLog:
    """The changes since some point; readers that fell too far behind start over."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._dropped = 0

    def add(self, change: Change) -> None:
        self._changes.append(change)
        if len(self._changes) > _LOG_MAX:
            self._dropped += len(self._changes)
            self._changes.clear()

    @property
    def end(self) -> int:
        return self._dropped + len(self._changes)

    def since(self, position: int) -> Sequence[Change] | None:
        """The changes from `position` on; None where they are not known any more."""
        if position < self._dropped:
            return None
        return self._changes[position - self._dropped :] if position < self.end else ()


class Refusals:
    """Nodes that refused one list of claims."""

    __slots__ = ("_log", "_position", "_refused")

    def __init__(self, log: ChangeLog) -> None:
        self._log = log
        self._position = log.end
        self._refused = 0

    def current(self) -> int:
        changes = self._log.since(self._position)
        self._position = self._log.end
        if changes is None:
            self._refused = 0
            return 0
        for node, helps in changes:
            if helps:
                self._refused = 0 if node == _EVERYWHERE else self._refused & ~(1 << node)
        return self._refused

    def add(self, node: int) -> None:
        """`node` refused. Call `current` first, so that no change is overlooked."""
        self._refused |= 1 << node


class Headroom:
    """How many free devices of one kind the nodes have, as far as they were counted."""

    __slots__ = ("_counts", "_log", "_position", "_short", "safe")

    def __init__(self, log: ChangeLog) -> None:
        self._log = log
        self._position = log.end
        self.safe = 0
        """The nodes where no device of the kind can end an attempt. Call `short_of` first."""
        self._counts: dict[int, int] = {}
        self._short: dict[int, int] = {}
        """Per number of devices: the nodes known to have fewer."""

    def short_of(self, need: int) -> int:
        """The nodes known to have fewer than `need` free."""
        self._catch_up()
        short = self._short.get(need)
        if short is None:
            short = 0
            for node, count in self._counts.items():
                if count < need:
                    short |= 1 << node
            self._short[need] = short
        return short

    def _catch_up(self) -> None:
        changes = self._log.since(self._position)
        self._position = self._log.end
        if changes is None:
            self._counts.clear()
            self._short.clear()
            self.safe = 0
            return
        for node, helps in changes:
            if node == _EVERYWHERE:
                self._counts.clear()
                if helps:
                    self._short.clear()
                    self.safe = 0
                continue
            self._counts.pop(node, None)
            if helps:
                self.safe &= ~(1 << node)
                for need in self._short:
                    self._short[need] &= ~(1 << node)

    def known(self, node: int) -> int | None:
        """The free devices of a node, if they were counted since the last change. Call `short_of` first."""
        return self._counts.get(node)

    def set(self, node: int, count: int, *, safe: bool) -> None:
        self._counts[node] = count
        if safe:
            self.safe |= 1 << node
        for need in self._short:
            if count < need:
                self._short[need] |= 1 << node


def wants_of(plans: Sequence[ClaimPlan]) -> Sequence[Want]:
    """What claims need together whatever alternatives are taken; requests of administrators need nothing free.

    Nothing where every node has to be asked.
    """
    if len(plans) == 1 and len(plans[0].wants) == 1:
        return plans[0].wants if plans[0].wants[0].need else ()
    together: dict[Kind, Want] = {}
    for plan in plans:
        if plan.requests and not plan.wants:
            return ()
        for want in plan.wants:
            known = together.get(want.kind)
            together[want.kind] = want._replace(need=want.need + known.need) if known else want
    wants = tuple(together.values())
    return wants if any(want.need for want in wants) else ()


Need: TypeAlias = tuple[Want, Headroom]
"""What is wanted of a kind, and where there is how much of it."""


def hopeless(needs: Sequence[Need]) -> int:
    """The nodes known to have too few free devices of some kind, and none of any kind that could end in an error."""
    short, safe = 0, -1
    for want, headroom in needs:
        short |= headroom.short_of(want.need)
        safe &= headroom.safe
    return short & safe


class Prospects:
    """What is remembered about nodes, for all kinds and lists of claims that were asked about lately."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._log = ChangeLog()
        self._headroom: dict[Kind, Headroom] = {}
        self._refusals: dict[tuple[ClaimPlan, ...], Refusals] = {}

    def changed(self, node: int, *, helps: bool) -> None:
        """Something changed on a node."""
        self._log.add(Change(node, helps))

    def changed_everywhere(self, *, helps: bool) -> None:
        self._log.add(Change(_EVERYWHERE, helps))

    def forget(self) -> None:
        """Node numbers mean something else now, or filters do."""
        self._headroom.clear()
        self._refusals.clear()

    def refusals(self, plans: tuple[ClaimPlan, ...]) -> Refusals:
        found = self._refusals.get(plans)
        if found is None:
            if len(self._refusals) >= _KINDS_MAX:
                self._refusals.clear()
            found = self._refusals[plans] = Refusals(self._log)
        return found

    def headroom(self, kind: Kind) -> Headroom:
        found = self._headroom.get(kind)
        if found is None:
            if len(self._headroom) >= _KINDS_MAX:
                self._headroom.clear()
            found = self._headroom[kind] = Headroom(self._log)
        return found

    def has_room(self, number: int, node: Object, needs: Sequence[Need]) -> bool:
        """Whether a node has enough free devices of each kind, each looked at alone, or may answer with an error.

        Call `hopeless` first.
        """
        enough = True
        for want, headroom in needs:
            free = headroom.known(number)
            if free is None:
                free, safe = self._count_free(self._setting.inventory.view(node), want)
                headroom.set(number, free, safe=safe)
            if not headroom.safe >> number & 1:
                return True
            enough = enough and free >= want.need
        return enough

    def _count_free(self, view: NodeView, want: Want) -> tuple[int, bool]:
        """The free devices of a kind that a node sees, `_MANY` where numbers do not decide; and whether it is safe."""
        if not view.sound:
            return _MANY, False
        setting, kind, free = self._setting, want.kind, 0
        for entry, _ in view.parts:
            asked = entry.whole if kind.in_use else entry.whole & ~entry.used
            match = setting.matcher.match(entry, kind.filter, asked)
            if match.doubtful & asked:
                return 0, False
            accepted = match.accepted & asked
            if accepted and setting.features.device_taints and (entry.tainted or setting.rules):
                accepted &= ~setting.rules.blocked(entry, want.tolerations)
            for derivation in kind.derivations:
                if setting.deriver.derive(entry, derivation, accepted).failed & accepted:
                    return 0, False
            # A device that can be shared may serve several requests.
            free += _MANY if accepted & entry.multi else accepted.bit_count()
        return free, True

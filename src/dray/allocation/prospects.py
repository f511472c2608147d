"""Which nodes need not be asked: what is remembered of refusals, and how many free devices of a kind each node has.

Two memories, both by node number and both kept right by the changes that the index reports:

    refusals   nodes that refused a list of claims; forgotten when something there changed that could help
    headroom   per kind of device (filter and tolerations), how many are free on each node

A node is *hopeless* for an attempt only where that follows from what has not changed since; a node that could answer
with an error is never hopeless, because the error must be seen.

Refuses to know: how devices are chosen.
"""

from collections.abc import Sequence
from typing import NamedTuple

from dray.allocation.inventory import NodeView
from dray.allocation.problem import Setting
from dray.allocation.requests import ClaimPlan, Kind, Want
from dray.api.meta import Object

_LOG_MAX = 100_000
_KINDS_MAX = 256
_MANY = 1 << 30
"""More free devices than anybody asks for: the node has to be asked."""
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

    __slots__ = ("_counts", "_log", "_position", "_short")

    def __init__(self, log: ChangeLog) -> None:
        self._log = log
        self._position = log.end
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
            return
        for node, helps in changes:
            if node == _EVERYWHERE:
                self._counts.clear()
                if helps:
                    self._short.clear()
                continue
            self._counts.pop(node, None)
            if helps:
                for need in self._short:
                    self._short[need] &= ~(1 << node)

    def known(self, node: int) -> int | None:
        """The free devices of a node, if they were counted since the last change. Call `short_of` first."""
        return self._counts.get(node)

    def set(self, node: int, count: int) -> None:
        self._counts[node] = count
        for need in self._short:
            if count < need:
                self._short[need] |= 1 << node


def wants_of(plans: Sequence[ClaimPlan]) -> Sequence[Want]:
    """What claims need together whatever alternatives are taken; requests of administrators need nothing free."""
    if len(plans) == 1 and len(plans[0].wants) <= 1:
        return plans[0].wants
    together: dict[Kind, Want] = {}
    for plan in plans:
        for want in plan.wants:
            known = together.get(want.kind)
            together[want.kind] = want._replace(need=want.need + known.need) if known else want
    return tuple(together.values())


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

    def has_room(self, number: int, node: Object, needs: Sequence[tuple[Want, Headroom]]) -> bool:
        """Whether a node has enough free devices of each kind, each looked at alone."""
        for want, headroom in needs:
            free = headroom.known(number)
            if free is None:
                free = self._count_free(self._setting.inventory.view(node), want)
                headroom.set(number, free)
            if free < want.need:
                return False
        return True

    def _count_free(self, view: NodeView, want: Want) -> int:
        """The free devices of a kind that a node sees; `_MANY` where numbers do not decide."""
        if not view.sound:
            return _MANY
        setting, free = self._setting, 0
        for entry, _ in view.parts:
            idle = entry.whole & ~entry.used
            match = setting.matcher.match(entry, want.kind.filter, idle)
            accepted = match.accepted & idle
            # A device that can be shared may serve several requests, and a failing selector must be seen to fail.
            if match.doubtful & idle or accepted & entry.multi:
                return _MANY
            if accepted and setting.features.device_taints and (entry.tainted or setting.rules):
                accepted &= ~setting.rules.blocked(entry, want.tolerations)
            if any(
                setting.deriver.derive(entry, each, accepted).failed & accepted
                for each in want.kind.derivations
            ):
                return _MANY  # whoever comes to such a device ends the attempt with an error
            free += accepted.bit_count()
        return free

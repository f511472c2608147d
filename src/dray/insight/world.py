"""A cluster that can be asked "what if": the allocator's index of a snapshot, with changes that can be taken back.

Refuses to know: which changes are worth trying.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from dray.allocation import Allocated, DeviceIndex, Features, InvalidInput, SearchAborted, Unsatisfiable
from dray.api.meta import Object, key_of, name_of, uid_of
from dray.insight.snapshot import Snapshot

MAX_STEPS = 200_000
"""Devices tried in one attempt; what is not known after that is told as not known."""


@dataclasses.dataclass(frozen=True, slots=True)
class Broken:
    """The attempt ended in an error of the input; `text` is the scheduler's."""

    text: str
    refusal: Unsatisfiable | None = None
    """Where only this node is concerned: what was found there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Undecided:
    """The search was given up."""

    text: str


Outcome = Allocated | Unsatisfiable | Broken | Undecided


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """Something that would be different. Everything not named stays as it is."""

    claims: Mapping[str, Object] = dataclasses.field(default_factory=dict)
    """Claims to allocate, by namespace/name, as they would be asked."""
    freed: Sequence[str] = ()
    """Claims, by UID, that hold nothing any more."""
    classes: Sequence[Object] = ()
    slices: Sequence[Object] = ()


class World:
    """The devices of a snapshot. Not safe for several threads."""

    def __init__(self, snapshot: Snapshot, features: Features | None = None) -> None:
        self.snapshot = snapshot
        self.index = DeviceIndex(features, new_share_id=lambda: "share")
        for obj in snapshot.classes:
            self.index.put_class(obj)
        for obj in snapshot.slices:
            self.index.put_slice(obj)
        for obj in snapshot.taint_rules:
            self.index.put_taint_rule(obj)
        for obj in snapshot.claims:
            self.index.put_claim(obj)
        self._asked: dict[str, Object] = {}

    def ask(self, claims: Sequence[Object], node: Object) -> Outcome:
        """Would these claims, together, find devices on the node?"""
        asked = [self._asked.get(str(key_of(claim)), claim) for claim in claims]
        try:
            return self.index.prepare(asked).on_node(node, max_steps=MAX_STEPS)
        except InvalidInput as error:
            return Broken(error.message, error.unsatisfiable)
        except SearchAborted as error:
            return Undecided(str(error))

    def as_asked(self, claim: Object) -> Object:
        """The claim as a change in force would have it."""
        return self._asked.get(str(key_of(claim)), claim)

    def device_class(self, name: str) -> Object | None:
        return self.index.device_class(name)

    @contextlib.contextmanager
    def changed(self, change: Change) -> Iterator[None]:
        """Let a change be so for a while."""
        with contextlib.ExitStack() as undo:
            before = self._asked
            undo.callback(setattr, self, "_asked", before)
            self._asked = {**before, **change.claims}
            for uid in change.freed:
                claim = self.snapshot.claim_by_uid.get(uid)
                self.index.remove_claim(uid)
                if claim is not None:
                    undo.callback(self.index.put_claim, claim)
            for obj in change.classes:
                old = self.index.device_class(name_of(obj))
                self.index.put_class(obj)
                undo.callback(
                    *(self.index.put_class, old) if old else (self.index.remove_class, name_of(obj))
                )
            for obj in change.slices:
                entry = self.index.inventory.slices.get(name_of(obj))
                undo.callback(
                    *(self.index.put_slice, entry.raw) if entry else (self.index.remove_slice, name_of(obj))
                )
                self.index.put_slice(obj)
            yield


def identity(claim: Object) -> str:
    """What the index calls a claim."""
    return uid_of(claim) or str(key_of(claim))

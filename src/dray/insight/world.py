"""A cluster that can be asked "what if": the allocator's index of a snapshot, with changes that can be taken back.

Refuses to know: which changes are worth trying.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from dray.allocation import (
    Allocated,
    DeviceIndex,
    Features,
    InvalidInput,
    SearchAborted,
    Unsatisfiable,
    Variant,
)
from dray.api.meta import Object, key_of, name_of, uid_of
from dray.insight.gates import gates_of
from dray.insight.snapshot import Snapshot

MAX_STEPS = 200_000
"""Devices tried in one attempt; what is not known after that is told as not known."""
TRIAL_STEPS = 20_000
"""Devices tried to see whether a remedy helps; one that needs more is passed over."""


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
    features: Features | None = None
    """What the allocator may use; None: what it may use already."""


class World:
    """The devices of a snapshot. Not safe for several threads."""

    def __init__(self, snapshot: Snapshot, features: Features | None = None) -> None:
        self.snapshot = snapshot
        self.features = features if features is not None else gates_of(snapshot).features()
        self._classes = {name_of(obj): obj for obj in snapshot.classes}
        self._slices = {name_of(obj): obj for obj in snapshot.slices}
        self._freed: frozenset[str] = frozenset()
        self.index = self._indexed()
        self._asked: dict[str, Object] = {}

    def _indexed(self) -> DeviceIndex:
        """All objects as they are at the moment."""
        index = DeviceIndex(self.features, new_share_id=lambda: "share")
        for obj in self._classes.values():
            index.put_class(obj)
        for obj in self._slices.values():
            index.put_slice(obj)
        for obj in self.snapshot.taint_rules:
            index.put_taint_rule(obj)
        for obj in self.snapshot.claims:
            if identity(obj) not in self._freed:
                index.put_claim(obj)
        return index

    def ask(self, claims: Sequence[Object], node: Object, max_steps: int = MAX_STEPS) -> Outcome:
        """Would these claims, together, find devices on the node?"""
        asked = [self._asked.get(str(key_of(claim)), claim) for claim in claims]
        try:
            return self.index.prepare(asked).on_node(node, max_steps=max_steps)
        except InvalidInput as error:
            return Broken(error.message, error.unsatisfiable)
        except SearchAborted as error:
            return Undecided(str(error))

    def as_asked(self, claim: Object) -> Object:
        """The claim as a change in force would have it."""
        return self._asked.get(str(key_of(claim)), claim)

    def device_class(self, name: str) -> Object | None:
        return self.index.device_class(name)

    @property
    def is_blind_to_sharing(self) -> bool:
        """The oldest allocator knows of no shared devices: to selectors, none is."""
        return self.features.variant is Variant.STABLE

    def as_selected(self, raw: Object) -> Object:
        """A device as selectors see it."""
        if self.is_blind_to_sharing and "allowMultipleAllocations" in raw:
            return {key: value for key, value in raw.items() if key != "allowMultipleAllocations"}
        return raw

    def class_names(self) -> Iterator[str]:
        return iter(self._classes)

    def slices(self) -> Sequence[Object]:
        """As a change in force would have them."""
        return list(self._slices.values())

    @contextlib.contextmanager
    def changed(self, change: Change) -> Iterator[None]:
        """Let a change be so for a while."""
        before = (self._asked, self._classes, self._slices, self._freed, self.features, self.index)
        with contextlib.ExitStack() as undo:
            undo.callback(self._restore, *before)
            self._asked = {**self._asked, **change.claims}
            self._classes = {**self._classes, **{name_of(obj): obj for obj in change.classes}}
            self._slices = {**self._slices, **{name_of(obj): obj for obj in change.slices}}
            self._freed = self._freed.union(change.freed)
            if change.features is not None and change.features != self.features:
                # Features are settled when an index is made, so this change costs another index.
                self.features = change.features
                self.index = self._indexed()
            else:
                self._apply(change, undo)
            yield

    def _restore(
        self,
        asked: dict[str, Object],
        classes: dict[str, Object],
        slices: dict[str, Object],
        freed: frozenset[str],
        features: Features,
        index: DeviceIndex,
    ) -> None:
        self._asked, self._classes, self._slices = asked, classes, slices
        self._freed, self.features, self.index = freed, features, index

    def _apply(self, change: Change, undo: contextlib.ExitStack) -> None:
        """Change the index in place; `undo` learns how to take it back."""
        index = self.index
        for uid in change.freed:
            claim = self.snapshot.claim_by_uid.get(uid)
            index.remove_claim(uid)
            if claim is not None:
                undo.callback(index.put_claim, claim)
        for obj in change.classes:
            old = index.device_class(name_of(obj))
            index.put_class(obj)
            undo.callback(*(index.put_class, old) if old else (index.remove_class, name_of(obj)))
        for obj in change.slices:
            entry = index.inventory.slices.get(name_of(obj))
            undo.callback(*(index.put_slice, entry.raw) if entry else (index.remove_slice, name_of(obj)))
            index.put_slice(obj)


def identity(claim: Object) -> str:
    """What the index calls a claim."""
    return uid_of(claim) or str(key_of(claim))

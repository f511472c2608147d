"""The second round of mutation: what policies and webhooks changed, others that ask for it see again.

Every plugin runs once more after a change. Of the policies and webhooks only those run that were applied in the first
round, want to see changes (reinvocationPolicy IfNeeded), and after which the object changed. Source: kubernetes
apiserver/pkg/admission/{reinvocation.go,plugin/webhook/mutating/reinvocationcontext.go}, 1.36.
"""

import dataclasses
from collections.abc import Hashable

from dray.api.meta import Object, clone


@dataclasses.dataclass(slots=True)
class Applied:
    """What one plugin remembers of the first round."""

    output: Object | None = None
    """The object as the plugin left it."""
    _seen: set[Hashable] = dataclasses.field(default_factory=set)
    _again: set[Hashable] = dataclasses.field(default_factory=set)

    def saw(self, key: Hashable) -> None:
        """A policy or webhook that wants to see later changes was applied."""
        self._seen.add(key)

    def changed(self) -> None:
        """Whoever was applied until now has to look again."""
        self._again |= self._seen
        self._seen = set()

    @property
    def is_wanted(self) -> bool:
        """Whether anybody wants to see later changes."""
        return bool(self._seen)

    def is_wanted_again(self, key: Hashable) -> bool:
        return key in self._again


@dataclasses.dataclass(slots=True)
class Reinvocation:
    wanted: bool = False
    """There is to be a second round."""
    running: bool = False
    """This is it."""
    _applied: dict[str, Applied] = dataclasses.field(default_factory=dict)

    def of(self, plugin: str) -> Applied:
        return self._applied.setdefault(plugin, Applied())

    def begins(self, applied: Applied, obj: Object | None) -> None:
        """A plugin is about to look at `obj`: in the second round at all that changed since it was left."""
        if self.running and obj != applied.output:
            applied.changed()

    def ends(self, applied: Applied, obj: Object | None) -> None:
        """The plugin is done; where somebody wants to see later changes, they are told from `obj` as it is now."""
        if not self.running and applied.is_wanted:
            applied.output = clone(obj)

    def skips(self, applied: Applied, key: Hashable) -> bool:
        """Whether the present round leaves this policy or webhook out."""
        return self.running and not applied.is_wanted_again(key)

    def changed(self, applied: Applied) -> None:
        applied.changed()
        self.wanted = True

"""The second round of mutation: what a webhook changed, others that ask for it see again.

Every plugin runs once more after a change. Of the webhooks only those run that were called in the first round, want to
see changes (reinvocationPolicy IfNeeded), and after whose call the object changed. Source: kubernetes
apiserver/pkg/admission/{reinvocation.go,plugin/webhook/mutating/reinvocationcontext.go}, 1.36.
"""

import dataclasses

from dray.api.meta import Object


@dataclasses.dataclass(slots=True)
class Reinvocation:
    wanted: bool = False
    """There is to be a second round."""
    running: bool = False
    """This is it."""
    output: Object | None = None
    """The object as the webhooks of the first round left it."""
    _called: set[str] = dataclasses.field(default_factory=set)
    _again: set[str] = dataclasses.field(default_factory=set)

    def called(self, webhook: str) -> None:
        """A webhook that wants to see later changes was called."""
        self._called.add(webhook)

    def changed(self) -> None:
        """Whoever was called until now has to look again."""
        self._again |= self._called
        self._called = set()

    def skips(self, webhook: str) -> bool:
        """Whether the present round leaves this webhook out."""
        return self.running and webhook not in self._again

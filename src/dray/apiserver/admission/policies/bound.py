"""The policies in force: those that are stored and bound, each with its bindings, compiled once."""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from dray.api.meta import Object
from dray.api.resources import Resource
from dray.apiserver.admission.configured import Stored
from dray.apiserver.admission.policies.binding import Binding
from dray.store.backend import Store


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class _Policy(Protocol):
    @property
    def terms(self) -> _Named: ...


P = TypeVar("P", bound=_Policy)


class BoundPolicies(Generic[P]):
    def __init__(self, policies: Resource, bindings: Resource, compile: Callable[[Object], P]) -> None:
        self._policies = Stored(policies, compile)
        self._bindings = Stored(bindings, Binding.of)
        self._seen = (-1, -1)
        self._bound: list[tuple[P, list[Binding]]] = []

    def in_force(self, store: Store) -> Sequence[tuple[P, list[Binding]]]:
        """By name. Where there are none this costs a comparison."""
        bindings = self._bindings.current(store)
        if not bindings:
            return ()
        policies = self._policies.current(store)
        seen = self._policies.changes, self._bindings.changes
        if seen != self._seen:
            by_policy: dict[str, list[Binding]] = {}
            for binding in bindings:
                by_policy.setdefault(binding.policy, []).append(binding)
            names = ((policy, policy.terms.name) for policy in policies)
            self._bound = [(policy, by_policy[name]) for policy, name in names if name in by_policy]
            self._seen = seen
        return self._bound

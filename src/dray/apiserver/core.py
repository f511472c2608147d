"""The API server without a wire: the store, the kinds and everything that judges a write, in one place.

The verbs work on a `Core`; the HTTP layer and `LocalClient` both sit on top of it.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import TYPE_CHECKING

from dray.api import errors
from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.resources import Resource
from dray.apiserver.access import (
    Admission,
    AdmitEverything,
    AllowEverything,
    Attributes,
    Authorizer,
    refusal,
)
from dray.apiserver.index import KindIndex
from dray.apiserver.registry.kind import Kind
from dray.kits.clock import Clock, SystemClock
from dray.store.backend import Store
from dray.store.table import Watch

if TYPE_CHECKING:
    from dray.apiserver.components import Question
    from dray.apiserver.verbs.virtual import Reviewers


class Core:
    def __init__(
        self,
        store: Store,
        kinds: Iterable[Kind],
        *,
        clock: Clock | None = None,
        features: FeatureGates | None = None,
        authorizer: Authorizer | None = None,
        admission: Admission | None = None,
        reviewers: "Reviewers | None" = None,
    ) -> None:
        self.store = store
        self.features = features or FeatureGates()
        kinds = (kind for kind in kinds if not kind.served_with or self.features.enabled(kind.served_with))
        if later := self.features.later():
            kinds = (dataclasses.replace(kind, gates=later) for kind in kinds)
        self.kinds = KindIndex(kinds)
        self.clock: Clock = clock or SystemClock()
        self.authorizer: Authorizer = authorizer or AllowEverything()
        self.admission: Admission = admission or AdmitEverything()
        self.reviewers: Reviewers = reviewers or {}
        """Who answers the kinds that are never stored."""
        self.components: dict[str, Question] = {}
        """Whom to ask how the parts of the control plane are, by name."""
        self.held: set[Hashable] = set()
        """What writes under way have taken, so that no two take the same."""
        self.watches: set[Watch] = set()
        """Those being served; whoever opens one takes it out again."""
        self.at_stop: list[Callable[[], Awaitable[None]]] = []
        """What the server does once nothing is answered any more: close the connections that answering opened."""

    def end_watches(self) -> None:
        """Let every watch end as if its time were up."""
        for watch in self.watches:
            watch.end()

    async def close_connections(self) -> None:
        while self.at_stop:
            await self.at_stop.pop()()

    def find(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        """A stored object in the form it is stored in."""
        record = self.store.get(resource.qualified, path_of(resource, namespace, name))
        return record.obj if record else None

    def authorize(self, attributes: Attributes) -> None:
        """Raises Forbidden."""
        decision = self.authorizer.authorize(attributes)
        if not decision.allowed:
            raise refusal(attributes, decision)

    def kind_of(self, resource: Resource) -> Kind:
        """Raises NotFound for a resource that is not served."""
        kind = self.kinds.of(resource)
        if kind is None:
            raise errors.NotFound("the server could not find the requested resource", details={})
        return kind


def path_of(resource: Resource, namespace: str, name: str) -> str:
    """Where the store keeps an object of the resource."""
    return f"{namespace}/{name}" if resource.namespaced else name


def prefix_of(resource: Resource, namespace: str) -> str:
    return f"{namespace}/" if resource.namespaced and namespace else ""

"""The API server without a wire: the store, the kinds and everything that judges a write, and a request to it.

The verbs answer a `Call` on a `Core`; the HTTP layer and `LocalClient` both sit on top of it. A `Call` is also the
`WriteContext` that the kinds' strategies see, and admission judges it with what it writes, an `AdmissionRequest`.
"""

import dataclasses
import datetime as dt
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal, Protocol

from dray.api import errors
from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.resources import Resource
from dray.apiserver.access import AllowEverything, Attributes, Authorizer, refusal
from dray.apiserver.index import KindIndex
from dray.apiserver.registry.kind import Kind, User
from dray.apiserver.reinvocation import Reinvocation
from dray.apiserver.type_name import TypeName
from dray.kits.clock import Clock, SystemClock
from dray.store.backend import Store
from dray.store.record import Record
from dray.store.table import Watch

if TYPE_CHECKING:
    from dray.apiserver.components import Question

FieldValidation = Literal["Strict", "Warn", "Ignore"]
Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


class Core:
    def __init__(
        self,
        store: Store,
        kinds: Iterable[Kind],
        *,
        clock: Clock | None = None,
        features: FeatureGates | None = None,
        authorizer: Authorizer | None = None,
        admission: "Admission | None" = None,
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


@dataclasses.dataclass(frozen=True, slots=True)
class WriteOptions:
    """What the query of a write says."""

    dry_run: bool = False
    field_manager: str = "unknown"
    field_validation: FieldValidation = "Ignore"
    force: bool = False
    """Server-side apply takes fields over from other managers."""


@dataclasses.dataclass(slots=True, eq=False)
class Call:
    """A request."""

    core: Core
    user: User
    verb: str
    """As RBAC names it: get, list, watch, create, update, patch, delete, deletecollection."""
    kind: Kind
    version: str
    """The served version that was asked for."""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    options: WriteOptions = WriteOptions()
    warnings: list[str] = dataclasses.field(default_factory=list)
    annotations: dict[str, str] = dataclasses.field(default_factory=dict)
    """What admission has to say in the audit log."""
    size: int = 0
    """Bytes of the request's body; 0 where there is none."""
    old: Object | None = None
    """The stored object that a write replaces; set by the verbs."""
    held: set[Hashable] = dataclasses.field(default_factory=set)
    """What the write has taken while it lasts."""
    now: dt.datetime = dataclasses.field(init=False)
    features: FeatureGates = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.now = self.core.clock.now()
        self.features = self.core.features

    @property
    def dry_run(self) -> bool:
        return self.options.dry_run

    @property
    def resource(self) -> Resource:
        """In the version asked for."""
        return self.kind.resource.at(self.version)

    @property
    def stored(self) -> Resource:
        return self.kind.stored

    @property
    def path(self) -> str:
        return path_of(self.kind.resource, self.namespace, self.name)

    def record(self) -> Record | None:
        """The object named by the call."""
        return self.core.store.get(self.stored.qualified, self.path)

    def find(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        return self.core.find(resource, name, namespace)

    def stored_objects(self, resource: Resource) -> Iterable[Object]:
        return (record.obj for record in self.core.store.page(resource.qualified, "").records)

    def plural_of(self, group: str, version: str, kind: str) -> str:
        served = self.core.kinds.find_kind(group, version, kind)
        return served.resource.plural if served is not None else ""

    def hold(self, key: Hashable) -> bool:
        if key in self.held:
            return True
        if key in self.core.held:
            return False
        self.core.held.add(key)
        self.held.add(key)
        return True

    def let_go(self) -> None:
        """The write is done, or will not be: what it held is free, or is seen in what is stored."""
        self.core.held -= self.held
        self.held.clear()

    def authorize(
        self,
        *,
        verb: str,
        group: str,
        resource: str,
        subresource: str = "",
        namespace: str = "",
        name: str = "",
    ) -> tuple[bool, str]:
        attributes = Attributes(
            self.user,
            verb,
            group=group,
            resource=resource,
            subresource=subresource,
            namespace=namespace,
            name=name,
        )
        decision = self.core.authorizer.authorize(attributes)
        if decision.allowed:
            return True, ""
        return False, refusal(attributes, decision).message


@dataclasses.dataclass(slots=True)
class AdmissionRequest:
    """A write that admission may change (`mutate`) or refuse (`validate`), by raising a StatusError.

    `call.find` finds other stored objects; `call.warnings` takes texts for the Warning header.
    """

    call: Call
    operation: Operation
    object: Object | None
    """In hub form. In `mutate` it is the request's own and may be mutated or replaced; None on DELETE."""
    old: Object | None
    """The stored object; None on CREATE."""
    name: str = ""
    """As the request gives it; "" for one that the server is to make up."""
    posted: TypeName | None = None
    """What `object` is where it is no object of the call's kind: a Binding, an Eviction, the options of an exec."""
    options: Object | None = None
    """The DeleteOptions of a DELETE."""
    reinvocation: Reinvocation = dataclasses.field(default_factory=Reinvocation)
    """Who wants to see the object again once somebody else changed it."""

    def __post_init__(self) -> None:
        self.name = self.name or self.call.name


class Admission(Protocol):
    async def mutate(self, request: AdmissionRequest) -> None: ...

    async def validate(self, request: AdmissionRequest) -> None: ...


class AdmitEverything:
    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        return None


Reviewer = Callable[[Call, Object], Awaitable[Object]]
"""Given the call and the review as sent (structured, new), the review with its answer in `status`."""

Reviewers = Mapping[str, Reviewer]
"""By the qualified name of the resource: `tokenreviews.authentication.k8s.io`, or `TOKENS`."""


def path_of(resource: Resource, namespace: str, name: str) -> str:
    """Where the store keeps an object of the resource."""
    return f"{namespace}/{name}" if resource.namespaced else name


def prefix_of(resource: Resource, namespace: str) -> str:
    return f"{namespace}/" if resource.namespaced and namespace else ""

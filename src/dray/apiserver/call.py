"""One request for the verbs, whoever sent it: who asks, for which kind in which version, and how.

A `Call` is also the `WriteContext` that the kinds' strategies see.
"""

import dataclasses
import datetime as dt
from collections.abc import Hashable, Iterable
from typing import Literal

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.resources import Resource
from dray.apiserver.access import Attributes, refusal
from dray.apiserver.core import Core, path_of
from dray.apiserver.registry.kind import Kind, User
from dray.store.record import Record

FieldValidation = Literal["Strict", "Warn", "Ignore"]


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
        """The resource under which the store has the objects."""
        return self.kind.stored_as or self.kind.resource

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

"""Who may do what: the seams to authentication, authorization and admission, and versions that allow everything.

The verbs and the HTTP layer only know these protocols. 401 and 403 texts are made here, since both sides of an
in-process or HTTP call must answer the same.
"""

import dataclasses
from typing import TYPE_CHECKING, Literal, Protocol

from dray.api import errors
from dray.api.meta import Object
from dray.api.selectors import SelectorError, parse_field_selector
from dray.apiserver.registry.kind import User

if TYPE_CHECKING:
    from aiohttp import web

    from dray.apiserver.admission.reinvocation import Reinvocation
    from dray.apiserver.call import Call
    from dray.apiserver.structure import TypeName

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
ADMIN = User("system:admin", (MASTERS, AUTHENTICATED))
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


@dataclasses.dataclass(frozen=True, slots=True)
class Attributes:
    """What an authorizer judges: a verb on a resource, or on a path that is none."""

    user: User
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    """Plural; "" for a request that is not about a resource."""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    """The URL path, for non-resource requests."""
    labels: str = ""
    fields: str = ""
    """The selectors of a list, watch or deletecollection, as sent."""


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    allowed: bool
    reason: str = ""


ALLOWED = Decision(True)


class Authenticator(Protocol):
    async def authenticate(self, request: "web.BaseRequest") -> User:
        """The user who sent the request, impersonation included. Raises Unauthorized or Forbidden."""
        ...


class Authorizer(Protocol):
    def authorize(self, attributes: Attributes) -> Decision: ...


Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclasses.dataclass(slots=True)
class AdmissionRequest:
    """A write that admission may change (`mutate`) or refuse (`validate`), by raising a StatusError.

    `call` has the user, the verb as RBAC names it, kind, subresource, namespace, name, dry_run, `now`, and `find` for
    other stored objects; `call.warnings` takes texts for the Warning header.
    """

    call: "Call"
    operation: Operation
    object: Object | None
    """In hub form. In `mutate` it is the request's own and may be mutated or replaced; None on DELETE."""
    old: Object | None
    """The stored object; None on CREATE."""
    name: str = ""
    """As the request gives it; "" for one that the server is to make up."""
    posted: "TypeName | None" = None
    """What `object` is where it is no object of the call's kind: a Binding, an Eviction, the options of an exec."""
    options: Object | None = None
    """The DeleteOptions of a DELETE."""
    reinvocation: "Reinvocation | None" = None
    """Set once a webhook changed the object: who else wants to see it again."""

    def __post_init__(self) -> None:
        self.name = self.name or self.call.name


class Admission(Protocol):
    async def mutate(self, request: AdmissionRequest) -> None: ...

    async def validate(self, request: AdmissionRequest) -> None: ...


class AllowEveryone:
    """Authenticates every request as one user, the cluster's administrator by default."""

    def __init__(self, user: User = ADMIN) -> None:
        self._user = user

    async def authenticate(self, request: "web.BaseRequest") -> User:
        return self._user


class AllowEverything:
    def authorize(self, attributes: Attributes) -> Decision:
        return ALLOWED


class AdmitEverything:
    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        return None


def selected_name(fields: str) -> str:
    """The one name that a field selector admits: permissions on single names hold for such lists and watches."""
    if "metadata.name" not in fields:
        return ""
    try:
        return parse_field_selector(fields).required("metadata.name") or ""
    except SelectorError:
        return ""


def unauthorized() -> errors.Unauthorized:
    return errors.Unauthorized("Unauthorized")


def refusal(attributes: Attributes, decision: Decision) -> errors.Forbidden:
    """403 in Kubernetes' words."""
    why = cannot(attributes)
    if decision.reason:
        why = f"{why}: {decision.reason}"
    if not attributes.resource:
        return errors.Forbidden(f"forbidden: {why}", details={})
    return errors.forbidden(attributes.group, attributes.resource, attributes.name, why)


def cannot(attributes: Attributes) -> str:
    """`User "u" cannot get resource "pods" in API group "" in the namespace "n"`."""
    user = attributes.user.name.replace("\\", "\\\\").replace('"', '\\"')
    if not attributes.resource:
        return f'User "{user}" cannot {attributes.verb} path "{attributes.path}"'
    resource = attributes.resource
    if attributes.subresource:
        resource = f"{resource}/{attributes.subresource}"
    where = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
    return (
        f'User "{user}" cannot {attributes.verb} resource "{resource}" '
        f'in API group "{attributes.group}" {where}'
    )

"""Who may do what: the seams to authentication and authorization, and versions that allow everything.

The verbs and the HTTP layer only know these protocols. 401 and 403 texts are made here, since both sides of an
in-process or HTTP call must answer the same.
"""

import dataclasses
from typing import TYPE_CHECKING, Protocol

from dray.api import errors
from dray.api.selectors import SelectorError, parse_field_selector
from dray.apiserver.registry.kind import User

if TYPE_CHECKING:
    from aiohttp import web

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


class AllowEveryone:
    """Authenticates every request as one user, the cluster's administrator by default."""

    def __init__(self, user: User = ADMIN) -> None:
        self._user = user

    async def authenticate(self, request: "web.BaseRequest") -> User:
        return self._user


class AllowEverything:
    def authorize(self, attributes: Attributes) -> Decision:
        return ALLOWED


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

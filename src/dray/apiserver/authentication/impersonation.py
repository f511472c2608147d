"""Acting as someone else: the Impersonate-* headers, allowed by RBAC on the verb `impersonate`.

1.36 knows a constrained form beside the classic one (gate ConstrainedImpersonation; verbs such as `impersonate:user-info`
together with `impersonate-on:user-info:<verb>`); a refusal names the latter where that form could have allowed it.
"""

import urllib.parse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from dray.api import errors
from dray.api.fields import quote
from dray.api.names import dns_label, dns_subdomain
from dray.apiserver.access import ANONYMOUS, AUTHENTICATED, Attributes, Authorizer, refusal
from dray.apiserver.authentication.chain import service_account_groups
from dray.apiserver.registry.kind import User

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"
NODE_PREFIX = "system:node:"
_EXTRA_HEADER = "impersonate-extra-"


def wanted_user(headers: "CIMultiDictProxy[str]", *, constrained: bool = True) -> User | None:
    """Whom the headers ask to act as; None for nobody. Raises BadRequest when they name groups but no user.

    `constrained`: whether the constrained form is known.
    """
    name = headers.get("Impersonate-User", "")
    groups = tuple(headers.getall("Impersonate-Group", ()))
    uid = headers.get("Impersonate-Uid", "")
    extra = {
        urllib.parse.unquote(header[len(_EXTRA_HEADER) :].lower()): tuple(headers.getall(header))
        for header in headers
        if header.lower().startswith(_EXTRA_HEADER)
    }
    if name:
        return User(name, groups, uid, extra)
    if groups or uid or extra:
        if constrained:
            raise errors.BadRequest(
                f"requested {_show(groups, uid, extra)} without impersonating a user name"
            )
        raise errors.BadRequest(
            f"requested {_show_references(groups, uid, extra)} without impersonating a user"
        )
    return None


def impersonate(
    user: User, wanted: User, authorizer: Authorizer, request: Attributes, *, constrained: bool = True
) -> tuple[User, str]:
    """The user to go on as, and the verb of the constrained form where only that allowed it.

    `request` is what the original user asked for. Raises Forbidden.

    `constrained`: whether the constrained form is known.
    """
    constraint = ""
    for attributes in _needed(user, wanted):
        if not authorizer.authorize(attributes).allowed:
            if constrained and _is_allowed_constrained(user, wanted, authorizer, request):
                constraint = f"impersonate:{_mode(wanted)}"
                break
            mode = _mode(wanted) if constrained else ""
            denied = _on(user, request, mode) if mode else attributes
            raise refusal(denied, authorizer.authorize(denied))
    return User(wanted.name, _effective_groups(wanted), wanted.uid, wanted.extra), constraint


def _needed(user: User, wanted: User) -> Iterator[Attributes]:
    """The classic permissions, one for each thing that is taken on."""
    if _is_service_account(wanted.name):
        namespace, name = wanted.name.split(":")[2:]
        yield Attributes(
            user, "impersonate", version="v1", resource="serviceaccounts", namespace=namespace, name=name
        )
    else:
        yield Attributes(user, "impersonate", version="v1", resource="users", name=wanted.name)
    for group in wanted.groups:
        yield Attributes(user, "impersonate", version="v1", resource="groups", name=group)
    authentication = "authentication.k8s.io"
    if wanted.uid:
        yield Attributes(
            user, "impersonate", group=authentication, version="v1", resource="uids", name=wanted.uid
        )
    for key, values in wanted.extra.items():
        for value in values:
            yield Attributes(
                user,
                "impersonate",
                group=authentication,
                version="v1",
                resource="userextras",
                subresource=key,
                name=value,
            )


def _mode(wanted: User) -> str:
    """Of the constrained form; "" for nodes and service accounts with more than their name: it has none for those."""
    mode = "user-info"
    if _is_service_account(wanted.name):
        mode = "serviceaccount"
    elif wanted.name.startswith(NODE_PREFIX) and wanted.name != NODE_PREFIX:
        mode = "arbitrary-node"
    is_plain = mode == "user-info" or not (wanted.groups or wanted.uid or wanted.extra)
    return mode if is_plain else ""


def _is_service_account(name: str) -> bool:
    """A name that could be one: of a namespace and an account whose names are right."""
    parts = name.removeprefix(SERVICE_ACCOUNT_PREFIX).split(":")
    if not name.startswith(SERVICE_ACCOUNT_PREFIX) or len(parts) != 2:
        return False
    return not dns_label(parts[0]) and not dns_subdomain(parts[1])


def _on(user: User, request: Attributes, mode: str) -> Attributes:
    return Attributes(
        user,
        f"impersonate-on:{mode}:{request.verb}",
        group=request.group,
        version=request.version,
        resource=request.resource,
        subresource=request.subresource,
        namespace=request.namespace,
        name=request.name,
        path=request.path,
    )


def _is_allowed_constrained(user: User, wanted: User, authorizer: Authorizer, request: Attributes) -> bool:
    mode = _mode(wanted)
    if not mode or not authorizer.authorize(_on(user, request, mode)).allowed:
        return False
    authentication = "authentication.k8s.io"
    return all(
        authorizer.authorize(
            Attributes(
                user,
                f"impersonate:{mode}",
                group=authentication,
                version="v1",
                resource=needed.resource,
                subresource=needed.subresource,
                namespace=needed.namespace,
                name=needed.name,
            )
        ).allowed
        for needed in _needed(user, wanted)
    )


def _effective_groups(wanted: User) -> tuple[str, ...]:
    groups = wanted.groups
    if wanted.name.startswith(SERVICE_ACCOUNT_PREFIX) and not groups and wanted.name.count(":") == 3:
        groups = service_account_groups(wanted.name.split(":")[2])
    if wanted.name == ANONYMOUS.name:
        return groups or ANONYMOUS.groups
    return groups if AUTHENTICATED in groups else (*groups, AUTHENTICATED)


def _show(groups: tuple[str, ...], uid: str, extra: Mapping[str, tuple[str, ...]]) -> str:
    """The user record as the server's own language prints it, since the error text contains it."""
    shown_groups = "[]string{" + ", ".join(map(quote, groups)) + "}" if groups else "[]string(nil)"
    entries = ", ".join(
        f"{quote(key)}:[]string{{{', '.join(map(quote, values))}}}" for key, values in extra.items()
    )
    shown_extra = f"map[string][]string{{{entries}}}" if extra else "map[string][]string(nil)"
    return f'&user.DefaultInfo{{Name:"", UID:{quote(uid)}, Groups:{shown_groups}, Extra:{shown_extra}}}'


def _show_references(groups: tuple[str, ...], uid: str, extra: Mapping[str, tuple[str, ...]]) -> str:
    """The same as references to objects, in the words of servers without the constrained form."""
    version = "authentication.k8s.io/v1"
    shown = [f"{{Group  {group}    }}" for group in groups]
    shown += [
        f"{{UserExtra  {value}  {version}  {key}}}" for key, values in extra.items() for value in values
    ]
    if uid:
        shown.append(f"{{UID  {uid}  {version}  }}")
    return f"[{' '.join(shown)}]"

"""Questions about identity: SelfSubjectReview, TokenReview, and tokens for service accounts (TokenRequest).

Source: kubernetes pkg/registry/authentication and pkg/registry/core/serviceaccount/storage/token.go, 1.36.
"""

import datetime as dt
from typing import Protocol

from dray.api import errors, fields
from dray.api.fields import Path
from dray.api.meta import Object, format_time, name_of, uid_of
from dray.api.resources import NODES, PODS, SECRETS, Resource
from dray.apiserver.authentication.chain import AuthenticatorChain, authenticated
from dray.apiserver.authentication.tokens import (
    DEFAULT_SECONDS,
    MAX_SECONDS,
    MIN_SECONDS,
    BoundObject,
    TokenIssuer,
)
from dray.apiserver.registry.kind import User

GROUP = "authentication.k8s.io"
ISSUED = "authentication.kubernetes.io/issued-credential-id"


class Finder(Protocol):
    def find(self, resource: Resource, name: str, namespace: str = "") -> Object | None: ...


def self_subject_review(user: User, review: Object) -> Object:
    return {**review, "status": {"userInfo": user_info(user)}}


def user_info(user: User) -> Object:
    info: Object = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def token_review(authenticator: AuthenticatorChain, review: Object) -> Object:
    """Whose token is this? Raises BadRequest without one."""
    spec = review.get("spec") or {}
    if not spec.get("token"):
        raise errors.BadRequest("token is required for TokenReview in authentication")
    verdict = authenticator.judge_token(spec["token"], spec.get("audiences") or ())
    if verdict.user is None:
        status: Object = {"user": {}, "error": verdict.why}
    else:
        status = {"authenticated": True, "user": user_info(authenticated(verdict.user))}
        if verdict.audiences:
            status["audiences"] = list(verdict.audiences)
    return {**review, "status": status}


class TokenRequests:
    """Answers `serviceaccounts/token`."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self._issuer = issuer

    def create(
        self, finder: Finder, account: Object, request: Object, now: dt.datetime, notes: dict[str, str]
    ) -> Object:
        """`account` is the stored ServiceAccount; `notes` takes what the audit log is told.

        Raises Invalid, Conflict, NotFound.
        """
        spec = request.get("spec") or {}
        seconds = int(spec.get("expirationSeconds") or DEFAULT_SECONDS)
        _check_seconds(seconds)
        namespace = account["metadata"]["namespace"]
        bound, node = _bound(finder, spec.get("boundObjectRef") or {}, account)
        audiences = spec.get("audiences") or list(self._issuer.audiences)
        token, expires, identifier = self._issuer.issue(
            account, now=now, seconds=seconds, audiences=audiences, bound=bound, node=node
        )
        notes[ISSUED] = f"JTI={identifier}"
        return {
            "kind": "TokenRequest",
            "apiVersion": f"{GROUP}/v1",
            "metadata": {
                "name": name_of(account),
                "namespace": namespace,
                "uid": uid_of(account),
                "creationTimestamp": format_time(now),
                "managedFields": [],
            },
            "spec": {
                "audiences": audiences,
                "expirationSeconds": seconds,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {"token": token, "expirationTimestamp": format_time(expires)},
        }


def check_names(namespace: str, name: str, request: Object) -> None:
    """A request may repeat whose token it asks for, and name no other. Raises Invalid."""
    for field, wanted in (("name", name), ("namespace", namespace)):
        given = request["metadata"].get(field)
        if given and given != wanted:
            why = f"must match the service account {field} if specified"
            found = fields.invalid(Path("metadata").child(field), given, why)
            raise errors.invalid(GROUP, "TokenRequest", name, [found])


def check_uid(account: Object, request: Object) -> None:
    """Raises Conflict where the account was made anew since."""
    given, uid = request["metadata"].get("uid"), uid_of(account)
    if given and given != uid:
        why = f"the UID in the token request ({given}) does not match the UID of the service account ({uid})"
        raise errors.conflict(GROUP, "TokenRequest", name_of(account), why)


def _check_seconds(seconds: int) -> None:
    path = Path("spec.expirationSeconds")
    if seconds < MIN_SECONDS:
        problem = fields.invalid(path, seconds, "may not specify a duration less than 10 minutes")
    elif seconds > MAX_SECONDS:
        problem = fields.invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")
    else:
        return
    raise errors.invalid(GROUP, "TokenRequest", "", [problem])


_BINDABLE = {"Pod": PODS, "Secret": SECRETS, "Node": NODES}


def _bound(
    finder: Finder, reference: Object, account: Object
) -> tuple[BoundObject | None, BoundObject | None]:
    """What the token ends with, and on which node that is. Raises BadRequest, NotFound, Conflict."""
    if not reference:
        return None, None
    version, kind = reference.get("apiVersion") or "", reference.get("kind") or ""
    resource = None if "/" in version else _BINDABLE.get(kind)
    if resource is None:
        group_version = version if "/" in version else f"/{version}"
        raise errors.BadRequest(f"cannot bind token to object of type {group_version}, Kind={kind}")
    name = reference.get("name", "")
    found = finder.find(resource, name, account["metadata"]["namespace"] if resource.namespaced else "")
    if found is None:
        raise errors.not_found(resource.group, resource.plural, name)
    if resource is PODS and found["spec"].get("serviceAccountName") != name_of(account):
        whose = f'cannot bind token for serviceaccount "{name_of(account)}"'
        raise errors.BadRequest(f"{whose} to pod running with different serviceaccount name.")
    uid = uid_of(found)
    if reference.get("uid") and reference["uid"] != uid:
        why = f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. The object might have been deleted and then recreated"
        raise errors.conflict(resource.group, resource.kind, name, why)
    bound = BoundObject(resource.kind, name, uid)
    if resource is NODES:
        return None, bound
    return bound, _node_of(finder, found) if resource is PODS else None


def _node_of(finder: Finder, pod: Object) -> BoundObject | None:
    name = pod["spec"].get("nodeName")
    node = finder.find(NODES, name) if name else None
    return None if node is None else BoundObject("Node", name, uid_of(node))

"""serviceaccounts/token: a short-lived token for an account, bound to a pod or secret if asked."""

from typing import Final

from dray.api import errors, fields
from dray.api.fields import FieldError, Path
from dray.api.meta import Object, format_time, is_deleting, name_of, namespace_of, uid_of
from dray.api.resources import NODES, PODS, SECRETS
from dray.apiserver.authentication.tokens import (
    DEFAULT_SECONDS,
    MAX_SECONDS,
    MIN_SECONDS,
    BoundObject,
    TokenIssuer,
)
from dray.apiserver.call import Call
from dray.apiserver.verbs.posting import TOKEN_REQUEST, check_name
from dray.apiserver.verbs.writing import conflict, not_found

_GROUP: Final = "authentication.k8s.io"
_BINDABLE: Final = {"Pod": PODS, "Secret": SECRETS}


async def request_token(call: Call, request: Object) -> Object:
    """The TokenRequest with its token. Raises NotFound, Invalid, Conflict for another uid of the bound object."""
    issuer = call.core.token_issuer
    if issuer is None:
        raise errors.StatusError("this server issues no service account tokens: it has no signing key")
    check_name(call, request, TOKEN_REQUEST.kind)
    spec = request.get("spec") or {}
    seconds = int(spec.get("expirationSeconds") or DEFAULT_SECONDS)
    if found := _duration_errors(seconds):
        raise errors.invalid(_GROUP, TOKEN_REQUEST.kind, "", found)
    record = call.record()
    if record is None:
        raise not_found(call)
    return _answer(call, issuer, record.obj, spec, seconds)


def _answer(call: Call, issuer: TokenIssuer, account: Object, spec: Object, seconds: int) -> Object:
    reference = spec.get("boundObjectRef")
    bound, node = _bound(call, reference) if reference else (None, None)
    audiences = list(spec.get("audiences") or issuer.audiences)
    token, expires = issuer.issue(
        account, now=call.now, seconds=seconds, audiences=audiences, bound=bound, node=node
    )
    return {
        "kind": TOKEN_REQUEST.kind,
        "apiVersion": TOKEN_REQUEST.api_version,
        "metadata": {
            "name": name_of(account),
            "namespace": namespace_of(account),
            "uid": uid_of(account),
            "creationTimestamp": format_time(call.now),
            "managedFields": [],
        },
        "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": reference},
        "status": {"token": token, "expirationTimestamp": format_time(expires)},
    }


def _duration_errors(seconds: int) -> list[FieldError]:
    path = Path("spec.expirationSeconds")
    if seconds < MIN_SECONDS:
        return [fields.invalid(path, seconds, "may not specify a duration less than 10 minutes")]
    if seconds > MAX_SECONDS:
        return [fields.invalid(path, seconds, "may not specify a duration larger than 2^32 seconds")]
    return []


def _bound(call: Call, reference: Object) -> tuple[BoundObject, BoundObject | None]:
    """The object a token shall live no longer than, and the node it runs on. Raises NotFound, Conflict, BadRequest."""
    kind, name = reference.get("kind", ""), reference.get("name", "")
    resource = _BINDABLE.get(kind)
    if resource is None:
        raise errors.BadRequest(
            f"cannot bind token for serviceaccount {fields.quote(call.name)} to object of type {kind}"
        )
    obj = call.find(resource, name, call.namespace)
    if obj is None:
        raise errors.not_found("", resource.plural, name)
    uid = reference.get("uid")
    if uid and uid != uid_of(obj):
        raise conflict(
            call,
            f"the UID in the bound object reference ({uid}) does not match the UID in record. "
            "The object might have been deleted and then recreated",
        )
    if resource is PODS and obj["spec"].get("serviceAccountName", "default") != call.name:
        raise errors.BadRequest(
            f"cannot bind token for serviceaccount {fields.quote(call.name)} to pod running with different "
            "serviceaccount name."
        )
    if is_deleting(obj):
        raise errors.not_found("", resource.plural, name)
    return BoundObject(kind, name, uid_of(obj)), _node(call, obj)


def _node(call: Call, obj: Object) -> BoundObject | None:
    name = (obj.get("spec") or {}).get("nodeName")
    node = call.find(NODES, name) if name else None
    return BoundObject("Node", name_of(node), uid_of(node)) if node is not None else None

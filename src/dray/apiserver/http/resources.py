"""Requests about resources: from the HTTP method and URL to who handles it."""

from collections.abc import Mapping

from aiohttp import web

from dray.api import errors
from dray.api.resources import BINDINGS
from dray.apiserver.audit.events import Trail
from dray.apiserver.core import Core
from dray.apiserver.http import object_handlers as objects
from dray.apiserver.http import other_handlers as others
from dray.apiserver.http.backends import Backends
from dray.apiserver.http.proxy.forwarding import METHODS as PROXIED
from dray.apiserver.http.request_info import RequestInfo
from dray.apiserver.http.resource_request import Handler, ResourceRequest
from dray.apiserver.http.responses import (
    error_answer,
    method_not_allowed,
    page_not_found,
    resource_not_found,
)
from dray.apiserver.options import (
    Query,
)
from dray.apiserver.registry.kind import Kind, User
from dray.apiserver.verbs.subresources import POSTED


async def serve(
    core: Core,
    backends: Backends,
    request: web.BaseRequest,
    info: RequestInfo,
    user: User,
    query: Query,
    trail: Trail | None = None,
) -> web.StreamResponse:
    """`trail` takes what the audit log shall say of the request.

    Raises NotFound and MethodNotAllowed; what goes wrong after that is answered here, with the call's warnings."""
    kind = core.kinds.find(info.group, info.version, info.resource)
    if kind is None or not _is_placed(kind, info):
        if kind is None and not core.kinds.has_group(info.group):
            return page_not_found()
        raise resource_not_found()
    wanted = ResourceRequest(core, backends, request, info, user, query, kind, trail)
    handler = _handler(kind, info)
    if trail is not None and (deprecation := kind.deprecated.get(info.version)) is not None:
        trail.deprecated(deprecation.removed_in)
    try:
        return await handler(wanted)
    except errors.StatusError as error:
        return error_answer(error, wanted.call.warnings, wanted.accept)


def _is_placed(kind: Kind, info: RequestInfo) -> bool:
    """Whether the URL has a namespace exactly where the kind wants one."""
    if kind.resource.namespaced:
        return bool(info.namespace) or not info.name
    return not info.namespace or kind.resource.plural == "namespaces"


def _handler(kind: Kind, info: RequestInfo) -> Handler:
    """Raises NotFound for a subresource that does not exist, MethodNotAllowed for a verb it does not take."""
    handlers: Mapping[str, Handler]
    if info.is_deeper or (kind.virtual and info.name):
        raise resource_not_found()
    if info.subresource:
        handlers = _subresource_handlers(kind, info.subresource)
    elif info.name:
        handlers = others.TOLD_OBJECT if kind.told else objects.OBJECT
    else:
        handlers = _collection_handlers(kind, info)
    handler = handlers.get(info.verb) if _is_method(info) else None
    if handler is None or (
        not info.subresource and info.verb not in kind.verbs and not (kind.told and info.verb == "watch")
    ):
        raise method_not_allowed()
    return handler


def _is_method(info: RequestInfo) -> bool:
    """Whether the method means a verb at all; a proxy passes on two more, and the older path of watches takes one."""
    if info.is_watch and info.method != "GET":
        return False
    return info.method in PROXIED if info.subresource == "proxy" else info.method != "HEAD"


def _collection_handlers(kind: Kind, info: RequestInfo) -> Mapping[str, Handler]:
    if kind.told:
        return others.TOLD
    if kind.virtual and kind.resource.namespaced and not info.namespace:
        raise resource_not_found()
    if kind.virtual:
        return others.BIND if kind.resource == BINDINGS else others.REVIEW
    if kind.resource.namespaced and not info.namespace:
        return objects.EVERYWHERE
    return objects.COLLECTION


def _subresource_handlers(kind: Kind, subresource: str) -> Mapping[str, Handler]:
    if subresource == "status" and kind.status is not None:
        return objects.WHOLE
    if subresource in kind.updatable:
        return objects.WHOLE if subresource != "finalize" else objects.REPLACED
    if subresource not in kind.subresources:
        raise resource_not_found()
    if subresource in POSTED:
        return others.POST
    if subresource == "scale":
        return others.SCALE_OBJECT
    if subresource == "log":
        return others.LOG
    if subresource == "proxy":
        return others.PROXY
    if subresource in ("exec", "attach", "portforward"):
        return others.CONNECT
    raise resource_not_found()

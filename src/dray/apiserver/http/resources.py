"""Requests about resources: from the HTTP method and URL to a verb, and from its outcome to an answer."""

import dataclasses
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

from aiohttp import web

from dray.api import errors
from dray.api.fields import quote
from dray.api.meta import Object, name_of, uid_of
from dray.api.names import path_segment
from dray.api.resources import BINDINGS
from dray.apiserver.access import Attributes
from dray.apiserver.audit.events import Trail
from dray.apiserver.call import Call, WriteOptions
from dray.apiserver.core import Core
from dray.apiserver.discovery import PROXIED as PROXY_VERBS
from dray.apiserver.http import body as bodies
from dray.apiserver.http.backends import Backends
from dray.apiserver.http.encoding import View, error_line
from dray.apiserver.http.negotiation import PLAIN, Representation, representation, streamed
from dray.apiserver.http.proxy.forwarding import METHODS as PROXIED
from dray.apiserver.http.request_info import RequestInfo
from dray.apiserver.http.responses import (
    answer,
    error_answer,
    json_answer,
    method_not_allowed,
    page_not_found,
    resource_not_found,
    success,
    warning_header,
)
from dray.apiserver.http.watching import WatchStream
from dray.apiserver.large_bodies import worked_out
from dray.apiserver.options import (
    Query,
    delete_options,
    first,
    list_options,
    patch_options,
    write_options,
)
from dray.apiserver.registry.kind import Deprecation, Kind, User
from dray.apiserver.structure import (
    TypeName,
    from_hub,
    read_delete_options,
    structured,
    to_hub,
    type_name,
)
from dray.apiserver.verbs.binding import BINDING
from dray.apiserver.verbs.collection import delete_collection
from dray.apiserver.verbs.connect import admit_connection
from dray.apiserver.verbs.create import create
from dray.apiserver.verbs.delete import delete
from dray.apiserver.verbs.metadata import match_namespace
from dray.apiserver.verbs.patch import apply, patch, read_patch
from dray.apiserver.verbs.read import get, list_objects, parse_version
from dray.apiserver.verbs.scale import SCALE, get_scale, patch_scale, update_scale
from dray.apiserver.verbs.subresources import POSTED, bind_named
from dray.apiserver.verbs.told import tell, tell_all
from dray.apiserver.verbs.update import update
from dray.apiserver.verbs.virtual import review
from dray.apiserver.verbs.watch import open_watch
from dray.client.protocol import PatchType
from dray.store.record import Record

Handler = Callable[["ResourceRequest"], Awaitable[web.StreamResponse]]


class ResourceRequest:
    """One HTTP request about a served resource, with what its handler needs."""

    def __init__(
        self,
        core: Core,
        backends: Backends,
        request: web.BaseRequest,
        info: RequestInfo,
        user: User,
        query: Query,
        kind: Kind,
        trail: Trail | None,
    ) -> None:
        self.backends = backends
        self.trail = trail
        self.request = request
        self.info = info
        self.query = query
        self.sent: Any = None
        """The body's document, once it was read."""
        self.call = Call(
            core,
            user,
            info.verb,
            kind,
            info.version,
            info.namespace if kind.resource.namespaced else "",
            info.name,
            info.subresource,
            warnings=_deprecation_warnings(kind, info.version),
            annotations=trail.annotations if trail is not None else {},
        )

    @property
    def user_agent(self) -> str:
        return self.request.headers.get("User-Agent", "")

    @property
    def accept(self) -> str:
        return self.request.headers.get("Accept", "")

    def represented(self, is_collection: bool = False) -> Representation:
        has_table = not self.call.kind.virtual and self.call.subresource in ("", "status", "scale")
        return representation(self.accept, is_collection, has_table)

    def view(self, shown_as: Representation = PLAIN) -> View:
        include = first(self.query, "includeObject") or "Metadata"
        if include not in ("None", "Metadata", "Object"):
            if shown_as.form == "table":
                raise _unknown_content(include)
            include = "Metadata"
        call = self.call
        return View(call.kind, call.version, shown_as, include, call.now)  # type: ignore[arg-type]

    def written(self, options_kind: str) -> WriteOptions:
        """Take the query's write options into the call. Raises Invalid."""
        self.call.options = write_options(self.query, options_kind, self.user_agent)
        return self.call.options

    async def object(self, wanted: TypeName, also: Collection[str] = ()) -> Object:
        """The body as an object of that type, which may also call itself by other versions.

        Raises BadRequest, UnsupportedMediaType.
        """
        obj = await self._object(wanted, also)
        if self.trail is not None:
            self.trail.requested(obj)
        return obj

    async def _object(self, wanted: TypeName, also: Collection[str] = ()) -> Object:
        body = await bodies.read_object(self.request, wanted.kind)
        if isinstance(body.tree, dict) and body.tree.get("apiVersion") in also:
            body = dataclasses.replace(body, tree={**body.tree, "apiVersion": wanted.api_version})
        self.sent, self.call.size = body.tree, self.request.content.total_bytes
        validation, warnings = self.call.options.field_validation, self.call.warnings
        return await worked_out(self.call.size, lambda: structured(body, wanted, validation, warnings))

    async def hub(self) -> Object:
        """The body as an object of the call's kind, in the form that is stored. Raises as `object` does."""
        call = self.call
        obj = await self._object(type_name(call.kind, call.version))
        hub = await worked_out(call.size, lambda: to_hub(call, obj))
        if self.trail is not None:
            self.trail.requested(hub, lambda: from_hub(call.kind, hub, call.version))
        return hub

    def patched(self, patch: Any) -> None:
        """What the audit log has of a patch that is one."""
        if self.trail is not None and patch is not None:
            self.trail.patched(patch)

    def respond(self, record: Record, shown_as: Representation, status: int = 200) -> web.Response:
        view = self.view(shown_as)
        return self.send(view.object(record), view.content_type, status)

    def send(self, data: bytes, content_type: str, status: int = 200) -> web.Response:
        return answer(
            data if data.endswith(b"\n") else data + b"\n",
            status=status,
            content_type=content_type,
            warnings=self.call.warnings,
            request=self.request,
        )


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


def _deprecation_warnings(kind: Kind, version: str) -> list[str]:
    deprecation: Deprecation | None = kind.deprecated.get(version)
    if deprecation is None:
        return []
    name = f"{kind.resource.at(version).api_version} {kind.resource.kind}"
    text = f"{name} is deprecated in v{deprecation.since}+"
    if deprecation.removed_in:
        text += f", unavailable in v{deprecation.removed_in}+"
    return [f"{text}; use {deprecation.replacement}" if deprecation.replacement else text]


def _handler(kind: Kind, info: RequestInfo) -> Handler:
    """Raises NotFound for a subresource that does not exist, MethodNotAllowed for a verb it does not take."""
    handlers: Mapping[str, Handler]
    if info.is_deeper or (kind.virtual and info.name):
        raise resource_not_found()
    if info.subresource:
        handlers = _subresource_handlers(kind, info.subresource)
    elif info.name:
        handlers = {"get": _tell} if kind.told else _OBJECT
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
        return _TOLD
    if kind.virtual and kind.resource.namespaced and not info.namespace:
        raise resource_not_found()
    if kind.virtual:
        return {"create": _bind if kind.resource == BINDINGS else _review}
    if kind.resource.namespaced and not info.namespace:
        return {"list": _list, "watch": _watch}
    return _COLLECTION


def _subresource_handlers(kind: Kind, subresource: str) -> Mapping[str, Handler]:
    if subresource == "status" and kind.status is not None:
        return _WHOLE
    if subresource in kind.updatable:
        return _WHOLE if subresource != "finalize" else {"update": _update}
    if subresource not in kind.subresources:
        raise resource_not_found()
    if subresource in POSTED:
        return {"create": _post}
    if subresource == "scale":
        return _SCALE
    if subresource == "log":
        return {"get": _log}
    if subresource == "proxy":
        return dict.fromkeys((*PROXY_VERBS, ""), _proxy)
    if subresource in ("exec", "attach", "portforward"):
        return {"get": _connect, "create": _connect}
    raise resource_not_found()


# --- handlers


async def _create(wanted: ResourceRequest) -> web.StreamResponse:
    shown_as = wanted.represented()
    bodies.check_type(wanted.request)
    call = wanted.call
    wanted.written("CreateOptions")
    record = await create(call, await wanted.hub(), sent=wanted.sent)
    return wanted.respond(record, shown_as, 201)


async def _get(wanted: ResourceRequest) -> web.StreamResponse:
    shown_as = wanted.represented()
    _check_name(wanted.info.name)
    record = await get(wanted.call, first(wanted.query, "resourceVersion"))
    return wanted.respond(record, shown_as)


def _check_name(name: str) -> None:
    """Raises BadRequest for what no object can be called, since it could not stand in a path."""
    if problems := path_segment(name):
        raise errors.BadRequest(f"Name parameter invalid: {quote(name)}: {';'.join(problems)}")


async def _list(wanted: ResourceRequest) -> web.StreamResponse:
    view = wanted.view(wanted.represented(is_collection=True))
    listing = await list_objects(wanted.call, list_options(wanted.query))
    return wanted.send(view.listing(listing), view.content_type)


async def _watch(wanted: ResourceRequest) -> web.StreamResponse:
    wanted.represented(is_collection=True)
    query = dict(wanted.query)
    if wanted.info.name:
        query["fieldSelector"] = [f"metadata.name={wanted.info.name}"]
    options = list_options({**query, "watch": ["true"]})
    if options.resource_version:
        parse_version(options.resource_version)
    view = wanted.view(streamed(wanted.accept))
    try:
        watch = await open_watch(wanted.call, options)
    except errors.Expired as error:  # told as a watch's first and last event, since the request was granted
        return wanted.send(error_line(error.status), view.content_type)
    stream = WatchStream(wanted.request, view, watch, options)
    return await stream.serve([warning_header(text) for text in wanted.call.warnings])


async def _update(wanted: ResourceRequest) -> web.StreamResponse:
    shown_as = wanted.represented()
    bodies.check_type(wanted.request)
    call = wanted.call
    wanted.written("UpdateOptions")
    record, is_new = await update(call, await wanted.hub(), wanted.sent)
    return wanted.respond(record, shown_as, 201 if is_new else 200)


async def _patch(wanted: ResourceRequest) -> web.StreamResponse:
    kind_of_patch = _patch_type(wanted.request)
    shown_as = wanted.represented()
    call = wanted.call
    call.options = patch_options(wanted.query, kind_of_patch is PatchType.APPLY, wanted.user_agent)
    if kind_of_patch is PatchType.APPLY:
        config = await bodies.read_configuration(wanted.request)
        wanted.patched(config)
        call.size = wanted.request.content.total_bytes
        record, is_new = await apply(call, config)
        return wanted.respond(record, shown_as, 201 if is_new else 200)
    data = await bodies.read(wanted.request)
    call.size = len(data)
    body = read_patch(data)
    wanted.patched(body.tree)
    return wanted.respond(await patch(call, kind_of_patch, body), shown_as)


def _unknown_content(include: str) -> errors.BadRequest:
    what = f"includeObject: Invalid value: {quote(include)}: must be 'Metadata', 'Object', 'None', or empty"
    return errors.BadRequest(f"Unable to convert to Table as requested: {what}")


def _patch_type(request: web.BaseRequest) -> PatchType:
    try:
        return PatchType(request.headers.get("Content-Type", "").partition(";")[0].strip())
    except ValueError:
        raise _unsupported_patch() from None


def _unsupported_patch() -> errors.UnsupportedMediaType:
    return errors.UnsupportedMediaType("415: Unsupported Media Type", details={})


async def _delete(wanted: ResourceRequest) -> web.StreamResponse:
    shown_as = wanted.represented()
    call = wanted.call
    options = delete_options(wanted.query, await _delete_body(wanted))
    _check_name(wanted.info.name)
    call.options = WriteOptions(dry_run=options.dry_run)
    record, is_gone = await delete(call, options)
    if not is_gone or call.kind.returns_deleted:
        # The older way to ask for what depends on it to go as well is told that this goes on.
        code = 202 if not is_gone and options.orphan_dependents is False else 200
        return wanted.respond(record, shown_as, code)
    resource = call.kind.resource
    details = {"name": name_of(record.obj), "group": resource.group, "kind": resource.plural}
    details["uid"] = uid_of(record.obj)
    status = success({key: value for key, value in details.items() if value})
    return json_answer(status, warnings=call.warnings, accept=wanted.accept)


async def _delete_collection(wanted: ResourceRequest) -> web.StreamResponse:
    view = wanted.view(wanted.represented())
    options = delete_options(wanted.query, await _delete_body(wanted))
    wanted.call.options = WriteOptions(dry_run=options.dry_run)
    listing = await delete_collection(wanted.call, list_options(wanted.query), options)
    return wanted.send(view.listing(listing), view.content_type)


_INTERNAL: Final = "meta.k8s.io/__internal"
"""The version of DeleteOptions in Kubernetes' audit log, whichever they were sent in."""


async def _delete_body(wanted: ResourceRequest) -> Object | None:
    """Raises BadRequest, in the words that are kept for DeleteOptions."""
    if not wanted.request.body_exists:
        return None
    body = await bodies.read_object(wanted.request, "")
    if body.tree is None:
        return None
    options = read_delete_options(body)
    if wanted.trail is not None:
        given = {key: value for key, value in options.items() if key != "metadata"}
        wanted.trail.requested({**given, "apiVersion": _INTERNAL})
    return options


async def _post(wanted: ResourceRequest) -> web.StreamResponse:
    """To a subresource that takes an object of another kind."""
    wanted.represented()
    posted = POSTED[wanted.call.subresource]
    wanted.written("CreateOptions")
    answered = await posted.post(wanted.call, await wanted.object(posted.type, posted.also))
    return json_answer(answered, status=201, warnings=wanted.call.warnings, accept=wanted.accept)


async def _review(wanted: ResourceRequest) -> web.StreamResponse:
    wanted.represented()
    call = wanted.call
    wanted.written("CreateOptions")
    obj = await wanted.object(type_name(call.kind, call.version))
    match_namespace(call, obj["metadata"])
    answered = await review(call, obj)
    return json_answer(answered, status=201, warnings=call.warnings, accept=wanted.accept)


async def _bind(wanted: ResourceRequest) -> web.StreamResponse:
    wanted.represented()
    wanted.written("CreateOptions")
    answered = await bind_named(wanted.call, await wanted.object(BINDING))
    return json_answer(answered, status=201, warnings=wanted.call.warnings, accept=wanted.accept)


async def _tell(wanted: ResourceRequest) -> web.StreamResponse:
    shown_as = wanted.represented()
    return wanted.respond(await tell(wanted.call), shown_as)


async def _tell_all(wanted: ResourceRequest) -> web.StreamResponse:
    view = wanted.view(wanted.represented(is_collection=True))
    listing = await tell_all(wanted.call, list_options(wanted.query))
    return wanted.send(view.listing(listing), view.content_type)


async def _not_watched(wanted: ResourceRequest) -> web.StreamResponse:
    """Raises MethodNotAllowed, or NotFound for the older way to ask."""
    if "watch" not in wanted.query:
        raise resource_not_found()
    plural = wanted.call.resource.plural
    text = f"watch is not supported on resources of kind {quote(plural)}"
    raise errors.MethodNotAllowed(text, details={"kind": plural})


async def _log(wanted: ResourceRequest) -> web.StreamResponse:
    wanted.represented()
    return await wanted.backends.kubelets.log(wanted.call, wanted.request, wanted.query)


async def _proxy(wanted: ResourceRequest) -> web.StreamResponse:
    return await wanted.backends.proxies.serve(wanted.call, wanted.request, wanted.query)


async def _connect(wanted: ResourceRequest) -> web.StreamResponse:
    call = wanted.call
    if call.verb == "get":
        # A WebSocket is opened with GET, but running things in a pod is no reading.
        _authorize_create(call)
    await admit_connection(call, wanted.query)
    return await wanted.backends.kubelets.connect(call, wanted.request, wanted.query)


def _authorize_create(call: Call) -> None:
    resource = call.resource
    call.core.authorize(
        Attributes(
            call.user,
            "create",
            resource.group,
            resource.version,
            resource.plural,
            call.subresource,
            call.namespace,
            call.name,
        )
    )


async def _get_scale(wanted: ResourceRequest) -> web.StreamResponse:
    wanted.represented()
    return json_answer(await get_scale(wanted.call), warnings=wanted.call.warnings)


async def _update_scale(wanted: ResourceRequest) -> web.StreamResponse:
    wanted.represented()
    wanted.written("UpdateOptions")
    scale = await update_scale(wanted.call, await wanted.object(SCALE))
    return json_answer(scale, warnings=wanted.call.warnings)


async def _patch_scale(wanted: ResourceRequest) -> web.StreamResponse:
    kind_of_patch = _patch_type(wanted.request)
    wanted.represented()
    if kind_of_patch is PatchType.APPLY:
        raise _unsupported_patch()
    wanted.call.options = patch_options(wanted.query, False, wanted.user_agent)
    body = read_patch(await bodies.read(wanted.request))
    wanted.patched(body.tree)
    scale = await patch_scale(wanted.call, kind_of_patch, body)
    return json_answer(scale, warnings=wanted.call.warnings)


_COLLECTION: Final[Mapping[str, Handler]] = {
    "create": _create,
    "list": _list,
    "watch": _watch,
    "deletecollection": _delete_collection,
}
_TOLD: Final[Mapping[str, Handler]] = {"list": _tell_all, "watch": _not_watched}
_OBJECT: Final[Mapping[str, Handler]] = {
    "get": _get,
    "watch": _watch,
    "update": _update,
    "patch": _patch,
    "delete": _delete,
}
_SCALE: Final[Mapping[str, Handler]] = {
    "get": _get_scale,
    "update": _update_scale,
    "patch": _patch_scale,
}
_WHOLE: Final[Mapping[str, Handler]] = {"get": _get, "update": _update, "patch": _patch}

"""Requests about objects and collections of them: from what was sent to a verb, and from its outcome to an answer."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from dray.api import errors
from dray.api.fields import quote
from dray.api.meta import Object, name_of, uid_of
from dray.api.names import path_segment
from dray.apiserver.core import WriteOptions
from dray.apiserver.http import body as bodies
from dray.apiserver.http.encoding import error_line
from dray.apiserver.http.negotiation import streamed
from dray.apiserver.http.resource_request import Handler, ResourceRequest
from dray.apiserver.http.responses import (
    json_answer,
    success,
    warning_header,
)
from dray.apiserver.http.watching import WatchStream
from dray.apiserver.options import (
    check_no_export,
    delete_options,
    first,
    list_options,
    patch_options,
)
from dray.apiserver.structure import Body, read_delete_options
from dray.apiserver.verbs.collection import delete_collection
from dray.apiserver.verbs.create import create
from dray.apiserver.verbs.delete import delete
from dray.apiserver.verbs.patch import apply, patch, read_patch
from dray.apiserver.verbs.read import get, list_objects, parse_version
from dray.apiserver.verbs.update import update
from dray.apiserver.verbs.watch import open_watch
from dray.client.protocol import PatchType

_INTERNAL: Final = "meta.k8s.io/__internal"


async def _create(wanted: ResourceRequest) -> web.StreamResponse:
    shown_as = wanted.represented()
    bodies.check_type(wanted.request)
    call = wanted.call
    wanted.written("CreateOptions")
    record = await create(call, await wanted.hub(), sent=wanted.sent)
    return wanted.respond(record, shown_as, 201)


async def _get(wanted: ResourceRequest) -> web.StreamResponse:
    shown_as = wanted.represented()
    check_no_export(wanted.query)
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
    kind_of_patch = patch_type(wanted.request)
    shown_as = wanted.represented()
    call = wanted.call
    call.options = patch_options(wanted.query, kind_of_patch is PatchType.APPLY, wanted.user_agent)
    if kind_of_patch is PatchType.APPLY:
        config = await bodies.read_configuration(wanted.request)
        wanted.patched(config.tree)
        call.size = wanted.request.content.total_bytes
        record, is_new = await apply(call, config)
        return wanted.respond(record, shown_as, 201 if is_new else 200)
    data = await bodies.read(wanted.request)
    call.size = len(data)
    body = read_patch(data)
    wanted.patched(body.tree)
    return wanted.respond(await patch(call, kind_of_patch, body), shown_as)


def patch_type(request: web.BaseRequest) -> PatchType:
    try:
        return PatchType(request.headers.get("Content-Type", "").partition(";")[0].strip())
    except ValueError:
        raise unsupported_patch() from None


def unsupported_patch() -> errors.UnsupportedMediaType:
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


async def _delete_body(wanted: ResourceRequest) -> Object | None:
    """Raises BadRequest, in the words that are kept for DeleteOptions."""
    if not wanted.request.body_exists:
        return None
    body = await bodies.read_object(wanted.request, "")
    options = read_delete_options(Body({}) if body.tree is None else body)
    if wanted.trail is not None:
        given = {key: value for key, value in options.items() if key != "metadata"}
        wanted.trail.requested({**given, "apiVersion": _INTERNAL})
    return options


COLLECTION: Final[Mapping[str, Handler]] = {
    "create": _create,
    "list": _list,
    "watch": _watch,
    "deletecollection": _delete_collection,
}
EVERYWHERE: Final[Mapping[str, Handler]] = {"list": _list, "watch": _watch}
"""Of a kind of namespaces, without naming one."""
OBJECT: Final[Mapping[str, Handler]] = {
    "get": _get,
    "watch": _watch,
    "update": _update,
    "patch": _patch,
    "delete": _delete,
}
WHOLE: Final[Mapping[str, Handler]] = {"get": _get, "update": _update, "patch": _patch}
"""Of a subresource that shows the whole object."""
REPLACED: Final[Mapping[str, Handler]] = {"update": _update}
"""Of one that is only written whole."""

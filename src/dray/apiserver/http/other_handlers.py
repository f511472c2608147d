"""Requests that neither read nor write an object whole: reviews, bindings, what is told, streams, proxies and scales."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from dray.api import errors
from dray.api.fields import quote
from dray.apiserver.access import Attributes
from dray.apiserver.core import Call
from dray.apiserver.discovery import PROXIED as PROXY_VERBS
from dray.apiserver.http import body as bodies
from dray.apiserver.http.object_handlers import patch_type, unsupported_patch
from dray.apiserver.http.resource_request import Handler, ResourceRequest
from dray.apiserver.http.responses import (
    json_answer,
    resource_not_found,
)
from dray.apiserver.options import (
    list_options,
    patch_options,
)
from dray.apiserver.type_name import type_name
from dray.apiserver.verbs.binding import BINDING
from dray.apiserver.verbs.connect import admit_connection
from dray.apiserver.verbs.metadata import match_namespace
from dray.apiserver.verbs.patch import read_patch
from dray.apiserver.verbs.scale import SCALE, get_scale, patch_scale, update_scale
from dray.apiserver.verbs.subresources import POSTED, bind_named
from dray.apiserver.verbs.told import tell, tell_all
from dray.apiserver.verbs.virtual import review
from dray.apiserver.verbs.writing import as_written
from dray.client.protocol import PatchType


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
    answered = as_written(call, await review(call, obj))
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
    kind_of_patch = patch_type(wanted.request)
    wanted.represented()
    if kind_of_patch is PatchType.APPLY:
        raise unsupported_patch()
    wanted.call.options = patch_options(wanted.query, False, wanted.user_agent)
    body = read_patch(await bodies.read(wanted.request))
    wanted.patched(body.tree)
    scale = await patch_scale(wanted.call, kind_of_patch, body)
    return json_answer(scale, warnings=wanted.call.warnings)


POST: Final[Mapping[str, Handler]] = {"create": _post}
REVIEW: Final[Mapping[str, Handler]] = {"create": _review}
BIND: Final[Mapping[str, Handler]] = {"create": _bind}
TOLD: Final[Mapping[str, Handler]] = {"list": _tell_all, "watch": _not_watched}
TOLD_OBJECT: Final[Mapping[str, Handler]] = {"get": _tell}
LOG: Final[Mapping[str, Handler]] = {"get": _log}
PROXY: Final[Mapping[str, Handler]] = dict.fromkeys((*PROXY_VERBS, ""), _proxy)
CONNECT: Final[Mapping[str, Handler]] = {"get": _connect, "create": _connect}
SCALE_OBJECT: Final[Mapping[str, Handler]] = {
    "get": _get_scale,
    "update": _update_scale,
    "patch": _patch_scale,
}

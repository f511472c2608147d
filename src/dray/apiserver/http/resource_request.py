"""One HTTP request about a served resource: the call it makes, its body as an object, and the answer in its form."""

import dataclasses
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from aiohttp import web

from dray.api import errors
from dray.api.fields import quote
from dray.api.meta import Object
from dray.apiserver.audit.events import Trail
from dray.apiserver.core import Call, Core, WriteOptions
from dray.apiserver.http import body as bodies
from dray.apiserver.http.backends import Backends
from dray.apiserver.http.encoding import View
from dray.apiserver.http.negotiation import PLAIN, Representation, representation
from dray.apiserver.http.request_info import RequestInfo
from dray.apiserver.http.responses import (
    answer,
)
from dray.apiserver.large_bodies import worked_out
from dray.apiserver.options import (
    Query,
    first,
    write_options,
)
from dray.apiserver.registry.kind import Deprecation, Kind, User
from dray.apiserver.structure import from_hub, structured, to_hub
from dray.apiserver.type_name import TypeName, type_name
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
        """The body's document, once it was read; None where nothing in it is empty."""
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
        self.sent = body.tree if body.may_be_empty else None
        self.call.size = self.request.content.total_bytes
        validation, warnings = self.call.options.field_validation, self.call.warnings
        return await worked_out(self.call.size, lambda: structured(body, wanted, validation, warnings))

    async def hub(self) -> Object:
        """The body as an object of the call's kind, in the form that is stored. Raises as `object` does."""
        call = self.call
        obj = await self._object(type_name(call.kind, call.version))
        hub = await worked_out(call.size, lambda: to_hub(call.kind, obj, call.version))
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


def _deprecation_warnings(kind: Kind, version: str) -> list[str]:
    deprecation: Deprecation | None = kind.deprecated.get(version)
    if deprecation is None:
        return []
    name = f"{kind.resource.at(version).api_version} {kind.resource.kind}"
    text = f"{name} is deprecated in v{deprecation.since}+"
    if deprecation.removed_in:
        text += f", unavailable in v{deprecation.removed_in}+"
    return [f"{text}; use {deprecation.replacement}" if deprecation.replacement else text]


def _unknown_content(include: str) -> errors.BadRequest:
    what = f"includeObject: Invalid value: {quote(include)}: must be 'Metadata', 'Object', 'None', or empty"
    return errors.BadRequest(f"Unable to convert to Table as requested: {what}")

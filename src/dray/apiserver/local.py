"""The client protocol in the same process: the server's verbs without HTTP, sockets or JSON.

What comes out are the stored objects themselves, shared by everyone: never mutate them. What goes in is read like any
client's object (structure, defaults, validation) and authorized as `user`.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

from dray.api import errors
from dray.api.meta import Object, name_of, namespace_of
from dray.api.resources import BINDINGS, Resource
from dray.api.selectors import SelectorError, parse_field_selector, parse_label_selector
from dray.apiserver.access import ADMIN, Attributes, selected_name
from dray.apiserver.core import Call, Core, WriteOptions
from dray.apiserver.options import DeleteOptions, ListOptions
from dray.apiserver.registry.kind import User
from dray.apiserver.structure import Body, from_hub, structured, to_hub
from dray.apiserver.type_name import type_name
from dray.apiserver.verbs.binding import BINDING
from dray.apiserver.verbs.collection import delete_collection
from dray.apiserver.verbs.create import create
from dray.apiserver.verbs.delete import delete
from dray.apiserver.verbs.patch import apply
from dray.apiserver.verbs.patch import patch as apply_patch
from dray.apiserver.verbs.read import get, list_objects
from dray.apiserver.verbs.scale import SCALE, get_scale, patch_scale, update_scale
from dray.apiserver.verbs.subresources import POSTED, Posted, bind_named
from dray.apiserver.verbs.update import update
from dray.apiserver.verbs.virtual import review
from dray.apiserver.verbs.watch import (
    INITIAL_EVENTS_END,
    Bookmark,
    Change,
    Mark,
    ResourceWatch,
    open_watch,
)
from dray.client.protocol import EVERYTHING, ObjectList, PatchType, Selection, WatchEvent
from dray.store.record import Record


class LocalClient:
    """A `dray.client.protocol.Client` on the server of this process. Errors are the same StatusErrors."""

    def __init__(self, core: Core, user: User = ADMIN, *, field_manager: str = "") -> None:
        self._core = core
        self._user = user
        self._field_manager = field_manager or user.name.rpartition(":")[2] or "unknown"

    async def get(
        self, resource: Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> Object:
        call = self._call("get", resource, namespace, name, subresource)
        if subresource == "scale":
            return await get_scale(call)
        return self._shown(call, await get(call))

    async def list(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        limit: int = 0,
        continue_token: str = "",
        resource_version: str = "",
    ) -> ObjectList:
        call = self._call("list", resource, selection.namespace, selection=selection)
        options = _options(
            selection, limit=limit, continue_token=continue_token, resource_version=resource_version
        )
        listing = await list_objects(call, options)
        items = [self._shown(call, record) for record in listing.records]
        return ObjectList(items, str(listing.revision), listing.continue_token)

    def watch(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        resource_version: str = "",
        send_initial_events: bool = False,
        timeout_seconds: int | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        options = _options(
            selection,
            resource_version=resource_version,
            allow_bookmarks=True,
            send_initial_events=send_initial_events or None,
        )
        return self._watching(resource, selection, options, timeout_seconds)

    @contextlib.asynccontextmanager
    async def _watching(
        self, resource: Resource, selection: Selection, options: ListOptions, timeout_seconds: int | None
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        call = self._call("watch", resource, selection.namespace, selection=selection)
        opened = await open_watch(call, options)
        events = self._events(call, opened, timeout_seconds)
        try:
            yield events
        finally:
            opened.close()
            await events.aclose()  # type: ignore[attr-defined]

    async def _events(
        self, call: Call, watch: ResourceWatch, timeout_seconds: int | None
    ) -> AsyncIterator[WatchEvent]:
        for item in watch.initial:
            yield self._event(call, item)
        watch.initial = []
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_seconds if timeout_seconds else math.inf
        alarm = loop.call_at(end, watch.nudge) if timeout_seconds else None
        try:
            while (changes := await watch.next()) is not None and loop.time() < end:
                for change in changes:
                    yield self._event(call, change)
        finally:
            if alarm is not None:
                alarm.cancel()

    def _event(self, call: Call, item: Change | Bookmark) -> WatchEvent:
        if isinstance(item, Change):
            return WatchEvent(item.type, self._shown(call, item.record))
        meta: Object = {"resourceVersion": str(item.revision)}
        if item.mark is Mark.INITIAL_END:
            meta["annotations"] = {INITIAL_EVENTS_END: "true"}
        resource = call.resource
        bookmark = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}
        return WatchEvent("BOOKMARK", bookmark)

    async def create(
        self, resource: Resource, obj: Object, namespace: str = "", *, name: str = "", subresource: str = ""
    ) -> Object:
        namespace = namespace or obj.get("metadata", {}).get("namespace", "")
        call = self._call("create", resource, namespace, name, subresource)
        if subresource:
            posted = _posted(call, subresource)
            return await posted.post(call, structured(Body(obj), posted.type))
        if call.kind.resource == BINDINGS:
            return await bind_named(call, structured(Body(obj), BINDING))
        if call.kind.virtual:
            return await review(call, structured(Body(obj), type_name(call.kind, call.version)))
        return self._shown(call, await create(call, self._hub(call, obj)))

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        call = self._call("update", resource, namespace_of(obj), name_of(obj), subresource)
        if subresource == "scale":
            return await update_scale(call, structured(Body(obj), SCALE))
        record, _ = await update(call, self._hub(call, obj))
        return self._shown(call, record)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str = "",
        *,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
    ) -> Object:
        call = self._call("patch", resource, namespace, name, subresource)
        call.options = WriteOptions(field_manager=field_manager or self._field_manager, force=force)
        if subresource == "scale":
            return await patch_scale(call, patch_type, Body(patch))
        if patch_type is PatchType.APPLY:
            record, _ = await apply(call, Body(patch))
        else:
            record = await apply_patch(call, patch_type, Body(patch))
        return self._shown(call, record)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        grace_period_seconds: int | None = None,
        propagation_policy: Literal["Background", "Foreground", "Orphan"] | None = None,
        uid: str = "",
        resource_version: str = "",
    ) -> Object:
        call = self._call("delete", resource, namespace, name)
        options = DeleteOptions(
            grace_period_seconds, propagation_policy, uid or None, resource_version or None
        )
        record, _ = await delete(call, options)
        return self._shown(call, record)

    async def delete_collection(self, resource: Resource, selection: Selection = EVERYTHING) -> None:
        call = self._call("deletecollection", resource, selection.namespace, selection=selection)
        await delete_collection(call, _options(selection), DeleteOptions())

    def _call(
        self,
        verb: str,
        resource: Resource,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        selection: Selection = EVERYTHING,
    ) -> Call:
        """Raises NotFound for a resource that is not served, Forbidden."""
        kind = self._core.kind_of(resource)
        scope = namespace or (name if resource.plural == "namespaces" else "")
        self._core.authorize(
            Attributes(
                self._user,
                verb,
                resource.group,
                resource.version,
                resource.plural,
                subresource,
                scope,
                name or selected_name(selection.fields),
                labels=selection.labels,
                fields=selection.fields,
            )
        )
        options = WriteOptions(field_manager=self._field_manager)
        return Call(
            self._core, self._user, verb, kind, resource.version, namespace, name, subresource, options
        )

    def _hub(self, call: Call, obj: Object) -> Object:
        return to_hub(call.kind, structured(Body(obj), type_name(call.kind, call.version)), call.version)

    def _shown(self, call: Call, record: Record) -> Object:
        return from_hub(call.kind, record.obj, call.version)


def _posted(call: Call, subresource: str) -> Posted:
    """Raises NotFound for a subresource that nothing can be posted to."""
    if subresource not in call.kind.subresources or subresource not in POSTED:
        raise errors.NotFound("the server could not find the requested resource", details={})
    return POSTED[subresource]


def _options(selection: Selection, **more: Any) -> ListOptions:
    """Raises BadRequest."""
    try:
        labels, fields = parse_label_selector(selection.labels), parse_field_selector(selection.fields)
    except SelectorError as error:
        raise errors.BadRequest(str(error)) from None
    return ListOptions(labels=labels, fields=fields, **more)

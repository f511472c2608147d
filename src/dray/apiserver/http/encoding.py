"""Answers as bytes, in the form the client asked for.

The stored encoding of an object is spliced in wherever the client sees the object as it is stored; only other
versions, tables and partial objects are built and encoded anew.
"""

import dataclasses
import datetime as dt
import functools
from typing import Any, Final

import orjson

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import Resource
from dray.api.schema.model import Schema
from dray.api.schema.order import in_order
from dray.apiserver.http import table as tables
from dray.apiserver.http.negotiation import JSON, PLAIN, YAML, Representation
from dray.apiserver.registry.kind import Kind
from dray.apiserver.structure import Body, from_hub, package_of, strict_decode
from dray.apiserver.type_name import type_name
from dray.apiserver.verbs.read import Listing
from dray.apiserver.verbs.watch import INITIAL_EVENTS_END, Bookmark, Change, Mark
from dray.kits import go_json
from dray.store.record import Record

_END: Final = b"}\n"


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """How one request sees objects of one kind."""

    kind: Kind
    version: str
    representation: Representation
    include: tables.IncludeObject
    now: dt.datetime

    @property
    def is_stored_form(self) -> bool:
        """Whether stored bytes can be sent as they are."""
        kind = self.kind
        is_own = kind.stored_as is None and not kind.told and self.version == kind.resource.version
        return is_own and self.representation == PLAIN

    @property
    def content_type(self) -> str:
        return YAML if self.representation.yaml else JSON

    @property
    def _go_name(self) -> str:
        return f"*{package_of(self.kind.resource.group)}.{self.kind.resource.kind}"

    # --- one object

    def object(self, record: Record) -> bytes:
        if self.is_stored_form and record.data:
            return record.data
        return self._dump(self.shown(record.obj))

    def shown(self, obj: Object) -> Object:
        """The object in the client's version and form."""
        form, version = self.representation.form, self.representation.version
        if form == "partial":
            if self.representation.is_list:
                raise errors.NotAcceptable(
                    "you requested PartialObjectMetadataList, but the requested object is not a list "
                    f"({self._go_name})"
                )
            return tables.partial(self.kind, obj, version)
        if form == "table":
            meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            return self._table(meta, [obj], tables.column_definitions(self.kind))
        return self._converted(obj)

    def _converted(self, obj: Object) -> Object:
        shown: Object = in_order(from_hub(self.kind, obj, self.version), self._schema)
        return shown

    @property
    def _schema(self) -> Schema | None:
        return type_name(self.kind, self.version).schema

    # --- lists

    def listing(self, listing: Listing) -> bytes:
        meta: Object = {} if listing.revision is None else {"resourceVersion": str(listing.revision)}
        if listing.continue_token:
            meta["continue"] = listing.continue_token
        if listing.remaining is not None:
            meta["remainingItemCount"] = listing.remaining
        form = self.representation.form
        if form == "object":
            return self._object_list(meta, listing.records)
        objects = [record.obj for record in listing.records]
        if form == "table":
            return self._dump(self._table(meta, objects, tables.column_definitions(self.kind)))
        if not self.representation.is_list:
            raise errors.NotAcceptable(
                f"you requested PartialObjectMetadata, but the requested object is a list ({self._go_name}List)"
            )
        return self._dump(self._partial_list(meta, objects))

    def _object_list(self, meta: Object, records: list[Record]) -> bytes:
        resource = self.kind.resource.at(self.version)
        if self.is_stored_form:
            # Items are written without apiVersion and kind; every encoding starts with them.
            cut = _head_length(resource)
            items = b",".join([b"{" + record.data[cut:] for record in records])
        else:
            schema = self._schema
            items = b",".join([self._item(record.obj, schema) for record in records])
        head = go_json.encode(
            {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": meta}
        )
        data = head[:-1] + b',"items":[' + items + b"]}\n"
        return to_yaml(orjson.loads(data)) if self.representation.yaml else data

    def _item(self, obj: Object, schema: Schema | None) -> bytes:
        shown = in_order(from_hub(self.kind, obj, self.version), schema)
        return go_json.encode(
            {key: value for key, value in shown.items() if key not in ("apiVersion", "kind")}
        )

    def _partial_list(self, meta: Object, objects: list[Object]) -> Object:
        version = self.representation.version
        return {
            "kind": "PartialObjectMetadataList",
            "apiVersion": f"meta.k8s.io/{version}",
            "metadata": meta,
            "items": [tables.partial(self.kind, obj, version) for obj in objects] or None,
        }

    def _table(self, meta: Object, objects: list[Object], definitions: list[Object] | None) -> Object:
        version = self.representation.version
        rows = [tables.row(self.kind, self.version, obj, self.now, self.include, version) for obj in objects]
        return tables.table(meta, definitions, rows or tables.no_rows(self.kind), version)

    # --- watch events

    def event(self, change: Change, is_first: bool) -> bytes:
        """One line of a watch; `is_first`: no table was sent yet, so the columns are still to be named."""
        if self.representation.form == "table":
            obj = change.object
            meta = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            definitions = tables.column_definitions(self.kind) if is_first else None
            return _line(change.type, go_json.encode(self._table(meta, [obj], definitions)))
        event = change.event
        if event is None:
            return _line(change.type, self.object(change.record))
        # `event` is shared by all watchers: they share the line, too.
        form = (self.kind.resource, self.version, self.representation)
        return event.encoded(form, lambda: _line(change.type, self.object(change.record)))

    def bookmark(self, bookmark: Bookmark, is_first: bool) -> bytes:
        meta: Object = {"resourceVersion": str(bookmark.revision)}
        if bookmark.mark is Mark.INITIAL_END:
            meta["annotations"] = {INITIAL_EVENTS_END: "true"}
        name = type_name(self.kind, self.version)
        obj = strict_decode(Body({}), name, None)
        obj["metadata"] = meta
        if self.representation.form == "table":
            definitions = tables.column_definitions(self.kind) if is_first else None
            list_meta = {"resourceVersion": str(bookmark.revision)}
            return _line("BOOKMARK", go_json.encode(self._table(list_meta, [obj], definitions)))
        if self.representation.form == "partial":
            obj = tables.partial(self.kind, obj, self.representation.version)
        else:
            obj = in_order(obj, self._schema)
        return _line("BOOKMARK", go_json.encode(obj))

    def _dump(self, value: Any) -> bytes:
        return to_yaml(value) if self.representation.yaml else go_json.encode(value)


@functools.cache
def _head_length(resource: Resource) -> int:
    head = go_json.encode({"kind": resource.kind, "apiVersion": resource.api_version})
    return len(head)


def _line(kind: str, data: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + data + _END


def error_line(status: Object) -> bytes:
    return _line("ERROR", go_json.encode(status))


def to_yaml(value: Any) -> bytes:
    from dray.api.schema import go_yaml  # here: only a client that asks for YAML pays for it

    return go_yaml.to_yaml(value)

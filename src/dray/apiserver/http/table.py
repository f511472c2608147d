"""Tables: how `kubectl get` shows objects. The columns are the kind's; this builds the document around them."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final, Literal

from dray.api.meta import Object
from dray.apiserver.registry.columns import CREATED_AT, NAME
from dray.apiserver.registry.kind import Column, Kind
from dray.apiserver.structure import from_hub

IncludeObject = Literal["None", "Metadata", "Object"]

_DEFAULT_COLUMNS: Final = (NAME, CREATED_AT)


def columns_of(kind: Kind) -> Sequence[Column]:
    return kind.columns or _DEFAULT_COLUMNS


def column_definitions(kind: Kind) -> list[Object]:
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in columns_of(kind)
    ]


def row(
    kind: Kind, version: str, obj: Object, now: dt.datetime, include: IncludeObject, meta_version: str
) -> Object:
    cells = [column.cell(obj, now) for column in columns_of(kind)]
    shown: Any = None
    if include == "Object":
        shown = from_hub(kind, obj, version)
    elif include == "Metadata":
        shown = partial(kind, obj, meta_version)
    return {"cells": cells, "object": shown}


def table(
    meta: Object, definitions: list[Object] | None, rows: list[Object] | None, meta_version: str
) -> Object:
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{meta_version}",
        "metadata": meta,
        "columnDefinitions": definitions,
        "rows": rows,
    }


def no_rows(kind: Kind) -> list[Object] | None:
    """The rows of an empty table: kinds with the default columns answer null."""
    return None if CREATED_AT in columns_of(kind) else []


def partial(kind: Kind, obj: Object, meta_version: str) -> Object:
    """PartialObjectMetadata: an object without its body."""
    meta = obj["metadata"]
    if kind.shown_annotations and meta.get("annotations"):
        kept = {key: text for key, text in meta["annotations"].items() if key not in kind.shown_annotations}
        meta = {key: value for key, value in meta.items() if key != "annotations"}
        if kept:
            meta["annotations"] = kept
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{meta_version}",
        "metadata": meta,
    }

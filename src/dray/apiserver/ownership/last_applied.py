"""The annotation that client-side `kubectl apply` leaves, and how server-side apply by kubectl gets along with it.

When kubectl applies on the server to an object it used to apply from the client, fields in the annotation that the
live object still holds are its own to take over; and the annotation, where there is one, follows what is applied.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from dray.api.meta import Object
from dray.api.schema import Schema, decode
from dray.api.schema.inspection import DecodeError
from dray.apiserver.ownership import typed
from dray.apiserver.ownership.comparison import compare
from dray.apiserver.ownership.fieldset import EMPTY, FieldSet, difference
from dray.kits import go_json

ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER: Final = "kubectl"
_MAX_ANNOTATIONS: Final = 256 * 1024


def takeable(live: Mapping[str, Any], api_version: str, schema: Schema) -> FieldSet:
    """The fields of the annotation that still stand in `live` as they were applied."""
    text = (live["metadata"].get("annotations") or {}).get(ANNOTATION)
    try:
        applied = orjson.loads(text) if text else None
    except ValueError:
        return EMPTY
    if not isinstance(applied, dict) or applied.get("apiVersion") != api_version:
        return EMPTY
    try:
        typed.check(applied, schema)
        decoded = decode(applied, schema, strict=False).object
    except (typed.TypingError, DecodeError):
        return EMPTY
    found = compare(live, decoded, schema)
    return difference(difference(typed.field_set(applied, schema), found.changed), found.removed)


def refreshed(
    applied: Object, live: Mapping[str, Any] | None, config: Mapping[str, Any], manager: str
) -> Object:
    """`applied` with the annotation rewritten from `config`, if kubectl applies and the live object has it."""
    annotations = (applied["metadata"].get("annotations") or {}) if live else {}
    if manager != MANAGER or ANNOTATION not in annotations:
        return applied
    metadata = config.get("metadata") or {}
    told = {key: value for key, value in metadata.items() if key != "annotations"}
    if (ours := metadata.get("annotations")) is not None:
        told["annotations"] = {key: value for key, value in ours.items() if key != ANNOTATION}
    document = {**config, "metadata": told}
    text = go_json.encode_text(document, is_sorted=True) + "\n"
    others = sum(len(key) + len(value) for key, value in annotations.items() if key != ANNOTATION)
    kept = "" if others + len(ANNOTATION) + len(text) > _MAX_ANNOTATIONS else text
    updated = {**applied["metadata"], "annotations": {**annotations, ANNOTATION: kept}}
    return {**applied, "metadata": updated}

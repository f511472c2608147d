"""JSON merge patch (RFC 7386): objects merge, null removes, everything else replaces."""

from collections.abc import Mapping
from typing import Any


def merge_patch(document: Any, patch: Any) -> Any:
    """`document` with `patch` merged in. Nulls inside whatever the patch adds are dropped as well, lists included."""
    if not isinstance(patch, Mapping) or not isinstance(document, Mapping):
        return _without_nulls(patch)
    merged = dict(document)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif key in merged:
            merged[key] = merge_patch(merged[key], value)
        else:
            merged[key] = _without_nulls(value)
    return merged


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value

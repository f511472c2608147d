"""Opaque JSON with the length it was sent with: Kubernetes measures such values in the bytes that a client wrote,
blanks included, though it keeps none of these.
"""

import json
import re
from typing import Any

_MEMBER = re.compile(r'"(?:parameters|data)"\s*:\s*(?=\{)')
"""Where a value of a type runtime.RawExtension can start, in the kinds that limit one."""
_DECODER = json.JSONDecoder()


class PaddedObject(dict[str, Any]):
    """A JSON object that was longer in its text than it is without blanks."""

    sent_bytes: int


def size_of(value: Any) -> int:
    """Bytes of the value as it was sent, as far as that is known; else as compact JSON, which is how it is kept."""
    if isinstance(value, PaddedObject):
        return value.sent_bytes
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))


def with_sent_sizes(obj: Any, text: bytes, limit: int) -> Any:
    """`obj`, read from `text`, with each opaque value marked that only its blanks make longer than `limit` bytes."""
    if len(text) <= limit:
        return obj
    padded = _padded(text.decode("utf-8", "surrogateescape"), limit)
    return _marked(obj, padded) if padded else obj


def _padded(text: str, limit: int) -> list[PaddedObject]:
    found: list[PaddedObject] = []
    for member in _MEMBER.finditer(text):
        try:
            value, end = _DECODER.raw_decode(text, member.end())
        except (ValueError, RecursionError):
            continue
        sent = len(text[member.end() : end].encode("utf-8", "surrogateescape"))
        if sent > limit and size_of(value) <= limit:
            one = PaddedObject(value)
            one.sent_bytes = sent
            found.append(one)
    return found


def _marked(value: Any, padded: list[PaddedObject]) -> Any:
    if isinstance(value, list):
        return [_marked(item, padded) for item in value]
    if not isinstance(value, dict):
        return value
    return next(
        (one for one in padded if one == value), {key: _marked(item, padded) for key, item in value.items()}
    )

"""What a client is told when a patch cannot be applied, or its result cannot be read."""

from collections.abc import Mapping
from typing import Any

import orjson

from dray.api import fields
from dray.api.errors import Invalid, invalid
from dray.api.schema import go_text
from dray.api.schema.json_text import writable


class PatchError(ValueError):
    """The patch does not apply to this document; `str()` says where."""


class PatchTestError(PatchError):
    """What the patch wants to be there is not."""


class PatchFormatError(PatchError):
    """The patch contradicts itself, whatever the document."""


def unprocessable() -> Invalid:
    """422 for a JSON patch that does not apply. Upstream keeps the reason to itself."""
    return Invalid("the server rejected our request due to an error in our request", details={})


def invalid_patch(shown: str, text: str) -> Invalid:
    """422 for a patch whose result is no object of its kind: `shown` is the value that the text is about."""
    return invalid("", "", "", [fields.invalid(fields.Path("patch"), shown, text)])


def rendered(document: Mapping[str, Any], touched: Mapping[str, Any]) -> str:
    """The patched document as `invalid_patch` shows it after a JSON or merge patch.

    Objects that the patch went into (`touched` has the same nesting) list their keys sorted; the others as written.
    """
    try:
        return orjson.dumps(writable(arranged(document, touched))).decode()
    except TypeError:  # nested too deeply to be written
        return "..."


def rendered_strategic(patch: Mapping[str, Any]) -> str:
    """After a strategic merge patch it is the patch itself that is shown."""
    return go_text.show(patch)


def arranged(document: Any, touched: Any) -> Any:
    """The document with its keys in the order in which they stand after a patch that went into `touched`."""
    if isinstance(touched, list):
        return _sorted(document)
    if not isinstance(touched, Mapping):
        return document
    if isinstance(document, list):
        return [arranged(item, touched.get(str(index))) for index, item in enumerate(document)]
    if not isinstance(document, Mapping):
        return document
    return {key: arranged(document[key], touched.get(key)) for key in sorted(document)}


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value

"""What expressions that make patches have beside all others: parts of objects, operations, and a way to quote keys."""

from collections.abc import Mapping
from typing import Any

from dray.cel.declarations import Function, overload
from dray.cel.errors import EvalFailure, no_such_overload
from dray.cel.types import STRING
from dray.cel.values.kind import go_type_name
from dray.cel.values.patch import JSON_PATCH, Part, PatchOperation

_QUOTED = str.maketrans({"~": "~0", "/": "~1"})


def construct(name: str, fields: Mapping[str, Any]) -> Any:
    """A part of an object, or an operation. Raises EvalFailure for a member of an operation that is no text."""
    if name != JSON_PATCH:
        return Part(name, fields)
    for member in ("op", "path", "from"):
        if member in fields and type(fields[member]) is not str:
            shown = go_type_name(fields[member])
            raise EvalFailure(f"unexpected type {shown} for JSONPatchType '{member}' field")
    return PatchOperation(fields)


def _escape_key(key: Any) -> str:
    if type(key) is not str:
        raise no_such_overload()
    return key.translate(_QUOTED)


FUNCTIONS = (
    Function(
        "jsonpatch.escapeKey",
        overload("string_jsonpatch_escapeKey_string", (STRING,), STRING, _escape_key),
    ),
)

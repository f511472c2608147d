"""JSON patch (RFC 6902), with the leniences of the library that the API server uses.

`replace` of an absent object member adds it; negative array indexes count from the end; `replace` of the whole
document takes an object or an array. Every other misfit raises PatchError.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from dray.api.errors import BadRequest, RequestEntityTooLarge
from dray.api.fields import quote
from dray.api.meta import clone
from dray.api.patch.refusals import PatchError, PatchTestError
from dray.api.schema import go_text, json_text

MAX_OPERATIONS = 10_000
MAX_COPIED_BYTES = 3 * 1024 * 1024
"""What all copies of one patch may add together: copying an object into itself doubles it each time."""

Operation = Mapping[str, Any]
_DIGITS: Final = re.compile(r"[-+]?[0-9]{1,18}")
_GO_NAMES = {"map": "object", "slice": "array", "int64": "number", "float64": "number"}


def parse_operations(body: bytes, *, is_lenient: bool = False) -> list[Operation]:
    """The operations of a request body. Raises BadRequest, or RequestEntityTooLarge past 10000 operations.

    `is_lenient`: nobody asked for strict reading, which is another reader upstream, with words of its own.
    """
    prefix, whole, part = (
        ("", "jsonpatch.Patch", "jsonpatch.Operation")
        if is_lenient
        else ("error decoding patch: ", "[]handlers.jsonPatchOp", "handlers.jsonPatchOp")
    )
    try:
        operations = json_text.read_spelled(body).value
    except json_text.JsonError as error:
        raise BadRequest(f"{prefix}{error}") from None
    if operations is None:
        return []
    if not isinstance(operations, list):
        raise _not_a(operations, whole, prefix)
    for operation in operations:
        if operation is not None and not isinstance(operation, Mapping):
            raise _not_a(operation, part, prefix)
        if not is_lenient:
            _check_members(operation or {})
            _check_value(operation or {})
    if len(operations) > MAX_OPERATIONS:
        raise RequestEntityTooLarge(
            "Request entity too large: The allowed maximum operations in a JSON patch is "
            f"{MAX_OPERATIONS}, got {len(operations)}"
        )
    return [operation or {} for operation in operations]


def _check_members(operation: Operation) -> None:
    for name in ("op", "from", "path"):
        value = operation.get(name)
        if value is not None and not isinstance(value, str):
            text = f"{_json_type(value)} into Go struct field jsonPatchOp.{name} of type string"
            raise BadRequest(f"error decoding patch: json: cannot unmarshal {text}")


def _check_value(operation: Operation) -> None:
    number = json_text.first_infinite(operation.get("value"))
    if number is not None:
        text = f"number {number} into Go struct field jsonPatchOp.value of type float64"
        raise BadRequest(f"error decoding patch: json: cannot unmarshal {text}")


def unknown_members(operations: Sequence[Operation]) -> list[str]:
    """Paths of what no operation has, such as `[0].foo`."""
    return [
        f"[{index}].{name}"
        for index, operation in enumerate(operations)
        for name in operation
        if name not in ("op", "from", "path", "value")
    ]


def _json_type(value: Any) -> str:
    kind = go_text.kind_name(value)
    return _GO_NAMES.get(kind, kind)


def _not_a(value: Any, go_type: str, prefix: str) -> BadRequest:
    return BadRequest(f"{prefix}json: cannot unmarshal {_json_type(value)} into Go value of type {go_type}")


def is_known_member(path: str) -> bool:
    """Whether such a path leads to, or into, what an operation has."""
    return re.match(r"\[[0-9]+\]\.(op|from|path|value)\b", path) is not None


def json_patch(document: Any, operations: Sequence[Operation]) -> Any:
    """`document` after all `operations`, in order. Raises PatchError; then nothing was applied."""
    working = _Working(document)
    try:
        for operation in operations:
            name = operation.get("op")
            apply = _OPERATIONS.get(name) if isinstance(name, str) else None
            if apply is None:
                raise PatchError(f"Unexpected kind: {name if isinstance(name, str) else 'unknown'}")
            apply(working, operation)
    except RecursionError:
        raise PatchError("exceeded max depth") from None
    return working.root


class _Pointer(NamedTuple):
    """A JSON pointer."""

    text: str
    parts: list[str]
    """None at all for the whole document."""


class _Working:
    """A document being changed: what is written to is copied once, however many operations write to it."""

    def __init__(self, document: Any) -> None:
        self.root = document
        self.copied = 0
        """Bytes that copies have added."""
        self._own: set[int] = set()
        """Identities of the containers that were made here, and so may be changed in place."""

    def edit(self, at: _Pointer, verb: str, change: Callable[[Any, str], None]) -> None:
        """Put the container of the last part through `change`."""
        parts = at.parts
        if not parts or not isinstance(self.root, Mapping | list):
            raise _missing(verb, at)
        container = self.root = self._owned(self.root)
        for key in parts[:-1]:
            place = key if isinstance(container, Mapping) else _index(key, len(container) - 1)
            child = container.get(place) if isinstance(container, Mapping) else container[place]
            if not isinstance(child, Mapping | list):
                raise _missing(verb, at)
            container[place] = child = self._owned(child)
            container = child
        try:
            change(container, parts[-1])
        except PatchError as error:
            raise PatchError(f"error in {verb} for path: '{at.text}': {error}") from None

    def _owned(self, container: Any) -> Any:
        if id(container) in self._own:
            return container
        made = dict(container) if isinstance(container, Mapping) else list(container)
        self._own.add(id(made))
        return made

    def insert(self, at: _Pointer, value: Any, verb: str) -> None:
        def change(container: Any, key: str) -> None:
            if isinstance(container, Mapping):
                container[key] = value  # type: ignore[index]
            else:
                index = len(container) if key == "-" else _index(key, len(container))
                container.insert(index, value)

        self.edit(at, verb, change)

    def delete(self, at: _Pointer, verb: str) -> None:
        def change(container: Any, key: str) -> None:
            if isinstance(container, Mapping):
                if key not in container:
                    raise PatchError(f"Unable to remove nonexistent key: {key}: missing value")
                del container[key]  # type: ignore[attr-defined]
            else:
                del container[_index(key, len(container) - 1)]

        self.edit(at, verb, change)


def _add(working: _Working, operation: Operation) -> None:
    working.insert(_pointer(operation, "path"), operation.get("value"), "add")


def _remove(working: _Working, operation: Operation) -> None:
    working.delete(_pointer(operation, "path"), "remove")


def _replace(working: _Working, operation: Operation) -> None:
    at = _pointer(operation, "path")
    value = operation.get("value")
    if not at.parts:
        if not isinstance(value, Mapping | list):
            raise PatchError("replace operation value must be object or array")
        working.root = value
        return

    def change(container: Any, key: str) -> None:
        place = key if isinstance(container, Mapping) else _index(key, len(container) - 1)
        container[place] = value

    working.edit(at, "replace", change)


def _move(working: _Working, operation: Operation) -> None:
    source = _pointer(operation, "from")
    value = _find(working.root, source, "move")
    # Upstream names the last part alone where it cannot be removed.
    working.delete(source._replace(text="".join(source.parts[-1:])), "move")
    working.insert(_pointer(operation, "path"), value, "move")


def _copy(working: _Working, operation: Operation) -> None:
    source = _pointer(operation, "from")
    if not source.parts:  # Kubernetes finds nothing that holds the whole document
        raise _missing("copy", source)
    value = _find(working.root, source, "copy")
    data = _written(value)
    working.copied += len(data)
    if working.copied > MAX_COPIED_BYTES:
        raise PatchError(
            "Unable to complete the copy, the accumulated size increase of copy is "
            f"{working.copied}, exceeding the limit {MAX_COPIED_BYTES}"
        )
    working.insert(_pointer(operation, "path"), clone(value), "copy")


def _written(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # nested too deeply to be written
        raise PatchError("exceeded max depth") from None


def _test(working: _Working, operation: Operation) -> None:
    at = _pointer(operation, "path")
    actual = _find(working.root, at, "test") if at.parts else working.root
    if not _equal(actual, operation.get("value")):
        raise PatchTestError(f"testing value {at.text} failed: test failed")


_OPERATIONS: Mapping[str, Callable[[_Working, Operation], None]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _pointer(operation: Operation, member: str) -> _Pointer:
    path = operation.get(member)
    verb = operation.get("op")
    if not isinstance(path, str):
        why = f"operation, missing {member} field: missing value"
        raise PatchError(f"{verb} operation failed to decode {member}: {why}")
    if not path:
        return _Pointer(path, [])
    if not path.startswith("/"):
        raise PatchError(
            f"{verb} operation does not apply: doc is missing path: {quote(path)}: missing value"
        )
    parts = [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    return _Pointer(path, parts)


def _find(document: Any, at: _Pointer, verb: str) -> Any:
    """A member that is not there is null."""
    for part in at.parts:
        if isinstance(document, Mapping):
            document = document.get(part)
        elif isinstance(document, list):
            document = document[_index(part, len(document) - 1)]
        else:
            raise _missing(verb, at)
    return document


def _index(key: str, last: int) -> int:
    if _DIGITS.fullmatch(key) is None:
        raise PatchError(f"value was not a proper array index: {key!r}")
    index = int(key)
    counted = index + last + 1 if index < 0 else index
    if not 0 <= counted <= last:
        raise PatchError(f"Unable to access invalid index: {index}: invalid index referenced")
    return counted


def _missing(verb: str, at: _Pointer) -> PatchError:
    return PatchError(
        f"{verb} operation does not apply: doc is missing path: {quote(at.text)}: missing value"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, json_text.Number | int | float) and not isinstance(value, bool)


def _equal(left: Any, right: Any) -> bool:
    """JSON equality: Python's `==`, except that 1 is not true, and numbers are the same where they are written the same."""
    if isinstance(left, json_text.Number) or isinstance(right, json_text.Number):
        return (
            _is_number(left) and _is_number(right) and go_text.json_number(left) == go_text.json_number(right)
        )
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(_equal(item, right[key]) for key, item in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_equal(*pair) for pair in zip(left, right, strict=True))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)

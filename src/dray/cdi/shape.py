"""The fields of a CDI spec and their types, and the check that a document has no others.

CDI readers refuse unknown fields, so a misspelt key loses the whole file: better to say so before it is written.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

String: Final = "string"
Integer: Final = "integer"
Boolean: Final = "boolean"
StringMap: Final = "map of strings"


class ListOf:
    def __init__(self, element: Any) -> None:
        self.element = element


DEVICE_NODE: Final = {
    "path": String,
    "hostPath": String,
    "type": String,
    "major": Integer,
    "minor": Integer,
    "fileMode": Integer,
    "permissions": String,
    "uid": Integer,
    "gid": Integer,
}
MOUNT: Final = {"hostPath": String, "containerPath": String, "options": ListOf(String), "type": String}
HOOK: Final = {
    "hookName": String,
    "path": String,
    "args": ListOf(String),
    "env": ListOf(String),
    "timeout": Integer,
}
NET_DEVICE: Final = {"hostInterfaceName": String, "name": String}
INTEL_RDT: Final = {
    "closID": String,
    "l3CacheSchema": String,
    "memBwSchema": String,
    "schemata": ListOf(String),
    "enableMonitoring": Boolean,
}
CONTAINER_EDITS: Final = {
    "env": ListOf(String),
    "deviceNodes": ListOf(DEVICE_NODE),
    "netDevices": ListOf(NET_DEVICE),
    "hooks": ListOf(HOOK),
    "mounts": ListOf(MOUNT),
    "intelRdt": INTEL_RDT,
    "additionalGids": ListOf(Integer),
}
DEVICE: Final = {"name": String, "annotations": StringMap, "containerEdits": CONTAINER_EDITS}
SPEC: Final = {
    "cdiVersion": String,
    "kind": String,
    "annotations": StringMap,
    "devices": ListOf(DEVICE),
    "containerEdits": CONTAINER_EDITS,
}


def mismatches(value: Any, shape: Any, path: str = "") -> Iterator[str]:
    """Every place where `value` has a field or type that `shape` does not know."""
    if isinstance(shape, ListOf):
        if not isinstance(value, Sequence) or isinstance(value, str):
            yield f"{path}: expected a list"
            return
        for index, element in enumerate(value):
            yield from mismatches(element, shape.element, f"{path}[{index}]")
    elif isinstance(shape, Mapping):
        if not isinstance(value, Mapping):
            yield f"{path or 'the document'}: expected an object"
            return
        for key, member in value.items():
            where = f"{path}.{key}" if path else str(key)
            if key not in shape:
                yield f"{where}: unknown field"
            elif member is not None:
                yield from mismatches(member, shape[key], where)
    elif not _is(value, shape):
        yield f"{path}: expected {'an' if shape == Integer else 'a'} {shape}"


def _is(value: Any, scalar: str) -> bool:
    if scalar == StringMap:
        return isinstance(value, Mapping) and all(
            isinstance(key, str) and isinstance(member, str) for key, member in value.items()
        )
    if scalar == Integer:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {String: str, Boolean: bool}[scalar])

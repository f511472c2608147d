"""Request bodies in Kubernetes' protobuf form, as the JSON objects they stand for.

kubectl and Go clients post `application/vnd.kubernetes.protobuf` and do not try again in JSON. The body is four magic
bytes and a `runtime.Unknown` envelope that names apiVersion and kind and carries the message. One generic decoder
reads every kind from a table of fields (`data/kubernetes-protobuf-fields.json.gz`: message -> field number -> JSON
name, label, type, extracted from Kubernetes 1.36; `later` has what came since); nothing here knows any single kind. Answers are always JSON, so
there is no encoder.

Unknown field numbers are skipped, as protobuf asks. A singular field that comes twice keeps its last value. Input is
hostile: nesting, size and the number of values are bounded, and `ProtobufError` is the only exception.
"""

import base64
import functools
import gzip
import importlib.resources
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from dray.api.meta import Object
from dray.wire import jsonform
from dray.wire.later import later_messages

CONTENT_TYPE: Final = "application/vnd.kubernetes.protobuf"
MAGIC: Final = b"k8s\x00"
MAX_SIZE: Final = 3 * 1024 * 1024
"""Bytes; the request body limit of the Kubernetes API server."""
MAX_DEPTH: Final = 100
MAX_VALUES: Final = 500_000

_UNKNOWN: Final = "k8s.io.apimachinery.pkg.runtime.Unknown"
_RAW_EXTENSION: Final = "k8s.io.apimachinery.pkg.runtime.RawExtension"
_VARINT, _FIXED64, _BYTES, _GROUP, _END_GROUP, _FIXED32 = range(6)
_PACKAGES: Final = {
    "apiextensions.k8s.io": "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions",
    "apiregistration.k8s.io": "k8s.io.kube_aggregator.pkg.apis.apiregistration",
    "internal.apiserver.k8s.io": "k8s.io.api.apiserverinternal",
    "metrics.k8s.io": "k8s.io.metrics.pkg.apis.metrics",
    "meta.k8s.io": "k8s.io.apimachinery.pkg.apis.meta",
}
"""API groups whose protobuf package is not `k8s.io.api.<first label>`."""


class ProtobufError(ValueError):
    """The body is not a protobuf object that can be read; the text says why."""


class Field(NamedTuple):
    key: str
    label: str
    """"o" one value, "r" a list, "map" a map from strings."""
    type: str
    """A scalar type, or the full name of a message."""
    flattened: bool


@functools.cache
def _table() -> Mapping[str, Mapping[str, tuple[str, str, str]]]:
    packed = (
        importlib.resources.files("dray.wire")
        .joinpath("data/kubernetes-protobuf-fields.json.gz")
        .read_bytes()
    )
    table: dict[str, dict[str, tuple[str, str, str]]] = orjson.loads(gzip.decompress(packed))
    for message, fields in later_messages().items():
        table.setdefault(message, {}).update(fields)
    return table


@functools.cache
def fields_of(message: str) -> dict[int, Field]:
    short = message.rpartition(".")[2]
    fields = {}
    for number, (name, label, type_) in _table()[message].items():
        key = jsonform.RENAMED.get((short, name), name)
        fields[int(number)] = Field(key, label, type_, (short, name) in jsonform.FLATTENED)
    return fields


def message_of(api_version: str, kind: str) -> str | None:
    """The full protobuf message name of a kind, or None when it has none (custom resources)."""
    group, _, version = api_version.rpartition("/")
    package = _PACKAGES.get(group, f"k8s.io.api.{group.split('.')[0] or 'core'}")
    for name in (f"{package}.{version}.{kind}", jsonform.META + kind):
        # Options and Status belong to every group: DeleteOptions arrives as e.g. apps/v1 DeleteOptions.
        if name in _table():
            return name
    return None


def decode_object(data: bytes, *, max_size: int = MAX_SIZE) -> Object:
    """The object in `data` (magic bytes and envelope) in its JSON form, apiVersion and kind first.

    Raises ProtobufError when `data` is not in this form, is longer than `max_size` bytes, nests deeper than
    MAX_DEPTH, or is of a kind that has no protobuf form.
    """
    if len(data) > max_size:
        raise ProtobufError(f"the body has {len(data)} bytes, more than the {max_size} that are accepted")
    return _Decoder().envelope(data, 0)


def is_enveloped(data: bytes) -> bool:
    """Whether `data` begins like a Kubernetes protobuf object."""
    return data[:4] == MAGIC


class _Decoder:
    """One decoding; counts the values produced, so that a small body cannot become a huge object."""

    def __init__(self) -> None:
        self._values = 0

    def envelope(self, data: bytes, depth: int) -> Object:
        if not is_enveloped(data):
            raise ProtobufError(
                "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
            )
        unknown = self._members(_UNKNOWN, data[len(MAGIC) :], depth, raw_bytes=True)
        if unknown.get("contentEncoding"):
            raise ProtobufError(f"content encoding {unknown['contentEncoding']!r} is not supported")
        type_meta = unknown.get("typeMeta") or {}
        api_version, kind = type_meta.get("apiVersion", ""), type_meta.get("kind", "")
        if not api_version or not kind:
            raise ProtobufError("the envelope does not say which apiVersion and kind the object has")
        return self._content(api_version, kind, unknown, depth)

    def _content(self, api_version: str, kind: str, unknown: dict[str, Any], depth: int) -> Object:
        raw = unknown.get("raw", b"")
        if unknown.get("contentType") == "application/json":
            content = _json_object(raw)
        else:
            message = message_of(api_version, kind)
            if message is None:
                raise ProtobufError(f"{kind} of {api_version} has no protobuf form: send it as JSON")
            content = self._members(message, raw, depth + 1)
        return {"apiVersion": api_version, "kind": kind, **content}

    def _members(self, message: str, data: bytes, depth: int, *, raw_bytes: bool = False) -> dict[str, Any]:
        if depth > MAX_DEPTH:
            raise ProtobufError(f"the object nests deeper than {MAX_DEPTH} levels")
        fields = fields_of(message)
        members: dict[str, Any] = {}
        for number, wire_type, value in _records(data):
            field = fields.get(number)
            if field is None:
                continue
            if field.label == "map":
                self._add_entry(members, field, wire_type, value, depth)
            elif field.label == "r":
                members.setdefault(field.key, []).extend(self._elements(field, wire_type, value, depth))
            else:
                one = self._value(field.type, wire_type, value, depth, raw_bytes)
                _set_member(members, field, message, one)
        return members

    def _value(self, type_: str, wire_type: int, value: Any, depth: int, raw_bytes: bool = False) -> Any:
        self._values += 1
        if self._values > MAX_VALUES:
            raise ProtobufError(f"the object has more than {MAX_VALUES} values")
        scalar = _SCALARS.get(type_)
        if scalar is not None:
            return (
                value if raw_bytes and type_ == "bytes" and wire_type == _BYTES else scalar(wire_type, value)
            )
        if wire_type != _BYTES:
            raise ProtobufError(f"a {type_} is written with wire type {wire_type}")
        encapsulate = jsonform.SINGLE_VALUE.get(type_)
        if encapsulate is None:
            return self._members(type_, value, depth + 1)
        members = self._members(type_, value, depth + 1, raw_bytes=True)
        if type_ == _RAW_EXTENSION and is_enveloped(members.get("raw", b"")):
            return self.envelope(members["raw"], depth + 1)
        try:
            return encapsulate(members)
        except ValueError as error:
            raise ProtobufError(str(error)) from None

    def _elements(self, field: Field, wire_type: int, value: Any, depth: int) -> Iterator[Any]:
        unpack = _PACKED.get(field.type)
        if unpack is None or wire_type != _BYTES:
            value = self._value(field.type, wire_type, value, depth)
            yield None if value is jsonform.ABSENT else value
            return
        for element_type, element in unpack(value):
            yield self._value(field.type, element_type, element, depth)

    def _add_entry(
        self, members: dict[str, Any], field: Field, wire_type: int, data: Any, depth: int
    ) -> None:
        if wire_type != _BYTES:
            raise ProtobufError(f"an entry of {field.key} is written with wire type {wire_type}")
        key, value = "", _ZERO.get(field.type, jsonform.ABSENT)
        for number, entry_type, entry in _records(data):
            if number == 1:
                key = _string(entry_type, entry)
            elif number == 2:
                value = self._value(field.type, entry_type, entry, depth + 1)
        if value is jsonform.ABSENT:
            value = self._value(field.type, _BYTES, b"", depth + 1)
        members.setdefault(field.key, {})[key] = None if value is jsonform.ABSENT else value


def _set_member(members: dict[str, Any], field: Field, message: str, value: Any) -> None:
    if value is jsonform.ABSENT or (not value and jsonform.is_unset(message, field.key, value)):
        return
    if field.flattened:
        members.update(value)
    else:
        members[field.key] = value


def _json_object(raw: bytes) -> Object:
    try:
        content = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ProtobufError(f"the JSON in the envelope is malformed: {error}") from None
    if not isinstance(content, dict):
        raise ProtobufError("the JSON in the envelope is not an object")
    return content


def _records(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """(field number, wire type, value): an int for varints, else the bytes."""
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise ProtobufError("field number 0 is not allowed")
        value: Any
        if wire_type == _VARINT:
            value, position = _varint(data, position)
        elif wire_type == _BYTES:
            length, position = _varint(data, position)
            value, position = _take(data, position, length)
        elif wire_type == _FIXED64:
            value, position = _take(data, position, 8)
        elif wire_type == _FIXED32:
            value, position = _take(data, position, 4)
        else:
            raise ProtobufError(f"wire type {wire_type} is not used by Kubernetes")
        yield number, wire_type, value


def _take(data: bytes, position: int, length: int) -> tuple[bytes, int]:
    end = position + length
    if end > len(data):
        raise ProtobufError("the body ends in the middle of a field")
    return data[position:end], end


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    for index in range(position, min(position + 10, len(data))):
        byte = data[index]
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFF_FFFF_FFFF_FFFF, index + 1
        shift += 7
    raise ProtobufError("the body ends in the middle of a number, or a number has more than ten bytes")


def _integer(bits: int) -> Callable[[int, Any], int]:
    def read(wire_type: int, value: Any) -> int:
        if wire_type != _VARINT:
            raise ProtobufError(f"an integer is written with wire type {wire_type}")
        number = int(value) & ((1 << bits) - 1)
        return number - (1 << bits) if number >> (bits - 1) else number

    return read


def _bool(wire_type: int, value: Any) -> bool:
    if wire_type != _VARINT:
        raise ProtobufError(f"a boolean is written with wire type {wire_type}")
    return bool(value)


def _double(wire_type: int, value: Any) -> float | int:
    if wire_type != _FIXED64:
        raise ProtobufError(f"a double is written with wire type {wire_type}")
    number: float = struct.unpack("<d", value)[0]
    if number - number != 0:
        raise ProtobufError("a double is not a finite number: JSON cannot hold it")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _string(wire_type: int, value: Any) -> str:
    if wire_type != _BYTES:
        raise ProtobufError(f"a string is written with wire type {wire_type}")
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError as error:
        raise ProtobufError(f"a string is not valid UTF-8: {error}") from None


def _base64(wire_type: int, value: Any) -> str:
    if wire_type != _BYTES:
        raise ProtobufError(f"bytes are written with wire type {wire_type}")
    return base64.b64encode(value).decode("ascii")


_SCALARS: Final[Mapping[str, Callable[[int, Any], Any]]] = {
    "string": _string,
    "bytes": _base64,
    "bool": _bool,
    "int32": _integer(32),
    "int64": _integer(64),
    "double": _double,
}
_ZERO: Final[Mapping[str, Any]] = {
    "string": "",
    "bytes": "",
    "bool": False,
    "int32": 0,
    "int64": 0,
    "double": 0,
}


def _unpack_varints(data: bytes) -> Iterator[tuple[int, Any]]:
    position = 0
    while position < len(data):
        value, position = _varint(data, position)
        yield _VARINT, value


def _unpack_doubles(data: bytes) -> Iterator[tuple[int, Any]]:
    position = 0
    while position < len(data):
        value, position = _take(data, position, 8)
        yield _FIXED64, value


_PACKED: Final[Mapping[str, Callable[[bytes], Iterator[tuple[int, Any]]]]] = {
    "bool": _unpack_varints,
    "int32": _unpack_varints,
    "int64": _unpack_varints,
    "double": _unpack_doubles,
}

"""Request bodies as Kubernetes' own clients in Go send them: protobuf that carries every plain field, even when empty.

The opposite of `dray.wire.protobuf`, for tests: which fields are plain and which are pointers comes from the kinds' schemas.
"""

import base64
import datetime as dt
import functools
import json
import struct
from collections.abc import Mapping
from typing import Any, Final

from dray.api.meta import Object, parse_time
from dray.wire import jsonform
from dray.wire.protobuf import MAGIC, Field, fields_of, message_of

_BYTES: Final = 2
_DOUBLE: Final = 1
_QUANTITY: Final = "k8s.io.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING: Final = "k8s.io.apimachinery.pkg.util.intstr.IntOrString"
_RAW: Final = "k8s.io.apimachinery.pkg.runtime.RawExtension"
_TIMES: Final = (jsonform.META + "Time", jsonform.META + "MicroTime")
_FIELDS_V1: Final = jsonform.META + "FieldsV1"
_SCALARS: Final = ("string", "bytes", "bool", "int32", "int64", "double")


def encode_object(obj: Object) -> bytes:
    """Raises KeyError for a kind that has no protobuf form."""
    api_version, kind = obj["apiVersion"], obj["kind"]
    message = message_of(api_version, kind)
    if message is None:
        raise KeyError(f"{kind} of {api_version} has no protobuf form")
    type_meta = _chunk(1, api_version.encode()) + _chunk(2, kind.encode())
    unknown = _chunk(1, type_meta) + _chunk(2, _message(message, obj)) + _chunk(3, b"") + _chunk(4, b"")
    return MAGIC + unknown


def _message(message: str, value: Mapping[str, Any]) -> bytes:
    plain = _plain_fields(message)
    parts = []
    for number, field in sorted(fields_of(message).items()):
        if field.flattened:
            parts.append(_chunk(number, _message(field.type, value)))
        elif value.get(field.key) is not None:
            parts.append(_member(number, field, value[field.key]))
        elif field.label == "o" and field.key in plain and field.type != "bytes":
            parts.append(_record(number, field.type, _zero(field.type)))
    return b"".join(parts)


def _member(number: int, field: Field, value: Any) -> bytes:
    if field.label == "r":
        return b"".join(_record(number, field.type, item) for item in value)
    if field.label == "map":
        entries = (_chunk(1, key.encode()) + _record(2, field.type, value[key]) for key in sorted(value))
        return b"".join(_chunk(number, entry) for entry in entries)
    return _record(number, field.type, value)


def _record(number: int, type_: str, value: Any) -> bytes:
    match type_:
        case "string":
            return _chunk(number, value.encode())
        case "bytes":
            return _chunk(number, base64.b64decode(value))
        case "bool" | "int32" | "int64":
            return _varint(number << 3) + _varint(int(value))
        case "double":
            return _varint(number << 3 | _DOUBLE) + struct.pack("<d", value)
        case _:
            return _chunk(number, _struct(type_, value))


def _struct(type_: str, value: Any) -> bytes:
    if value is None:
        return b""
    if type_ in _TIMES:
        return _time(value)
    if type_ == _QUANTITY:
        return _chunk(1, str(value).encode())
    if type_ == _INT_OR_STRING:
        is_text = isinstance(value, str)
        text, number = (value, 0) if is_text else ("", value)
        return _record(1, "int64", is_text) + _record(2, "int32", number) + _record(3, "string", text)
    if type_ in (_RAW, _FIELDS_V1):
        return _chunk(1, json.dumps(value).encode())
    # A named list, such as the values of one extra attribute of a user, is a message with one member.
    return _message(type_, {"items": value} if isinstance(value, list) else value)


def _time(text: str) -> bytes:
    since = parse_time(text) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    seconds = since // dt.timedelta(seconds=1)
    return _record(1, "int64", seconds) + _record(2, "int32", since.microseconds * 1000)


def _zero(type_: str) -> Any:
    if type_ in (*_TIMES, _RAW, _FIELDS_V1):
        return None
    scalars = {"string": "", "bool": False, _QUANTITY: "0", _INT_OR_STRING: 0}
    return scalars.get(type_, 0 if type_ in _SCALARS else {})


@functools.cache
def _plain_fields(message: str) -> frozenset[str]:
    """Fields that Go writes whether they are set or not; none of a type that has no schema of its own."""
    flags = jsonform.flags_of(message) or {}
    return frozenset(name for name, said in flags.items() if "p" not in said)


def _chunk(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])

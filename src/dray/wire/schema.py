"""Protobuf services declared as Python data: messages, methods and their full names.

Decides how a declaration becomes descriptors, in a descriptor pool of its own, so that neither protoc nor generated
code is needed and no other package's files of the same name collide (the kubelet's packages are called `v1`).
Knows nothing of sockets or of what the services mean.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

_SCALARS: Final = {
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "uint32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
}


class Rpc(NamedTuple):
    """One method of a service: message names are those of its file."""

    request: str
    response: str
    streams: bool = False
    """The server answers with a stream."""


class ProtoFile(NamedTuple):
    """One proto3 package.

    `messages`: name -> field lines `"<number> <name> <type>"`; a type is a scalar, a message or enum of the file,
    `repeated T`, `optional T` or `map T` (string keys). `enums`: name -> value names, numbered from 0.
    """

    package: str
    messages: Mapping[str, Sequence[str]]
    services: Mapping[str, Mapping[str, Rpc]]
    enums: Mapping[str, Sequence[str]] = {}


class Method(NamedTuple):
    path: str
    """`/package.Service/Name`, as on the wire."""
    request: type[Message]
    response: type[Message]
    streams: bool


class Package:
    """The message classes and methods of one ProtoFile, built when first asked for."""

    def __init__(self, file: ProtoFile) -> None:
        self.file = file

    @functools.cached_property
    def _pool(self) -> Any:
        pool = descriptor_pool.DescriptorPool()
        pool.Add(describe(self.file))
        return pool

    def message(self, name: str) -> Any:
        """The message class `name` of this package. Raises KeyError when there is none."""
        return _message_class(self, name)

    def methods(self, service: str) -> dict[str, Method]:
        """Method name -> how it is called, for the service `service` of this package."""
        return {
            name: Method(
                f"/{self.file.package}.{service}/{name}",
                self.message(rpc.request),
                self.message(rpc.response),
                rpc.streams,
            )
            for name, rpc in self.file.services[service].items()
        }


@functools.cache
def _message_class(package: Package, name: str) -> type[Message]:
    descriptor = package._pool.FindMessageTypeByName(f"{package.file.package}.{name}")
    return message_factory.GetMessageClass(descriptor)


def describe(file: ProtoFile) -> descriptor_pb2.FileDescriptorProto:
    """The descriptor of `file`. Services are left out: only messages are needed to call them."""
    proto = descriptor_pb2.FileDescriptorProto(
        name=f"{file.package}.proto", package=file.package, syntax="proto3"
    )
    for enum_name, values in file.enums.items():
        enum = proto.enum_type.add(name=enum_name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for message_name, lines in file.messages.items():
        message = proto.message_type.add(name=message_name)
        for line in lines:
            _add_field(message, line, file)
    return proto


def _add_field(message: descriptor_pb2.DescriptorProto, line: str, file: ProtoFile) -> None:
    number, name, *modifier, type_name = line.split()
    field = message.field.add(name=name, number=int(number))
    field.label = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
    if modifier == ["repeated"]:
        field.label = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    elif modifier == ["optional"]:
        # proto3 presence is told by a oneof of the one field.
        field.proto3_optional = True
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")
    elif modifier == ["map"]:
        field.label = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
        type_name = _add_map_entry(message, name, type_name, file)
        field.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = type_name
        return
    _set_type(field, type_name, file)


def _set_type(field: descriptor_pb2.FieldDescriptorProto, type_name: str, file: ProtoFile) -> None:
    if type_name in _SCALARS:
        field.type = _SCALARS[type_name]
        return
    is_enum = type_name in file.enums
    field.type = (
        descriptor_pb2.FieldDescriptorProto.TYPE_ENUM
        if is_enum
        else descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
    )
    field.type_name = f".{file.package}.{type_name}"


def _add_map_entry(
    message: descriptor_pb2.DescriptorProto, name: str, value_type: str, file: ProtoFile
) -> str:
    entry_name = "".join(part.title() for part in name.split("_")) + "Entry"
    entry = message.nested_type.add(name=entry_name)
    entry.options.map_entry = True
    for number, part, type_name in ((1, "key", "string"), (2, "value", value_type)):
        field = entry.field.add(name=part, number=number)
        field.label = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
        _set_type(field, type_name, file)
    return f".{file.package}.{message.name}.{entry_name}"

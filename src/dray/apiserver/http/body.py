"""Request bodies: JSON, YAML or Kubernetes protobuf, read into one form."""

from typing import Any, Final

import orjson
from aiohttp import web

from dray.api import errors
from dray.api.schema.yaml_text import BadYaml, from_yaml, read_yaml
from dray.apiserver.http.negotiation import JSON, PROTOBUF, YAML
from dray.apiserver.structure import Body, read_json, unrecognized

MAX_BYTES: Final = 3 * 1024 * 1024
"""Kubernetes' limit on a request body."""


async def read(request: web.BaseRequest) -> bytes:
    """Raises RequestEntityTooLarge."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise errors.RequestEntityTooLarge(f"Request entity too large: limit is {MAX_BYTES}") from None


def content_type(request: web.BaseRequest) -> str:
    """The media type without its parameters; JSON when none is named."""
    header = request.headers.get("Content-Type", "")
    return header.partition(";")[0].strip().lower() or JSON


def check_type(request: web.BaseRequest) -> str:
    """The media type of an object. Raises UnsupportedMediaType."""
    kind_of_body = content_type(request)
    if kind_of_body not in (JSON, YAML, PROTOBUF):
        raise errors.UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: "
            f"{JSON}, {YAML}, {PROTOBUF}"
        )
    return kind_of_body


async def read_object(request: web.BaseRequest, kind_name: str) -> Body:
    """Raises UnsupportedMediaType, RequestEntityTooLarge, or BadRequest for a body that cannot be read."""
    kind_of_body = check_type(request)
    data = await read(request)
    if kind_of_body == JSON:
        return read_json(data, kind_name)
    return _read_yaml(data, kind_name) if kind_of_body == YAML else _read_protobuf(data, kind_name)


def _read_protobuf(data: bytes, kind_name: str) -> Body:
    from dray.wire.protobuf import ProtobufError, decode_object  # here: most requests are JSON

    try:
        return Body(decode_object(data), skips_unknown=True)
    except ProtobufError as error:
        raise unrecognized(data, kind_name, str(error)) from None


def _read_yaml(data: bytes, kind_name: str) -> Body:
    try:
        document = read_yaml(data)
    except BadYaml as error:
        raise unrecognized(data, kind_name, str(error)) from None
    return Body(document.value, complaints=(document.complaint,) if document.complaint else ())


async def read_configuration(request: web.BaseRequest) -> Any:
    """The body of a server-side apply: YAML, or JSON, which is YAML. Raises BadRequest."""
    data = await read(request)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return from_yaml(data)
    except BadYaml as error:
        raise errors.BadRequest(f"error decoding YAML: error converting YAML to JSON: {error}") from None

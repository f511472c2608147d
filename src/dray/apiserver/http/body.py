"""Request bodies: JSON, YAML or Kubernetes protobuf, read into one form.

Bodies are read when who sends them is known and allowed to.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from dray.api import errors
from dray.api.schema.yaml_text import BadYaml, from_yaml, read_yaml
from dray.apiserver.http.negotiation import JSON, PROTOBUF, YAML
from dray.apiserver.large_bodies import worked_out
from dray.apiserver.structure import Body, read_json, unrecognized

MAX_BYTES: Final = 3 * 1024 * 1024
"""Kubernetes' limit on a request body."""

SECONDS: Final = 60.0
"""For a body to arrive: as long as Kubernetes gives a request altogether."""

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


async def read(request: web.BaseRequest) -> bytes:
    """Raises RequestEntityTooLarge, BadRequest for a broken or unknown transfer, Timeout for a slow one."""
    if (request.content_length or 0) > MAX_BYTES:
        raise _too_large()
    await _expected(request)
    try:
        async with asyncio.timeout(SECONDS):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    except web.RequestPayloadError as error:
        raise errors.BadRequest(f"the body cannot be read: {error}") from None
    except TimeoutError:
        raise errors.Timeout("Timeout: request did not complete within the allotted timeout") from None


async def _expected(request: web.BaseRequest) -> None:
    """Ask for the body of a client that waits until it is asked."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0  # nothing of the answer itself is on its way


def _too_large() -> errors.RequestEntityTooLarge:
    return errors.RequestEntityTooLarge(f"Request entity too large: limit is {MAX_BYTES}")


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
    return await worked_out(len(data), lambda: READERS[kind_of_body](data, kind_name))


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


READERS: Final[Mapping[str, Callable[[bytes, str], Body]]] = {
    JSON: read_json,
    YAML: _read_yaml,
    PROTOBUF: _read_protobuf,
}
"""By media type: from the bytes of a body and the name of the kind wanted. Each raises BadRequest."""


async def read_configuration(request: web.BaseRequest) -> Any:
    """The body of a server-side apply: YAML, or JSON, which is YAML. Raises as `read` does, and BadRequest."""
    data = await read(request)
    return await worked_out(len(data), lambda: configuration(data))


def configuration(data: bytes) -> Any:
    """What the body of a server-side apply says. Raises BadRequest."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return from_yaml(data)
    except BadYaml as error:
        raise errors.BadRequest(f"error decoding YAML: error converting YAML to JSON: {error}") from None

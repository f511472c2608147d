"""Request bodies: JSON, YAML or Kubernetes protobuf, read into one form.

Bodies are read when who sends them is known and allowed to.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from dray.api import errors
from dray.api.schema import go_text
from dray.api.schema.duplicates import has_duplicates
from dray.api.schema.yaml_text import BadYaml, read_yaml
from dray.apiserver.http.negotiation import JSON, PROTOBUF, YAML
from dray.apiserver.large_bodies import worked_out
from dray.apiserver.structure import Body, json_type, read_json, unrecognized

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
    complaints = (document.complaint,) if document.complaint else ()
    return Body(document.value, complaints=complaints, yaml=data)


READERS: Final[Mapping[str, Callable[[bytes, str], Body]]] = {
    JSON: read_json,
    YAML: _read_yaml,
    PROTOBUF: _read_protobuf,
}
"""By media type: from the bytes of a body and the name of the kind wanted. Each raises BadRequest."""


async def read_configuration(request: web.BaseRequest) -> Body:
    """The body of a server-side apply: YAML, or JSON, which is YAML. Raises as `read` does, and BadRequest."""
    data = await read(request)
    return await worked_out(len(data), lambda: configuration(data))


_JSON_ONLY: Final = re.compile(
    rb"[\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\xef\xbb\xbf|\xef\xbf[\xbe\xbf]|\\u[dD][89a-fA-F]|\\/"
)
"""What may stand in JSON and means something else in YAML, or nothing at all."""


def configuration(data: bytes) -> Body:
    """What the body of a server-side apply says. Raises BadRequest."""
    tree = _plain_configuration(data) if _JSON_ONLY.search(data) is None else None
    if tree is not None:
        return Body(as_numbers(tree))
    try:
        document = read_yaml(data)
    except BadYaml as error:
        raise errors.BadRequest(f"error decoding YAML: error converting YAML to JSON: {error}") from None
    if document.value is not None and not isinstance(document.value, dict):
        why = f"json: cannot unmarshal {json_type(document.value)} into Go value of type map[string]interface {{}}"
        raise errors.BadRequest(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")
    return Body(as_numbers(document.value), complaints=(document.complaint,) if document.complaint else ())


def _plain_configuration(data: bytes) -> dict[str, Any] | None:
    """A JSON object in which no member is given twice; None for whatever else."""
    try:
        tree = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return tree if isinstance(tree, dict) and not has_duplicates(data) else None


def as_numbers(value: Any) -> Any:
    """`value` with its numbers as YAML has them here: whole ones as such, those that 64 bits do not hold as floats."""
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = as_numbers(item)
    elif isinstance(value, list):
        value[:] = map(as_numbers, value)
    elif value.__class__ is float:
        return go_text.reread(value)
    elif value.__class__ is int and not -(2**63) <= value < 2**63:
        return float(value)
    return value

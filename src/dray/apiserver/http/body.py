"""Request bodies: JSON, YAML or Kubernetes protobuf, read into one form."""

import functools
from collections.abc import Callable
from typing import Any, Final

import orjson
from aiohttp import web

from dray.api import errors
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


async def read_object(request: web.BaseRequest, kind_name: str) -> Body:
    """Raises UnsupportedMediaType, RequestEntityTooLarge, or BadRequest for a body that cannot be read."""
    kind_of_body = content_type(request)
    if kind_of_body not in (JSON, YAML, PROTOBUF):
        raise errors.UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: "
            f"{JSON}, {YAML}, {PROTOBUF}"
        )
    data = await read(request)
    if kind_of_body == JSON:
        return read_json(data, kind_name)
    return _read_yaml(data, kind_name) if kind_of_body == YAML else _read_protobuf(data, kind_name)


def _read_protobuf(data: bytes, kind_name: str) -> Body:
    from dray.wire.protobuf import ProtobufError, decode_object  # here: most requests are JSON

    try:
        return Body(decode_object(data))
    except ProtobufError as error:
        raise unrecognized(data, kind_name, str(error)) from None


def _read_yaml(data: bytes, kind_name: str) -> Body:
    return Body(load_yaml(data, lambda why: unrecognized(data, kind_name, f"yaml: {why}")))


def load_yaml(data: bytes, refuse: Callable[[str], errors.StatusError]) -> Any:
    """The JSON value of a YAML text (or of JSON, which is YAML). Raises what `refuse` makes of the complaint."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    import yaml  # here: most requests are JSON

    try:
        return yaml.load(data, Loader=_json_loader())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise refuse(f"line {line}: {_in_go_words(error.problem or '')}") from None
    except yaml.YAMLError as error:
        raise refuse(str(error)) from None


def _in_go_words(problem: str) -> str:
    if problem.startswith("expected the node content"):
        return "did not find expected node content"
    return problem


@functools.cache
def _json_loader() -> Any:
    """A YAML loader that gives JSON values only: no dates, and every key a string."""
    import yaml

    class JsonLoader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            pairs = super().construct_mapping(node, deep=deep)
            return {key if isinstance(key, str) else _key(key): value for key, value in pairs.items()}

    JsonLoader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return JsonLoader


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)

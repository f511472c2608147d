"""How answers are put on the wire: bodies, Status errors, Warning headers, compression."""

import gzip
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from dray.api import errors
from dray.api.meta import Object
from dray.apiserver.http.negotiation import JSON, YAML, speaks_yaml
from dray.kits import go_json

COMPRESS_FROM: Final = 128 * 1024
"""Bytes from which an answer is compressed for a client that accepts it: below, the time costs more than it saves."""

LONGEST_WARNINGS: Final = 4096
LONGEST_WARNING: Final = 256
"""Characters of all warnings of an answer, and of each where those are too many: webhooks may say what they like."""

NOT_CACHED: Final = "no-cache, private"
PLAIN_TEXT: Final = "text/plain; charset=utf-8"


def answer(
    body: bytes,
    *,
    status: int = 200,
    content_type: str = JSON,
    warnings: Sequence[str] = (),
    request: web.BaseRequest | None = None,
) -> web.Response:
    response = web.Response(body=body, status=status)
    headers = response.headers
    headers["Content-Type"] = content_type
    headers["Cache-Control"] = NOT_CACHED
    for warning in bounded(warnings):
        headers.add("Warning", warning_header(warning))
    if request is not None and len(body) >= COMPRESS_FROM:
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            response.body = gzip.compress(body, compresslevel=1)
    return response


def json_answer(
    value: Any, *, status: int = 200, warnings: Sequence[str] = (), accept: str = ""
) -> web.Response:
    """In YAML where `accept` asks for that."""
    if not speaks_yaml(accept):
        return answer(go_json.encode(value, is_line=True), status=status, warnings=warnings)
    from dray.api.schema.go_yaml import to_yaml  # here: only a client that asks for YAML pays for it

    return answer(to_yaml(value), status=status, content_type=YAML, warnings=warnings)


def text_answer(text: str, status: int = 200, content_type: str = PLAIN_TEXT) -> web.Response:
    return answer(text.encode(), status=status, content_type=content_type)


def error_answer(error: errors.StatusError, warnings: Sequence[str] = (), accept: str = "") -> web.Response:
    """`accept`: the forms that the client reads."""
    response = json_answer(error.status, status=error.status_code, warnings=warnings, accept=accept)
    if error.retry_after_seconds:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def page_not_found() -> web.Response:
    """What Kubernetes says of a path nobody serves: not a Status."""
    response = text_answer("404 page not found\n", 404)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def too_many_requests() -> web.Response:
    """To those that come on top of as many as are answered at once: not a Status, either."""
    response = text_answer("Too many requests, please try again later.\n", 429)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Retry-After"] = "1"
    return response


def resource_not_found() -> errors.NotFound:
    """A group version is served, but not this resource of it."""
    return errors.NotFound("the server could not find the requested resource", details={})


def method_not_allowed() -> errors.MethodNotAllowed:
    return errors.MethodNotAllowed(
        "the server does not allow this method on the requested resource", details={}
    )


def success(details: Object) -> Object:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def bounded(warnings: Sequence[str]) -> list[str]:
    """Each warning once; all cut short, and the last left out, where together they are too long for headers."""
    texts = [text for text in dict.fromkeys(warnings) if text]
    if sum(map(len, texts)) <= LONGEST_WARNINGS:
        return texts
    shown: list[str] = []
    written = 0
    for text in texts:
        if written >= LONGEST_WARNINGS:
            break
        shown.append(text[:LONGEST_WARNING])
        written += len(shown[-1])
    return shown


def warning_header(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    printable = "".join(char if char.isprintable() else " " for char in escaped)
    return f'299 - "{printable}"'

"""What an answer says that is on its way: its document as JSON, and the Status it may be."""

import gzip
from typing import Any, Final

import orjson
from aiohttp import web

from dray.api import errors
from dray.api.meta import Object
from dray.apiserver.http.negotiation import JSON, YAML, check_document
from dray.kits import go_json

_STATUS: Final = b'{"kind":"Status","apiVersion":"v1"'
_NAMED: Final = b'"Status"'
_HEAD: Final = 64
"""Bytes in which a document says what it is, laid out for people or not."""

_STATUS_YAML: Final = b"kind: Status\n"
_SHORT: Final = 64 * 1024
"""A Status in YAML is hardly longer; what is longer is read only where all of it is wanted."""
_TOLD: Final = ("status", "message", "reason", "details")


def document_of(response: web.StreamResponse, accept: str, *, is_whole: bool) -> bytes | None:
    """The body as JSON; None where it is no document of the API, or one that the client said it does not read.

    `is_whole`: wanted even if it is no Status.
    """
    body = response.body if isinstance(response, web.Response) else None
    if not isinstance(body, bytes) or not body:
        return None
    media_type = response.headers.get("Content-Type", "").partition(";")[0]
    if media_type not in (JSON, YAML) or (response.status >= 400 and not _is_read(accept)):
        return None
    if response.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body) if is_whole else b""
    if media_type == YAML:
        return _from_yaml(body) if is_whole or (len(body) < _SHORT and _STATUS_YAML in body) else None
    if not body or not (is_whole or _NAMED in body[:_HEAD]):
        return None
    return _on_one_line(body)


def _on_one_line(body: bytes) -> bytes:
    line = body.removesuffix(b"\n")
    return go_json.encode(orjson.loads(line)) if b"\n" in line else line


def _is_read(accept: str) -> bool:
    """Whether a refusal has a form that the client reads: else Kubernetes sends it, but does not tell of it."""
    try:
        check_document(accept)
    except errors.NotAcceptable:
        return False
    return True


def _from_yaml(body: bytes) -> bytes | None:
    from dray.api.schema.yaml_text import BadYaml, from_yaml  # here: hardly anybody asks for YAML

    try:
        value = from_yaml(body)
    except BadYaml:
        return None
    if isinstance(value, dict):
        first = {key: value[key] for key in ("kind", "apiVersion") if key in value}
        value = first | value
    return go_json.encode(value)


def checked(document: bytes) -> bytes | None:
    """One that another server may have made, on one line; None where it is no JSON."""
    try:
        return go_json.encode(orjson.loads(document))
    except orjson.JSONDecodeError:
        return None


def is_status(document: bytes) -> bool:
    return document.startswith(_STATUS)


def status_of(document: bytes, code: int) -> Object:
    """What an Event says of a Status."""
    status = orjson.loads(document)
    told = {key: status[key] for key in _TOLD if key in status}
    return {"metadata": {}, **told, "code": code}


def bare(document: bytes) -> bytes:
    """Without who owns which field."""
    return go_json.encode(without_managed_fields(orjson.loads(document)))


def without_managed_fields(value: Any) -> Any:
    """An object, list or table, new where it is changed."""
    if not isinstance(value, dict):
        return value
    changed = _bare(value)
    if isinstance(items := value.get("items"), list):
        changed = {**changed, "items": [_bare(item) for item in items]}
    if isinstance(rows := value.get("rows"), list) and value.get("kind") == "Table":
        changed = {**changed, "rows": [{**row, "object": _bare(row.get("object"))} for row in rows]}
    return changed


def _bare(obj: Any) -> Any:
    meta = obj.get("metadata") if isinstance(obj, dict) else None
    if not isinstance(meta, dict) or "managedFields" not in meta:
        return obj
    return {**obj, "metadata": {key: value for key, value in meta.items() if key != "managedFields"}}

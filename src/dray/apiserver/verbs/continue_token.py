"""The token with which a client asks for the next page of a list: which revision it reads, and after which object.

Clients can make tokens up, so one is checked like any other input. The texts are Kubernetes' own; source:
apiserver/pkg/storage/continue.go.
"""

import base64
import posixpath
import re
from typing import Any, Final

import orjson

from dray.api import errors
from dray.api.schema import go_text
from dray.api.schema.inspection import syntax_error

_VERSION: Final = "meta.k8s.io/v1"
_ALPHABET: Final = re.compile(r"[A-Za-z0-9_-]*")
_STRUCT: Final = "Go struct field continueToken"
_GO_NAMES: Final = {"map": "object", "slice": "array", "int64": "number", "float64": "number"}


def encode_continue(revision: int, path: str) -> str:
    token = orjson.dumps({"v": _VERSION, "rv": revision, "start": path})
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def decode_continue(token: str) -> tuple[int | None, str]:
    """The revision (None: the present one) and the last path that was told. Raises BadRequest."""
    data = _decoded(token)
    try:
        value = orjson.loads(data)
    except ValueError:
        raise _invalid(syntax_error(data, is_newer=True)) from None
    if value is not None and not isinstance(value, dict):
        raise _invalid(f"json: cannot unmarshal {_kind(value)} into Go value of type storage.continueToken")
    revision, start = _checked(value or {})
    return (revision if revision > 0 else None), start


def _decoded(token: str) -> bytes:
    matched = _ALPHABET.match(token)
    good = matched.end() if matched else 0
    if good == len(token) and good % 4 != 1:
        return base64.urlsafe_b64decode(token + "=" * (-good % 4))
    raise _invalid(f"illegal base64 data at input byte {min(good, len(token) - 1)}")


def _checked(value: dict[str, Any]) -> tuple[int, str]:
    version, revision, start = (value.get(name) for name in ("v", "rv", "start"))
    for name, text in (("v", version), ("start", start)):
        if text is not None and not isinstance(text, str):
            raise _invalid(f"json: cannot unmarshal {_kind(text)} into {_STRUCT}.{name} of type string")
    if revision is not None and (revision.__class__ is not int or revision >= 2**63):
        shown = f"number {go_text.show(revision)}" if isinstance(revision, float | int) else _kind(revision)
        raise _invalid(f"json: cannot unmarshal {shown} into {_STRUCT}.rv of type int64")
    if version != _VERSION:
        raise _invalid(f"server does not recognize this encoded version {version or ''}")
    if not revision:
        raise _invalid(f"incorrect encoded start resourceVersion (version {_VERSION})")
    if not start:
        raise _invalid(f"encoded start key empty (version {_VERSION})")
    if f"/{start.lstrip('/')}" != posixpath.normpath(f"/{start.lstrip('/')}"):
        raise _invalid(start)
    return revision, start.lstrip("/")


def _kind(value: Any) -> str:
    kind = go_text.kind_name(value)
    return _GO_NAMES.get(kind, kind)


def _invalid(why: str) -> errors.BadRequest:
    return errors.BadRequest(f"invalid continue token: continue key is not valid: {why}")

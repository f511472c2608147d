"""What a URL is about: which resource and verb, or which other path. Nothing is looked up here."""

import dataclasses
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

_VERBS: Final = {
    "POST": "create",
    "GET": "get",
    "HEAD": "get",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_NAMESPACE_SUBRESOURCES: Final = frozenset({"status", "finalize"})


@dataclasses.dataclass(frozen=True, slots=True)
class RequestInfo:
    path: str
    method: str
    verb: str
    """As RBAC names it; for other paths the HTTP method in lower case."""
    is_resource: bool = False
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    is_watch: bool = False
    is_deeper: bool = False
    """Whether the path goes on where nothing is: below a subresource that is no proxy, or below a watch."""


def parse(method: str, path: str, *, watch: bool = False) -> RequestInfo:
    """`path` as sent, still escaped; `watch`: the query asks for a watch."""
    parts = _split(path)
    rest: Sequence[str] = ()
    if len(parts) > 2 and parts[0] in ("api", "apis"):
        group, version, rest = _group_version(parts)
    if not rest:
        return RequestInfo(path, method, method.lower())
    is_watch_path = rest[0] == "watch" and len(rest) > 1
    if is_watch_path:
        rest = rest[1:]
    namespace, rest = _namespace(rest)
    resource, name, subresource = _place(rest)
    # A query may turn a list into a watch, but not the reading of one object.
    asks_watch = watch and not name and method in ("GET", "HEAD")
    is_watch = (is_watch_path or asks_watch) and not subresource
    return RequestInfo(
        path,
        method,
        _verb(method, name, is_watch),
        True,
        group,
        version,
        resource,
        subresource,
        namespace or (name if resource == "namespaces" else ""),
        name,
        is_watch,
        (len(rest) > 3 and subresource != "proxy") or (is_watch_path and bool(subresource)),
    )


def _split(path: str) -> list[str]:
    """Like Kubernetes: an escaped slash is a slash, and between two slashes there is a part that is empty."""
    inner = unquote(path).strip("/")
    return inner.split("/") if inner else []


def _group_version(parts: Sequence[str]) -> tuple[str, str, Sequence[str]]:
    if parts[0] == "api":
        return "", parts[1], parts[2:]
    return parts[1], parts[2], parts[3:]


def _namespace(rest: Sequence[str]) -> tuple[str, Sequence[str]]:
    """`namespaces/NS/pods` is about pods, `namespaces/NS` and its own subresources about a namespace."""
    if rest[0] != "namespaces" or len(rest) < 3 or rest[2] in _NAMESPACE_SUBRESOURCES:
        return "", rest
    return rest[1], rest[2:]


def _place(rest: Sequence[str]) -> tuple[str, str, str]:
    name = rest[1] if len(rest) > 1 else ""
    return rest[0], name, rest[2] if len(rest) > 2 else ""


def _verb(method: str, name: str, is_watch: bool) -> str:
    verb = _VERBS.get(method, "")
    if is_watch:
        return "watch"
    if name:
        return verb
    return {"get": "list", "delete": "deletecollection"}.get(verb, verb)

"""Paths on their way through a proxy: which part is the backend's, and how the backend's own are shown to the client.

Paths are the bytes that a URL's escapes stand for, as kube-apiserver has them: an escaped slash becomes a slash.
"""

import dataclasses
import posixpath
import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes, urlsplit

from dray.api import errors, fields

_NOT_ESCAPED: Final = "$&+,/:;=@-_.~"
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})(.{0,2})", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class ProxyPath:
    """One request's path, split at `proxy`."""

    asked: bytes
    """The whole of it."""
    named: bytes
    """What follows `proxy`, as admission sees it; empty where nothing does."""
    backend: bytes
    """That without `.`, `..` and empty parts; empty where nothing follows."""

    @property
    def outside(self) -> bytes:
        """What a client must put before a path of the backend."""
        is_listing = self.asked.endswith(b"/") and not self.backend.endswith(b"/")
        return self.asked.removesuffix(self.backend + b"/" if is_listing else self.backend)

    @property
    def sent(self) -> str:
        """The path of the request to the backend."""
        return escaped(self.backend or b"/")

    @property
    def forwarded(self) -> str:
        """What the backend is told that the client has asked for."""
        backend = self.backend or b"/"
        joined = _joined(self.outside, escaped(backend).encode())
        return (joined + b"/" if backend.endswith(b"/") else joined).decode("utf-8", "replace")


def proxy_path(raw: str, *, before: int) -> ProxyPath:
    """`raw` is the path as sent; `before` says how many parts lead up to `proxy`, which counts."""
    asked = unquote_to_bytes(raw)
    parts = asked.strip(b"/").split(b"/")
    named = b"/".join(parts[before:])
    if named and not named.startswith(b"/"):
        named = b"/" + named
    if asked.endswith(b"/") and not named.endswith(b"/"):
        named += b"/"
    if not named:
        return ProxyPath(asked, b"", b"")
    backend = _cleaned(named)
    if named.endswith(b"/") and not backend.endswith(b"/"):
        backend += b"/"
    return ProxyPath(asked, named, backend)


def escaped(path: bytes) -> str:
    return quote(path, safe=_NOT_ESCAPED)


@dataclasses.dataclass(frozen=True, slots=True)
class WayBack:
    """How the client reaches what the backend speaks of."""

    path: ProxyPath
    backend: str
    """The host that the request was sent to."""
    asked: str
    """The host that the client named."""

    def shown(self, location: str) -> str:
        """A URL of the backend's own as one below the proxy; any other as it is."""
        try:
            url = urlsplit(location)
        except ValueError:
            return location
        if url.netloc not in ("", self.backend, self.asked) or not url.path.startswith("/"):
            return location
        inside, outside = unquote_to_bytes(url.path), self.path.outside
        if not inside.startswith(outside):
            joined = _joined(outside, inside)
            inside = joined + b"/" if inside.endswith(b"/") else joined
        host = f"{url.scheme}://{url.netloc}" if url.scheme and url.netloc == self.asked else ""
        query = f"?{url.query}" if url.query else ""
        return host + escaped(inside) + query + (f"#{url.fragment}" if url.fragment else "")


def check_location(location: str) -> None:
    """Raises InternalError for what no client could follow."""
    problem = ""
    if (bad := _BAD_ESCAPE.search(location)) is not None:
        problem = f"invalid URL escape {fields.quote(bad.group())}"
    elif location.startswith(":"):
        problem = "missing protocol scheme"
    if problem:
        text = f"error trying to parse Location header: parse {fields.quote(location)}: {problem}"
        raise errors.InternalError(
            f"Internal error occurred: {text}", details={"causes": [{"message": text}]}
        )


def _joined(*parts: bytes) -> bytes:
    return _cleaned(b"/".join(part for part in parts if part))


def _cleaned(path: bytes) -> bytes:
    return b"/" + posixpath.normpath(path).lstrip(b"/")

"""URLs as Go's net/url splits and unescapes them, with its words for what is wrong.

Knows the parts that CEL can ask for: scheme, host, port, path and query. Nothing is fetched or resolved.
"""

import re
from typing import NamedTuple

from dray.api.fields import quote
from dray.cel.errors import EvalFailure

_UNRESERVED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~")
_PATH_PLAIN = _UNRESERVED | frozenset(b"$&+,/:;=@")
_PATH_ENCODED = _PATH_PLAIN | frozenset(b"!'()*[]%")
_HOST_PLAIN = _UNRESERVED | frozenset(b"!$&'()*+,;=:[]<>\"")
_USERINFO = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_PORT = re.compile(r"(?::[0-9]*)?")
_HEX_PAIR = re.compile(rb"%[0-9a-fA-F]{2}")


class _Unparsable(Exception):
    pass


class URL(NamedTuple):
    """`path` is unescaped; `raw_path` is the path as written where that is another escaping than the usual one."""

    scheme: str
    opaque: str
    user: str
    host: str
    path: str
    raw_path: str
    query: str
    question_mark: bool
    fragment: str

    @property
    def hostname(self) -> str:
        return self._split_host()[0]

    @property
    def port(self) -> str:
        return self._split_host()[1]

    def _split_host(self) -> tuple[str, str]:
        host, colon, port = self.host.rpartition(":")
        if not colon or not _PORT.fullmatch(":" + port):
            host, port = self.host, ""
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        return host, port

    @property
    def escaped_path(self) -> str:
        if self.raw_path and _is_encoded_path(self.raw_path):
            return self.raw_path
        return "*" if self.path == "*" else _escape_path(self.path)

    @property
    def query_values(self) -> dict[str, list[str]]:
        """All values of each key, in order; parts that cannot be read are left out."""
        values: dict[str, list[str]] = {}
        for part in self.query.split("&"):
            if not part or ";" in part:
                continue
            key, _, value = part.partition("=")
            try:
                key, value = (_unescape(text.replace("+", " ")) for text in (key, value))
            except _Unparsable:
                continue
            values.setdefault(key, []).append(value)
        return values

    def __str__(self) -> str:
        """A text that is the same for two URLs exactly when upstream's is."""
        head = f"{self.scheme}:" if self.scheme else ""
        body = self.opaque
        if not body:
            authority = f"//{self.user and self.user + '@'}{self.host}" if self.host or self.user else ""
            body = authority + self.escaped_path
        query = f"?{self.query}" if self.query or self.question_mark else ""
        return head + body + query + (f"#{self.fragment}" if self.fragment else "")


def parse_url(text: str) -> URL:
    """An absolute URL or path. Raises EvalFailure with upstream's words."""
    why = request_uri_fault(text)
    if why is None:
        before, _, fragment = text.partition("#")
        try:
            return _parse(before, via_request=False)._replace(fragment=_unescape(fragment))
        except _Unparsable as error:
            why = f"parse {quote(before)}: {error}"
    raise EvalFailure(f"URL parse error during conversion from string: {why}")


def request_uri_fault(text: str) -> str | None:
    """Why `text` is no absolute URL or path, or None if it is one."""
    try:
        _parse(text, via_request=True)
    except _Unparsable as error:
        return f"parse {quote(text)}: {error}"
    return None


def _parse(text: str, *, via_request: bool) -> URL:
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        raise _Unparsable("net/url: invalid control character in URL")
    if not text and via_request:
        raise _Unparsable("empty url")
    if text == "*":
        return URL("", "", "", "", "*", "", "", False, "")
    scheme, rest = _scheme(text)
    scheme = scheme.lower()
    rest, mark, query = rest.partition("?")
    question_mark = bool(mark) and not query
    if not rest.startswith("/"):
        if scheme:
            return URL(scheme, rest, "", "", "", "", query, question_mark, "")
        if via_request:
            raise _Unparsable("invalid URI for request")
        if ":" in rest.partition("/")[0]:
            raise _Unparsable("first path segment in URL cannot contain colon")
    user = host = ""
    if rest.startswith("//") and (scheme or (not via_request and not rest.startswith("///"))):
        authority, slash, path = rest[2:].partition("/")
        rest = slash + path
        user, host = _authority(authority)
    path = _unescape(rest)
    raw_path = "" if _escape_path(path) == rest else rest
    return URL(scheme, "", user, host, path, raw_path, query, question_mark, "")


def _scheme(text: str) -> tuple[str, str]:
    for index, char in enumerate(text):
        if char.isascii() and char.isalpha():
            continue
        if (char.isascii() and char.isdigit()) or char in "+-.":
            if index == 0:
                break
        elif char == ":":
            if index == 0:
                raise _Unparsable("missing protocol scheme")
            return text[:index], text[index + 1 :]
        else:
            break
    return "", text


def _authority(text: str) -> tuple[str, str]:
    user, at, host = text.rpartition("@")
    host = _host(host)
    if not at:
        return "", host
    if not _USERINFO.fullmatch(user):
        raise _Unparsable("net/url: invalid userinfo")
    return ":".join(_unescape(part) for part in user.split(":", 1)), host


def _host(text: str) -> str:
    if text.startswith("["):
        close = text.rfind("]")
        if close < 0:
            raise _Unparsable("missing ']' in host")
        port = text[close + 1 :]
    else:
        colon = text.rfind(":")
        port = text[colon:] if colon >= 0 else ""
    if not _PORT.fullmatch(port):
        raise _Unparsable(f"invalid port {quote(port)} after host")
    return _unescape(text, host=True)


def _unescape(text: str, *, host: bool = False) -> str:
    data = text.encode()
    out = bytearray()
    index = 0
    while index < len(data):
        byte = data[index]
        if byte == 0x25:
            if not _HEX_PAIR.match(data, index):
                raise _Unparsable(f"invalid URL escape {_shown(data[index : index + 3])}")
            value = int(data[index + 1 : index + 3], 16)
            if host and value < 0x80 and value != 0x25:
                raise _Unparsable(f"invalid URL escape {_shown(data[index : index + 3])}")
            out.append(value)
            index += 3
            continue
        if host and byte < 0x80 and byte not in _HOST_PLAIN:
            raise _Unparsable(f"invalid character {_shown(data[index : index + 1])} in host name")
        out.append(byte)
        index += 1
    return out.decode("utf-8", "replace")


def _shown(data: bytes) -> str:
    return quote(data.decode("utf-8", "replace"))


def _escape_path(path: str) -> str:
    return "".join(chr(byte) if byte in _PATH_PLAIN else f"%{byte:02X}" for byte in path.encode())


def _is_encoded_path(path: str) -> bool:
    return all(byte in _PATH_ENCODED for byte in path.encode())

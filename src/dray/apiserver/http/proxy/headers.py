"""Headers on their way through a proxy: those of one connection end here, those of a reverse proxy are added."""

from collections.abc import Iterator, Mapping
from typing import Final

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from dray.apiserver.http.proxy.paths import ProxyPath
from dray.apiserver.http.responses import NOT_CACHED

_OF_ONE_CONNECTION: Final = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_FOR_THIS_SERVER: Final = frozenset({"authorization", "expect", "host"})
"""What the client proves who it is with is none of the backend's business."""
_IDENTITY: Final = (
    "impersonate-user", "impersonate-group", "impersonate-uid", "impersonate-extra-",
    "x-remote-user", "x-remote-group", "x-remote-uid", "x-remote-extra-",
)  # fmt: skip
_CORS: Final = frozenset(
    f"access-control-allow-{part}" for part in ("credentials", "headers", "methods", "origin")
)
_SNIFFED: Final = 512
_MARKUP: Final = (
    b"<!doctype html", b"<html", b"<head", b"<script", b"<iframe", b"<h1", b"<div", b"<font", b"<table", b"<a",
    b"<style", b"<title", b"<b", b"<body", b"<br", b"<p", b"<!--",
)  # fmt: skip
_BINARY: Final = frozenset({*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)})


def forwarded(request: web.BaseRequest, path: ProxyPath) -> CIMultiDict[str]:
    """What the backend is sent."""
    dropped = _OF_ONE_CONNECTION | _listed(request.headers)
    headers: CIMultiDict[str] = CIMultiDict(
        (name, value) for name, value in _passed(request) if name.lower() not in dropped
    )
    if "trailers" in request.headers.get("TE", "").lower():
        headers["Te"] = "trailers"
    headers["Host"] = request.headers.get("Host", "")
    headers["X-Forwarded-Uri"] = path.forwarded
    _add_client(headers, request)
    return headers


def upgraded(request: web.BaseRequest) -> CIMultiDict[str]:
    """What the backend is sent where the connection itself is handed through."""
    headers: CIMultiDict[str] = CIMultiDict(Host=request.headers.get("Host", ""))
    headers.extend((name, value) for name, value in _passed(request) if name.lower() != "content-length")
    _add_client(headers, request)
    return headers


def _passed(request: web.BaseRequest) -> Iterator[tuple[str, str]]:
    for name, value in request.headers.items():
        lower = name.lower()
        if lower not in _FOR_THIS_SERVER and not lower.startswith(_IDENTITY):
            yield name, value


def _add_client(headers: CIMultiDict[str], request: web.BaseRequest) -> None:
    known = [*headers.popall("X-Forwarded-For", []), request.remote or ""]
    headers["X-Forwarded-For"] = ", ".join(filter(None, known))


def answered(answer: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """What the client gets of the backend's headers."""
    dropped = _OF_ONE_CONNECTION | _listed(answer) | _CORS
    headers: CIMultiDict[str] = CIMultiDict({"Cache-Control": NOT_CACHED})
    headers.extend((name, value) for name, value in answer.items() if name.lower() not in dropped)
    return headers


def _listed(headers: Mapping[str, str]) -> frozenset[str]:
    """Further headers that a message says are of its connection alone."""
    return frozenset(part.strip().lower() for part in headers.get("Connection", "").split(","))


def guessed_type(data: bytes) -> str:
    """The media type of a body that comes without one, by its first bytes."""
    start = data[:_SNIFFED].lstrip(b"\t\n\x0c\r ")
    lower = start.lower()
    if any(lower.startswith(tag) and lower[len(tag) : len(tag) + 1] in (b" ", b">") for tag in _MARKUP):
        return "text/html; charset=utf-8"
    if any(byte in _BINARY for byte in data[:_SNIFFED]):
        return "application/octet-stream"
    return "text/plain; charset=utf-8"

"""Answers laid out for people to read: with line breaks, for curl, Wget, browsers and whoever asks for `pretty`.

As kube-apiserver does, discovery, resources and Statuses are; OpenAPI, keys of tokens, watches and what comes from a
kubelet or through a proxy are sent as they are.
"""

import gzip
from typing import Final

import orjson
from aiohttp import web

from dray.apiserver.http.negotiation import JSON
from dray.apiserver.large_bodies import worked_out
from dray.apiserver.options import Query, first
from dray.kits import go_json

_PEOPLES: Final = ("curl", "Wget", "Mozilla/5.0")
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_AS_THEY_ARE: Final = ("/openapi/", "/.well-known/", "/openid/")


def indented(body: bytes) -> bytes:
    return go_json.encode(orjson.loads(body), indented=True)


def is_for_people(request: web.BaseRequest, query: Query) -> bool:
    if wish := first(query, "pretty"):
        return wish in _TRUE
    return request.headers.get("User-Agent", "").startswith(_PEOPLES)


async def lay_out(response: web.StreamResponse, request: web.BaseRequest) -> None:
    """Change the body of an answer that is not sent yet, where it is one of those that are laid out."""
    headers = response.headers
    if (
        not isinstance(response, web.Response)
        or not isinstance(response.body, bytes)
        or headers.get("Content-Type", "").partition(";")[0] != JSON
        or "Upgrade" in request.headers  # the refusal may be another server's
        or request.rel_url.raw_path.startswith(_AS_THEY_ARE)
    ):
        return
    body, is_compressed = response.body, "Content-Encoding" in headers

    def work() -> bytes:
        if is_compressed:
            return gzip.compress(indented(gzip.decompress(body)), compresslevel=1)
        return indented(body)

    response.body = await worked_out(len(body), work)

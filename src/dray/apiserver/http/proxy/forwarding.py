"""A request passed on to a pod, a service or a node, and the answer on its way back, as both come.

Nothing is kept of either but pages of HTML, and those up to a size. There is no limit on time either, once a connection
stands: the client leaves when it has waited enough, and the backend's connection with it.
"""

import ssl
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from dray.api import errors
from dray.api.resources import NODES
from dray.apiserver.access import Attributes
from dray.apiserver.core import Call
from dray.apiserver.endpoint import Endpoint, dial_failure
from dray.apiserver.http.proxy.answers import Answer
from dray.apiserver.http.proxy.headers import forwarded, upgraded
from dray.apiserver.http.proxy.paths import ProxyPath, WayBack, escaped, proxy_path
from dray.apiserver.http.proxy.targets import locate
from dray.apiserver.http.responses import NOT_CACHED
from dray.apiserver.http.upgrade import Refused, hand_through
from dray.apiserver.options import Query
from dray.apiserver.verbs.connect import admit_proxy

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CONNECT_SECONDS: Final = 30
_PARTS_BEFORE: Final = {True: 7, False: 5}
"""Of a URL up to `proxy`, of namespaced resources and others."""


class Proxies:
    """The server's connections to backends. `kubelet_ssl` has the certificate that it shows to kubelets."""

    def __init__(self, kubelet_ssl: ssl.SSLContext | None = None) -> None:
        self._kubelet_ssl = kubelet_ssl
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def serve(self, call: Call, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        """Raises BadRequest, NotFound, ServiceUnavailable, what admission says, or a 500 for a failed upgrade."""
        path = proxy_path(request.rel_url.raw_path, before=_PARTS_BEFORE[call.kind.resource.namespaced])
        is_upgrade = "upgrade" in request.headers.get("Connection", "").lower()
        if is_upgrade and call.kind.resource == NODES:
            _authorize_streams(call)
        await admit_proxy(call, query, path.named.decode("utf-8", "replace"))
        endpoint = await locate(call, self._kubelet_ssl)
        if is_upgrade:
            # Without the query, as Kubernetes does it.
            return await _upgrade(request, endpoint, path.sent)
        if not path.backend and request.method in ("GET", "HEAD"):
            return _to_the_root(path, request)
        try:
            return await self._forward(request, endpoint, path)
        except (aiohttp.ClientError, OSError) as error:
            raise errors.ServiceUnavailable(
                f"error trying to reach service: {_failure(endpoint, error)}"
            ) from error

    async def _forward(
        self, request: web.BaseRequest, endpoint: Endpoint, path: ProxyPath
    ) -> web.StreamResponse:
        headers = forwarded(request, path)
        is_unpacked = _asks_for_packing(request, headers)
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        async with self._client().request(
            request.method,
            URL(endpoint.url(_with_query(path.sent, request)), encoded=True),
            headers=headers,
            data=request.content if request.body_exists else None,
            ssl=endpoint.ssl_context or True,
            allow_redirects=False,
        ) as answer:
            back = WayBack(path, endpoint.authority, request.headers.get("Host", ""))
            return await Answer(request, answer, back, is_unpacked=is_unpacked).send()

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            )
        return self._session


def _authorize_streams(call: Call) -> None:
    """A WebSocket to a kubelet begins with a GET, but may run a program: that is no reading."""
    resource = call.resource
    call.core.authorize(
        Attributes(
            call.user, "create", resource.group, resource.version, resource.plural, "proxy", name=call.name
        )
    )


def _with_query(path: str, request: web.BaseRequest) -> str:
    _, mark, query = request.raw_path.partition("?")
    return path + mark + query if query else path


def _to_the_root(path: ProxyPath, request: web.BaseRequest) -> web.Response:
    """Relative links would lead astray without the slash."""
    location = _with_query(f"{escaped(path.asked)}/", request)
    return web.Response(status=301, headers={"Location": location, "Cache-Control": NOT_CACHED})


def _asks_for_packing(request: web.BaseRequest, headers: CIMultiDict[str]) -> bool:
    """Whether the backend is offered a compression that the client has not asked for, and shall not see."""
    if request.method == "HEAD" or "Accept-Encoding" in headers or "Range" in headers:
        return False
    headers["Accept-Encoding"] = "gzip"
    return True


async def _upgrade(request: web.BaseRequest, endpoint: Endpoint, path: str) -> web.StreamResponse:
    try:
        return await hand_through(request, endpoint, path, upgraded(request))
    except Refused as refused:
        if refused.status < 400:
            raise errors.StatusError(f"invalid upgrade response: status code {refused.status}") from None
        response = web.Response(status=refused.status, body=refused.body)
        for line in refused.head.decode("utf-8", "replace").split("\r\n")[1:]:
            name, colon, value = line.partition(":")
            if colon and name.lower() not in ("content-length", "transfer-encoding", "connection"):
                response.headers[name] = value.strip()
        response.force_close()
        return response


def _failure(endpoint: Endpoint, error: Exception) -> str:
    """As Go words it."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return dial_failure(endpoint, error.os_error)
    if isinstance(error, aiohttp.ServerTimeoutError | TimeoutError):
        return dial_failure(endpoint, TimeoutError())
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    if isinstance(error, aiohttp.ClientResponseError):
        return "net/http: HTTP/1.x transport connection broken: malformed HTTP response"
    return str(error) or type(error).__name__

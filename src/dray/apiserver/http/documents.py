"""Every path that is not a resource: discovery, version, OpenAPI, health, metrics and the list of paths."""

import functools
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web

from dray.api import zpages
from dray.apiserver import discovery, openapi
from dray.apiserver.authentication.tokens import TokenIssuer
from dray.apiserver.core import Core
from dray.apiserver.health import Health
from dray.apiserver.http import issuer_documents
from dray.apiserver.http.layout import indented
from dray.apiserver.http.negotiation import (
    JSON,
    YAML,
    check_document,
    check_route,
)
from dray.apiserver.http.responses import (
    NOT_CACHED,
    PLAIN_TEXT,
    answer,
    json_answer,
    method_not_allowed,
    page_not_found,
    resource_not_found,
    text_answer,
)
from dray.apiserver.index import Group
from dray.apiserver.options import Query
from dray.apiserver.release import version_document
from dray.kits import go_json
from dray.kits.accept import parse_accept
from dray.kits.metrics import Registry

AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
SWAGGER_PROTOBUF: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"

_WATCHED: Final = ("healthz", "livez", "metrics", "readyz", "version")
"""What /statusz says is there to look at."""

Page = Callable[[web.BaseRequest, Query], Awaitable[web.StreamResponse]]


class Documents:
    def __init__(
        self,
        core: Core,
        health: Health,
        metrics: Registry,
        address: Callable[[], str],
        issuer: TokenIssuer | None = None,
        flags: Mapping[str, str] | None = None,
    ) -> None:
        """`flags`: what the server was started with, for /flagz."""
        self._core = core
        self._health = health
        self._metrics = metrics
        self._address = address
        """The host and port clients reach the server at."""
        self._issuer = issuer
        self._pages: Mapping[str, Page] = {
            "": self._root,
            "api": self._api,
            "apis": self._apis,
            "version": self._version,
            "metrics": self._metrics_text,
        }
        self._zpages: Mapping[str, Page] = {
            name: self._zpage(name) for name, gate in zpages.GATES.items() if core.features.enabled(gate)
        }
        self._component = zpages.Component(
            "apiserver",
            core.clock.now(),
            core.features.release,
            tuple(sorted(f"/{name}" for name in (*_WATCHED, *self._zpages))),
            flags or {},
        )

    async def serve(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        """Raises MethodNotAllowed, NotFound, NotAcceptable."""
        parts = [part for part in request.rel_url.path.split("/") if part]
        head = parts[0] if parts else ""
        page = self._pages.get(head) if len(parts) < 2 else None
        if (
            page is None
            and len(parts) == 1
            and head in self._zpages
            and not request.rel_url.path.endswith("/")
        ):
            page = self._zpages[head]
        if head in ("api", "apis") and page is None:
            page = self._discovery(parts)
        elif head in ("healthz", "livez", "readyz"):
            page = None if request.rel_url.path.endswith("/") else self._check(head, parts[1:])
        elif parts == ["metrics", "slis"]:
            page = self._indicators
        elif parts == ["openapi", "v2"]:
            page = self._older_openapi
        elif parts[:2] == ["openapi", "v3"]:
            page = self._openapi(parts[2:])
        elif page is None and self._issuer is not None:
            page = self._issuer_page(parts)
        if page is None:
            return page_not_found()
        # Some paths were made for one method alone; the others answer whatever the method.
        is_for_get = head in ("api", "version") or (head == "apis" and len(parts) > 2)
        if is_for_get and request.method != "GET":
            raise method_not_allowed()
        return await page(request, query)

    def _issuer_page(self, parts: list[str]) -> Page | None:
        if parts == [".well-known", "openid-configuration"]:
            return self._issuer_configuration
        return self._issuer_keys if parts == ["openid", "v1", "jwks"] else None

    async def _issuer_configuration(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        return issuer_documents.configuration(self._address())

    async def _issuer_keys(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        assert self._issuer is not None
        return issuer_documents.keys(self._issuer)

    # --- discovery

    async def _api(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        if _wants_aggregated(request):
            return self._aggregated(tuple(group for group in self._core.kinds.groups if not group.name))
        check_route(_accept(request))
        check_document(_accept(request))
        return json_answer(discovery.core_versions(self._address()), accept=_accept(request))

    async def _apis(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        groups = tuple(group for group in self._core.kinds.groups if group.name)
        if _wants_aggregated(request):
            return self._aggregated(groups)
        check_document(_accept(request))
        return json_answer(discovery.group_list(groups), accept=_accept(request))

    def _aggregated(self, groups: tuple[Group, ...]) -> web.StreamResponse:
        data, tag = self._aggregated_bytes(groups)
        response = answer(data, content_type=AGGREGATED)
        response.headers["Cache-Control"] = "public"
        response.headers["ETag"] = f'"{tag}"'
        response.headers["Vary"] = "Accept"
        return response

    @functools.cache  # noqa: B019  one server, a handful of entries, the same lifetime
    def _aggregated_bytes(self, groups: tuple[Group, ...]) -> tuple[bytes, str]:
        data = go_json.encode(discovery.aggregated(self._core.kinds, groups), is_line=True)
        return data, hashlib.sha512(data).hexdigest().upper()

    def _discovery(self, parts: list[str]) -> Page | None:
        """/api/v1, /apis/GROUP and /apis/GROUP/VERSION; None where there is no such group."""
        index = self._core.kinds
        group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], "".join(parts[2:3]))
        if not index.has_group(group):
            return None
        if not version:
            (found,) = (entry for entry in index.groups if entry.name == group)
            return _discovered(discovery.group_document(found))
        if not index.has_version(group, version):
            raise resource_not_found()
        return _discovered(discovery.resource_list(index, group, version))

    # --- OpenAPI

    def _openapi(self, parts: list[str]) -> Page | None:
        index = self._core.kinds
        if not parts:
            return _constant(openapi.index(index), content_type=PLAIN_TEXT)
        group, version = ("", parts[-1]) if parts[0] == "api" else ("".join(parts[-2:-1]), parts[-1])
        if len(parts) != (3 if group else 2) or not index.has_version(group, version):
            return _no_document

        async def page(request: web.BaseRequest, query: Query) -> web.StreamResponse:
            return self._openapi_document(request, group, version)

        return page

    def _openapi_document(self, request: web.BaseRequest, group: str, version: str) -> web.StreamResponse:
        tag = f'"{openapi.digest(self._core.kinds, group, version)}"'
        if request.headers.get("If-None-Match") == tag:
            response = web.Response(status=304)
        else:
            response = answer(self._openapi_bytes(group, version), request=request)
        response.headers["ETag"] = tag
        response.headers["Vary"] = "Accept"
        return response

    @functools.cache  # noqa: B019  as above
    def _openapi_bytes(self, group: str, version: str) -> bytes:
        return go_json.encode(openapi.document(self._core.kinds, group, version, self._core.features.release))

    async def _older_openapi(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        """kubectl looks here for what the newer documents lack, such as Lists, and asks for protobuf."""
        is_protobuf = "protobuf" in request.headers.get("Accept", "")
        data, tag = self._older_bytes(is_protobuf)
        if request.headers.get("If-None-Match") == tag:
            response = web.Response(status=304, headers={"Cache-Control": NOT_CACHED})
        else:
            response = answer(data, content_type=SWAGGER_PROTOBUF if is_protobuf else JSON, request=request)
        response.headers["ETag"] = tag
        response.headers["Vary"] = "Accept-Encoding"
        return response

    @functools.cache  # noqa: B019  as above
    def _older_bytes(self, protobuf: bool) -> tuple[bytes, str]:
        """With the tag by which clients know that they have it."""
        kinds, release = self._core.kinds, self._core.features.release
        if protobuf:
            data = openapi.older_protobuf(kinds, release)
        else:
            data = go_json.encode(openapi.older_document(kinds, release))
        return data, f'"{hashlib.sha512(data).hexdigest().upper()}"'

    # --- the rest

    def _zpage(self, name: zpages.ZPage) -> Page:
        async def page(request: web.BaseRequest, query: Query) -> web.StreamResponse:
            found = zpages.answer(name, self._component, self._core.clock.now(), _accept(request))
            return answer(
                found.body, content_type=found.content_type, warnings=found.warnings, request=request
            )

        return page

    async def _root(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        paths = ["/api", "/apis", "/healthz", "/livez", "/metrics", "/metrics/slis", "/readyz", "/version"]
        paths += ["/openapi/v2", "/openapi/v3", *(f"/{name}" for name in self._zpages)]
        if self._issuer is not None:
            paths += ["/.well-known/openid-configuration", "/openid/v1/jwks"]
        for group in self._core.kinds.groups:
            root = f"/apis/{group.name}" if group.name else "/api"
            paths += [root, *(f"{root}/{version}" for version in group.versions)]
        for name in ("healthz", "livez", "readyz"):
            paths += [f"/{name}/{check}" for check in self._health.names(name)]
        return answer(indented(go_json.encode({"paths": sorted(set(paths))})))

    async def _version(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        check_route(_accept(request), (JSON,))
        return answer(indented(go_json.encode(version_document(self._core.features.release))))

    async def _metrics_text(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        return text_answer(self._metrics.render(), content_type=METRICS_TYPE)

    async def _indicators(self, request: web.BaseRequest, query: Query) -> web.StreamResponse:
        return text_answer(self._health.indicators.render(), content_type=METRICS_TYPE)

    def _check(self, endpoint: str, rest: list[str]) -> Page | None:
        name = "/".join(rest)
        if name and name not in self._health.names(endpoint):
            return None

        async def page(request: web.BaseRequest, query: Query) -> web.StreamResponse:
            excluded = frozenset(query.get("exclude") or ())
            report = self._health.report(endpoint, only=name, excluded=excluded)
            text = report.verbose if "verbose" in query or not report.is_ok else "ok"
            response = text_answer(text, 200 if report.is_ok else 500)
            if not name or not report.is_ok:
                response.headers["X-Content-Type-Options"] = "nosniff"
            return response

        return page


def _discovered(document: Any) -> Page:
    """A document of discovery: it is written in YAML, too, and has no other form."""

    async def page(request: web.BaseRequest, query: Query) -> web.StreamResponse:
        path = request.rel_url.path
        if path.startswith("/api/") or path.strip("/").count("/") > 1:  # not that of a whole group
            check_route(_accept(request))
        check_document(_accept(request))
        return json_answer(document, accept=_accept(request))

    return page


def _accept(request: web.BaseRequest) -> str:
    return request.headers.get("Accept", "")


def _constant(document: Any, content_type: str = JSON) -> Page:
    async def page(request: web.BaseRequest, query: Query) -> web.StreamResponse:
        return answer(go_json.encode(document), content_type=content_type, request=request)

    return page


async def _no_document(request: web.BaseRequest, query: Query) -> web.StreamResponse:
    """Below /openapi/v3 there is nothing to read in a refusal, unlike elsewhere."""
    return web.Response(status=404)


def _wants_aggregated(request: web.BaseRequest) -> bool:
    accept = request.headers.get("Accept", "")
    for media in parse_accept(accept):
        parameters = media.parameters
        if parameters.get("as") == "APIGroupDiscoveryList":
            if parameters.get("g") == "apidiscovery.k8s.io" and parameters.get("v") == "v2":
                return True
        elif media.type in (JSON, YAML, "*/*", "application/*"):
            return False
    return False

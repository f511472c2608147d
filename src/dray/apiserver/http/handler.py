"""The one entry of the HTTP server: who asks, may they, and which part answers; every failure becomes a Status."""

import logging
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from aiohttp import web

from dray.api import errors
from dray.apiserver.access import Attributes, Authenticator, selected_name
from dray.apiserver.authentication.impersonation import impersonate, wanted_user
from dray.apiserver.core import Core
from dray.apiserver.http import request_info, resources
from dray.apiserver.http.documents import Documents
from dray.apiserver.http.kubelet import Kubelets
from dray.apiserver.http.metrics import RequestMetrics
from dray.apiserver.http.request_info import RequestInfo
from dray.apiserver.http.responses import error_answer
from dray.apiserver.options import Query, first
from dray.apiserver.registry.kind import User

log = logging.getLogger("dray.apiserver")


class HttpApi:
    def __init__(
        self,
        core: Core,
        authenticator: Authenticator,
        documents: Documents,
        kubelets: Kubelets,
        metrics: RequestMetrics,
    ) -> None:
        self._metrics = metrics
        self._core = core
        self._kubelets = kubelets
        self._authenticator = authenticator
        self._documents = documents

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        raw = request.rel_url.raw_query_string
        query: Query = parse_qs(raw, keep_blank_values=True) if raw else {}
        info = request_info.parse(request.method, request.rel_url.raw_path, watch=_asks_watch(query))
        measured = self._metrics.begin(info)
        code = 499  # what proxies write down when the client left first
        try:
            response = await self._answer(request, info, query)
            code = response.status
            return response
        finally:
            measured.end(code, dry_run="All" if query.get("dryRun") == ["All"] else "")

    async def _answer(self, request: web.BaseRequest, info: RequestInfo, query: Query) -> web.StreamResponse:
        """Never raises a StatusError, nor anything unforeseen: both become answers."""
        try:
            user = await self._identify(request, info, query)
            if info.is_resource:
                return await resources.serve(self._core, self._kubelets, request, info, user, query)
            return await self._documents.serve(request, query)
        except errors.StatusError as error:
            return error_answer(error)
        except web.HTTPException:
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.rel_url.raw_path)
            return error_answer(
                errors.InternalError("Internal error occurred: the API server's log says more")
            )

    async def _identify(self, request: web.BaseRequest, info: RequestInfo, query: Query) -> User:
        """Who asks, once allowed to. Raises Unauthorized, Forbidden."""
        user = await self._authenticator.authenticate(request)
        attributes = _attributes(info, user, query)
        if (wanted := wanted_user(request.headers)) is not None:
            user = impersonate(user, wanted, self._core.authorizer, attributes)
            attributes = _attributes(info, user, query)
        self._core.authorize(attributes)
        return user


def _asks_watch(query: Mapping[str, Sequence[str]]) -> bool:
    values = query.get("watch")
    return values is not None and values[0].lower() not in ("false", "0")


def _attributes(info: RequestInfo, user: User, query: Query) -> Attributes:
    if not info.is_resource:
        return Attributes(user, info.verb, path=info.path)
    labels, fields = first(query, "labelSelector"), first(query, "fieldSelector")
    return Attributes(
        user,
        info.verb,
        info.group,
        info.version,
        info.resource,
        info.subresource,
        info.namespace,
        info.name or selected_name(fields),
        labels=labels,
        fields=fields,
    )

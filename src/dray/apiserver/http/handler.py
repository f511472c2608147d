"""The one entry of the HTTP server: who asks, may they, and which part answers; every failure becomes a Status."""

import dataclasses
import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from aiohttp import web

from dray.api import errors
from dray.apiserver.access import ANONYMOUS, Attributes, Authenticator, refusal, selected_name
from dray.apiserver.audit.events import Auditor, Trail
from dray.apiserver.authentication.impersonation import impersonate, wanted_user
from dray.apiserver.core import Core
from dray.apiserver.http import request_info, resources
from dray.apiserver.http.backends import Backends
from dray.apiserver.http.documents import Documents
from dray.apiserver.http.inflight import NO_LIMITS, Inflight, InflightLimits, TooManyInflight
from dray.apiserver.http.layout import is_for_people, lay_out
from dray.apiserver.http.metrics import LONG_RUNNING, RequestMetrics
from dray.apiserver.http.request import audit_id
from dray.apiserver.http.request_info import RequestInfo
from dray.apiserver.http.responses import error_answer, page_not_found, too_many_requests
from dray.apiserver.options import Query, check_timeout, first
from dray.apiserver.registry.kind import User

log = logging.getLogger("dray.apiserver")


class HttpApi:
    def __init__(
        self,
        core: Core,
        authenticator: Authenticator,
        documents: Documents,
        backends: Backends,
        metrics: RequestMetrics,
        audit: Auditor | None = None,
        limits: InflightLimits = NO_LIMITS,
    ) -> None:
        self._audit = audit
        self._inflight = Inflight(limits)
        self._metrics = metrics
        self._core = core
        self._backends = backends
        self._authenticator = authenticator
        self._knows_constrained = core.features.enabled("ConstrainedImpersonation")
        self._documents = documents

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        raw = request.rel_url.raw_query_string
        query: Query = parse_qs(raw, keep_blank_values=True) if raw else {}
        info = request_info.parse(request.method, request.rel_url.raw_path, watch=_asks_watch(query))
        measured = self._metrics.begin(info, request)
        asker = _Asker()
        if self._audit is not None:
            asker.received = self._audit.clock.now()
        size: int | None = None
        code = 499  # what proxies write down when the client left first
        response: web.StreamResponse | None = None
        try:
            response = await self._answer(request, info, query, asker)
            if asker.trail is not None:
                await asker.trail.answered(response)
            if is_for_people(request, query):
                await lay_out(response, request)
            code, size = response.status, _size(response)
            return response
        finally:
            measured.end(code, "All" if query.get("dryRun") == ["All"] else "", size)
            if asker.trail is not None:
                asker.trail.end()

    async def _answer(
        self, request: web.BaseRequest, info: RequestInfo, query: Query, asker: "_Asker"
    ) -> web.StreamResponse:
        """Never raises a StatusError, nor anything unforeseen: both become answers."""
        try:
            attributes = await self._identify(request, info, query, asker)
            with self._inflight.admitted(info, attributes.user):
                self._authorize(attributes, asker.trail)
                return await self._serve(request, info, attributes.user, query, asker)
        except TooManyInflight:
            return too_many_requests()
        except errors.StatusError as error:
            return error_answer(error, accept=request.headers.get("Accept", ""))
        except (
            RecursionError
        ):  # of a body, before anything was written: what is stored is read by the same code
            return error_answer(
                errors.BadRequest("exceeded max depth"), accept=request.headers.get("Accept", "")
            )
        except web.HTTPException as refused:
            if asker.trail is not None:
                await asker.trail.answered(refused)
            raise
        except Exception as error:
            log.exception("%s %s failed", request.method, request.rel_url.raw_path)
            if asker.trail is not None:
                asker.trail.panicked(error)
            return error_answer(
                errors.InternalError("Internal error occurred: the API server's log says more")
            )

    async def _serve(
        self, request: web.BaseRequest, info: RequestInfo, user: User, query: Query, asker: "_Asker"
    ) -> web.StreamResponse:
        if not (info.is_watch or info.subresource in LONG_RUNNING):
            check_timeout(query)
        if not info.is_resource:
            return await self._documents.serve(request, query)
        if info.path.startswith("//"):
            return page_not_found()
        return await resources.serve(self._core, self._backends, request, info, user, query, asker.trail)

    def _authorize(self, attributes: Attributes, trail: Trail | None) -> None:
        """Raises Forbidden."""
        decision = self._core.authorizer.authorize(attributes)
        if trail is not None:
            trail.decided(decision)
        if not decision.allowed:
            raise refusal(attributes, decision)

    async def _identify(
        self, request: web.BaseRequest, info: RequestInfo, query: Query, asker: "_Asker"
    ) -> Attributes:
        """Who asks for what, noted in `asker`; not yet allowed to. Raises Unauthorized, Forbidden."""
        user = await self._authenticate(request, info, query, asker)
        attributes = _attributes(info, user, query)
        if self._audit is not None and asker.received is not None:
            asker.trail = self._audit.begin(request, audit_id(request), attributes, asker.received)
        constrained = self._knows_constrained
        if (wanted := wanted_user(request.headers, constrained=constrained)) is not None:
            user, constraint = impersonate(
                user, wanted, self._core.authorizer, attributes, constrained=constrained
            )
            if asker.trail is not None:
                asker.trail.impersonated(user, constraint)
            attributes = _attributes(info, user, query)
        return attributes

    async def _authenticate(
        self, request: web.BaseRequest, info: RequestInfo, query: Query, asker: "_Asker"
    ) -> User:
        """Raises Unauthorized."""
        try:
            return await self._authenticator.authenticate(request)
        except errors.Unauthorized:
            if self._audit is not None and asker.received is not None:
                nobody = dataclasses.replace(ANONYMOUS, name="", groups=())
                asked = _attributes(info, nobody, query)
                asker.trail = self._audit.unknown(request, audit_id(request), asked, asker.received)
            raise


@dataclasses.dataclass(slots=True)
class _Asker:
    """What the audit log will have of a request; nothing while there is none."""

    received: dt.datetime | None = None
    trail: Trail | None = None


def _size(response: web.StreamResponse) -> int | None:
    """Of the body, where it was made before it is sent."""
    body = response.body if isinstance(response, web.Response) else None
    return len(body) if isinstance(body, bytes) else None


def _asks_watch(query: Mapping[str, Sequence[str]]) -> bool:
    values = query.get("watch")
    return values is not None and values[0].lower() not in ("false", "0")


_SELECTING: Final = ("list", "watch", "deletecollection")


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
        info.name or (selected_name(fields) if info.verb in _SELECTING else ""),
        labels=labels,
        fields=fields,
    )

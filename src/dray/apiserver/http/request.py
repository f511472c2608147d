"""A request as the server sees it, and what every answer to one carries: the id that the audit log knows it by."""

import uuid
from typing import Final

from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE

from dray.apiserver.audit.events import TRAIL

AUDIT_ID: Final = "Audit-Id"
_KNOWN: Final = web.RequestKey("audit-id", str)


def audit_id(request: web.BaseRequest) -> str:
    """The client's own, or one made up at the first call."""
    known = request.get(_KNOWN)
    if known is None:
        known = request[_KNOWN] = request.headers.get(AUDIT_ID) or str(uuid.uuid4())
    return known


class ApiRequest(web.BaseRequest):
    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        """Called before the first byte of any answer, streams included: the one place that all of them pass.

        What the server is built with is nobody's business.
        """
        if (trail := self.get(TRAIL)) is not None:
            trail.started(response.status)
        headers = response.headers
        headers.setdefault(AUDIT_ID, audit_id(self))
        if headers.get("Server") == SERVER_SOFTWARE:
            del headers["Server"]

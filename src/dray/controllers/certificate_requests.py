"""What the loops over certificate requests share: one queue of requests without a certificate, and patience."""

import logging
from typing import ClassVar

from dray.api.meta import Object, ObjectKey
from dray.api.resources import CERTIFICATE_SIGNING_REQUESTS
from dray.api.validation.core.certificate_request import certificate_of
from dray.controllers.base import Context, Controller, RetryAfter
from dray.kits.backoff import Backoff

log = logging.getLogger("dray.controllers")

ACCOUNT = "certificate-controller"
"""Whose rights all of them work with, as in Kubernetes."""
_FIRST_DELAY_SECONDS = 0.2
_LAST_DELAY_SECONDS = 1000.0


class NotNow(Exception):
    """Nothing can be done for a request, for a reason outside of it that may pass."""


class CertificateRequests(Controller):
    """Subclasses implement `handle`."""

    account: ClassVar[str] = ACCOUNT

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._delays = Backoff(_FIRST_DELAY_SECONDS, _LAST_DELAY_SECONDS)
        self.requests = self.watch(CERTIFICATE_SIGNING_REQUESTS)

    async def handle(self, request: Object) -> None:
        """One that has no certificate. May raise NotNow, and what `sync` may raise."""
        raise NotImplementedError

    async def sync(self, key: ObjectKey) -> None:
        request = self.requests.cache.get(key)
        if request is not None and not certificate_of(request):
            try:
                await self.handle(request)
            except NotNow as why:
                log.info("%s: %s: %s", self.name, key.name, why)
                raise RetryAfter(self._delays.next_delay(key)) from None
        self._delays.forget(key)

    async def write(self, request: Object, subresource: str, **status: object) -> None:
        """Change fields of the status through a subresource."""
        changed = {**request, "status": {**(request.get("status") or {}), **status}}
        updated = await self.client.update(CERTIFICATE_SIGNING_REQUESTS, changed, subresource=subresource)
        await self.requests.wait_seen(updated)

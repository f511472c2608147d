"""Removes certificate requests that nobody needs any more: an hour after they were decided, a day after they were made.

The certificate is with who asked for it by then. One that was approved but never signed stays: its signer may come.
"""

import base64
import datetime as dt
from collections.abc import Iterable
from typing import ClassVar, Final

from dray.api import errors
from dray.api.certificates import pem
from dray.api.meta import Object, ObjectKey, parse_time, uid_of
from dray.api.resources import CERTIFICATE_SIGNING_REQUESTS
from dray.api.validation.core.certificate_request import (
    APPROVED,
    DENIED,
    FAILED,
    certificate_of,
    conditions_of,
)
from dray.controllers.base import Context, Controller, RetryAfter
from dray.controllers.certificate_requests import ACCOUNT

AFTER_DECISION: Final = dt.timedelta(hours=1)
AFTER_CREATION: Final = dt.timedelta(hours=24)


class CertificateCleaning(Controller):
    name: ClassVar[str] = "csrcleaner"
    account: ClassVar[str] = ACCOUNT
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.requests = self.watch(CERTIFICATE_SIGNING_REQUESTS)

    async def sync(self, key: ObjectKey) -> None:
        request = self.requests.cache.get(key)
        due = None if request is None else min(_due_times(request), default=None)
        if request is None or due is None:
            return
        left = (due - self.clock.now()).total_seconds()
        if left >= 0:
            raise RetryAfter(left + 1)
        try:
            await self.client.delete(CERTIFICATE_SIGNING_REQUESTS, key.name, uid=uid_of(request))
        except errors.NotFound:
            return


def _due_times(request: Object) -> Iterable[dt.datetime]:
    """Each moment after which it may go."""
    conditions, certificate = conditions_of(request), certificate_of(request)
    if not conditions:
        yield parse_time(request["metadata"]["creationTimestamp"]) + AFTER_CREATION
    for condition in conditions:
        kind, since = condition.get("type"), condition.get("lastUpdateTime")
        if since and (kind in (DENIED, FAILED) or (kind == APPROVED and certificate)):
            yield parse_time(since) + AFTER_DECISION
        if kind == APPROVED and certificate and (end := _end_of(certificate)) is not None:
            yield end


def _end_of(certificate: str) -> dt.datetime | None:
    """When it expires; None for what is no certificate."""
    from cryptography import x509

    block = pem.first_block(base64.b64decode(certificate))
    try:
        return None if block is None else x509.load_der_x509_certificate(block.content).not_valid_after_utc
    except ValueError:
        return None

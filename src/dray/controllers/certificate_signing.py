"""Signs the certificate requests that were approved, for the signers that Kubernetes has built in.

A request that its signer does not sign gets the condition Failed, for good. Where the authority is at fault nothing is
written, and it is tried again.
"""

import base64
import dataclasses
import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from dray.api.certificates.request import RequestError
from dray.api.meta import Object, format_time
from dray.api.validation.core.certificate_request import (
    APPROVED,
    DENIED,
    FAILED,
    condition_types,
    conditions_of,
)
from dray.controllers.base import Context
from dray.controllers.certificate_approval import read
from dray.controllers.certificate_authority import AuthorityError, SigningAuthority
from dray.controllers.certificate_issuing import SERIAL_BITS, IssueError, issue, validity
from dray.controllers.certificate_requests import CertificateRequests, NotNow
from dray.controllers.certificate_signers import FAULTS

LONGEST: Final = dt.timedelta(days=365)


@dataclasses.dataclass(frozen=True, slots=True)
class Signing:
    """How the cluster signs."""

    authorities: Mapping[str, Callable[[], SigningAuthority]]
    """By signer; each may raise AuthorityError. Requests for others are left alone."""
    longest: dt.timedelta = LONGEST
    """No certificate lives longer, whatever is asked for."""


class CertificateSigning(CertificateRequests):
    name: ClassVar[str] = "csrsigning"

    def __init__(self, context: Context, signing: Signing) -> None:
        self._signing = signing
        super().__init__(context)

    async def handle(self, request: Object) -> None:
        spec, types = request["spec"], condition_types(request)
        signer = spec.get("signerName") or ""
        if signer not in self._signing.authorities or APPROVED not in types or DENIED in types:
            return
        if FAILED in types:
            return
        asked, usages = read(request), spec.get("usages") or ()
        if why := FAULTS[signer](asked, usages):
            condition = {
                "type": FAILED,
                "status": "True",
                "reason": "SignerValidationFailure",
                "message": why,
                "lastUpdateTime": format_time(self.clock.now()),
            }
            await self.write(request, "status", conditions=[*conditions_of(request), condition])
            return
        try:
            asked.check_signature()
            authority = self._signing.authorities[signer]()
            valid = validity(
                self.clock.now(), spec.get("expirationSeconds"), self._signing.longest, authority
            )
            certificate = issue(asked, usages, authority, valid, 1 + secrets.randbelow(2**SERIAL_BITS - 1))
        except (RequestError, AuthorityError, IssueError) as error:
            raise NotNow(str(error)) from None
        await self.write(request, "status", certificate=base64.b64encode(certificate).decode())

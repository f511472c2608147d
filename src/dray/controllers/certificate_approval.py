"""Approves the requests by which kubelets get their client certificates, of those whom the cluster lets ask for them.

Whether somebody may is a right like any other: to create `certificatesigningrequests/selfnodeclient` (the certificate
that one has already, anew) or `.../nodeclient` (any node's). Serving certificates are left to people.
"""

import base64
from collections.abc import Sequence
from typing import ClassVar, Final

from dray.api.certificates.request import CertificateRequest, RequestError, parse_request
from dray.api.meta import Object
from dray.api.resources import CERTIFICATE_SIGNING_REQUESTS, SUBJECT_ACCESS_REVIEWS
from dray.api.validation.core.certificate_request import (
    APPROVED,
    DENIED,
    condition_types,
    conditions_of,
)
from dray.controllers.certificate_requests import CertificateRequests, NotNow
from dray.controllers.certificate_signers import KUBELET_CLIENT, kubelet_client_fault

_REQUESTER: Final = ("username", "uid", "groups", "extra")
_MESSAGES: Final = {
    "selfnodeclient": "Auto approving self kubelet client certificate after SubjectAccessReview.",
    "nodeclient": "Auto approving kubelet client certificate after SubjectAccessReview.",
}


class CertificateApproval(CertificateRequests):
    name: ClassVar[str] = "csrapproving"

    async def handle(self, request: Object) -> None:
        if {APPROVED, DENIED} & set(condition_types(request)):
            return
        tried = _permissions(request)
        for permission in tried:
            if await self._may(request["spec"], permission):
                condition = {
                    "type": APPROVED,
                    "status": "True",
                    "reason": "AutoApproved",
                    "message": _MESSAGES[permission],
                }
                conditions = [*conditions_of(request), condition]
                await self.write(request, "approval", conditions=conditions)
                return
        if tried:
            raise NotNow(f"{request['spec'].get('username')} has none of the rights {', '.join(tried)}")

    async def _may(self, spec: Object, permission: str) -> bool:
        asked = {
            "group": CERTIFICATE_SIGNING_REQUESTS.group,
            "version": "*",
            "resource": CERTIFICATE_SIGNING_REQUESTS.plural,
            "subresource": permission,
            "verb": "create",
        }
        who = {"user" if key == "username" else key: spec[key] for key in _REQUESTER if key in spec}
        review = await self.client.create(
            SUBJECT_ACCESS_REVIEWS, {"spec": {**who, "resourceAttributes": asked}}
        )
        return bool((review.get("status") or {}).get("allowed"))


def _permissions(request: Object) -> Sequence[str]:
    """Each of them would do; none where it is no request of a kubelet for its client certificate."""
    spec = request["spec"]
    if spec.get("signerName") != KUBELET_CLIENT:
        return ()
    asked = read(request)
    if kubelet_client_fault(asked, spec.get("usages") or ()):
        return ()
    own = spec.get("username") == asked.subject.common_name
    return ("selfnodeclient", "nodeclient") if own else ("nodeclient",)


def read(request: Object) -> CertificateRequest:
    """What is asked for. Raises NotNow."""
    try:
        return parse_request(base64.b64decode(request["spec"].get("request") or ""))
    except RequestError as error:
        raise NotNow(f"unable to parse csr {request['metadata']['name']!r}: {error}") from None

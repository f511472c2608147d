"""Who may approve or sign a certificate request, and what nobody may ask for."""

import base64
import binascii

from dray.api import errors
from dray.api.certificates.request import CertificateRequest, RequestError, parse_request
from dray.api.meta import Object
from dray.api.validation.core.certificate_request import certificate_of, conditions_of
from dray.apiserver.access import MASTERS, Attributes
from dray.apiserver.authorization.rbac import Rbac
from dray.apiserver.core import AdmissionRequest

GROUP = "certificates.k8s.io"
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


class CertificateRequests:
    def __init__(self, rbac: Rbac) -> None:
        self._rbac = rbac

    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden."""
        obj, call = request.object, request.call
        if obj is None:
            return
        if request.operation == "CREATE":
            _refuse_masters(request, obj)
        elif call.subresource == "approval":
            self._demand(request, obj, "approve")
        elif call.subresource == "status" and _is_signed(obj, request.old or {}):
            self._demand(request, obj, "sign")

    def _demand(self, request: AdmissionRequest, obj: Object, verb: str) -> None:
        signer = str(((request.old or obj).get("spec") or {}).get("signerName") or "")
        domain = signer.partition("/")[0]
        if MASTERS in request.call.user.groups or any(
            self._may(request, verb, name) for name in (signer, f"{domain}/*")
        ):
            return
        raise _forbidden(request, f'user not permitted to {verb} requests with signerName "{signer}"')

    def _may(self, request: AdmissionRequest, verb: str, signer: str) -> bool:
        attributes = Attributes(
            request.call.user, verb, group=GROUP, version="*", resource="signers", name=signer
        )
        return self._rbac.authorize(attributes).allowed


def read_request(obj: Object) -> CertificateRequest:
    """What an object asks for. Raises RequestError."""
    try:
        data = base64.b64decode((obj.get("spec") or {}).get("request") or "")
    except binascii.Error:
        data = b""
    return parse_request(data)


def _is_signed(obj: Object, old: Object) -> bool:
    """Whether this write is a signer's: of a certificate, or of conditions."""
    return certificate_of(obj) != certificate_of(old) or conditions_of(obj) != conditions_of(old)


def _refuse_masters(request: AdmissionRequest, obj: Object) -> None:
    """A certificate of the masters' group would pass every check, so none is asked for over the API."""
    if (obj.get("spec") or {}).get("signerName") != CLIENT_SIGNER:
        return
    try:
        organizations = read_request(obj).subject.organizations
    except RequestError as error:
        raise _forbidden(request, f"failed to parse CSR: {error}") from None
    if MASTERS in organizations:
        raise _forbidden(request, f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed")


def _forbidden(request: AdmissionRequest, why: str) -> errors.StatusError:
    name = request.call.name or str((request.object or {"metadata": {}})["metadata"].get("name") or "")
    return errors.forbidden(GROUP, request.call.kind.resource.plural, name, why)

"""Who may approve or sign a certificate request, and what nobody may ask for."""

import base64
import binascii
from typing import TYPE_CHECKING

from dray.api import errors
from dray.api.meta import Object
from dray.apiserver.access import MASTERS, AdmissionRequest, Attributes
from dray.apiserver.authorization.rbac import Rbac

if TYPE_CHECKING:
    from cryptography import x509

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
            _refuse_masters(obj)
        elif call.subresource == "approval":
            self._demand(request, obj, "approve")
        elif call.subresource == "status" and _certificate(obj) != _certificate(request.old or {}):
            self._demand(request, obj, "sign")

    def _demand(self, request: AdmissionRequest, obj: Object, verb: str) -> None:
        signer = str(obj["spec"].get("signerName") or "")
        domain = signer.partition("/")[0]
        if MASTERS in request.call.user.groups or any(
            self._may(request, verb, name) for name in (signer, f"{domain}/*")
        ):
            return
        why = f'user not permitted to {verb} requests with signerName "{signer}"'
        raise errors.forbidden(GROUP, request.call.kind.resource.plural, request.call.name, why)

    def _may(self, request: AdmissionRequest, verb: str, signer: str) -> bool:
        attributes = Attributes(
            request.call.user, verb, group=GROUP, version="*", resource="signers", name=signer
        )
        return self._rbac.authorize(attributes).allowed


def _certificate(obj: Object) -> str:
    return (obj.get("status") or {}).get("certificate") or ""


def _refuse_masters(obj: Object) -> None:
    """A certificate of the masters' group would pass every check, so none is asked for over the API."""
    spec = obj.get("spec") or {}
    if spec.get("signerName") == CLIENT_SIGNER and MASTERS in _organizations(spec.get("request") or ""):
        why = f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed"
        name = str(obj["metadata"].get("name") or "")
        raise errors.forbidden(GROUP, "certificatesigningrequests", name, why)


def _organizations(request: str) -> list[str]:
    subject = _subject(request)
    if subject is None:
        return []
    from cryptography.x509.oid import NameOID

    return [str(entry.value) for entry in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]


def common_name(request: str) -> str:
    """Of whom a request for a certificate, in base64, speaks; "" where it cannot be read."""
    subject = _subject(request)
    if subject is None:
        return ""
    from cryptography.x509.oid import NameOID

    return "".join(str(entry.value) for entry in subject.get_attributes_for_oid(NameOID.COMMON_NAME))


def _subject(request: str) -> "x509.Name | None":
    from cryptography import x509  # here: few writes are certificate requests

    try:
        return x509.load_pem_x509_csr(base64.b64decode(request)).subject
    except (ValueError, binascii.Error):
        return None

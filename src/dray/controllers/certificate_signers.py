"""The signers that Kubernetes has built in, and what each demands of a request. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dray.api.certificates.request import CertificateRequest

CLIENT: Final = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT: Final = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING: Final = "kubernetes.io/kubelet-serving"
LEGACY: Final = "kubernetes.io/legacy-unknown"

_CLIENT_AUTH: Final = "client auth"
_OPTIONAL: Final = ("digital signature", "key encipherment")
_NODES: Final = "system:nodes"
_NODE_PREFIX: Final = "system:node:"

Fault = Callable[[CertificateRequest, Sequence[str]], str]
"""Why a request, with the usages asked for, is not signed; "" where it is."""


def client_fault(request: CertificateRequest, usages: Sequence[str]) -> str:
    for usage in usages:
        if usage != _CLIENT_AUTH and usage not in _OPTIONAL:
            return f"invalid usage for client certificate: {usage}"
    if _CLIENT_AUTH not in usages:
        return f"missing required usage for client certificate: {_CLIENT_AUTH}"
    return ""


def kubelet_client_fault(request: CertificateRequest, usages: Sequence[str]) -> str:
    names = request.names
    return (
        _organization_fault(request)
        or ("DNS subjectAltNames are not allowed" if names.dns else "")
        or ("Email subjectAltNames are not allowed" if names.emails else "")
        or ("IP subjectAltNames are not allowed" if names.addresses else "")
        or ("URI subjectAltNames are not allowed" if names.uris else "")
        or _common_name_fault(request)
        or _usages_fault(usages, _CLIENT_AUTH)
    )


def kubelet_serving_fault(request: CertificateRequest, usages: Sequence[str]) -> str:
    names = request.names
    return (
        _organization_fault(request)
        or ("" if names.dns or names.addresses else "DNS or IP subjectAltName is required")
        or ("Email subjectAltNames are not allowed" if names.emails else "")
        or ("URI subjectAltNames are not allowed" if names.uris else "")
        or _usages_fault(usages, "server auth")
        or _common_name_fault(request)
    )


def legacy_fault(request: CertificateRequest, usages: Sequence[str]) -> str:
    """Objects of old that name no signer: everything is signed that somebody approved."""
    return ""


FAULTS: Final[Mapping[str, Fault]] = {
    CLIENT: client_fault,
    KUBELET_CLIENT: kubelet_client_fault,
    KUBELET_SERVING: kubelet_serving_fault,
    LEGACY: legacy_fault,
}


def _organization_fault(request: CertificateRequest) -> str:
    return "" if request.subject.organizations == (_NODES,) else f"subject organization is not {_NODES}"


def _common_name_fault(request: CertificateRequest) -> str:
    if request.subject.common_name.startswith(_NODE_PREFIX):
        return ""
    return f"subject common name does not begin with {_NODE_PREFIX}"


def _usages_fault(usages: Sequence[str], purpose: str) -> str:
    """Keys that encipher nothing, as those on curves, need not name it."""
    signature, encipherment = _OPTIONAL
    allowed = ({signature, encipherment, purpose}, {signature, purpose})
    if set(usages) in allowed:
        return ""
    return f"usages did not match [{' '.join(sorted(allowed[0]))}]"

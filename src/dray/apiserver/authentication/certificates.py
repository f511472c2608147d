"""Who a client certificate stands for: a user itself, or a proxy that names one.

TLS has verified the certificate against both authorities together. Which of them signed it decides what it is worth, so
that a proxy's certificate makes nobody a user. Told apart are certificates that an authority signed itself; with a
front proxy, one that an intermediate signed is refused.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dray.apiserver.authentication.front_proxy import FrontProxy
from dray.apiserver.registry.kind import User

if TYPE_CHECKING:
    from aiohttp import web

CREDENTIAL_ID: Final = "authentication.kubernetes.io/credential-id"
"""Extra of a user: which of its credentials was shown."""
_CACHE_LIMIT: Final = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """What a certificate says of who asks."""

    user: User | None
    """None: nobody."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Issued:
    to_user: bool
    to_proxy: bool


class ClientCertificates:
    """`authority` is PEM: whose signature makes a user. It is only looked at where there is a proxy's beside it."""

    def __init__(self, authority: bytes = b"", proxy: FrontProxy | None = None) -> None:
        self._authority = authority
        self._proxy = proxy
        self._known: dict[bytes, _Issued] = {}

    def read(self, request: "web.BaseRequest") -> "Shown | None":
        """None where no certificate was shown."""
        ssl_object: Any = request.get_extra_info("ssl_object")
        subject = ssl_object.getpeercert() if ssl_object is not None else None
        if not subject:
            return None
        certificate: bytes = ssl_object.getpeercert(binary_form=True)
        if self._proxy is None:
            return Shown(_user(subject, certificate))
        issued = self._issued(certificate)
        names = _names(subject).get("commonName") or [""]
        if issued.to_proxy and self._proxy.admits(names[0]):
            user = self._proxy.user_of(request.headers)
            if user is not None:
                return Shown(user)
        return Shown(_user(subject, certificate) if issued.to_user else None)

    def _issued(self, certificate: bytes) -> _Issued:
        digest = hashlib.sha256(certificate).digest()
        found = self._known.get(digest)
        if found is None:
            assert self._proxy is not None
            if len(self._known) >= _CACHE_LIMIT:
                self._known.clear()
            found = self._known[digest] = _Issued(
                _signed(certificate, self._authority), _signed(certificate, self._proxy.authority)
            )
        return found


def _signed(certificate: bytes, authorities: bytes) -> bool:
    from cryptography import x509  # here: a server that nobody shows a certificate does without
    from cryptography.exceptions import InvalidSignature

    leaf = x509.load_der_x509_certificate(certificate)
    for authority in x509.load_pem_x509_certificates(authorities):
        try:
            leaf.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return True
    return False


def _user(subject: Mapping[str, Any], certificate: bytes) -> User | None:
    names = _names(subject)
    common_names = names.get("commonName")
    if not common_names:
        return None
    extra = {CREDENTIAL_ID: (f"X509SHA256={hashlib.sha256(certificate).hexdigest()}",)}
    return User(common_names[0], tuple(names.get("organizationName", ())), extra=extra)


def _names(subject: Mapping[str, Any]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for part in subject.get("subject", ()):
        for key, value in part:
            names.setdefault(key, []).append(value)
    return names
